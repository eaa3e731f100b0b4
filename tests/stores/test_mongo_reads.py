"""Reading collections for backfill and verify: each `_id` is found once, whatever its type; BSON is as it is stored."""

from __future__ import annotations

import math
import uuid
from datetime import UTC, datetime
from typing import Any

import bson
import pymongo
import pytest
from bson import Binary, DatetimeMS, Decimal128, Int64, MinKey, ObjectId

from devstack.document_store import DocumentStore
from proxy.stores.bson_form import OPTIONS
from proxy.stores.identity import identity
from proxy.stores.mongo import MongoStore
from proxy.stores.mongo_reads import _conditions
from proxy.stores.protocol import Key, Namespace, StoreRefused, Write

pytestmark = pytest.mark.integration

IDS: list[Any] = [
    math.nan,
    -math.inf,
    Int64(-5),
    0,
    Decimal128("1.5"),
    Int64(2**62),
    "",
    "a",
    "é",
    {"a": 1, "b": "x"},
    {"a": 2},
    Binary(b"", 0),
    b"\x00\x01",
    uuid.UUID(int=1),
    uuid.UUID(int=2**127),
    ObjectId("0" * 24),
    ObjectId("f" * 24),
    False,
    True,
    datetime(1969, 1, 1, tzinfo=UTC),
    datetime(2026, 1, 1, tzinfo=UTC),
]
"""Of every type that keys, or what others may have put there, can have."""


def write(value: Any, extra: dict[str, Any] | None = None, **fields: Any) -> Write:
    return Write(Key(value, identity(value)), {"_id": value, **fields}, 1, extra or {})


@pytest.mark.parametrize("limit", [1, 3, 100])
async def test_every_id_is_found_once(
    store: MongoStore, namespace: Namespace, document_store: DocumentStore, limit: int
) -> None:
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(
        document_store.uri, uuidRepresentation="standard"
    )
    with client:
        client[namespace.database][namespace.collection].insert_many([{"_id": value} for value in IDS])
    found: list[Any] = []
    after = None
    while part := await store.scan(namespace, after, limit):
        assert len(part) <= limit
        found += part
        after = part[-1]
    assert len(found) == len(IDS)
    assert set(map(identity, found)) == set(map(identity, IDS))


async def test_of_an_empty_collection(store: MongoStore, namespace: Namespace) -> None:
    assert await store.scan(namespace, None, 10) == []
    assert await store.count(namespace) == 0
    assert await store.read(namespace, [1]) == []


async def test_documents_are_read_as_they_are_stored(store: MongoStore, namespace: Namespace) -> None:
    tricky = {"$ref": "a", "$id": 1, "a.b": [Decimal128("1.50")]}
    await store.apply(namespace, [write(Int64(1), {"us": {"t": 7}}, json=tricky), write(Int64(2), name="x")])
    found = sorted(await store.read(namespace, [Int64(1), Int64(2), Int64(3)]))
    assert found == sorted(
        [
            bson.encode({"_id": Int64(1), "json": tricky, "_cw": {"us": {"t": 7}}}, codec_options=OPTIONS),
            bson.encode({"_id": Int64(2), "name": "x", "_cw": {}}, codec_options=OPTIONS),
        ]
    )


async def test_more_ids_than_one_question_takes(store: MongoStore, namespace: Namespace) -> None:
    ids = [Int64(number) for number in range(2500)]
    await store.seed(namespace, [write(value) for value in ids])
    assert len(await store.read(namespace, ids)) == len(ids)
    assert await store.count(namespace) == len(ids)
    assert await store.scan(namespace, Int64(1999), 10_000) == ids[2000:]


async def test_an_old_date_is_gone_on_from(store: MongoStore, namespace: Namespace) -> None:
    before_christ = DatetimeMS(-(10**14))
    await store.seed(namespace, [write(before_christ), write(DatetimeMS(5))])
    [first] = await store.scan(namespace, None, 1)
    assert identity(first) == identity(before_christ)
    assert [identity(value) for value in await store.scan(namespace, first, 5)] == [identity(DatetimeMS(5))]


def test_no_going_on_from_what_is_no_id() -> None:
    with pytest.raises(StoreRefused, match="MinKey"):
        list(_conditions(MinKey()))
