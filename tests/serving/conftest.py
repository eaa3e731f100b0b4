"""A shop behind a proxy in `primary_switch`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest

from devstack.document_store import DocumentStore
from devstack.postgres import PostgresServer, start_postgres
from tests.mirroring.zygote import Zygote
from tests.serving.rig import ServingRig
from tests.shadow.rig import SHOP
from tests.support.fleet import forget_fleet


@pytest.fixture(scope="session")
def shop_source() -> Iterator[PostgresServer]:
    with start_postgres("rootfs") as server:
        yield server


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    with Zygote() as running:
        yield running


@pytest.fixture
async def rig(
    shop_source: PostgresServer, document_store: DocumentStore, zygote: Zygote, tmp_path: Path
) -> AsyncIterator[ServingRig]:
    """Without proxies."""
    forget_fleet(document_store.uri)
    with shop_source.database("served_shop") as name:
        with psycopg.connect(shop_source.dsn(name), autocommit=True) as connection:
            connection.execute(SHOP)
        made = ServingRig(shop_source, name, document_store.uri, zygote, tmp_path)
        made.forget()
        yield made
        await made.close()
