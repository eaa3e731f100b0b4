"""What becomes a gap although no statement of a session made it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

import pytest

from proxy.catalog.model import Relation, Snapshot
from proxy.catalog.source import SourceUnavailable
from proxy.mirror.effects import Cause, TableId, Unseen
from proxy.outside_gaps import OutsideGaps
from tests.catalog.made import INT8, TEXT, attribute, relation, snapshot
from tests.documents.made import rules_of

ORDERS = TableId("public", "orders")
RULES = rules_of({"orders": {"phase": "dual_write"}, "quiet": {"phase": "passthrough"}}, database="shop")
BEFORE = relation(1, "orders", attribute(1, "id"), attribute(2, "note", TEXT))


class World:
    """Of one database `shop`, whose newest version is 70."""

    def __init__(self, empty: bool | Exception = False) -> None:
        self.empty = empty
        self.asked: list[str] = []
        self.asking = asyncio.Event()
        self.let = asyncio.Event()
        """Set: the source answers."""
        self.let.set()
        self.now: Snapshot | None = None
        self.told: list[tuple[str, Unseen, int]] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.gaps = OutsideGaps(self, self, lambda database: {"shop": 70}[database], self.begin)

    def begin(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.append(task)
        return task

    def record(self, database: str, unseen: Unseen, version: int) -> None:
        self.told.append((database, unseen, version))

    def current(self, database: str) -> Snapshot | None:
        return self.now

    def source(self, database: str) -> World:
        return self

    async def is_empty(self, relation: Relation) -> bool:
        self.asked.append(relation.name)
        self.asking.set()
        await self.let.wait()
        if isinstance(self.empty, Exception):
            raise self.empty
        return self.empty

    async def changed(self, old: Snapshot, new: Snapshot) -> None:
        self.now = new
        self.gaps.changed("shop", old, new, RULES)
        await asyncio.gather(*self.tasks)

    @property
    def details(self) -> list[str]:
        assert {(database, version) for database, _, version in self.told} <= {("shop", 70)}
        assert all((one.cause, one.table, one.rows) == (Cause.DDL, ORDERS, None) for _, one, _ in self.told)
        return [one.detail for _, one, _ in self.told]


async def test_ddl_that_documents_do_not_follow_is_a_gap() -> None:
    world = World()
    after = relation(1, "orders", attribute(1, "id", INT8), attribute(2, "note", TEXT))
    await world.changed(snapshot(BEFORE), snapshot(after))
    (detail,) = world.details
    assert "id" in detail
    assert world.asked == []


async def test_ddl_that_changes_no_document_is_none() -> None:
    world = World()
    after = relation(1, "orders", *BEFORE.attributes, attribute(3, "more"))
    await world.changed(snapshot(BEFORE), snapshot(after))
    assert world.details == []


async def test_only_tables_that_are_to_be_mirrored_matter() -> None:
    world = World()
    quiet, other = relation(2, "quiet", attribute(1, "id")), relation(3, "other", attribute(1, "id"))
    await world.changed(snapshot(BEFORE, quiet, other), snapshot(BEFORE))
    assert world.details == []


@pytest.mark.parametrize(
    ("empty", "gaps"), [(True, 0), (False, 1), (SourceUnavailable("shop", "it is away"), 1)]
)
async def test_a_table_that_appears_is_a_gap_unless_it_is_known_to_be_empty(
    empty: bool | Exception, gaps: int
) -> None:
    world = World(empty)
    await world.changed(snapshot(), snapshot(BEFORE))
    assert len(world.details) == gaps
    assert world.asked == ["orders"]


async def test_a_table_that_has_gone_again_meanwhile_cannot_be_found_empty() -> None:
    world = World(True)
    old, new = snapshot(), snapshot(BEFORE)
    world.gaps.changed("shop", old, new, RULES)
    world.now = snapshot()
    await asyncio.gather(*world.tasks)
    assert len(world.details) == 1
    assert world.asked == []


async def test_an_end_in_the_middle_of_the_question_leaves_the_gap() -> None:
    world = World(True)
    world.let.clear()
    looking = asyncio.ensure_future(world.changed(snapshot(), snapshot(BEFORE)))
    await world.asking.wait()
    for task in world.tasks:
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await looking
    assert len(world.details) == 1


def test_tables_nobody_can_look_at_are_gaps_of_no_known_version() -> None:
    world = World()
    world.gaps.blind("shop", [ORDERS])
    ((database, unseen, version),) = world.told
    assert (database, unseen.cause, unseen.table, version) == ("shop", Cause.UNRESOLVED, ORDERS, 0)


def test_what_nobody_could_follow() -> None:
    world = World()
    world.gaps.unobserved("shop", ORDERS, "another proxy was silent")
    assert world.told == [("shop", Unseen(Cause.UNOBSERVED, ORDERS, None, "another proxy was silent"), 70)]


async def test_who_made_a_table_can_wait_until_it_was_looked_at() -> None:
    world = World(empty=True)
    await world.gaps.looked()  # nothing is looked at
    world.let.clear()
    begun = asyncio.create_task(world.changed(snapshot(), snapshot(BEFORE)))
    await world.asking.wait()
    waiting = asyncio.create_task(world.gaps.looked())
    await asyncio.sleep(0)
    assert not waiting.done()
    world.let.set()
    await waiting
    assert world.details == []
    await begun
    await world.gaps.looked()
