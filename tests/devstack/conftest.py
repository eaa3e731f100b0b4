"""Fixtures for the tests of devstack itself."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase

from devstack.document_store import DocumentStore

Document = dict[str, Any]
_names = itertools.count(1)


@pytest.fixture
async def client(document_store: DocumentStore) -> AsyncIterator[AsyncMongoClient[Document]]:
    async with AsyncMongoClient[Document](document_store.uri, tz_aware=True) as connected:
        yield connected


@pytest.fixture
async def db(client: AsyncMongoClient[Document]) -> AsyncIterator[AsyncDatabase[Document]]:
    """A database of its own for one test."""
    database = client[f"test_{next(_names)}"]
    yield database
    await client.drop_database(database.name)
