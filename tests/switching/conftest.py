"""A table on its way into `primary_switch`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.document_store import DocumentStore
from devstack.postgres import PostgresServer
from proxy import switching
from proxy.backfill import history
from tests.support.fleet import forget_fleet
from tests.switching.rig import Shop


@pytest.fixture
def shop(
    postgres: PostgresServer,
    database: str,
    document_store: DocumentStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Shop]:
    """Without a proxy."""
    monkeypatch.setattr(history, "IDLE_INTERVAL", 0.2)
    monkeypatch.setattr(switching, "LOOK_INTERVAL", 0.1)
    forget_fleet(document_store.uri)
    made = Shop(postgres, database, document_store, tmp_path)
    yield made
    made.forget()
    forget_fleet(document_store.uri)
    made.ended()
