"""Who begins a run, who joins one, and who is told why not; on a store in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from proxy.backfill import gate
from proxy.backfill.board import RunBoard
from proxy.backfill.copying import Host
from proxy.backfill.gate import Refused
from proxy.backfill.joining import Wanted, is_wanted, last_modified, obstacle, take_part
from proxy.backfill.moves import cancel, fail
from proxy.backfill.run import Mode, Run, Status
from proxy.fleet.beats import TableFact
from proxy.mirror.effects import TableId
from tests.backfill.made import mirrored
from tests.backfill.test_company import Fleet, beat
from tests.backfill.test_moves import START
from tests.catalog.made import INT4, TEXT

FACT = TableFact("shop", TableId("public", "orders"), "backfill", "strict")
TABLE = mirrored(("id", INT4), ("note", TEXT))


class Source:
    async def fetch(self, query: str, *arguments: Any, timeout: float | None = None) -> Sequence[Any]:
        if "DESC LIMIT 1" in query:
            return [("77",)]
        return [] if query == gate.RUNNING else [{"rows": 100.0, "unknown": 0, "bytes": 5000.0}]


class World:
    def __init__(self) -> None:
        self.fleet = Fleet()

    async def take_part(self, wanted: Wanted, worker: str = "me") -> Run:
        host = SimpleNamespace(store=self.fleet.store, proxy=worker, source=lambda database: Source())
        board = RunBoard(self.fleet.store, "shop.public.orders")
        run, row_bytes = await take_part(
            cast(Host, host), self.fleet.company, board, TABLE, wanted, say=print, now=lambda: START
        )
        assert row_bytes == 50.0
        return run

    async def change(self, move: Any) -> None:
        board = RunBoard(self.fleet.store, "shop.public.orders")
        await board.read()
        await board.change(move)


OFFLINE = Wanted(offline=True)


async def test_the_first_begins_and_others_join() -> None:
    world = World()
    first = await world.take_part(replace(OFFLINE, tuning={"rate": 5.0}))
    assert (first.number, first.estimate, first.relation, first.columns) == (1, 100, 5000, ("id",))
    assert first.end is None, "nobody mirrors what is written now"
    assert (first.tuning.rate, set(first.workers)) == (5.0, {"me"})
    second = await world.take_part(replace(OFFLINE, tuning={"concurrency": 7}), "other")
    assert second.number == 1
    assert set(second.workers) == {"me", "other"}
    assert (second.tuning.rate, second.tuning.concurrency) == (5.0, 7)


async def test_nobody_begins_while_a_proxy_does_not_mirror_the_table() -> None:
    world = World()
    await world.fleet.has(beat("a"))
    with pytest.raises(Refused, match="proxy a "):
        await world.take_part(OFFLINE)
    assert await world.fleet.store.state("backfill", "shop.public.orders") is None


async def test_the_proxies_that_were_waited_for_are_remembered() -> None:
    world = World()
    await world.fleet.has(beat("a", 1, tables=(FACT,)))
    number = 1
    look = world.fleet.company.look

    async def beats() -> None:
        nonlocal number
        number += 1
        await world.fleet.store.put_state("proxies", "a", beat("a", number, tables=(FACT,)).document())
        await look()

    world.fleet.company.look = beats  # type: ignore[method-assign]
    run = await world.take_part(Wanted())
    assert run.proxies == ("a-1",)
    assert run.end == ("77",), "what is inserted behind it is mirrored"


async def test_a_run_that_is_over_is_begun_again_when_asked_cancelled_or_another_one() -> None:
    world = World()
    await world.take_part(OFFLINE)
    await world.change(lambda run: replace(run, status=Status.DONE))
    assert (await world.take_part(OFFLINE)).status is Status.DONE
    assert (await world.take_part(replace(OFFLINE, again=True))).number == 2
    await world.change(lambda run: cancel(run, START))
    assert (await world.take_part(OFFLINE)).number == 3
    await world.change(lambda run: replace(run, status=Status.DONE))
    assert (await world.take_part(replace(OFFLINE, mode=Mode.REFRESH))).number == 4


async def test_one_that_failed_goes_on() -> None:
    world = World()
    await world.take_part(OFFLINE)
    await world.change(lambda run: fail(replace(run, cursor=("7",)), "no privilege", START))
    run = await world.take_part(OFFLINE)
    assert (run.number, run.status, run.cursor) == (1, Status.RUNNING, ("7",))


async def test_what_does_not_fit_is_refused() -> None:
    world = World()
    await world.take_part(OFFLINE)
    with pytest.raises(Refused, match="without these options is not finished"):
        await world.take_part(replace(OFFLINE, mode=Mode.REFRESH))
    with pytest.raises(Refused, match="last_modified"):
        await world.take_part(replace(OFFLINE, since="2026-01-01"))


def test_obstacles() -> None:
    going = Run("shop.public.orders", 1, 5000, ("id",), START, START, 100)
    assert obstacle(going, TABLE, Wanted()) == ""
    assert "made anew" in obstacle(replace(going, relation=1), TABLE, Wanted())
    assert "key" in obstacle(replace(going, columns=("note",)), TABLE, Wanted())
    refreshing = replace(going, mode=Mode.REFRESH, since="2026-01-01")
    assert "with --refresh --since '2026-01-01' is not finished" in obstacle(refreshing, TABLE, Wanted())
    assert "backfill cancel orders" in obstacle(refreshing, TABLE, Wanted())


def test_the_column_that_since_means() -> None:
    changing = mirrored(("id", INT4), ("changed", 1184), last_modified="changed")
    assert last_modified(changing, Wanted(since="2026-01-01")) == ("changed", "2026-01-01")
    assert last_modified(changing, Wanted()) is None


def test_whether_a_run_did_what_is_wanted() -> None:
    done = Run("t", 1, 1, ("id",), START, START, 1, status=Status.DONE)
    assert is_wanted(done, Wanted())
    assert not is_wanted(done, Wanted(again=True))
    assert not is_wanted(done, Wanted(since="x"))
    assert not is_wanted(replace(done, status=Status.CANCELLED), Wanted())
    assert not is_wanted(None, Wanted())
