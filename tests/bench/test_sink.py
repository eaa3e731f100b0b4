"""The store that costs nothing answers what a store must answer, or the mirror would not do its work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import bson
import pytest
from bson import Int64

from bench.sink import Connection, Sink, key_of
from proxy.stores.mongo import MongoStore, open_store
from proxy.stores.protocol import Key, Namespace, Outcome, Write

TABLE = Namespace("bench", "accounts")


@pytest.fixture
async def store() -> AsyncIterator[MongoStore]:
    sink = Sink()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(sink), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    store = open_store(f"mongodb://127.0.0.1:{port}/", timeout=5)
    try:
        yield store
    finally:
        await store.close()
        server.close()


def write(key: Any, version: int, document: dict[str, Any] | None) -> Write:
    return Write(Key(key, key), document, version)


async def test_writes_are_applied(store: MongoStore) -> None:
    writes = [write(number, 1, {"n": number}) for number in range(50)]
    assert await store.apply(TABLE, writes) == [Outcome.APPLIED] * 50
    assert await store.apply(TABLE, writes[:10]) == [Outcome.APPLIED] * 10
    assert await store.apply(TABLE, [write(1, 2, None)]) == [Outcome.APPLIED]


async def test_state_is_taken(store: MongoStore) -> None:
    await store.put_state("proxies", "one", {"a": 1})
    assert await store.get_state("proxies") == {}
    assert await store.gaps() == []


def statement(key: Any) -> bytes:
    query = {"_id": {"$eq": key}, "_cw.v": {"$lt": Int64(7)}}
    return bson.encode({"q": query, "u": {"_cw": {"v": Int64(7)}}, "upsert": True})


@pytest.mark.parametrize(
    "make",
    [int, Int64, str, lambda n: {"a": n}, lambda n: n + 0.5],
    ids=["int", "int64", "text", "document", "float"],
)
def test_keys_are_told_apart(make: Any) -> None:
    assert key_of(statement(make(1))) == key_of(statement(make(1)))
    assert key_of(statement(make(1))) != key_of(statement(make(2)))


def test_only_the_first_write_of_a_key_creates() -> None:
    sink = Sink()
    command = {"update": "accounts", "$db": "bench"}
    first = sink.answer(command, [statement(1), statement(2), statement(1)])
    assert first["n"] == 3
    assert [one["index"] for one in first["upserted"]] == [0, 1]
    assert "upserted" not in sink.answer(command, [statement(2)])
    assert "upserted" in sink.answer({**command, "update": "other"}, [statement(2)])
