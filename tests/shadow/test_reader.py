"""The store is read as it is asked, and what was seen and asked for is known."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import bson
import pytest

from proxy.shadow.reader import BATCH, RecordingReader, StoreReader, identifiers
from proxy.stores.mongo import MongoStore, open_store
from proxy.stores.protocol import Namespace, StoreUnavailable
from tests.stores.conftest import namespace, store

__all__ = ["namespace", "store"]


@pytest.fixture
async def filled(store: MongoStore, namespace: Namespace) -> AsyncIterator[Namespace]:
    collection = store.link.client[namespace.database][namespace.collection]
    await collection.insert_many([{"_id": number, "n": number % 7} for number in range(BATCH + 100)])
    yield namespace
    await collection.drop()


async def ids(found: AsyncIterator[bytes]) -> list[Any]:
    return [bson.decode(raw)["_id"] async for raw in found]


@pytest.mark.integration
async def test_finds_and_pipelines(store: MongoStore, filled: Namespace) -> None:
    reader = StoreReader(store.link)
    assert await ids(reader.find(filled, {"n": 3}, None, [("_id", -1)], 2)) == [598, 591]
    assert len(await ids(reader.find(filled, {}, {"_id": 1}, [], 0))) == BATCH + 100
    pipeline: list[dict[str, Any]] = [{"$match": {"n": 3}}, {"$group": {"_id": "$n", "count": {"$sum": 1}}}]
    assert await ids(reader.aggregate(filled, pipeline)) == [3]


@pytest.mark.integration
async def test_what_was_seen_is_recorded(store: MongoStore, filled: Namespace) -> None:
    reader = RecordingReader(StoreReader(store.link), 5)
    await ids(reader.find(filled, {"_id": {"$in": [1, 2, 9999]}}, None, [], 0))
    assert reader.asked[filled] == [1, 2, 9999]
    assert len(reader.found[filled]) == 2
    assert not reader.whole
    await ids(reader.find(filled, {}, None, [], 10_000))
    assert len(reader.found[filled]) == 5
    assert reader.whole == {filled}
    other = RecordingReader(StoreReader(store.link), 5)
    await ids(other.find(filled, {}, None, [], 10))
    assert not other.whole
    await ids(other.aggregate(filled, [{"$match": {"_id": 4}}, {"$group": {"_id": None}}]))
    assert other.asked[filled] == [4]


async def test_a_store_that_is_away_is_unavailable() -> None:
    store = open_store("mongodb://127.0.0.1:1/?serverMonitoringMode=poll", timeout=0.2)
    with pytest.raises(StoreUnavailable):
        await ids(StoreReader(store.link).find(Namespace("a", "b"), {}, None, [], 0))
    await store.close()


def test_keys_are_found_in_filters() -> None:
    assert identifiers({"_id": 5, "n": 1}) == [5]
    assert identifiers({"_id": {"a": 1, "b": 2}}) == [{"a": 1, "b": 2}]
    assert identifiers({"$and": [{"_id": {"$in": [1, 2]}}, {"$or": [{"_id": {"$eq": 3}}, {"x": 1}]}]}) == [
        1,
        2,
        3,
    ]
    assert identifiers({"_id": {"$gt": 5}}) == []
    assert identifiers("nothing") == []
