from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from bson import Binary, Decimal128, Int64
from pymongo import MongoClient

from demo.documents import FAILURES, Documents, shell
from demo.errors import DemoError
from devstack.document_store import DocumentStore


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (
            {"_id": Int64(7), "status": "paid", "total": Decimal128("1.50"), "_cw": {"v": 1}},
            '{_id: 7, status: "paid", total: Decimal(1.50)}',
        ),
        (datetime(2026, 1, 2, 3, 4, 5, 67000, UTC), "Date(2026-01-02T03:04:05.067)"),
        ([None, 1.5, {"a": []}], "[null, 1.5, {a: []}]"),
        (
            Binary(UUID("00112233-4455-6677-8899-aabbccddeeff").bytes, 4),
            "UUID(00112233-4455-6677-8899-aabbccddeeff)",
        ),
    ],
)
def test_shell(value: Any, text: str) -> None:
    assert shell(value) == text


async def test_a_store_that_is_away_is_one_of_the_failures() -> None:
    documents = Documents("mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=100", "shop")
    try:
        with pytest.raises(FAILURES):
            await documents.count("orders")
    finally:
        await documents.close()


@pytest.fixture
async def documents(document_store: DocumentStore) -> AsyncIterator[Documents]:
    documents = Documents(document_store.uri, f"shop_{uuid4().hex}")
    try:
        yield documents
        await documents.clear()
    finally:
        await documents.close()


@pytest.mark.integration
async def test_what_readers_see(documents: Documents, document_store: DocumentStore) -> None:
    with MongoClient[dict[str, Any]](document_store.uri) as client:
        client[documents.name]["orders"].insert_many([{"_id": Int64(1), "a": 1}, {"_id": Int64(2), "a": 2}])
        client["_causeway"]["gaps"].insert_one({"database": documents.name, "table": "public.orders"})
    assert await documents.counts(("orders", "payments")) == {"orders": 2, "payments": 0}
    assert await documents.find("orders", 2) == {"_id": 2, "a": 2}
    assert await documents.find("orders", 3) is None
    assert [document["_id"] for document in await documents.all("orders")] == [1, 2]
    assert [gap["table"] for gap in await documents.open_gaps()] == ["public.orders"]


@pytest.mark.integration
async def test_what_somebody_does_by_hand(documents: Documents, document_store: DocumentStore) -> None:
    with MongoClient[dict[str, Any]](document_store.uri) as client:
        client[documents.name]["orders"].insert_many([{"_id": Int64(n), "a": 1} for n in range(3)])
    await documents.spoil("orders", change={Int64(1): {"a": 2}})
    await documents.spoil("orders", delete=[Int64(0)], change={}, add={"_id": Int64(9)})
    assert {one["_id"]: one.get("a") for one in await documents.all("orders")} == {1: 2, 2: 1, 9: None}


@pytest.mark.integration
@pytest.mark.parametrize("left", ["documents", "tombstones"])
async def test_nobody_elses_documents_are_touched(
    documents: Documents, document_store: DocumentStore, left: str
) -> None:
    await documents.claim()
    with MongoClient[dict[str, Any]](document_store.uri) as client:
        if left == "documents":
            client[documents.name]["anything"].insert_one({})
        else:
            client["_causeway"][f"tombstones.{documents.name}.orders"].insert_one({})
    with pytest.raises(DemoError, match="already"):
        await documents.claim()
    await documents.clear()
    await documents.claim()
