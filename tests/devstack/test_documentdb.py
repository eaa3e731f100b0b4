"""Faults that tests of the store can make."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from devstack.documentdb import DocumentDb, launch_documentdb

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def own() -> Iterator[DocumentDb]:
    store = launch_documentdb()
    yield store
    store.close()


async def _find(store: DocumentDb, seconds: float = 2.0) -> list[dict[str, Any]]:
    milliseconds = int(seconds * 1000)
    async with AsyncMongoClient[dict[str, Any]](
        store.uri, serverSelectionTimeoutMS=milliseconds, timeoutMS=milliseconds
    ) as client:
        return await client.faults.c.find().to_list()


async def test_data_outlives_the_gateway(own: DocumentDb) -> None:
    async with AsyncMongoClient[dict[str, Any]](own.uri) as client:
        await client.faults.c.insert_one({"_id": 1})
    own.stop_gateway()
    with pytest.raises(PyMongoError):
        await _find(own, 0.3)
    own.start_gateway()
    assert await _find(own) == [{"_id": 1}]


async def test_pause_and_resume(own: DocumentDb) -> None:
    own.pause()
    try:
        with pytest.raises((PyMongoError, asyncio.TimeoutError)):
            await _find(own, 0.3)
    finally:
        own.resume()
    assert await _find(own) == [{"_id": 1}]
