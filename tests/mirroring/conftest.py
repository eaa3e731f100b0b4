"""Databases with the histories' tables, on the PostgreSQL versions at hand, proxies in front and a store behind."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest

from devstack.document_store import DocumentStore
from devstack.postgres import PostgresServer, start_postgres
from tests.mirroring.rig import Rig, prepare
from tests.mirroring.zygote import Zygote
from tests.support.fleet import forget_fleet
from tests.support.versions import EVERY, USUAL

SCALE = float(os.environ.get("CAUSEWAY_TEST_MIRROR_SCALE", "1"))
"""How much longer, or shorter, than by default histories, kills and outages are: 20 for an evening's run."""

on_newest = pytest.mark.parametrize("source", ["rootfs"], indirect=True)
"""On the newest PostgreSQL alone: what does not depend on the source's version."""
on_newest_unless_scaled = pytest.mark.parametrize(
    "source", ["rootfs"] if SCALE <= 1 else ["system", "rootfs"], indirect=True
)


on_every_version = pytest.mark.parametrize("source", EVERY, indirect=True)
"""On every supported version: what speaks to the catalogue or splices."""


@pytest.fixture(scope="session", params=USUAL)
def source(request: pytest.FixtureRequest) -> Iterator[PostgresServer]:
    """A server that applications write to: the machine's own version and the newest."""
    with start_postgres(request.param) as server:
        server.conf(deadlock_timeout="30ms")
        yield server


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    with Zygote() as running:
        yield running


@pytest.fixture
def tables(source: PostgresServer) -> Iterator[str]:
    """The name of a new database that has the tables."""
    # The store knows databases by their names alone.
    with source.database(f"mirror_{source.major}") as name:
        with psycopg.connect(source.dsn(name), autocommit=True) as connection:
            prepare(connection)
        yield name


@pytest.fixture
async def rig(
    source: PostgresServer, tables: str, document_store: DocumentStore, zygote: Zygote, tmp_path: Path
) -> AsyncIterator[Rig]:
    """Without proxies; every table has a rule."""
    forget_fleet(document_store.uri)
    made = Rig(source, tables, document_store.uri, zygote, tmp_path)
    yield made
    await made.close()
