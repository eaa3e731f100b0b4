"""Rows as the documents they should be, by key and by chunk; `_id`s that are keys, and those that are not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import bson
import pytest
from bson import Decimal128, ObjectId

from devstack.document_store import DocumentStore
from devstack.postgres import PostgresServer
from proxy.backfill.lookups import Lookups
from proxy.backfill.member import Member, NotReady, open_member
from proxy.backfill.report import Scope
from proxy.names import TableName
from proxy.stores.identity import identity
from tests.backfill.verify_world import World, made_world

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


@pytest.fixture
async def joined(
    postgres: PostgresServer, document_store: DocumentStore, tmp_path: Path
) -> AsyncIterator[tuple[World, Member]]:
    with made_world(postgres, document_store, tmp_path) as made:
        async with open_member(made.settings, "verify") as member:
            yield made, member


def lookups(joined: tuple[World, Member], table: str) -> Lookups:
    world, member = joined
    return Lookups(member, TableName("public", table, world.database))


async def test_a_chunk_in_the_order_of_its_keys(joined: tuple[World, Member]) -> None:
    parts = lookups(joined, "parts")
    first = await parts.boundary(None, 10)
    rows, keyless = await parts.chunk(None, first.high, Scope())
    assert (len(rows), keyless, first.keys, first.last) == (10, 0, 10, False)
    documents = [bson.decode(row.raw) for row in rows if row.raw is not None]
    assert [(one["day"], one["id"]) for one in documents] == sorted(
        (one["day"], one["id"]) for one in documents
    )
    again, _ = await parts.chunk(first.high, None, Scope())
    assert len(again) == 500 - 10


async def test_rows_by_key(joined: tuple[World, Member]) -> None:
    sums = lookups(joined, "sums")
    all_rows, _ = await sums.chunk(None, None, Scope())
    keys = [row.key for row in all_rows[:5]]
    found = await sums.rows(keys)
    assert {token: row.raw for token, row in found.items()} == {
        row.key.token: row.raw for row in all_rows[:5]
    }


async def test_ids_are_keys_with_rows_keys_without_or_no_keys(joined: tuple[World, Member]) -> None:
    items = lookups(joined, "items")
    stranger = ObjectId()
    keys, foreign = await items.sorted_out([1, 2, 9999, -5, 2**40, "text", stranger, 2.5, Decimal128("3")])
    assert sorted(key.value for key in keys) == [-5, 9999]
    assert {identity(value) for value in foreign} == set(
        map(identity, [2**40, "text", stranger, 2.5, Decimal128("3")])
    )
    cells = lookups(joined, "cells")
    keys, foreign = await cells.sorted_out(
        [{"x": 1, "y": "y1"}, {"y": "y1", "x": 1}, {"x": 1, "y": "no"}, {"x": 1}]
    )
    assert [key.value for key in keys] == [{"x": 1, "y": "no"}]
    assert foreign == [{"y": "y1", "x": 1}, {"x": 1}]


async def test_about_how_much_there_is(joined: tuple[World, Member]) -> None:
    world, _ = joined
    world.run("analyze")
    assert await lookups(joined, "items").estimate() == 500
    assert await lookups(joined, "parts").estimate() == 500
    assert await lookups(joined, "empty").estimate() == 0


async def test_a_column_that_is_new_is_known_after_a_look_at_the_catalogue(
    joined: tuple[World, Member],
) -> None:
    from proxy.mirror.reread_rows import CatalogueBehind

    world, _ = joined
    smalls = lookups(joined, "smalls")
    world.run("alter table smalls add column more text default 'x'")
    try:
        rows, _ = await smalls.chunk(None, None, Scope())
    except CatalogueBehind:
        await smalls.refresh()
        rows, _ = await smalls.chunk(None, None, Scope())
    assert all(row.raw is not None and bson.decode(row.raw)["more"] == "x" for row in rows)


async def test_a_table_that_is_not_ruled(joined: tuple[World, Member]) -> None:
    with pytest.raises(NotReady):
        await lookups(joined, "nothing").estimate()
