"""Ready-made documents, inserted by the driver alone."""

from __future__ import annotations

import uuid
from typing import Any

import bson
import pytest
from pymongo import MongoClient

from bench.inserter import insert
from devstack.document_store import DocumentStore


@pytest.mark.integration
async def test_as_many_as_asked_for_byte_by_byte(document_store: DocumentStore) -> None:
    database = f"inserted_{uuid.uuid4().hex[:8]}"
    client: MongoClient[dict[str, Any]] = MongoClient(document_store.uri)
    with client:
        client[database]["a"].insert_many([{"_id": n, "text": "x" * 50} for n in range(2500)])
        told = await insert(document_store.uri, database, "a", "b", 2200)
        found = list(client[database]["b"].find().sort("_id", 1))
        client.drop_database(database)
    assert told["documents"] == len(found) == 2200
    assert told["bytes"] == 2200 * len(bson.encode({"_id": 1, "text": "x" * 50}))
    assert told["seconds"] > 0
    assert all(one == {"_id": one["_id"], "text": "x" * 50} for one in found)
