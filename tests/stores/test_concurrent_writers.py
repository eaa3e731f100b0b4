"""The algorithm of `convergence` on the real document database: writers that race, repeat themselves and die."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from random import Random
from typing import Any, ClassVar

import pytest
from bson import Int64

from devstack.document_store import DocumentStore
from proxy.stores.model import ModelStore
from proxy.stores.mongo import MongoStore, open_store
from proxy.stores.mongo_commands import Link
from proxy.stores.protocol import Key, Namespace, Outcome, Repair, State, StoreUnavailable, Write
from tests.stores.conftest import polled

pytestmark = pytest.mark.integration

KEYS = 12


def key(number: int) -> Key:
    return Key(number, number)


@pytest.fixture
async def stores(document_store: DocumentStore) -> AsyncIterator[list[MongoStore]]:
    """Of several proxies, patient: a machine that stalls is not what is tested here."""
    stores = [open_store(polled(document_store.uri), timeout=60) for _ in range(3)]
    yield stores
    for store in stores:
        await store.close()


async def final(store: MongoStore, namespace: Namespace) -> dict[int, tuple[tuple[int, int], Any]]:
    """Pair and content of each key; the collection must hold exactly what stands."""
    states = await store.states(namespace, [key(number) for number in range(KEYS)])
    there = await store.find_keys(namespace, [{}], KEYS)
    assert sorted(there) == [number for number, state in enumerate(states) if state.document is not None]
    return {number: ((state.version, state.repairs), state.document) for number, state in enumerate(states)}


@pytest.mark.parametrize("seed", range(6))
async def test_any_order_gives_what_one_after_the_other_gives(
    stores: list[MongoStore], namespace: Namespace, seed: int
) -> None:
    choices = Random(seed)
    versions = list(range(1, 400))
    choices.shuffle(versions)
    truncated = versions.pop()
    batches = []
    for _ in range(40):
        writes = []
        for number in choices.sample(range(KEYS), 1 + choices.randrange(KEYS - 1)):
            version = versions.pop() if versions else 0
            if version:
                document = {"_id": number, "by": version} if choices.random() < 0.6 else None
                writes.append(Write(key(number), document, version))
        batches.append(writes)
    seeds = [Write(key(number), {"_id": number, "by": "seed"}, 0) for number in range(KEYS)]

    def jobs(store: MongoStore, writes: list[Write]) -> list[Coroutine[Any, Any, Any]]:
        again = choices.random() < 0.3
        found: list[Coroutine[Any, Any, Any]] = [store.apply(namespace, writes)]
        return [*found, choices.choice(stores).apply(namespace, writes, replay=True)] if again else found

    todo = [job for writes in batches for job in jobs(choices.choice(stores), writes)]
    todo += [stores[0].seed(namespace, seeds), stores[1].truncate(namespace, truncated)]
    choices.shuffle(todo)
    running = [asyncio.ensure_future(job) for job in todo]
    await asyncio.gather(*running)

    model = ModelStore()
    await model.seed(namespace, seeds)
    for writes in batches:
        await model.apply(namespace, writes)
    await model.truncate(namespace, truncated)
    expected = await model.states(namespace, [key(number) for number in range(KEYS)])
    assert await final(stores[2], namespace) == {
        number: ((state.version, state.repairs), state.document) for number, state in enumerate(expected)
    }


class FailingLink(Link):
    """Loses commands, loses replies, and delivers commands after their sender was told that they failed."""

    choices = Random(7)
    late: ClassVar[list[asyncio.Task[Any]]] = []

    async def command(self, database: str, command: dict[str, Any]) -> dict[str, Any]:
        fate = self.choices.random()
        if fate < 0.1:
            raise StoreUnavailable("lost")
        carried_out = Link.command(self, database, command)
        if fate < 0.2:
            self.late.append(asyncio.create_task(carried_out))
            raise StoreUnavailable("late")
        reply = await carried_out
        if fate < 0.3:
            raise StoreUnavailable("unanswered")
        return reply


async def test_writers_that_are_cut_off_at_any_command(
    stores: list[MongoStore], namespace: Namespace, document_store: DocumentStore
) -> None:
    choices = Random(7)
    model = ModelStore()
    jobs = []
    for version in range(1, 200):
        number = choices.randrange(KEYS)
        document = {"_id": number, "by": version} if choices.random() < 0.6 else None
        write = Write(key(number), document, version)
        await model.apply(namespace, [write])
        jobs.append(write)
    choices.shuffle(jobs)
    limit = asyncio.Semaphore(8)
    link = stores[0]._link
    failing = MongoStore(
        FailingLink(link.client, link.timeout, link.write_concern, link.tombstone_ttl, {}), late_sweep=600
    )
    failures = 0

    async def carry_out(write: Write) -> None:
        nonlocal failures
        async with limit:
            replay = False
            while True:
                try:
                    await failing.apply(namespace, [write], replay=replay)
                except StoreUnavailable:
                    replay, failures = True, failures + 1
                else:
                    return

    await asyncio.gather(*map(carry_out, jobs))
    assert failures > 100
    await asyncio.gather(*FailingLink.late)
    await failing._sweeper.close()
    expected = await model.states(namespace, [key(number) for number in range(KEYS)])
    successor = open_store(polled(document_store.uri), late_sweep=0.01)
    await successor.states(namespace, [key(0)])
    await asyncio.wait_for(successor._sweeper.swept.wait(), 20)
    assert await final(successor, namespace) == {
        number: ((state.version, 0), state.document) for number, state in enumerate(expected)
    }
    await successor.close()


async def test_repairs_that_race_leave_what_the_source_has(
    stores: list[MongoStore], namespace: Namespace
) -> None:
    """Each follows a change of its own that no image told of, and reads the source after the state."""
    source: dict[int, int] = dict.fromkeys(range(4), 0)

    async def change_and_repair(store: MongoStore, number: int) -> None:
        for _ in range(6):
            source[number] += 1
            while True:
                [state] = await store.states(namespace, [key(number)])
                row = source[number]
                document = {"_id": number, "row": row} if row % 3 else None
                await asyncio.sleep(0)
                if await store.repair(namespace, [Repair(key(number), state, document)]) == [True]:
                    break

    await asyncio.gather(*(change_and_repair(store, number) for store in stores for number in range(4)))
    found = await final(stores[0], namespace)
    assert source == dict.fromkeys(range(4), 18)
    assert [found[number][1] for number in range(4)] == [None] * 4
    await asyncio.gather(*(change_and_repair(store, number) for store in stores[:2] for number in range(4)))
    source[0] += 1
    await change_and_repair(stores[0], 0)
    found = await final(stores[0], namespace)
    for number in range(4):
        row = source[number]
        assert found[number][1] == ({"_id": number, "row": row} if row % 3 else None)


async def test_what_a_store_that_was_cut_off_has_not_taken_is_given_again(
    stores: list[MongoStore], namespace: Namespace, document_store: DocumentStore
) -> None:
    if document_store.kind != "documentdb":
        pytest.skip("only the local DocumentDB can be stopped from here")
    gateway: Any = document_store
    short = open_store(polled(document_store.uri), timeout=1.0)
    writes = [Write(key(number), {"_id": number}, 5) for number in range(KEYS)]
    gateway.pause()
    try:
        with pytest.raises(StoreUnavailable):
            await short.apply(namespace, writes)
    finally:
        gateway.resume()
    answers = await short.apply(namespace, writes, replay=True)
    assert set(answers) <= {Outcome.APPLIED, Outcome.STALE}
    gateway.stop_gateway()
    try:
        with pytest.raises(StoreUnavailable):
            await short.apply(namespace, [Write(key(0), None, 6)])
    finally:
        gateway.start_gateway()
    await short.apply(namespace, [Write(key(0), None, 6)], replay=True)
    states = await stores[0].states(namespace, [key(number) for number in range(KEYS)])
    assert states[0] == State(6, 0, None)
    assert all(state.version == 5 for state in states[1:])
    await short.close()


@pytest.mark.parametrize("grave", ["tombstone", "floor"])
async def test_what_a_killed_writer_left_is_looked_after_by_a_successor_that_writes_nothing(
    stores: list[MongoStore], namespace: Namespace, document_store: DocumentStore, grave: str
) -> None:
    """Commands of a proxy that was killed may be carried out when its successor has replayed its spool already; the
    one after that, started a moment later, has nothing to write to the table."""
    first = stores[0]
    if grave == "floor":
        await first.truncate(namespace, 10)
    else:
        await first.apply(namespace, [Write(key(1), None, 10)])
    late = {"_id": 1, "_cw": {"v": Int64(5), "r": 0}}
    collection = first.link.collection(namespace)
    await collection.insert_one(late)
    successor = open_store(polled(document_store.uri), late_sweep=0.01)
    try:
        successor.look_after(namespace)
        await asyncio.wait_for(successor._sweeper.swept.wait(), 20)
        assert await collection.find_one({"_id": 1}) is None
    finally:
        await successor.close()
