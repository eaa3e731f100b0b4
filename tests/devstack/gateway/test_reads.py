"""find, aggregate, cursors, count, distinct and explain, with the real driver."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pymongo import ASCENDING
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import CursorNotFound, ExecutionTimeout, OperationFailure

from devstack.document_store import DocumentStore
from tests.devstack.gateway.raw_client import raw_client

pytestmark = pytest.mark.integration

Db = AsyncDatabase[dict[str, Any]]

SLOW: list[dict[str, Any]] = [
    {
        "$lookup": {
            "from": "c",
            "let": {"n": "$n"},
            "pipeline": [{"$match": {"$expr": {"$lt": ["$n", "$$n"]}}}, {"$count": "less"}],
            "as": "less",
        }
    },
    {"$sort": {"less": 1}},
]
"""Compares every document with every other: seconds for a thousand."""


@pytest.fixture
async def thousand(db: Db) -> Db:
    await db.c.insert_many([{"_id": number, "group": number % 7, "n": -number} for number in range(1000)])
    return db


async def test_find_over_many_batches(thousand: Db) -> None:
    found = [item["_id"] async for item in thousand.c.find({}, batch_size=37)]
    assert sorted(found) == list(range(1000))


async def test_sorted_find_over_many_batches(thousand: Db) -> None:
    cursor = thousand.c.find({}, {"_id": 1}, sort=[("n", ASCENDING)], batch_size=90)
    assert [item async for item in cursor] == [{"_id": number} for number in range(999, -1, -1)]


async def test_filter_projection_skip_and_limit(thousand: Db) -> None:
    cursor = (
        thousand.c.find({"group": 3, "_id": {"$gt": 10}}, {"n": 1, "_id": 0}).sort("_id", 1).skip(2).limit(3)
    )
    assert [item async for item in cursor] == [{"n": -31}, {"n": -38}, {"n": -45}]


async def test_find_in_what_does_not_exist(db: Db) -> None:
    assert [item async for item in db.nothing.find()] == []
    assert await db.nothing.count_documents({}) == 0
    assert await db.nothing.distinct("a") == []


async def test_aggregate_over_many_batches(thousand: Db) -> None:
    pipeline: list[dict[str, Any]] = [
        {"$match": {"group": {"$lt": 5}}},
        {"$sort": {"n": 1}},
        {"$project": {"n": 1}},
    ]
    cursor = await thousand.c.aggregate(pipeline, batchSize=50)
    numbers = [item["_id"] async for item in cursor]
    assert numbers == [number for number in range(999, -1, -1) if number % 7 < 5]


async def test_aggregate_groups_and_joins(thousand: Db) -> None:
    await thousand.names.insert_many([{"_id": number, "name": f"g{number}"} for number in range(7)])
    pipeline: list[dict[str, Any]] = [
        {"$group": {"_id": "$group", "count": {"$sum": 1}, "least": {"$min": "$n"}}},
        {"$lookup": {"from": "names", "localField": "_id", "foreignField": "_id", "as": "name"}},
        {"$unwind": "$name"},
        {"$sort": {"_id": 1}},
        {"$limit": 2},
    ]
    cursor = await thousand.c.aggregate(pipeline)
    assert await cursor.to_list() == [
        {"_id": 0, "count": 143, "least": -994, "name": {"_id": 0, "name": "g0"}},
        {"_id": 1, "count": 143, "least": -995, "name": {"_id": 1, "name": "g1"}},
    ]


async def test_aggregate_out(thousand: Db) -> None:
    await (await thousand.c.aggregate([{"$match": {"group": 1}}, {"$out": "copy"}])).to_list()
    assert await thousand.copy.count_documents({}) == 143


async def test_count_and_distinct(thousand: Db) -> None:
    assert await thousand.c.count_documents({"group": 2}) == 143
    assert await thousand.c.count_documents({}, skip=990) == 10
    assert (await thousand.command("count", "c", query={"group": 2}))["n"] == 143
    assert sorted(await thousand.c.distinct("group", {"_id": {"$lt": 3}})) == [0, 1, 2]


@pytest.mark.parametrize("sort", [None, [("n", 1)]], ids=["unsorted", "sorted"])
async def test_killed_cursor_is_gone(thousand: Db, sort: list[tuple[str, int]] | None) -> None:
    cursor = thousand.c.find({}, sort=sort, batch_size=10)
    await anext(cursor)
    assert cursor.cursor_id
    number = cursor.cursor_id
    reply = await thousand.command("killCursors", "c", cursors=[number, 12345])
    assert reply["cursorsKilled"] == [number]
    assert reply["cursorsNotFound"] == [12345]
    with pytest.raises(CursorNotFound) as caught:
        await cursor.to_list()
    assert caught.value.code == 43


async def test_a_closed_cursor_frees_its_connection(thousand: Db) -> None:
    before = await _open_cursors(thousand)
    for _ in range(3):
        cursor = thousand.c.find({}, sort=[("n", 1)], batch_size=10)
        await anext(cursor)
        assert (await _open_cursors(thousand))["pinned"] == before["pinned"] + 1
        await cursor.close()
    assert await _open_cursors(thousand) == before


async def test_exhausted_cursors_are_not_kept(thousand: Db) -> None:
    before = await _open_cursors(thousand)
    await thousand.c.find({}, sort=[("n", 1)], batch_size=400).to_list()
    await thousand.c.find({}, batch_size=400).to_list()
    assert await _open_cursors(thousand) == before


async def test_too_many_pinned_cursors_close_the_oldest(thousand: Db) -> None:
    cursors = []
    for _ in range(45):
        cursor = thousand.c.find({}, sort=[("n", 1)], batch_size=10)
        await anext(cursor)
        cursors.append(cursor)
    with pytest.raises(CursorNotFound):
        await cursors[0].to_list()
    assert len(await cursors[-1].to_list()) == 999
    for cursor in cursors:
        await cursor.close()


async def test_get_more_on_another_collection_is_refused(thousand: Db) -> None:
    cursor = thousand.c.find({}, batch_size=10)
    await anext(cursor)
    with pytest.raises(OperationFailure) as caught:
        await thousand.command({"getMore": cursor.cursor_id, "collection": "other"})
    assert caught.value.code == 13
    await cursor.close()


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ({"nonsense": 1}, 59),
        ({"find": "c", "filter": {"$nonsense": 1}}, 2),
        ({"find": "c", "filter": {"a": {"$in": 5}}}, 2),
        ({"find": 5}, 14),
        ({"find": ""}, 73),
        ({"getMore": 4711, "collection": "c"}, 43),
        ({"aggregate": "c", "pipeline": [{"$nonsense": {}}], "cursor": {}}, 40324),
        ({"aggregate": "c", "pipeline": []}, 9),
        ({"explain": {"nonsense": 1}}, 59),
        ({"listDatabases": 1}, 13),
    ],
    ids=lambda value: str(value),
)
async def test_error_codes(thousand: Db, command: dict[str, Any], code: int) -> None:
    with pytest.raises(OperationFailure) as caught:
        await thousand.command(command)
    assert caught.value.code == code


async def test_max_time(thousand: Db) -> None:
    with pytest.raises(ExecutionTimeout) as caught:
        await (await thousand.c.aggregate(SLOW, maxTimeMS=50)).to_list()
    assert caught.value.code == 50
    details = caught.value.details
    assert details is not None
    assert details["codeName"] == "MaxTimeMSExpired"


async def test_explain_names_the_index(thousand: Db) -> None:
    await thousand.c.create_index("group", name="by_group")
    plan = await thousand.command(
        "explain", {"find": "c", "filter": {"group": 3}}, verbosity="executionStats"
    )
    stage = plan["queryPlanner"]["winningPlan"]
    stages = []
    while stage:
        stages.append(stage)
        stage = stage.get("inputStage")
    assert [stage["indexName"] for stage in stages if stage["stage"] == "IXSCAN"] == ["by_group"]
    assert plan["executionStats"]["nReturned"] == 143


async def test_read_from_a_client_that_is_gone_is_cancelled(
    thousand: Db, document_store: DocumentStore
) -> None:
    in_use = (await thousand.client.admin.command("serverStatus"))["backends"]["inUse"]
    async with raw_client(document_store.uri) as client:
        await client.send(thousand.name, {"aggregate": "c", "pipeline": SLOW, "cursor": {}})
        await _until_in_use(thousand, in_use + 1)
    await _until_in_use(thousand, in_use)


async def _until_in_use(db: Db, number: int) -> None:
    """The gateway tells nobody of its connections: it is asked, each answer taking a moment."""
    async with asyncio.timeout(5):
        while True:
            status = await db.client.admin.command("serverStatus")
            if status["backends"]["inUse"] == number:
                return


async def _open_cursors(db: Db) -> dict[str, int]:
    status = await db.client.admin.command("serverStatus")
    open_cursors: dict[str, int] = status["metrics"]["cursor"]["open"]
    return open_cursors
