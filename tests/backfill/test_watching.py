"""What goes on beside the copying: pauses for want of a proxy, and what says to wait."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from proxy.backfill.board import RunBoard
from proxy.backfill.copying import Host
from proxy.backfill.gate import RUNNING
from proxy.backfill.moves import join, pause
from proxy.backfill.run import Run, Status, Tuning, Worker
from proxy.backfill.throttle import ThrottleError
from proxy.backfill.watching import Watch
from proxy.fleet.beats import TableFact
from proxy.mirror.effects import TableId
from tests.backfill.made import mirrored
from tests.backfill.test_company import Fleet, beat
from tests.backfill.test_moves import START, new
from tests.catalog.made import INT4

FACT = TableFact("shop", TableId("public", "orders"), "backfill", "strict")


class World:
    def __init__(self, *, offline: bool = False) -> None:
        self.fleet = Fleet()
        self.told: list[str] = []
        self.answer: Any = 1
        self.board = RunBoard(self.fleet.store, "shop.public.orders")
        host = SimpleNamespace(
            store=self.fleet.store, proxy="me", source=lambda database: self, position=self.position
        )
        self.watch = Watch(
            cast(Host, host), self.fleet.company, self.board, mirrored(("id", INT4)),
            offline=offline, tell=self.told.append, now=lambda: START, look_every=0.001,
        )  # fmt: skip

    async def fetch(self, query: str, *arguments: Any, timeout: float | None = None) -> Sequence[Any]:
        return [] if query == RUNNING else [(self.answer,)]

    async def position(self, database: str) -> int:
        return 9

    async def begin(self, **given: Any) -> None:
        await self.board.begin(join(replace(new(), **given), "me", Worker("host", 1, START)))

    async def turn(self) -> Run:
        self.watch._probed = float("-inf")
        await self.watch.turn()
        return self.board.run

    async def until(self, status: Status) -> None:
        for _ in range(1000):
            if (await self.turn()).status is status:
                return
            await asyncio.sleep(0)
        pytest.fail(f"it is not {status.value}")


async def test_while_all_is_well_nothing_changes() -> None:
    world = World()
    await world.begin()
    await world.fleet.has(beat("a", tables=(FACT,)))
    revision = world.board.run.revision
    assert (await world.turn()).revision == revision
    assert world.told == []


async def test_a_proxy_without_the_table_pauses_the_run_and_is_a_gap() -> None:
    world = World()
    await world.begin()
    await world.fleet.has(beat("a", tables=(FACT,)), beat("b"))
    run = await world.turn()
    assert (run.status, run.held) == (Status.PAUSED, True)
    assert "proxy b " in run.reason
    assert world.told == [f"paused: {run.reason}"]
    [gap] = await world.fleet.store.gaps()
    assert (gap.cause, gap.scope, gap.table, gap.version) == ("unobserved", "table", "public.orders", 9)
    await world.turn()
    assert len(world.told) == 1


async def test_it_goes_on_once_the_proxy_is_gone() -> None:
    world = World()
    await world.begin(proxies=("a-1",))
    await world.fleet.has(beat("a", tables=(FACT,)), beat("b"))
    await world.turn()
    await world.fleet.has(beat("b", 2, clean=True))
    await world.until(Status.RUNNING)
    assert "going on" in world.told[-1]
    assert world.board.run.proxies == ("a-1",)


async def test_a_pause_by_hand_is_not_ended() -> None:
    world = World()
    await world.begin()
    await world.fleet.has(beat("a", tables=(FACT,)))
    await world.board.change(lambda run: pause(run, "lunch", START))
    for _ in range(3):
        assert (await world.turn()).status is Status.PAUSED


async def test_without_any_proxy_it_is_paused_but_nothing_is_lost() -> None:
    world = World()
    await world.begin()
    assert (await world.turn()).held
    assert await world.fleet.store.gaps() == []
    offline = World(offline=True)
    await offline.begin()
    assert (await offline.turn()).status is Status.RUNNING


async def test_what_says_to_wait_is_known_to_all() -> None:
    world = World(offline=True)
    await world.begin(tuning=Tuning(query="select load", query_limit=5.0))
    world.answer = 7
    run = await world.turn()
    assert world.watch.source_throttle == "the throttle's query gave 7 > 5"
    assert run.throttled == world.watch.source_throttle
    world.answer = 8
    await world.turn()
    world.answer = 3
    assert (await world.turn()).throttled == ""
    assert world.told == ["waiting: the throttle's query gave 7 > 5", "going on"]


async def test_a_throttle_that_cannot_be_asked_is_an_error() -> None:
    world = World(offline=True)
    await world.begin(tuning=Tuning(query="select 'x'", query_limit=5.0))
    world.answer = "x"
    with pytest.raises(ThrottleError):
        await world.watch.run()


async def test_it_looks_again_and_again_until_cancelled() -> None:
    world = World(offline=True)
    await world.begin()
    task = asyncio.create_task(world.watch.run())
    other = RunBoard(world.fleet.store, "shop.public.orders")
    await other.read()
    await other.change(lambda run: pause(run, "lunch", START))
    async with asyncio.timeout(10):
        while world.board.run.status is not Status.PAUSED:
            world.board.news.clear()
            await world.board.news.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_it_ends_when_cancelled_even_where_the_driver_keeps_that_to_itself() -> None:
    world = World(offline=True)
    await world.begin()
    look, asked = world.fleet.company.look, asyncio.Event()

    async def swallowing() -> None:
        asked.set()
        try:
            await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            pass
        await look()

    world.fleet.company.look = swallowing  # type: ignore[method-assign]
    task = asyncio.create_task(world.watch.run())
    await asked.wait()
    task.cancel()
    async with asyncio.timeout(10):
        await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
