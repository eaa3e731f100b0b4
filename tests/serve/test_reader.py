"""What a majority has, of the primary, in one command where that will do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import bson
import pytest
from bson import Int64

from proxy.serve import reader
from proxy.serve.reader import ServingReader, documents, first
from proxy.stores.mongo import MongoStore, open_store
from proxy.stores.mongo_errors import CommandRejected
from proxy.stores.protocol import Namespace, StoreUnavailable

ONE, OTHER = bson.encode({"_id": 1, "x": "firstBatch"}), bson.encode({"_id": 2})


def test_the_documents_of_a_batch() -> None:
    assert documents(ONE + OTHER) == [ONE, OTHER]
    assert documents(b"") == []


@pytest.mark.parametrize(
    "order", [("firstBatch", "id", "ns"), ("id", "ns", "firstBatch"), ("firstBatch", "ns", "id")]
)
@pytest.mark.parametrize("count", [0, 1, 12])
@pytest.mark.parametrize("number", [0, 7])
def test_a_reply_in_any_order(order: tuple[str, ...], count: int, number: int) -> None:
    values: dict[str, Any] = {
        "firstBatch": [bson.decode(ONE)] * count,
        "id": Int64(number),
        "ns": "shop.orders",
    }
    cursor = bson.encode({name: values[name] for name in order})
    assert first(cursor) == ([ONE] * count, number)


@pytest.mark.parametrize(
    ("more", "plain"),
    [
        ({"partialResultsReturned": True, "atClusterTime": bson.Timestamp(1, 2), "token": {"id": 3}}, True),
        ({"other": 1.5}, False),
        ({"id": Int64(-7)}, False),
        ({"id": 7}, False),
    ],
)
def test_what_stands_beside_is_passed_over(
    more: dict[str, Any], plain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    slowly: list[bytes] = []
    right = reader._first

    def slow(cursor: bytes) -> tuple[list[bytes], int]:
        slowly.append(cursor)
        return right(cursor)

    monkeypatch.setattr(reader, "_first", slow)
    values = {"id": Int64(7), **more, "firstBatch": [bson.decode(ONE)]}
    assert first(bson.encode(values)) == ([ONE], values["id"])
    assert bool(slowly) is not plain


@pytest.fixture
async def filled(store: MongoStore, namespace: Namespace) -> AsyncIterator[Namespace]:
    collection = store.link.client[namespace.database][namespace.collection]
    await collection.insert_many({"_id": number, "x": number % 3, "y": "y"} for number in range(30))
    yield namespace
    await collection.drop()


async def found(documents: AsyncIterator[bytes]) -> list[dict[str, Any]]:
    return [bson.decode(raw) async for raw in documents]


@pytest.mark.integration
async def test_questions(store: MongoStore, filled: Namespace) -> None:
    asked = ServingReader(store.link, 5.0)
    assert await found(asked.find(filled, {"_id": {"$eq": 4}}, {"x": 1}, (), 0)) == [{"_id": 4, "x": 1}]
    some = await found(asked.find(filled, {"x": 1}, None, (("_id", -1),), 3))
    assert some == [{"_id": number, "x": 1, "y": "y"} for number in (28, 25, 22)]
    assert await found(asked.find(filled, {"x": 9}, None, (), 10)) == []
    counted = await found(asked.aggregate(filled, [{"$match": {"x": 2}}, {"$count": "n"}]))
    assert counted == [{"n": 10}]
    nowhere = Namespace(filled.database, "nowhere")
    assert await found(asked.find(nowhere, {}, None, (), 10)) == []


@pytest.mark.integration
async def test_an_answer_in_several_batches(
    store: MongoStore, filled: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "BATCH", 7)
    asked = ServingReader(store.link, 5.0)
    every = await found(asked.find(filled, {}, {"_id": 1}, (("_id", 1),), 0))
    assert every == [{"_id": number} for number in range(30)]


@pytest.mark.integration
async def test_what_the_store_rejects(store: MongoStore, filled: Namespace) -> None:
    asked = ServingReader(store.link, 5.0)
    with pytest.raises(CommandRejected):
        await found(asked.find(filled, {"$nothing": 1}, None, (), 1))
    with pytest.raises(CommandRejected):
        await found(asked.aggregate(filled, [{"$nothing": 1}]))


async def test_a_store_that_is_away() -> None:
    store = open_store("mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=50&serverMonitoringMode=poll")
    try:
        with pytest.raises(StoreUnavailable):
            await found(ServingReader(store.link, 1.0).find(Namespace("shop", "orders"), {}, None, (), 1))
    finally:
        await store.close()
