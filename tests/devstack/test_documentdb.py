"""Faults that tests of the store can make."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from devstack.documentdb import DocumentDb, launch_documentdb
from tests.devstack.gateway.raw_client import raw_client

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def own() -> Iterator[DocumentDb]:
    store = launch_documentdb()
    yield store
    store.close()


async def _find(store: DocumentDb) -> list[dict[str, Any]]:
    async with raw_client(store.uri) as client:
        reply = await client.command("faults", {"find": "c"})
    found: list[dict[str, Any]] = reply["cursor"]["firstBatch"]
    return found


async def test_data_outlives_the_gateway(own: DocumentDb) -> None:
    async with raw_client(own.uri) as client:
        await client.command("faults", {"insert": "c", "documents": [{"_id": 1}]})
        own.stop_gateway()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await client.command("faults", {"find": "c"})
    with pytest.raises(ConnectionRefusedError):
        await _find(own)
    own.start_gateway()
    assert await _find(own) == [{"_id": 1}]


async def test_pause_and_resume(own: DocumentDb) -> None:
    async with raw_client(own.uri) as client:
        await client.command("faults", {"insert": "c", "documents": [{"_id": 2}]})
        own.pause()
        try:
            await client.send("faults", {"find": "c", "filter": {"_id": 2}})
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.reader.readexactly(1), 0.3)
        finally:
            own.resume()
        reply = await asyncio.wait_for(client.reply(), 10)
    assert reply["cursor"]["firstBatch"] == [{"_id": 2}]
