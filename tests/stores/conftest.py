"""A store of the document database of this machine, and a namespace of one's own in it."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest

from devstack.document_store import DocumentStore
from proxy.stores.mongo import MongoStore, open_store
from proxy.stores.protocol import Namespace


def polled(uri: str) -> str:
    """The driver leaves a socket open if it is closed while its other way of monitoring connects."""
    return f"{uri}{'&' if '?' in uri else '?'}serverMonitoringMode=poll"


@pytest.fixture
async def store(document_store: DocumentStore) -> AsyncIterator[MongoStore]:
    store = open_store(polled(document_store.uri))
    yield store
    await store.close()


@pytest.fixture
def namespace() -> Namespace:
    return Namespace("shop", f"orders_{uuid.uuid4().hex[:12]}")
