"""Seeds of chunks against images of live writes, at every border and in every order: the documents are the rows.

The backfill's own moves and the store's own algorithm run on the simulated store, one elementary step after the other,
in an order that the test decides. Workers are killed, or given up while they go on.
"""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from proxy.backfill.moves import claim_next, finish, needs_sweep, swept, take_over
from proxy.backfill.run import Boundary, Claim, Counts, Run, Status
from proxy.stores import convergence
from proxy.stores.convergence import Area
from proxy.stores.protocol import Key, Write
from tests.backfill.test_moves import START, new
from tests.stores.simulation import Crash, SimulatedClient, SimulatedStore, Simulator

KEYS = range(12)
CHUNK = 3


class Race:
    """A table whose rows are numbers with a text, its writers, and workers that copy it."""

    def __init__(self, choices: Random, *, careless: bool = False) -> None:
        """`careless`: chunks are written as if they were images, to see that it is noticed."""
        self.choices = choices
        self.careless = careless
        self.simulator = Simulator(choices)
        self.store = SimulatedStore(self.simulator, choices)
        self.rows = {key: f"history {key}" for key in KEYS if choices.random() < 0.7}
        self.version = 100
        self.run: Run = new()
        self.gone: set[str] = set()
        self.writing: set[str] = set()
        """Workers of which a write is under way. A sweep waits until there can be none of those that are gone."""
        self.tasks: list[asyncio.Task[Any]] = []

    def client(self, steps: int | None = None) -> SimulatedClient:
        left = steps

        def lives() -> bool:
            nonlocal left
            if left is None:
                return True
            left -= 1
            return left >= 0

        return self.store.seen_by(lives)

    async def write(self) -> None:
        """Commits changes one after the other; each one's image is applied some time later, in any order."""
        for _ in range(self.choices.randrange(1, 8)):
            await self.simulator.turn()
            # Most often at the borders of chunks: where one ends, where the next begins.
            key = self.choices.choice([2, 3, 5, 6, *KEYS])
            self.version += 1
            image: dict[str, Any] | None = None
            if key in self.rows and self.choices.random() < 0.5:
                del self.rows[key]
            else:
                self.rows[key] = f"written {self.version}"
                image = {"_id": key, "text": self.rows[key]}
            write = Write(Key(key, key), image, self.version)
            self.tasks.append(asyncio.create_task(self.apply(write)))

    async def apply(self, write: Write) -> None:
        for _ in range(self.choices.randrange(10)):
            await self.simulator.turn()
        await convergence.apply(self.client(), [write])

    async def work(self, name: str, steps: int | None) -> None:
        """Copies chunks until nothing is left, or until it dies; then others may know that it is gone."""
        try:
            await self.chunks(name, self.client(steps))
        except Crash:
            self.writing.discard(name)
            self.gone.add(name)

    async def chunks(self, name: str, client: SimulatedClient) -> None:
        while self.run.status is Status.RUNNING:
            await client.step()
            if needs_sweep(self.run) and self.run.doubt is not None:
                if self.gone & self.writing:
                    continue
                await convergence.sweep(client, START)
                self.run = swept(self.run, self.run.doubt, START) or self.run
                continue
            boundary = self.boundary(self.run)
            await client.step()
            after, claim = take_over(self.run, name, self.gone, START)
            if claim is None:
                after, claim = claim_next(self.run, name, boundary, START)
            self.run = after
            if claim is None:
                continue  # somebody was faster, or only others' chunks are left
            await client.step()
            rows = self.read(claim)
            await client.step()
            writes = [Write(Key(key, key), {"_id": key, "text": text}, 0) for key, text in rows.items()]
            self.writing.add(name)
            if self.careless:
                await convergence.apply(client, [Write(w.key, w.document, 10**6) for w in writes])
            else:
                await convergence.seed(client, writes)
            self.writing.discard(name)
            await client.step()
            self.run = finish(self.run, name, claim.number, Counts(), 0, START) or self.run

    def boundary(self, run: Run) -> Boundary:
        low = -1 if run.cursor is None else int(run.cursor[0])
        rest = sorted(key for key in self.rows if key > low)
        part = rest[:CHUNK]
        return Boundary(run.cursor, (str(part[-1]),) if part else None, len(part), len(rest) <= CHUNK)

    def read(self, claim: Claim) -> dict[int, str]:
        low = -1 if claim.low is None else int(claim.low[0])
        return {key: text for key, text in self.rows.items() if low < key <= int(claim.high[0])}

    async def finish(self) -> None:
        done = 0
        while done < len(self.tasks):
            tasks = list(self.tasks)
            await self.simulator.run(tasks)
            done = len(tasks)

    def documents(self) -> dict[Any, Any]:
        return {
            item.id: item.document["text"]
            for item in self.store.area(Area.DOCUMENTS).values()
            if item.document is not None
        }


async def race(seed: int, *, careless: bool = False) -> Race:
    choices = Random(seed)
    world = Race(choices, careless=careless)
    for _ in range(choices.randrange(1, 4)):
        world.tasks.append(asyncio.create_task(world.write()))
    for n in range(choices.randrange(1, 4)):
        steps = choices.randrange(60) if n else None  # the first one lives
        world.tasks.append(asyncio.create_task(world.work(f"worker {n}", steps)))
    if choices.random() < 0.5:

        async def give_up() -> None:
            """Somebody is thought to be gone, and goes on all the same."""
            for _ in range(choices.randrange(40)):
                await world.simulator.turn()
            world.gone.add("worker 1")

        world.tasks.append(asyncio.create_task(give_up()))
    await world.finish()
    return world


@settings(max_examples=400)
@example(seed=62777)  # a worker dies after it has put in a row that was deleted meanwhile
@example(seed=2780)  # so does one that was given up long before
@example(seed=146654225)
@given(seed=st.integers(0, 2**32))
async def test_the_documents_are_the_rows(seed: int) -> None:
    world = await race(seed)
    assert world.run.status is Status.DONE
    assert world.documents() == world.rows


async def test_the_check_can_fail() -> None:
    for seed in range(200):
        world = await race(seed, careless=True)
        if world.documents() != world.rows:
            return
    pytest.fail("writing over what is fresher was not noticed")
