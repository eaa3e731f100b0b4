"""Any interleaving, repetition and interruption of writes gives the same documents: on a simulated store."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

import bson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.stores import convergence
from proxy.stores.bson_form import Encoded
from proxy.stores.convergence import FLOOR, Area, Pair
from proxy.stores.identity import identity
from proxy.stores.protocol import Key, Outcome, Poison, Repair, Write
from tests.stores.simulation import Crash, SimulatedClient, SimulatedStore, Simulator

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
SCHEDULES = settings(max_examples=400)


def key(number: int) -> Key:
    return Key(number, number)


class World:
    """A simulated store, and processes that may die and come back, if `late` while their last command is under way."""

    def __init__(self, choices: Random, *, late: bool = False) -> None:
        self.choices = choices
        self.late = late
        self.simulator = Simulator(choices)
        self.store = SimulatedStore(self.simulator, choices)
        self.tasks: list[asyncio.Task[Any]] = []

    def client(self, steps: int | None = None) -> SimulatedClient:
        """Of a process that dies after so many steps."""
        left = steps

        def lives() -> bool:
            nonlocal left
            if left is None:
                return True
            left -= 1
            return left >= 0

        return self.store.seen_by(lives)

    def start(self, job: Callable[[SimulatedClient, bool], Awaitable[None]]) -> asyncio.Task[None]:
        """`job(client, replay)` in processes that die at any step until one does not.

        Where commands may come late, the next may begin while the one before is still at it.
        """

        async def mortal(client: SimulatedClient, replay: bool) -> None:
            try:
                await job(client, replay)
            except Crash:
                pass

        async def lives() -> None:
            replay, before = False, []
            while self.choices.random() < 0.4:
                client = self.client(steps=self.choices.randrange(12))
                before.append(asyncio.create_task(mortal(client, replay)))
                if not self.late or self.choices.random() < 0.3:
                    await before[-1]
                else:
                    for _ in range(self.choices.randrange(6)):
                        await self.simulator.turn()
                replay = True
            await job(self.client(), replay)
            self.tasks.extend(before)

        task = asyncio.create_task(lives())
        self.tasks.append(task)
        return task

    async def finish(self) -> None:
        """All that is under way ends."""
        done = 0
        while done < len(self.tasks):
            tasks = list(self.tasks)
            await self.simulator.run(tasks)
            done = len(tasks)

    async def sweep(self) -> None:
        """What follows an end that leaves open what was done, or that was not of the process's own will."""
        sweep = asyncio.create_task(convergence.sweep(self.client(), LONG_AGO))
        await self.simulator.run([sweep])

    def content(self, number: int) -> dict[str, Any] | None:
        """What a reader of the collection finds."""
        item = self.store.area(Area.DOCUMENTS).get(number)
        return None if item is None or item.document is None else dict(item.document)

    def standing(self, number: int) -> tuple[Pair, dict[str, Any] | None]:
        """The largest pair of what the key has in the store, and what it says."""
        documents, tombstones = self.store.area(Area.DOCUMENTS), self.store.area(Area.TOMBSTONES)
        found = [
            item
            for item in (
                documents.get(number),
                tombstones.get(number),
                tombstones.get(identity(FLOOR)),
            )
            if item is not None
        ]
        if not found:
            return Pair(0, -1), None
        item = max(found, key=lambda item: item.pair)
        return item.pair, None if item.document is None else dict(item.document)


@dataclass
class Written:
    """What was written to one key, and what must not be lost of it."""

    possible: dict[Pair, dict[str, Any] | None] = field(default_factory=dict)
    certain: set[Pair] = field(default_factory=set)
    repaired: Counter[Pair] = field(default_factory=Counter)


class TestNewestStands:
    @SCHEDULES
    @given(st.integers(0, 2**32), st.booleans())
    async def test_whatever_the_order(self, seed: int, late: bool) -> None:
        choices = Random(seed)
        world = World(choices, late=late)
        keys = range(1 + choices.randrange(3))
        written = {number: Written() for number in keys}
        versions = list(range(1, 20))
        choices.shuffle(versions)

        def apply_job() -> None:
            writes = []
            for number in choices.sample(keys, 1 + choices.randrange(len(keys))):
                version = versions.pop()
                document = {"_id": number, "by": version} if choices.random() < 0.6 else None
                writes.append(Write(key(number), document, version))
                written[number].possible[Pair(version, 0)] = document
                written[number].certain.add(Pair(version, 0))

            async def job(client: SimulatedClient, replay: bool) -> None:
                answers = await convergence.apply(
                    client, writes, replay=replay, look_first=choices.random() < 0.5
                )
                assert not any(isinstance(answer, Poison) for answer in answers)

            world.start(job)

        def seed_job() -> None:
            writes: list[Write | Encoded] = [
                Encoded(number, bson.encode({"_id": number, "by": "seed", "_cw": {"v": 0, "r": 0}}))
                if choices.random() < 0.5
                else Write(key(number), {"_id": number, "by": "seed"}, 0)
                for number in keys
            ]
            for number in keys:
                written[number].possible[Pair(0, 0)] = {"_id": number, "by": "seed"}
                written[number].certain.add(Pair(0, 0))

            async def job(client: SimulatedClient, replay: bool) -> None:
                await convergence.seed(client, writes, look_first=choices.random() < 0.5)

            world.start(job)

        def truncate_job() -> None:
            version = versions.pop()
            for number in keys:
                written[number].possible[Pair(version, 0)] = None
                written[number].certain.add(Pair(version, 0))

            async def job(client: SimulatedClient, replay: bool) -> None:
                await convergence.truncate(client, version)

            world.start(job)

        def repair_job(name: str) -> None:
            number = choices.choice(keys)
            log = written[number]

            async def job(client: SimulatedClient, replay: bool) -> None:
                nonlocal name
                while True:
                    [state] = await convergence.states(client, [key(number)])
                    name += "'"
                    document = {"_id": number, "by": name} if choices.random() < 0.5 else None
                    pair = Pair(state.version, state.repairs + 1)
                    claim = world.store.area(Area.CLAIMS).get(number)
                    [answer] = await convergence.repair(client, [Repair(key(number), state, document)])
                    if answer is True:
                        assert claim is None or claim.pair < pair
                        log.possible[pair] = document
                        log.certain.add(pair)
                        log.repaired[pair] += 1
                        return

            world.start(job)

        for number in range(2 + choices.randrange(3)):
            what = choices.random()
            if what < 0.2:
                repair_job(f"r{number}")
            elif what < 0.3:
                seed_job()
            elif what < 0.4:
                truncate_job()
            else:
                apply_job()
        await world.finish()
        if late:
            await world.sweep()

        for number in keys:
            pair, content = world.standing(number)
            log = written[number]
            assert world.content(number) == content, "a reader finds what is dead, or misses what is not"
            assert all(pair >= one for one in log.certain)
            if pair in log.possible and pair in log.certain:
                assert content == log.possible[pair]
            else:
                assert pair.repairs > 0 or pair == (0, -1), "only a repair that died is not in the log"
            assert all(count == 1 for count in log.repaired.values()), "two repairs of one state"

    @pytest.mark.parametrize("late", [False, True])
    @pytest.mark.parametrize("end", ["delete", "truncate"])
    async def test_a_row_that_died_stays_dead(self, end: str, late: bool) -> None:
        """One create and one end, in many orders: what a batch of many rarely meets."""
        for seed in range(600):
            world = World(Random(seed), late=late)

            async def create(client: SimulatedClient, replay: bool) -> None:
                await convergence.apply(client, [Write(key(1), {"_id": 1}, 1)], replay=replay)

            async def delete(client: SimulatedClient, replay: bool) -> None:
                if end == "delete":
                    await convergence.apply(client, [Write(key(1), None, 2)], replay=replay)
                else:
                    await convergence.truncate(client, 2)

            world.start(create)
            world.start(delete)
            await world.finish()
            if late:
                await world.sweep()
            assert world.content(1) is None, f"seed {seed}"

    async def test_the_sweep_is_needed(self) -> None:
        """A command that comes after its own replay and the row's end: the simulation meets that, too."""
        alive = 0
        for seed in range(600):
            world = World(Random(seed), late=True)

            async def create(client: SimulatedClient, replay: bool) -> None:
                await convergence.apply(client, [Write(key(1), {"_id": 1}, 1)], replay=replay)

            async def delete(client: SimulatedClient, replay: bool) -> None:
                await convergence.apply(client, [Write(key(1), None, 2)], replay=replay)

            world.start(create)
            world.start(delete)
            await world.finish()
            alive += world.content(1) is not None
        assert alive > 0


class Source:
    """The table as PostgreSQL has it."""

    def __init__(self) -> None:
        self.rows: dict[int, str] = {}
        self.version = 0

    def change(self, number: int, choices: Random) -> str | None:
        self.version += 1
        row = None if choices.random() < 0.4 else f"row {self.version}"
        if row is None:
            self.rows.pop(number, None)
        else:
            self.rows[number] = row
        return row


class TestEqualToTheSource:
    @SCHEDULES
    @given(st.integers(0, 2**32), st.booleans())
    async def test_when_every_change_was_captured_or_read_again(self, seed: int, late: bool) -> None:
        choices = Random(seed)
        world = World(choices, late=late)
        source = Source()
        keys = range(1 + choices.randrange(2))
        for number in keys:
            if choices.random() < 0.5:
                source.change(number, choices)  # history, which only a seed brings
        applying: list[asyncio.Task[None]] = []

        def document(number: int) -> dict[str, Any] | None:
            row = source.rows.get(number)
            return None if row is None else {"_id": number, "row": row}

        def mirror(writes: Sequence[Write]) -> None:
            async def job(client: SimulatedClient, replay: bool) -> None:
                await convergence.apply(client, writes, replay=replay)

            applying.append(world.start(job))

        def empty() -> None:
            source.version += 1
            source.rows.clear()
            version = source.version

            async def job(client: SimulatedClient, replay: bool) -> None:
                await convergence.truncate(client, version)

            applying.append(world.start(job))

        def read_again(number: int) -> None:
            earlier = list(applying)

            async def job(client: SimulatedClient, replay: bool) -> None:
                await asyncio.wait(earlier) if earlier else None
                while True:
                    [state] = await convergence.states(client, [key(number)])
                    await client.step()
                    repair = Repair(key(number), state, document(number))
                    await client.step()
                    [answer] = await convergence.repair(client, [repair])
                    if answer is True:
                        return

            world.start(job)

        async def backfill(client: SimulatedClient, replay: bool) -> None:
            await client.step()
            rows = [Write(key(number), document(number), 0) for number in keys if number in source.rows]
            await client.step()
            await convergence.seed(client, rows)

        async def application() -> None:
            for _ in range(1 + choices.randrange(5)):
                for _ in range(choices.randrange(8)):
                    await world.simulator.turn()
                what = choices.random()
                number = choices.choice(keys)
                if what < 0.5:
                    row = source.change(number, choices)
                    mirror([Write(key(number), document(number) if row else None, source.version)])
                elif what < 0.6:
                    empty()
                else:
                    source.change(number, choices)
                    read_again(number)

        world.tasks.append(asyncio.create_task(application()))
        world.start(backfill)
        await world.finish()
        await world.sweep()
        for number in keys:
            assert world.content(number) == document(number)


class TestAnswers:
    async def test_one_of_two_repairs_of_the_same_state_takes_effect(self) -> None:
        for seed in range(100):
            world = World(Random(seed))
            client = world.client()
            setup = asyncio.create_task(convergence.apply(client, [Write(key(1), {"_id": 1, "a": 0}, 5)]))
            await world.simulator.run([setup])
            look = asyncio.create_task(convergence.states(client, [key(1)]))
            await world.simulator.run([look])
            [state] = look.result()
            tasks = [
                asyncio.create_task(convergence.repair(client, [Repair(key(1), state, document)]))
                for document in ({"_id": 1, "a": 1}, None)
            ]
            await world.simulator.run(tasks)
            [first], [second] = (task.result() for task in tasks)
            assert {first, second} == {True, False}
            assert world.content(1) == ({"_id": 1, "a": 1} if first else None)

    async def test_of_several_writers_the_newest_is_told_that_it_applied(self) -> None:
        for seed in range(100):
            world = World(Random(seed))
            tasks = [
                asyncio.create_task(
                    convergence.apply(world.client(), [Write(key(1), {"_id": 1, "v": version}, version)])
                )
                for version in (1, 2, 3)
            ]
            await world.simulator.run(tasks)
            assert tasks[-1].result() == [Outcome.APPLIED]
            assert world.content(1) == {"_id": 1, "v": 3}
