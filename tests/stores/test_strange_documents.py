"""Documents that somebody else has put among those of a table, or has changed: no write stumbles over them."""

from __future__ import annotations

from typing import Any

import pymongo
import pytest
from bson import Decimal128, Int64

from devstack.document_store import DocumentStore
from proxy.stores.identity import identity
from proxy.stores.mongo import MongoStore
from proxy.stores.protocol import Key, Namespace, Outcome, Repair, State, Write

pytestmark = pytest.mark.integration

KEY = Key(1, identity(1))
MARKS: list[Any] = [
    None,
    {},
    "text",
    7,
    {"v": "text"},
    {"v": None, "r": None},
    {"r": 1},
    {"v": 0.0},
    {"v": float("nan"), "r": float("nan")},
    {"v": Decimal128("NaN")},
    {"v": True},
    {"v": []},
]
"""What may stand in `_cw`."""


@pytest.fixture
def put(document_store: DocumentStore, namespace: Namespace) -> Any:
    def put(marks: Any) -> None:
        with pymongo.MongoClient[dict[str, Any]](document_store.uri) as client:
            document = {"_id": 1, "by": "hand"} if marks is None else {"_id": 1, "by": "hand", "_cw": marks}
            client[namespace.database][namespace.collection].replace_one({"_id": 1}, document, upsert=True)

    return put


async def state(store: MongoStore, namespace: Namespace) -> State:
    [found] = await store.states(namespace, [KEY])
    return found


@pytest.mark.parametrize("marks", MARKS, ids=repr)
async def test_an_image_takes_its_place(
    store: MongoStore, namespace: Namespace, put: Any, marks: Any
) -> None:
    put(marks)
    assert await store.apply(namespace, [Write(KEY, {"name": "row"}, 5)]) == [Outcome.APPLIED]
    assert (await state(store, namespace)) == State(5, 0, {"_id": 1, "name": "row"})


@pytest.mark.parametrize("marks", MARKS, ids=repr)
async def test_a_delete_takes_it_away(store: MongoStore, namespace: Namespace, put: Any, marks: Any) -> None:
    put(marks)
    await store.apply(namespace, [Write(KEY, None, 5)])
    assert (await state(store, namespace)).document is None


@pytest.mark.parametrize("marks", MARKS, ids=repr)
@pytest.mark.parametrize("document", [{"name": "row"}, None])
async def test_a_repair_takes_its_place(
    store: MongoStore, namespace: Namespace, put: Any, marks: Any, document: Any
) -> None:
    put(marks)
    before = await state(store, namespace)
    assert before.document == {"_id": 1, "by": "hand"}
    assert await store.repair(namespace, [Repair(KEY, before, document)]) == [True]
    after = (await state(store, namespace)).document
    assert after == (None if document is None else {"_id": 1, **document})


@pytest.mark.parametrize("version", [Int64(9), 9.5, Decimal128("9"), float("inf")])
async def test_one_with_a_larger_version_stands(
    store: MongoStore, namespace: Namespace, put: Any, version: Any
) -> None:
    put({"v": version, "r": 0})
    assert await store.apply(namespace, [Write(KEY, {"name": "row"}, 5)]) == [Outcome.STALE]
