"""Databases, collections and indexes, with the real driver."""

from __future__ import annotations

from typing import Any

import pytest
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import CollectionInvalid, OperationFailure

pytestmark = pytest.mark.integration

Db = AsyncDatabase[dict[str, Any]]


async def test_create_list_and_drop(db: Db) -> None:
    await db.create_collection("one")
    await db.two.insert_one({"_id": 1})
    assert sorted(await db.list_collection_names()) == ["one", "two"]
    found = [item async for item in await db.list_collections(filter={"name": "two"})]
    assert [(item["name"], item["type"]) for item in found] == [("two", "collection")]
    await db.drop_collection("one")
    await db.drop_collection("never there")
    assert await db.list_collection_names() == ["two"]


async def test_creating_twice_is_an_error(db: Db) -> None:
    await db.create_collection("one")
    with pytest.raises(CollectionInvalid):
        await db.create_collection("one")
    with pytest.raises(OperationFailure) as caught:
        await db.command("create", "one")
    assert caught.value.code == 48


async def test_view(db: Db) -> None:
    await db.c.insert_many([{"_id": number, "n": number} for number in range(4)])
    await db.create_collection("small", viewOn="c", pipeline=[{"$match": {"n": {"$lt": 2}}}])
    assert await db.small.count_documents({}) == 2


async def test_rename(db: Db) -> None:
    await db.one.insert_one({"_id": 1})
    await db.other.insert_one({"_id": 2})
    await db.one.rename("two")
    assert await db.two.find_one() == {"_id": 1}
    with pytest.raises(OperationFailure) as exists:
        await db.two.rename("other")
    assert exists.value.code == 48
    await db.two.rename("other", dropTarget=True)
    assert await db.other.find_one() == {"_id": 1}
    with pytest.raises(OperationFailure) as missing:
        await db.two.rename("three")
    assert missing.value.code == 26


async def test_databases(db: Db) -> None:
    await db.c.insert_one({"_id": 1})
    assert db.name in await db.client.list_database_names()
    await db.client.drop_database(db.name)
    assert db.name not in await db.client.list_database_names()


async def test_indexes(db: Db) -> None:
    names = await db.c.create_indexes(
        [
            IndexModel([("a", ASCENDING), ("b", DESCENDING)], name="ab", unique=True),
            IndexModel([("t", ASCENDING)], expireAfterSeconds=3600),
            IndexModel([("p", ASCENDING)], partialFilterExpression={"p": {"$gt": 0}}, sparse=False),
        ]
    )
    assert names == ["ab", "t_1", "p_1"]
    known = await db.c.index_information()
    assert sorted(known) == ["_id_", "ab", "p_1", "t_1"]
    assert known["ab"]["key"] == [("a", 1), ("b", -1)]
    assert known["ab"]["unique"] is True
    assert known["t_1"]["expireAfterSeconds"] == 3600
    assert await db.c.create_index([("a", 1), ("b", -1)], name="ab", unique=True) == "ab"
    await db.c.drop_index("ab")
    await db.c.drop_indexes()
    assert list(await db.c.index_information()) == ["_id_"]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ({"createIndexes": "c", "indexes": [{"key": {"b": 1}, "name": "a_1"}]}, 86),
        ({"createIndexes": "c", "indexes": [{"key": {"b": 1}}]}, 9),
        ({"createIndexes": "c", "indexes": [{"key": {"d": 1}, "name": "d", "unique": True}]}, 11000),
        ({"dropIndexes": "c", "index": "nothing"}, 27),
        ({"dropIndexes": "c", "index": "_id_"}, 72),
        ({"dropIndexes": "nothing", "index": "a"}, 26),
        ({"listIndexes": "nothing"}, 26),
    ],
    ids=lambda value: str(value),
)
async def test_error_codes_of_indexes(db: Db, command: dict[str, Any], code: int) -> None:
    await db.c.create_index("a")
    await db.c.insert_many([{"_id": 1, "d": 1}, {"_id": 2, "d": 1}])
    with pytest.raises(OperationFailure) as caught:
        await db.command(command)
    assert caught.value.code == code


async def test_statistics(db: Db) -> None:
    await db.c.insert_many([{"_id": number, "text": "x" * 100} for number in range(50)])
    stats = await db.command("collStats", "c")
    assert (stats["ns"], stats["nindexes"]) == (f"{db.name}.c", 1)
    assert stats["storageSize"] > 0
    assert (await db.command("dbStats"))["collections"] == 1
    assert (await db.validate_collection("c"))["valid"] is True
    assert await db.c.estimated_document_count() >= 0
