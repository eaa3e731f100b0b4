"""One entry for one mismatch, whoever sees it and how often; never more than there is room for."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from devstack.document_store import DocumentStore
from proxy.rulefiles.types import Redaction
from proxy.shadow.ledger import (
    KIND,
    MAX_VALUE,
    DifferingKey,
    DifferingValue,
    Ledger,
    Mismatch,
    identifier,
    parse,
    redacted,
)
from proxy.stores.mongo import MongoStore, open_store
from tests.stores.conftest import polled

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def mismatch(number: int = 1, fingerprint: str = "f" * 16, database: str = "shop") -> Mismatch:
    keys = (DifferingKey("public.orders", (str(number),), ("total",), "different"),)
    return Mismatch(
        id=identifier(database, fingerprint, "rows", ("total",), keys),
        database=database,
        fingerprint=fingerprint,
        statement="select total from orders where id = ?",
        tables=("public.orders",),
        kind="rows",
        columns=("total",),
        keys=keys,
        values=(DifferingValue("total", "1", None),),
        redaction="plain",
        rows=2,
        note="",
        count=1,
        first_seen=NOW,
        last_seen=NOW,
    )


@pytest.fixture
async def store(document_store: DocumentStore) -> AsyncIterator[MongoStore]:
    made = open_store(polled(document_store.uri))
    await made.link.client["_causeway"][KIND].delete_many({})
    yield made
    await made.link.client["_causeway"][KIND].delete_many({})
    await made.close()


@pytest.mark.integration
async def test_what_is_seen_again_is_counted(store: MongoStore) -> None:
    ledger = Ledger(store, now=lambda: NOW + timedelta(hours=1))
    assert await ledger.record(mismatch())
    entries, unkept = await ledger.entries()
    assert (entries, unkept) == ([replace(mismatch(), revision=1)], 0)
    assert await ledger.record(mismatch())
    assert await ledger.record(mismatch(2))
    entries, _ = await ledger.entries()
    assert [(one.keys[0].key, one.count) for one in entries] == [(("1",), 2), (("2",), 1)]
    assert entries[0].last_seen - entries[0].first_seen == timedelta(hours=1)


@pytest.mark.integration
async def test_processes_that_see_it_at_once_lose_no_entry(store: MongoStore) -> None:
    ledgers = [Ledger(store) for _ in range(6)]
    await asyncio.gather(*(ledger.record(mismatch(number)) for ledger in ledgers for number in range(3)))
    entries, _ = await ledgers[0].entries()
    assert sorted(one.keys[0].key for one in entries) == [("0",), ("1",), ("2",)]
    assert all(2 <= one.count <= 6 for one in entries)


@pytest.mark.integration
async def test_it_does_not_grow_without_end(store: MongoStore) -> None:
    ledger = Ledger(store, max_entries=4, max_of_one=2)
    found = [await ledger.record(mismatch(number)) for number in range(4)]
    assert found == [True, True, False, False]
    found = [await ledger.record(mismatch(number, uuid.uuid4().hex[:16])) for number in range(4)]
    assert found == [True, True, False, False]
    assert await ledger.record(mismatch(0)), "what is in it is counted on"
    entries, unkept = await ledger.entries()
    assert (len(entries), unkept) == (4, 4)


@pytest.mark.integration
async def test_entries_are_taken_out(store: MongoStore) -> None:
    ledger = Ledger(store, max_of_one=2)
    for number in range(3):
        await ledger.record(mismatch(number))
    assert await ledger.clear(lambda one: one.keys[0].key == ("1",)) == 1
    assert await ledger.clear(lambda one: True, unkept=True) == 1
    assert await ledger.entries() == ([], 0)


@pytest.mark.integration
async def test_what_a_newer_version_has_written_is_left_alone(store: MongoStore) -> None:
    await store.swap_state(KIND, "strange", 0, {"fingerprint": "x"})
    ledger = Ledger(store)
    await ledger.record(mismatch())
    entries, _ = await ledger.entries()
    assert len(entries) == 1


def test_entries_are_read_as_they_were_written() -> None:
    one = mismatch()
    assert parse(one.id, {**one.document(), "revision": 3}) == replace(one, revision=3)


def test_the_identity_is_of_statement_columns_and_keys() -> None:
    ids = {
        mismatch().id,
        mismatch(2).id,
        mismatch(1, "e" * 16).id,
        mismatch(1, database="blog").id,
        identifier("shop", "f" * 16, "missing", ("total",), mismatch().keys),
        identifier("shop", "f" * 16, "rows", ("paid",), mismatch().keys),
    }
    assert len(ids) == 6
    assert mismatch().id == mismatch().id


def test_values_are_kept_as_the_rule_says() -> None:
    assert redacted("secret", Redaction.REDACT, b"s") == "(redacted)"
    assert redacted("secret", Redaction.PLAIN, b"s") == "secret"
    one, other = redacted("secret", Redaction.HASH, b"s"), redacted("secret", Redaction.HASH, b"t")
    assert one != other
    assert "secret" not in str(one)
    assert one == redacted("secret", Redaction.HASH, b"s")
    assert redacted(None, Redaction.HASH, b"s") is None
    assert len(redacted("x" * 10_000, Redaction.PLAIN, b"s") or "") == MAX_VALUE
