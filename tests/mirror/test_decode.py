"""From effects to writes and gaps: keys that change, rows that follow, values no document can hold."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from proxy.catalog.model import ForeignKey, Reach, SideEffect
from proxy.mirror.effects import Cause, Image, Rows, Unseen
from proxy.mirror.versions import MAX_LSN
from proxy.sql.model import Verb
from tests.mirror.test_mirror import running
from tests.mirror.world import (
    ACCOUNTS_ID,
    DATABASE,
    FAST,
    NOTES_ID,
    STRICT,
    World,
    delete,
    field,
    image,
    insert,
    row,
    snapshot,
    version,
    write,
)

NOTES_OF_ACCOUNT = ForeignKey("notes_account_fkey", STRICT, FAST, ("id",), ("account",), "c", "c")


def with_cascade(world: World) -> None:
    effect = SideEffect(FAST, Cause.CASCADE, Reach.ROWS, NOTES_OF_ACCOUNT)
    world.snapshot = replace(
        snapshot(),
        side_effects=MappingProxyType({(STRICT, Verb.DELETE): (effect,), (STRICT, Verb.UPDATE): (effect,)}),
    )


async def test_a_deleted_parent_names_the_children_that_went_with_it() -> None:
    world = World()
    with_cascade(world)
    async with running(world) as mirror:
        write(mirror, delete(1, 100), delete(2, 110), insert(3, "c", 120))
        assert await mirror.drain(5)
    ((database, unseen, at),) = world.gaps.recorded
    assert (database, at) == (DATABASE, version(100))
    assert unseen == Unseen(
        Cause.CASCADE,
        NOTES_ID,
        Rows(("account",), (("1",), ("2",))),
        "foreign key notes_account_fkey",
    )


async def test_a_changed_parent_names_its_children_only_if_what_they_follow_has_changed() -> None:
    world = World()
    with_cascade(world)
    async with running(world) as mirror:
        write(mirror, image(Verb.UPDATE, 100, *row(1, "b"), old=row(1, "a")))
        write(mirror, image(Verb.UPDATE, 110, *row(7, "b"), old=row(2, "b")))
        assert await mirror.drain(5)
    assert [unseen.rows for _, unseen, _ in world.gaps.recorded] == [Rows(("account",), (("2",),))]
    assert world.store.rows() == {1: "b", 7: "b"}


async def test_an_old_row_that_cannot_be_read_is_a_gap() -> None:
    world = World()
    async with running(world) as mirror:
        write(mirror, image(Verb.UPDATE, 100, *row(1, "b"), old=(row(1, "a")[0],)))
        assert await mirror.drain(5)
    assert world.store.rows() == {1: "b"}
    assert world.gaps.causes() == [("key_change", "accounts")]


@pytest.mark.parametrize(
    "broken",
    [
        Image(Verb.INSERT, insert(1, "a", 100).record[:-3]),
        image(Verb.INSERT, MAX_LSN + 1, *row(1, "a")),
        image(Verb.INSERT, 5, *row(1, "a"), timeline=3000),
    ],
)
async def test_an_image_that_makes_no_sense_is_a_gap_and_stops_nobody(broken: Image) -> None:
    world = World()
    async with running(world) as mirror:
        write(mirror, broken, insert(2, "b", 110))
        assert await mirror.drain(5)
    assert world.store.rows() == {2: "b"}
    assert world.gaps.causes() == [("undecodable", "accounts")]


async def test_a_value_no_document_can_hold_is_a_gap_of_its_row() -> None:
    world = World()
    not_utf8 = field(25, b"\xff\xfe")
    async with running(world) as mirror:
        write(mirror, image(Verb.INSERT, 100, row(1, "a")[0], not_utf8), insert(2, "b", 110))
        assert await mirror.drain(5)
        assert mirror.meters.snapshot()["tables"][0]["poisoned"] == 1
    assert world.store.rows() == {2: "b"}
    ((_, unseen, at),) = world.gaps.recorded
    assert (unseen.cause, unseen.table, unseen.rows) == (
        Cause.POISON,
        ACCOUNTS_ID,
        Rows(("id",), (("1",),)),
    )
    assert at == version(100)
    assert "name" in unseen.detail
