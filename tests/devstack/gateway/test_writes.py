"""insert, update, delete, findAndModify and bulk writes, with the real driver."""

from __future__ import annotations

import datetime
import decimal
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import bson
import pytest
from pymongo import DeleteMany, DeleteOne, InsertOne, ReplaceOne, ReturnDocument, UpdateMany, UpdateOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import (
    BulkWriteError,
    ClientBulkWriteException,
    DuplicateKeyError,
    OperationFailure,
    WriteError,
)
from pymongo.write_concern import WriteConcern

from devstack.document_store import DocumentStore
from tests.devstack.gateway.raw_client import raw_client

pytestmark = pytest.mark.integration

Db = AsyncDatabase[dict[str, Any]]
Collection = AsyncCollection[dict[str, Any]]


async def test_insert_and_find_keep_every_type(db: Db) -> None:
    document = {
        "_id": bson.ObjectId(),
        "int": 1,
        "long": bson.Int64(2**40),
        "double": 1.5,
        "decimal": bson.Decimal128(decimal.Decimal("1.10")),
        "string": "añb\u0000c",
        "binary": b"\x00\xff",
        "uuid": bson.Binary.from_uuid(uuid.UUID(int=5)),
        "time": datetime.datetime(2024, 2, 29, 12, 0, 0, 123000, tzinfo=datetime.UTC),
        "null": None,
        "true": True,
        "array": [1, [2, {"three": 3}]],
        "object": {"b": 1, "a": 2},
    }
    await db.c.insert_one(document)
    found = await db.c.find_one({"_id": document["_id"]})
    assert found == document
    assert list(found) == list(document)


async def test_insert_many_as_document_sequence(db: Db) -> None:
    result = await db.c.insert_many([{"_id": number, "text": "x" * 1000} for number in range(3000)])
    assert len(result.inserted_ids) == 3000
    assert await db.c.count_documents({}) == 3000


async def test_update_operators_and_results(db: Db) -> None:
    await db.c.insert_many([{"_id": number, "group": number % 2, "n": 0} for number in range(6)])
    many = await db.c.update_many({"group": 1}, {"$inc": {"n": 5}})
    assert (many.matched_count, many.modified_count) == (3, 3)
    same = await db.c.update_one({"_id": 1}, {"$set": {"n": 5}})
    assert (same.matched_count, same.modified_count) == (1, 0)
    upserted = await db.c.update_one({"_id": 99}, {"$set": {"n": 1}}, upsert=True)
    assert upserted.upserted_id == 99
    replaced = await db.c.replace_one({"_id": 99}, {"other": True})
    assert replaced.modified_count == 1
    assert await db.c.find_one({"_id": 99}) == {"_id": 99, "other": True}


async def test_update_with_pipeline_is_conditional(db: Db) -> None:
    await db.c.insert_one({"_id": 1, "v": 5, "x": "old"})
    newer = [{"$set": {"x": {"$cond": [{"$lt": ["$v", 7]}, "new", "$x"]}, "v": {"$max": ["$v", 7]}}}]
    await db.c.update_one({"_id": 1}, newer)
    assert await db.c.find_one({"_id": 1}) == {"_id": 1, "v": 7, "x": "new"}


async def test_array_filters(db: Db) -> None:
    await db.c.insert_one({"_id": 1, "a": [{"k": 1, "n": 0}, {"k": 2, "n": 0}]})
    await db.c.update_one({"_id": 1}, {"$set": {"a.$[e].n": 9}}, array_filters=[{"e.k": 2}])
    assert await db.c.find_one() == {"_id": 1, "a": [{"k": 1, "n": 0}, {"k": 2, "n": 9}]}


async def test_delete(db: Db) -> None:
    await db.c.insert_many([{"_id": number, "even": number % 2 == 0} for number in range(10)])
    assert (await db.c.delete_one({"even": True})).deleted_count == 1
    assert (await db.c.delete_many({"even": True})).deleted_count == 4
    assert (await db.c.delete_many({"even": True})).deleted_count == 0


async def test_find_and_modify(db: Db) -> None:
    await db.c.insert_many([{"_id": 1, "n": 1}, {"_id": 2, "n": 2}])
    before = await db.c.find_one_and_update({"n": {"$gt": 0}}, {"$inc": {"n": 10}}, sort=[("n", -1)])
    assert before == {"_id": 2, "n": 2}
    after = await db.c.find_one_and_update(
        {"_id": 7}, {"$set": {"n": 7}}, upsert=True, return_document=ReturnDocument.AFTER
    )
    assert after == {"_id": 7, "n": 7}
    assert await db.c.find_one_and_replace({"_id": 7}, {"r": 1}, projection={"n": 1}) == {"_id": 7, "n": 7}
    assert await db.c.find_one_and_delete({"_id": 7}) == {"_id": 7, "r": 1}
    assert await db.c.find_one_and_delete({"_id": 7}) is None


async def test_ordered_bulk_stops_at_the_first_error(db: Db) -> None:
    await db.c.insert_one({"_id": 1})
    with pytest.raises(BulkWriteError) as caught:
        await db.c.bulk_write([InsertOne({"_id": 0}), InsertOne({"_id": 1}), InsertOne({"_id": 2})])
    details = caught.value.details
    assert details["nInserted"] == 1
    assert [(error["index"], error["code"]) for error in details["writeErrors"]] == [(1, 11000)]
    assert [item["_id"] async for item in db.c.find(sort=[("_id", 1)])] == [0, 1]


async def test_unordered_bulk_goes_on_after_errors(db: Db) -> None:
    await db.c.insert_many([{"_id": 1}, {"_id": 3}])
    with pytest.raises(BulkWriteError) as caught:
        await db.c.bulk_write([InsertOne({"_id": number}) for number in range(5)], ordered=False)
    details = caught.value.details
    assert details["nInserted"] == 3
    assert sorted(error["index"] for error in details["writeErrors"]) == [1, 3]
    assert await db.c.count_documents({}) == 5


async def test_mixed_bulk(db: Db) -> None:
    result = await db.c.bulk_write(
        [
            InsertOne({"_id": 1, "n": 0}),
            UpdateOne({"_id": 1}, {"$inc": {"n": 1}}),
            UpdateOne({"_id": 2}, {"$set": {"n": 2}}, upsert=True),
            ReplaceOne({"_id": 3}, {"n": 3}, upsert=True),
            UpdateMany({}, {"$inc": {"n": 100}}),
            DeleteOne({"_id": 3}),
            DeleteMany({"_id": 99}),
        ]
    )
    assert result.inserted_count == 1
    assert result.upserted_ids == {2: 2, 3: 3}
    assert result.deleted_count == 1
    assert [item async for item in db.c.find(sort=[("_id", 1)])] == [
        {"_id": 1, "n": 101},
        {"_id": 2, "n": 102},
    ]


async def test_client_bulk_write_over_several_collections(db: Db) -> None:
    first, second = f"{db.name}.first", f"{db.name}.second"
    result = await db.client.bulk_write(
        [
            InsertOne({"_id": 1}, namespace=first),
            InsertOne({"_id": 1}, namespace=second),
            UpdateOne({"_id": 2}, {"$set": {"n": 1}}, upsert=True, namespace=second),
            DeleteOne({"_id": 1}, namespace=first),
        ],
        verbose_results=True,
    )
    assert (result.inserted_count, result.upserted_count, result.deleted_count) == (2, 1, 1)
    assert result.update_results[2].upserted_id == 2
    assert await db.first.count_documents({}) == 0
    assert await db.second.count_documents({}) == 2


async def test_client_bulk_write_error(db: Db) -> None:
    namespace = f"{db.name}.c"
    with pytest.raises(ClientBulkWriteException) as caught:
        await db.client.bulk_write(
            [InsertOne({"_id": number}, namespace=namespace) for number in (1, 1, 2)], ordered=False
        )
    details: Any = caught.value.write_errors
    assert [(error["idx"], error["code"]) for error in details] == [(1, 11000)]
    assert details[0]["keyPattern"] == {"_id": 1}
    assert await db.c.count_documents({}) == 2


async def test_unacknowledged_write(db: Db) -> None:
    quiet = db.c.with_options(write_concern=WriteConcern(w=0))
    result = await quiet.insert_one({"_id": 1})
    assert not result.acknowledged
    acknowledged = db.c.with_options(write_concern=WriteConcern(w="majority", wtimeout=1000, j=True))
    await acknowledged.insert_one({"_id": 2})
    for _ in range(200):
        if await db.c.count_documents({}) == 2:
            break
    assert await db.c.count_documents({}) == 2


async def test_duplicate_id(db: Db) -> None:
    await db.c.insert_one({"_id": {"a": 1, "b": "x"}})
    with pytest.raises(DuplicateKeyError) as caught:
        await db.c.insert_one({"_id": {"a": 1, "b": "x"}})
    details = caught.value.details
    assert details is not None
    assert details["code"] == 11000
    assert details["keyPattern"] == {"_id": 1}
    assert details["keyValue"] == {"_id": {"a": 1, "b": "x"}}
    assert details["errmsg"] == (
        f"E11000 duplicate key error collection: {db.name}.c index: _id_ "
        'dup key: { _id: { a: 1, b: "x" } }'
    )


CLASH = {"a": 1, "b": {"c": "x"}}
CLASHES: dict[str, Callable[[Collection], Awaitable[object]]] = {
    "insert": lambda c: c.insert_one({"_id": 3, **CLASH}),
    "update": lambda c: c.update_one({"_id": 2}, {"$set": {"a": 1, "b.c": "x"}}),
    "replace": lambda c: c.replace_one({"_id": 2}, CLASH),
    "upsert": lambda c: c.update_one({"_id": 9}, {"$setOnInsert": CLASH}, upsert=True),
    "upsert by query": lambda c: c.update_one(
        {"a": 1, "b.c": "x", "other": 1}, {"$set": {"z": 1}}, upsert=True
    ),
    "find and modify": lambda c: c.find_one_and_update({"_id": 2}, {"$set": CLASH}),
    "find and replace": lambda c: c.find_one_and_replace({"_id": 2}, CLASH),
}


@pytest.mark.parametrize("how", CLASHES)
async def test_duplicate_in_a_unique_index(db: Db, how: str) -> None:
    await db.c.create_index([("a", 1), ("b.c", -1)], unique=True, name="both")
    await db.c.insert_many([{"_id": 1, "a": 1, "b": {"c": "x"}}, {"_id": 2, "a": 1, "b": {"c": "y"}}])
    with pytest.raises(DuplicateKeyError) as caught:
        await CLASHES[how](db.c)
    details = caught.value.details
    assert details is not None
    assert details["keyPattern"] == {"a": 1, "b.c": -1}
    assert details["keyValue"] == {"a": 1, "b.c": "x"}
    assert "index: both dup key" in details["errmsg"]


@pytest.mark.parametrize(
    ("update", "code"),
    [
        ({"$set": {"_id": 2}}, 66),
        ({"$inc": {"s": 1}}, 14),
        ({"$nonsense": {"a": 1}}, 9),
        ({"$set": {"a": 1}, "$inc": {"a": 1}}, 40),
        ({"$set": {"s.x": 1}}, 28),
        ({"$push": {"s": 1}}, 2),
    ],
    ids=lambda value: str(value),
)
async def test_error_codes_of_an_update(db: Db, update: dict[str, Any], code: int) -> None:
    await db.c.insert_one({"_id": 1, "s": "text"})
    with pytest.raises((WriteError, OperationFailure)) as caught:
        await db.c.update_one({"_id": 1}, update)
    assert caught.value.code == code


async def test_retried_write_is_answered_not_repeated(db: Db, document_store: DocumentStore) -> None:
    command = {
        "update": "c",
        "updates": [{"q": {"_id": 1}, "u": {"$inc": {"n": 1}}, "upsert": True}],
        "lsid": {"id": bson.Binary.from_uuid(uuid.uuid4())},
        "txnNumber": bson.Int64(1),
    }
    async with raw_client(document_store.uri) as first:
        answer = await first.command(db.name, command)
    async with raw_client(document_store.uri) as second:
        assert await second.command(db.name, command) == answer
        assert await db.c.find_one({"_id": 1}) == {"_id": 1, "n": 1}
        stale = await second.command(db.name, {**command, "txnNumber": bson.Int64(0)})
    assert (stale["ok"], stale["code"], stale["codeName"]) == (0, 225, "TransactionTooOld")


async def test_a_write_goes_on_when_its_client_is_gone(db: Db, document_store: DocumentStore) -> None:
    command = {
        "insert": "c",
        "documents": [{"_id": number, "text": "x" * 1000} for number in range(5000)],
        "lsid": {"id": bson.Binary.from_uuid(uuid.uuid4())},
        "txnNumber": bson.Int64(1),
    }
    async with raw_client(document_store.uri) as first:
        await first.send(db.name, command)
    async with raw_client(document_store.uri) as second:
        answer = await second.command(db.name, command)
    assert (answer["ok"], answer["n"]) == (1, 5000)
    assert await db.c.count_documents({}) == 5000
