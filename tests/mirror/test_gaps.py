from __future__ import annotations

import asyncio
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from proxy.mirror.effects import Cause, Rows, TableId, Unseen
from proxy.mirror.gap import CLOSED_BY_OTHERS, MAX_ROWS_BYTES, GapLimits, gap_id
from proxy.mirror.gapfile import GapFile
from proxy.mirror.gaps import GapKeeper
from proxy.stores.protocol import StoreUnavailable
from tests.mirror.gap_world import MemoryStore

TABLE = TableId("public", "orders")
WHOLE = Unseen(Cause.TRIGGER, TABLE, None, "trigger audit")
ONE = Unseen(Cause.COPY, TABLE, Rows(("id",), (("1",),)))
LIMITS = GapLimits(
    max_reread_rows=3, max_reread_gaps=4, reread_linger=0.5, ledger_after=5.0, adopt_after=100.0
)


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)


class Bench:
    def __init__(self, path: Path | None = None, store: MemoryStore | None = None) -> None:
        self.clock = Clock()
        self.store = store or MemoryStore()
        self.file = None if path is None else GapFile(path)
        self.keeper = GapKeeper(
            self.store, self.file, LIMITS, proxy="me", clock=self.clock, now=self.clock.now
        )

    def open(self) -> list[tuple[str, int]]:
        return sorted((entry.cause, entry.count) for entry in self.store.ledger.values())


async def test_a_gap_of_a_table_goes_to_the_ledger_and_leaves_this_disk(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "gaps")
    bench.keeper.record("shop", WHOLE, 77)
    assert bench.keeper.counts() == {("shop", "public.orders", "trigger"): 1}
    assert bench.keeper.own() == {("shop", "public.orders"): 1}
    await bench.keeper.flush()
    (entry,) = bench.store.ledger.values()
    assert (entry.id, entry.scope, entry.rows, entry.version) == (gap_id("shop", WHOLE), "table", None, 77)
    assert (entry.table, entry.proxy, entry.detail) == ("public.orders", "me", "trigger audit")
    assert bench.file is not None
    assert list(bench.file.gaps()) == []
    assert bench.keeper.own() == {}
    assert bench.keeper.counts() == {("shop", "public.orders", "trigger"): 1}


async def test_sightings_of_one_thing_are_one_gap() -> None:
    bench = Bench()
    for version in (5, 9, 7):
        bench.keeper.record("shop", WHOLE, version)
    await bench.keeper.flush()
    bench.keeper.record("shop", WHOLE, 20)
    await bench.keeper.flush()
    (entry,) = bench.store.ledger.values()
    assert (entry.count, entry.version) == (4, 20)


async def test_what_was_recorded_outlives_a_kill_and_a_store_that_is_away(tmp_path: Path) -> None:
    first = Bench(tmp_path / "gaps")
    first.store.away = True
    first.keeper.record("shop", WHOLE, 5)
    first.keeper.record("shop", ONE, 6)
    with pytest.raises(StoreUnavailable):
        await first.keeper.flush()
    second = Bench(tmp_path / "gaps")
    assert second.keeper.counts() == first.keeper.counts()
    assert [gap.state.unseen for gap in second.keeper.due("shop")] == [ONE]
    await second.keeper.flush()
    assert second.open() == [("copy", 1), ("trigger", 1)]


async def test_a_kill_between_ledger_and_disk_leaves_nothing_open(tmp_path: Path) -> None:
    first = Bench(tmp_path / "gaps")
    first.keeper.record("shop", ONE, 5)
    first.clock.seconds += 6
    first.keeper._keep = lambda gap: None  # type: ignore[method-assign]
    await first.keeper.flush()
    assert first.open() == [("copy", 1)]
    second = Bench(tmp_path / "gaps", first.store)
    (gap,) = second.keeper.due("shop")
    seen = await second.keeper.seen_in_ledger([gap])
    assert await second.keeper.close(gap, gap.sightings, seen[gap.state.id])
    assert second.open() == []


async def test_a_sighting_while_the_ledger_is_told_is_told_as_well(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "gaps")
    bench.keeper.record("shop", WHOLE, 5)

    async def seen_meanwhile() -> None:
        bench.store.gate = none
        bench.keeper.record("shop", WHOLE, 6)

    async def none() -> None: ...

    bench.store.gate = seen_meanwhile
    await bench.keeper.flush()
    assert Bench(tmp_path / "gaps").keeper.counts(), "the disk still has the later sighting"
    await bench.keeper.flush()
    (entry,) = bench.store.ledger.values()
    assert (entry.count, entry.version) == (2, 6)


async def test_a_gap_that_may_close_by_itself_is_given_time_to() -> None:
    bench = Bench()
    bench.keeper.record("shop", ONE, 5)
    await bench.keeper.flush()
    assert bench.open() == []
    bench.clock.seconds += 5.0
    await bench.keeper.flush()
    (entry,) = bench.store.ledger.values()
    assert (entry.scope, entry.rows) == ("rows", {"columns": ["id"], "values": [["1"]]})


def test_rows_are_due_once_they_have_gathered() -> None:
    bench = Bench()
    bench.keeper.record("shop", ONE, 5)
    assert bench.keeper.due("shop") == []
    assert bench.keeper.databases() == {"shop": 1000.5}
    bench.clock.seconds += 0.5
    (gap,) = bench.keeper.due("shop")
    assert bench.keeper.due("other") == []
    bench.keeper.postpone(gap)
    assert bench.keeper.due("shop") == []
    bench.clock.seconds += 0.11
    assert bench.keeper.due("shop") == [gap]


@pytest.mark.parametrize(
    "values",
    [tuple((str(n),) for n in range(4)), (("x" * (MAX_ROWS_BYTES + 1),),)],
    ids=["many", "large"],
)
def test_more_rows_than_can_be_read_again_are_the_table(values: tuple[tuple[str, ...], ...]) -> None:
    bench = Bench()
    bench.keeper.record("shop", Unseen(Cause.COPY, TABLE, Rows(("id",), values)), 5)
    assert bench.keeper.databases() == {}
    assert bench.keeper.counts() == {("shop", "public.orders", "copy"): 1}


def one(number: int, cause: Cause = Cause.COPY) -> Unseen:
    return Unseen(cause, TABLE, Rows(("id",), ((str(number),),)))


def test_many_gaps_of_one_table_are_put_together(tmp_path: Path) -> None:
    """Each is still there, none twice, and no disk forgets one."""
    bench = Bench(tmp_path / "gaps")
    for number in range(9):
        bench.keeper.record("shop", one(number), number)
        bench.clock.seconds += 0.01
    bench.clock.seconds += 1
    for keeper in (bench.keeper, Bench(tmp_path / "gaps").keeper):
        gaps = keeper.due("shop")
        values = [gap.state.unseen.rows.values for gap in gaps if gap.state.unseen.rows is not None]
        assert {value[0] for part in values for value in part} == {str(n) for n in range(9)}
        assert sum(map(len, values)) == 9
        assert len(gaps) <= 4
        assert max(len(part) for part in values) == 3
        assert sum(gap.state.count for gap in gaps) == 9
    assert max(gap.state.version for gap in bench.keeper.due("shop")) == 8


async def test_gaps_put_together_reach_the_ledger_as_soon_as_the_oldest_would_have() -> None:
    bench = Bench()
    for number in range(4):
        bench.keeper.record("shop", one(number), 5)
    bench.clock.seconds += 5
    bench.keeper.record("shop", one(9), 5)
    await bench.keeper.flush()
    assert bench.open() == [("copy", 1), ("copy", 3)]


async def test_many_gaps_that_last_are_few_in_the_ledger() -> None:
    limits = GapLimits(ledger_after=5.0)
    bench = Bench()
    bench.keeper = GapKeeper(bench.store, None, limits, proxy="me", clock=bench.clock, now=bench.clock.now)
    for number in range(300):
        bench.keeper.record("shop", one(number), 5)
        bench.keeper.record("shop", one(number, Cause.CASCADE), 5)
        bench.clock.seconds += 0.1
        await bench.keeper.flush()
    assert len(bench.store.ledger) <= 2 * 35
    told = [value for entry in bench.store.ledger.values() for value in (entry.rows or {})["values"]]
    assert len(told) >= 2 * 240
    assert len(bench.keeper.due("shop")) <= 200


def test_more_gaps_than_can_be_put_together_are_the_table() -> None:
    bench = Bench()
    for number in range(12):
        bench.keeper.record("shop", one(number), 5)
    bench.keeper.record("shop", one(13), 5)
    causes = [gap.state.unseen.rows is None for gap in bench.keeper._gaps.values()]
    assert sorted(causes) == [False, False, False, False, True]
    bench.keeper.record("shop", one(0, Cause.CASCADE), 5)
    assert bench.keeper.counts()["shop", "public.orders", "cascade"] == 1
    bench.keeper.record("shop", one(3), 5)
    bench.clock.seconds += 1
    assert len(bench.keeper.due("shop")) == 4


def test_no_rows_are_no_gap() -> None:
    bench = Bench()
    bench.keeper.record("shop", Unseen(Cause.COPY, TABLE, Rows(("id",), ())), 5)
    assert bench.keeper.counts() == {}


async def test_a_gap_closes_with_its_rows() -> None:
    bench = Bench()
    bench.keeper.record("shop", ONE, 5)
    bench.clock.seconds += 1
    (gap,) = bench.keeper.due("shop")
    assert await bench.keeper.close(gap, gap.sightings, None)
    assert bench.keeper.counts() == {}
    assert bench.store.ledger == {}
    assert not await bench.keeper.close(gap, gap.sightings, None), "it is closed already"


async def test_a_gap_in_the_ledger_closes_there(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "gaps")
    bench.keeper.record("shop", ONE, 5)
    bench.clock.seconds += 6
    await bench.keeper.flush()
    (gap,) = bench.keeper.due("shop")
    seen = await bench.keeper.seen_in_ledger([gap])
    assert await bench.keeper.close(gap, gap.sightings, seen[gap.state.id])
    assert bench.store.ledger == {}
    assert bench.keeper.counts() == {}
    assert bench.file is not None
    assert list(bench.file.gaps()) == []


async def test_a_gap_that_others_have_seen_again_stays_open() -> None:
    bench, other = Bench(), Bench()
    other.store = other.keeper._store = bench.store
    bench.keeper.record("shop", ONE, 5)
    bench.clock.seconds += 6
    await bench.keeper.flush()
    (gap,) = bench.keeper.due("shop")
    seen = await bench.keeper.seen_in_ledger([gap])
    other.keeper.record("shop", ONE, 8)
    other.clock.seconds += 6
    await other.keeper.flush()
    assert not await bench.keeper.close(gap, gap.sightings, seen[gap.state.id])
    assert len(bench.store.ledger) == 1


async def test_a_gap_that_was_told_of_meanwhile_is_closed_next_time() -> None:
    bench = Bench()
    bench.keeper.record("shop", ONE, 5)
    bench.clock.seconds += 6
    (gap,) = bench.keeper.due("shop")
    seen = await bench.keeper.seen_in_ledger([gap])
    await bench.keeper.flush()
    assert not await bench.keeper.close(gap, gap.sightings, seen.get(gap.state.id))
    seen = await bench.keeper.seen_in_ledger([gap])
    assert await bench.keeper.close(gap, gap.sightings, seen[gap.state.id])
    assert bench.store.ledger == {}


async def test_a_gap_that_others_have_closed_is_closed() -> None:
    bench = Bench()
    bench.keeper.record("shop", ONE, 5)
    bench.clock.seconds += 6
    await bench.keeper.flush()
    bench.store.ledger.clear()
    (gap,) = bench.keeper.due("shop")
    seen = await bench.keeper.seen_in_ledger([gap])
    assert seen == {gap.state.id: CLOSED_BY_OTHERS}
    assert await bench.keeper.close(gap, gap.sightings, seen[gap.state.id])


async def test_a_sighting_while_the_ledger_closes_is_a_gap_again() -> None:
    bench = Bench()
    bench.keeper.record("shop", ONE, 5)
    bench.clock.seconds += 6
    await bench.keeper.flush()
    (gap,) = bench.keeper.due("shop")
    seen = await bench.keeper.seen_in_ledger([gap])
    close = bench.store.close_gap

    async def seen_again(gap_id: str, *, up_to: datetime) -> bool:
        closed = await close(gap_id, up_to=up_to)
        bench.keeper.record("shop", ONE, 9)
        return closed

    bench.store.close_gap = seen_again  # type: ignore[method-assign]
    assert not await bench.keeper.close(gap, gap.sightings, seen[gap.state.id])
    assert bench.keeper.counts() == {("shop", "public.orders", "copy"): 1}
    await bench.keeper.flush()
    assert bench.open() == [("copy", 1)]


async def test_gaps_whose_proxy_is_gone_are_adopted() -> None:
    gone, bench = Bench(), Bench()
    bench.keeper._store = bench.store = gone.store
    gone.keeper.record("shop", ONE, 5)
    gone.keeper.record("shop", WHOLE, 5)
    gone.clock.seconds += 6
    await gone.keeper.flush()
    await bench.keeper.read_ledger()
    assert bench.keeper.databases() == {}, "it may be about to close it"
    bench.clock.seconds += 200
    await bench.keeper.read_ledger()
    bench.clock.seconds += 60
    (gap,) = bench.keeper.due("shop")
    assert gap.state.unseen == ONE
    await bench.keeper.flush()
    assert bench.open() == [("copy", 1), ("trigger", 1)], "adopting is no sighting"
    seen = await bench.keeper.seen_in_ledger([gap])
    assert await bench.keeper.close(gap, gap.sightings, seen[gap.state.id])
    assert bench.open() == [("trigger", 1)]


async def test_the_gap_of_a_proxy_is_told_from_those_of_others() -> None:
    bench = Bench()
    lost = Unseen(Cause.UNCLEAN_END, TABLE)
    bench.keeper.record("shop", lost, 0, owner="a")
    bench.keeper.record("shop", lost, 0, owner="b")
    await bench.keeper.flush()
    assert len(bench.store.ledger) == 2
    entry = bench.store.ledger[gap_id("shop", lost, "a")]
    assert await bench.keeper.close_owned("shop", TABLE, "a", entry.last_seen)
    assert list(bench.store.ledger) == [gap_id("shop", lost, "b")]
    assert bench.keeper.counts() == {("shop", "public.orders", "unclean_end"): 1}


async def test_a_disk_that_is_full_is_no_reason_to_lose_a_gap(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "gaps")
    assert bench.file is not None

    def full(gap: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    bench.file.put = full  # type: ignore[method-assign]
    bench.keeper.record("shop", WHOLE, 5)
    assert bench.keeper.file_failures == 1
    await bench.keeper.flush()
    assert bench.open() == [("trigger", 1)]


async def test_run_tells_the_ledger_and_goes_on_when_it_is_back() -> None:
    store = MemoryStore()
    limits = GapLimits(ledger_after=0.05, retry_backoff_max=0.02, ledger_poll=60.0)
    keeper = GapKeeper(store, None, limits, proxy="me")
    store.away = True
    task = asyncio.create_task(keeper.run())
    keeper.record("shop", WHOLE, 5)
    keeper.record("shop", ONE, 5)
    await asyncio.sleep(0.05)
    store.away = False
    try:
        async with asyncio.timeout(5):
            while len(store.ledger) < 2:  # noqa: ASYNC110 - it ends in another task
                await asyncio.sleep(0.005)
            keeper.record("shop", one(2), 6)
            while len(store.ledger) < 3:  # noqa: ASYNC110 - nor is this told of by anything but time
                await asyncio.sleep(0.005)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_at_the_end_everything_goes_to_the_ledger() -> None:
    bench = Bench()
    bench.keeper.record("shop", ONE, 5)
    bench.keeper.record("shop", WHOLE, 5)
    await bench.keeper.stop()
    assert bench.open() == [("copy", 1), ("trigger", 1)]
    bench.keeper.record("shop", WHOLE, 6)
    bench.store.away = True
    await bench.keeper.stop()


async def test_without_a_store_gaps_are_kept() -> None:
    keeper = GapKeeper(None, None, LIMITS, proxy="me")
    keeper.record("shop", WHOLE, 5)
    await keeper.flush()
    assert keeper.counts() == {("shop", "public.orders", "trigger"): 1}
