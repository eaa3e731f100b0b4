"""What the mapping writes is what the store gives back, keys with `$` and `.`, NaN and far dates among it."""

from __future__ import annotations

from typing import Any

import bson
import pytest
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from pymongo import MongoClient

from devstack.document_store import DocumentStore
from proxy.documents.json_values import MAX_DEPTH, parse_jsonb
from proxy.documents.mapping import build_mapping
from proxy.documents.table_mapping import TableMapping
from tests.documents.conftest import READ_BACK, Place, back
from tests.documents.made import rule_of
from tests.documents.test_against_postgres import CASES, make

pytestmark = pytest.mark.integration


@pytest.fixture
def collection(document_store: DocumentStore) -> Any:
    client: MongoClient[dict[str, Any]] = MongoClient(document_store.uri)
    try:
        client.drop_database("documents")
        yield client.get_database("documents", codec_options=READ_BACK)["rows"]
    finally:
        client.close()


async def test_every_type_comes_back_from_the_store(place: Place, collection: Any) -> None:
    from dataclasses import replace

    from proxy.catalog.introspect import read_snapshot
    from proxy.documents.mapping import Server
    from proxy.mirror.effects import TableId

    rows: list[tuple[TableMapping, Any]] = []
    sent: list[dict[str, Any]] = []
    for case in CASES:
        if case.since > place.version:
            continue
        await place.plain.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        await make(place, case)
        found = await place.rows("t")
        keyed = None
        if case.keyed:
            reading = await read_snapshot(place.plain, [TableId("public", "t")])
            relation = reading.snapshot.named("public", "t")
            assert relation is not None
            relation = replace(relation, primary_key=("id", "v"))
            keyed = build_mapping(relation, rule_of("t"), reading.snapshot.types, Server(place.database))
        for row in found.rows:
            mapping = found.mapping if keyed is None or row.shown[1] is None else keyed
            document, extra = mapping.document(row.fields, row.text)
            identifier = {"n": len(rows), "key": document["_id"]}
            sent.append({"_id": identifier, "row": document, "_cw": {"v": Int64(7), "r": 0, **extra}})
            rows.append((mapping, row))
    for start in range(0, len(sent), 100):
        collection.insert_many(sent[start : start + 100])
    stored = {document["_id"]["n"]: document for document in collection.find()}
    assert len(stored) == len(rows) > 300
    for number, (mapping, row) in enumerate(rows):
        found_document = stored[number]
        assert tuple(mapping.decode(found_document["row"], found_document["_cw"]).values()) == row.shown
        assert back(mapping, sent[number]["row"], sent[number]["_cw"]) == row.shown


NAMES = '{"": 1, "$": 2, "$set": {"$ref": 1, "$id": 2}, "a.b": 3, "_id": {"$oid": "x"}, "x": [{"$y": null}]}'


def test_json_names_survive_every_way_of_writing(collection: Any) -> None:
    value, _, _ = parse_jsonb(NAMES)
    deep, _, _ = parse_jsonb("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    wanted = {"_id": 1, "j": value, "deep": deep}
    collection.insert_one(wanted)
    collection.replace_one({"_id": 1}, wanted, upsert=True)
    collection.replace_one({"_id": 2}, {**wanted, "_id": 2}, upsert=True)
    collection.update_one({"_id": 3}, {"$set": {"j": value, "deep": deep}}, upsert=True)
    for number in (1, 2, 3):
        found = collection.find_one({"_id": number})
        assert bson.encode(found) == bson.encode({**wanted, "_id": number})


@pytest.mark.parametrize(
    "identifier",
    [
        Decimal128("NaN"),
        Decimal128("1.5"),
        float("nan"),
        float("inf"),
        b"\0\1",
        "",
        "infinity",
        {"a": Int64(1), "b": "x"},
        {"t": bson.datetime_ms.DatetimeMS(-210866803200000), "us": 999},
    ],
    ids=repr,
)
def test_what_keys_become_can_identify_a_document(collection: Any, identifier: Any) -> None:
    collection.replace_one({"_id": identifier}, {"_id": identifier, "n": 1}, upsert=True)
    collection.replace_one({"_id": identifier}, {"_id": identifier, "n": 2}, upsert=True)
    assert [found["n"] for found in collection.find()] == [2]
