"""A run that lost a worker is done only after a sweep, late enough."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from proxy.backfill.board import RunBoard
from proxy.backfill.run import Run, Status
from proxy.backfill.sweeping import LateSweep
from proxy.stores.model import ModelStore
from proxy.stores.protocol import Namespace
from proxy.stores.sweeper import CLOCKS_APART
from tests.backfill.test_moves import START, new


class Swept(ModelStore):
    def __init__(self) -> None:
        super().__init__()
        self.sweeps: list[datetime] = []

    async def sweep(self, namespace: Namespace, since: datetime) -> int:
        assert namespace == Namespace("shop", "orders")
        self.sweeps.append(since)
        return 1


class World:
    def __init__(self) -> None:
        self.store = Swept()
        self.board = RunBoard(self.store, "shop.public.orders")
        self.now = START
        self.told: list[str] = []
        self.late = LateSweep(
            self.store, self.board, Namespace("shop", "orders"), late=60.0, tell=self.told.append,
            now=lambda: self.now,
        )  # fmt: skip

    async def look(self, seconds: float) -> Run:
        self.now = START + timedelta(seconds=seconds)
        await self.late.look()
        return self.board.run


async def test_it_is_done_after_a_sweep() -> None:
    world = World()
    await world.board.begin(new(exhausted=True, doubt=START))
    assert (await world.look(10)).status is Status.RUNNING
    await world.look(59)
    assert world.told == ["all is copied; waiting 50s for what a worker that was lost may have left"]
    assert world.store.sweeps == []
    run = await world.look(60)
    assert (run.status, run.doubt) == (Status.DONE, None)
    assert world.store.sweeps == [START - CLOCKS_APART]
    await world.look(70)
    assert len(world.store.sweeps) == 1


async def test_nothing_is_swept_while_chunks_are_left_or_nothing_is_in_doubt() -> None:
    world = World()
    await world.board.begin(new(doubt=START))
    assert (await world.look(100)).doubt == START
    await world.board.change(lambda run: replace(run, exhausted=True, doubt=None))
    await world.look(100)
    assert world.store.sweeps == []


async def test_what_an_earlier_run_left_is_swept_too() -> None:
    world = World()
    earlier = START - timedelta(days=1)
    await world.board.begin(new(exhausted=True, doubt=START, doubted_from=earlier))
    run = await world.look(60)
    assert (run.status, run.doubted_from) == (Status.DONE, None)
    assert world.store.sweeps == [earlier - CLOCKS_APART]
