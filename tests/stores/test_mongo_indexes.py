"""Indexes are made once, read back as they were made, and a clash says so."""

from __future__ import annotations

import pytest
from bson import Int64

from proxy.stores.mongo import MongoStore
from proxy.stores.protocol import Index, Key, Namespace, StoreRefused, Write

pytestmark = pytest.mark.integration


async def test_made_and_read_back(store: MongoStore, namespace: Namespace) -> None:
    assert await store.indexes(namespace) == []
    await store.seed(namespace, [Write(Key(Int64(1), 1), {"_id": Int64(1), "a": 1}, 0)])
    assert await store.indexes(namespace) == []
    wanted = [
        Index("by_a", (("a", 1),)),
        Index("by_a_b", (("a", 1), ("b", -1)), unique=True),
        Index("some", (("c", 1),), partial={"c": {"$gt": 5}}),
    ]
    for index in wanted:
        await store.create_index(namespace, index)
    await store.create_index(namespace, wanted[0])
    assert sorted(await store.indexes(namespace), key=lambda index: index.name) == wanted


async def test_another_index_of_that_name_is_refused(store: MongoStore, namespace: Namespace) -> None:
    await store.create_index(namespace, Index("by_a", (("a", 1),)))
    with pytest.raises(StoreRefused, match="by_a"):
        await store.create_index(namespace, Index("by_a", (("b", 1),)))
