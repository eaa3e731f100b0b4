"""A store of the document database of this machine, and a namespace of one's own in it."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest

from devstack.document_store import DocumentStore
from proxy.stores.mongo import MongoStore, open_store
from proxy.stores.protocol import Namespace


@pytest.fixture
async def store(document_store: DocumentStore) -> AsyncIterator[MongoStore]:
    store = open_store(document_store.uri)
    yield store
    await store.close()


@pytest.fixture
def namespace() -> Namespace:
    return Namespace("shop", f"orders_{uuid.uuid4().hex[:12]}")
