"""`causeway mismatches`: what differs is shown, and can be taken out of the ledger."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import MongoClient
from typer.testing import CliRunner

from devstack.document_store import DocumentStore
from proxy.cli import app
from proxy.shadow.ledger import KIND, Ledger, Mismatch
from proxy.stores.mongo import open_store
from tests.shadow.test_ledger import mismatch

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


@pytest.fixture
def store(document_store: DocumentStore) -> Iterator[str]:
    with MongoClient[dict[str, Any]](document_store.uri) as client:
        client["_causeway"][KIND].delete_many({})
        yield document_store.uri
        client["_causeway"][KIND].delete_many({})


def kept(uri: str, *entries: Mismatch, room: int = 100) -> None:
    async def record() -> None:
        store = open_store(uri)
        ledger = Ledger(store, max_of_one=room)
        for entry in entries:
            await ledger.record(entry)
        await store.close()

    asyncio.run(record())


def causeway(uri: str, *arguments: str) -> Any:
    return CliRunner().invoke(app, ["mismatches", *arguments, "--store", uri])


def test_the_ledger(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert "no mismatches" in causeway(store).stdout
    one, other = mismatch(7), mismatch(8, "e" * 16, "blog")
    kept(store, one, one, other)
    done = causeway(store)
    assert done.exit_code == 0, done.output
    assert one.id[:8] in done.stdout
    assert "other values: total" in done.stdout
    found = json.loads(causeway(store, "list", "--json").stdout)
    assert {(entry["id"], entry["count"]) for entry in found["mismatches"]} == {(one.id, 2), (other.id, 1)}
    assert found["not_kept"] == 0
    for chosen in ("e" * 16, "blog:orders", "blog:public.orders", other.id[:6]):
        (entry,) = json.loads(causeway(store, "list", chosen, "--json").stdout)["mismatches"]
        assert entry["database"] == "blog"


def test_one_entry(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    one = mismatch(7)
    kept(store, one)
    done = causeway(store, "show", one.id[:8])
    assert done.exit_code == 0, done.output
    for text in (one.id, one.fingerprint, one.statement, "public.orders", "total", "7", "NULL"):
        assert text in done.stdout
    assert json.loads(causeway(store, "show", one.id, "--json").stdout)["keys"][0]["key"] == ["7"]
    assert causeway(store, "show", "ffff").exit_code == 1


def test_clearing(store: str) -> None:
    kept(store, mismatch(1), mismatch(2), mismatch(3, "e" * 16), room=1)
    assert json.loads(causeway(store, "list", "--json").stdout)["not_kept"] == 1
    assert causeway(store, "clear").exit_code == 2
    assert causeway(store, "clear", "--all", "orders").exit_code == 2
    assert causeway(store, "clear", "e" * 16).stdout == "1 entry removed\n"
    assert causeway(store, "clear", "e" * 16).exit_code == 1
    assert json.loads(causeway(store, "clear", "--all", "--json").stdout) == {"removed": 1}
    assert json.loads(causeway(store, "list", "--json").stdout) == {"mismatches": [], "not_kept": 0}


def test_without_a_store_it_says_so() -> None:
    done = CliRunner().invoke(app, ["mismatches"])
    assert done.exit_code == 1
    assert "store" in done.output
