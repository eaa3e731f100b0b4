"""Re-reads: single cases here; every interleaving in test_reread_interleavings."""

from __future__ import annotations

import asyncio

from proxy.mirror.effects import Cause, Rows, TableId, Unseen
from proxy.mirror.gap import GapLimits
from proxy.mirror.gaps import GapKeeper
from proxy.mirror.rereads import Rereader
from tests.mirror.gap_world import (
    DATABASE,
    Family,
    MemorySource,
    MemoryStore,
    ids,
    new_source,
    write_of,
)

LIMITS = GapLimits(max_reread_rows=10, reread_linger=0.0, retry_backoff_max=0.05)
PARENT, CHILD, LEAF = (TableId("public", name) for name in ("parent", "child", "leaf"))


class Passed:
    """A fleet that has passed everything, or waits to be told so."""

    def __init__(self) -> None:
        self.gate: asyncio.Event | None = None
        self.waited: list[int] = []

    async def __call__(self, database: str, version: int) -> None:
        self.waited.append(version)
        if self.gate is not None:
            await self.gate.wait()


class World:
    def __init__(self, mirrored: tuple[str, ...] = ("parent", "child", "leaf")) -> None:
        self.store = MemoryStore()
        self.source: MemorySource = new_source()
        self.family = Family(self.source, mirrored=mirrored)
        self.keeper = GapKeeper(self.store, None, LIMITS, proxy="p")
        self.passed = Passed()
        self.rereader = Rereader(self.store, self.keeper, self.family, self.passed, LIMITS, proxy="p")

    def saw(self, table: TableId, rows: Rows | None, cause: Cause = Cause.COPY) -> None:
        self.keeper.record(DATABASE, Unseen(cause, table, rows), self.source.position)

    async def captured(self, name: str, oid: int, row: tuple[int | str | None, ...]) -> None:
        version = self.source.write(oid, row[0], row)
        table = self.family.mirrored(name)
        await self.store.apply(table.mapping.namespace, [write_of(table, row, version)])

    async def rounds(self, count: int = 5) -> None:
        for _ in range(count):
            await self.rereader.round(DATABASE)

    def documents(self, name: str) -> dict[object, dict[str, object]]:
        return ids(self.store, self.family.mirrored(name))

    def open(self) -> list[tuple[str, str, bool]]:
        return sorted(
            (unseen.cause.value, unseen.table.name, unseen.rows is None)
            for unseen in (gap.state.unseen for gap in self.keeper._gaps.values())
        )


async def test_rows_that_came_unseen_become_documents_and_the_gap_closes() -> None:
    world = World()
    world.source.write(100, 1, (1, "one"))
    world.saw(PARENT, Rows(("id",), (("1",), ("2",))))
    await world.rounds(1)
    assert world.documents("parent") == {1: {"_id": 1, "name": "one"}}
    assert world.open() == []
    assert world.rereader.closed == 1


async def test_a_row_that_is_gone_goes_and_so_do_those_that_followed_it() -> None:
    world = World()
    await world.captured("child", 200, (7, 1, "c"))
    await world.captured("leaf", 300, (9, 7))
    world.source.write(200, 7, None)
    world.source.write(300, 9, None)
    world.saw(CHILD, Rows(("parent_id",), (("1",),)), Cause.CASCADE)
    await world.rounds(2)
    assert world.documents("child") == {}
    assert world.documents("leaf") == {}
    assert world.open() == []


async def test_children_are_found_by_what_their_documents_held() -> None:
    """ON DELETE SET NULL: no row of PostgreSQL has the value any more."""
    world = World()
    await world.captured("child", 200, (7, 1, "c"))
    world.source.write(200, 7, (7, None, "c"))
    world.saw(CHILD, Rows(("parent_id",), (("1",),)), Cause.CASCADE)
    await world.rounds(1)
    assert world.documents("child") == {7: {"_id": 7, "parent_id": None, "name": "c"}}


async def test_what_follows_is_recorded_before_the_repair_that_would_hide_it() -> None:
    world = World()
    await world.captured("child", 200, (7, 1, "c"))
    await world.captured("leaf", 300, (9, 7))
    world.source.write(200, 7, None)
    world.source.write(300, 9, None)
    world.saw(CHILD, Rows(("parent_id",), (("1",),)), Cause.CASCADE)
    repair = world.store.repair
    seen: list[list[tuple[str, str, bool]]] = []

    async def watched(namespace, repairs):  # type: ignore[no-untyped-def]
        seen.append(world.open())
        return await repair(namespace, repairs)

    world.store.repair = watched  # type: ignore[method-assign]
    await world.rounds(1)
    assert ("cascade", "leaf", False) in seen[0]
    assert world.store.kinds["rereads"], "whoever comes back must be able to see that rows were read again"


async def test_nothing_is_read_before_the_fleet_has_passed_and_the_hold_ends() -> None:
    world = World()
    world.source.write(100, 1, (1, "one"))
    world.saw(PARENT, Rows(("id",), (("1",),)))
    world.passed.gate = asyncio.Event()
    task = asyncio.create_task(world.rereader.round(DATABASE))
    await asyncio.sleep(0.01)
    assert world.source.reads == 0
    assert world.rereader.watermark(DATABASE) is None, "two that wait for each other must not hold"
    assert world.passed.waited == [world.source.position]
    world.passed.gate.set()
    await task
    assert world.source.reads > 0
    assert world.rereader.watermark(DATABASE) is None


async def test_a_document_that_is_right_is_left_alone() -> None:
    world = World()
    await world.captured("parent", 100, (1, "one"))
    world.saw(PARENT, Rows(("id",), (("1",),)))
    await world.rounds(1)
    assert (world.rereader.rows_same, world.rereader.rows_repaired) == (1, 0)
    assert world.store.kinds["rereads"], "a proxy that was lost may hold an older image"
    assert world.open() == []


async def test_a_lost_race_is_run_again() -> None:
    world = World()
    world.source.write(100, 1, (1, "one"))
    world.saw(PARENT, Rows(("id",), (("1",),)))
    world.store.refuse_repairs = 2
    await world.rounds(1)
    assert world.documents("parent") == {1: {"_id": 1, "name": "one"}}
    assert world.rereader.races == 2


async def test_a_gap_seen_again_while_its_rows_are_read_stays_open() -> None:
    world = World()
    rows = Rows(("id",), (("1",),))
    world.source.write(100, 1, (1, "one"))
    world.saw(PARENT, rows)
    world.passed.gate = asyncio.Event()
    task = asyncio.create_task(world.rereader.round(DATABASE))
    await asyncio.sleep(0.01)
    world.saw(PARENT, rows)
    world.passed.gate.set()
    await task
    assert world.open() == [("copy", "parent", False)]


async def test_too_many_rows_are_a_gap_of_the_table() -> None:
    world = World()
    for number in range(20):
        world.source.write(200, number, (number, 1, "c"))
    world.saw(CHILD, Rows(("parent_id",), (("1",),)), Cause.CASCADE)
    await world.rounds(1)
    assert world.open() == [("cascade", "child", True)]


async def test_many_gaps_of_which_one_has_too_many_rows_close_but_for_that() -> None:
    world = World()
    for number in range(20):
        world.source.write(200, number, (number, 1, "c"))
    world.source.write(200, 50, (50, 2, "c"))
    world.saw(CHILD, Rows(("parent_id",), (("1",),)), Cause.CASCADE)
    world.saw(CHILD, Rows(("parent_id",), (("2",),)), Cause.CASCADE)
    await world.rounds(1)
    assert list(world.documents("child")) == [50]
    assert world.open() == [("cascade", "child", True)]


async def test_a_store_that_is_away_postpones() -> None:
    world = World()
    world.source.write(100, 1, (1, "one"))
    world.saw(PARENT, Rows(("id",), (("1",),)))
    world.store.away = True
    await world.rounds(1)
    assert world.open() == [("copy", "parent", False)]
    assert world.rereader.failures == 1
    world.store.away = False
    await asyncio.sleep(0.11)
    await world.rounds(1)
    assert world.open() == []


async def test_a_document_the_store_never_takes_is_a_gap_of_its_own() -> None:
    world = World()
    world.source.write(100, 1, (1, "one"))
    world.source.write(100, 2, (2, "two"))
    world.store.poison = {1}
    world.saw(PARENT, Rows(("id",), (("1",), ("2",))))
    await world.rounds(1)
    assert list(world.documents("parent")) == [2]
    assert world.open() == [("poison", "parent", False)]
    world.store.poison = set()
    await world.rounds(1)
    assert world.open() == []


async def test_the_way_leads_through_a_table_without_documents() -> None:
    """leaf refers to child, of which there are no documents: which of its rows were there is not known."""
    world = World(mirrored=("parent", "leaf"))
    world.saw(CHILD, Rows(("parent_id",), (("1",),)), Cause.CASCADE)
    await world.rounds(1)
    assert world.open() == [("cascade", "leaf", True)]


async def test_the_gap_of_a_table_that_is_not_mirrored_any_more_stays() -> None:
    world = World(mirrored=("parent",))
    world.saw(LEAF, Rows(("id",), (("1",),)), Cause.COPY)
    await world.rounds(1)
    assert world.open() == [("copy", "leaf", False)]
    await world.keeper.flush()
    assert [entry.table for entry in world.store.ledger.values()] == ["public.leaf"]


async def test_run_works_through_what_comes() -> None:
    world = World()
    task = asyncio.create_task(world.rereader.run())
    try:
        for number in range(3):
            world.source.write(100, number, (number, "x"))
            world.saw(PARENT, Rows(("id",), ((str(number),),)))
            async with asyncio.timeout(5):
                while world.open():  # noqa: ASYNC110 - it ends in another task
                    await asyncio.sleep(0.005)
        assert sorted(world.documents("parent")) == [0, 1, 2]  # type: ignore[type-var]
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
