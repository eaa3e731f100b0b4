"""The reference itself, against what the protocol says, and against the real store where one is there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from proxy.stores.model import ModelStore
from proxy.stores.mongo import MongoStore
from proxy.stores.protocol import GapEntry, Key, Namespace, Outcome, Poison, Repair, Store, Write

ORDERS = Namespace("shop", "orders")
KEYS = [Key(number, number) for number in range(4)]
NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def play(store: Store, namespace: Namespace, choices: Random) -> list[Any]:
    """A random sequence of calls, one after the other, and all that they answered."""
    seen: list[Any] = []
    states = await store.states(namespace, KEYS)
    versions = list(range(1, 100))
    choices.shuffle(versions)
    for _ in range(25):
        keys = choices.sample(KEYS, 1 + choices.randrange(len(KEYS)))
        documents = [
            {"_id": key.value, "fk": choices.randrange(3)} if choices.random() < 0.6 else None for key in keys
        ]
        kind = choices.randrange(8)
        answers: list[Outcome | Poison] | list[bool | Poison] | int
        if kind < 4:
            writes = [
                Write(key, document, versions.pop(), {"us": {"t": kind}} if document else {})
                for key, document in zip(keys, documents, strict=True)
            ]
            answers = await store.apply(namespace, writes, replay=kind == 0)
        elif kind == 4:
            rows = [Write(key, {"_id": key.value, "fk": 9}, 0) for key in keys]
            answers = await store.seed(namespace, rows)
        elif kind == 5 and choices.random() < 0.3:
            answers = await store.truncate(namespace, versions.pop())
        else:
            repairs = [
                Repair(key, states[key.value], document)
                for key, document in zip(keys, documents, strict=True)
            ]
            answers = await store.repair(namespace, repairs)
        if choices.random() < 0.7:
            states = await store.states(namespace, KEYS)
        found = await store.find_keys(namespace, [{"fk": 1}, {"fk": 9}], 10)
        seen.append((kind, answers, states, sorted(found)))
    return seen


async def test_the_newest_stands() -> None:
    store = ModelStore()
    [one, two, *_] = KEYS
    assert await store.apply(ORDERS, [Write(one, {"a": 1}, 5), Write(two, None, 5)]) == [Outcome.APPLIED] * 2
    assert await store.apply(ORDERS, [Write(one, None, 4), Write(two, {"a": 0}, 4)]) == [Outcome.STALE] * 2
    assert store.documents(ORDERS) == [{"_id": 0, "a": 1}]
    assert await store.seed(ORDERS, [Write(two, {"a": 0}, 0)]) == [Outcome.STALE]
    assert await store.truncate(ORDERS, 6) == 1
    assert await store.apply(ORDERS, [Write(one, {"a": 1}, 5)]) == [Outcome.STALE]
    assert store.documents(ORDERS) == []


@pytest.mark.parametrize("seed", range(3))
async def test_a_sequence_can_be_played_again(seed: int) -> None:
    first = await play(ModelStore(), ORDERS, Random(seed))
    assert first == await play(ModelStore(), ORDERS, Random(seed))
    assert any(states[0].document for _, _, states, _ in first)


@pytest.mark.integration
@pytest.mark.parametrize("seed", range(8))
async def test_the_real_store_answers_the_same(store: MongoStore, namespace: Namespace, seed: int) -> None:
    real = await play(store, namespace, Random(seed))
    model = await play(ModelStore(), namespace, Random(seed))
    for one, other in zip(real, model, strict=True):
        assert one == other


async def test_the_ledger() -> None:
    store = ModelStore()
    gap = GapEntry("g", "shop", "public.orders", "copy", "table", None, "", "p1", 5, 1, NOW, NOW)
    await store.open_gap(gap)
    await store.open_gap(gap)
    [seen] = await store.gaps(database="shop")
    assert (seen.count, seen.last_seen) == (2, NOW + timedelta(milliseconds=1))
    assert await store.gaps(database="other") == []
    assert not await store.close_gap("g", up_to=NOW)
    assert await store.close_gap("g", up_to=seen.last_seen)
    assert await store.gaps() == []


async def test_state() -> None:
    store = ModelStore()
    await store.put_state("proxies", "a", {"x": 1})
    assert await store.get_state("proxies") == {"a": {"x": 1}}
    await store.delete_state("proxies", "a")
    assert await store.get_state("proxies") == {}


async def swaps(store: Store, kind: str) -> list[object]:
    """One state, created, replaced, taken away; each step tried too late as well."""
    seen: list[object] = [await store.state(kind, "one")]
    for expected, value in [
        (1, {"a": 1}),
        (0, {"a": 1}),
        (0, {"a": 2}),
        (1, {"a": 3}),
        (1, {"a": 4}),
        (1, None),
        (2, None),
        (2, None),
        (0, {"a": 5}),
    ]:
        seen.append(await store.swap_state(kind, "one", expected, value))
        seen.append(await store.state(kind, "one"))
    seen.append(await store.get_state(kind))
    return seen


async def test_a_state_is_swapped_by_one() -> None:
    seen = await swaps(ModelStore(), "runs")
    assert seen[1::2] == [False, True, False, True, False, False, True, False, True, {"one": seen[-2]}]
    assert seen[-2] == {"a": 5, "revision": 1}


@pytest.mark.integration
async def test_the_real_store_swaps_the_same(store: MongoStore, namespace: Namespace) -> None:
    kind = f"test_{namespace.collection}"
    assert await swaps(store, kind) == await swaps(ModelStore(), kind)
