"""Databases with the histories' tables, on the PostgreSQL versions at hand."""

from __future__ import annotations

import os
from collections.abc import Iterator

import psycopg
import pytest

from devstack.postgres import PostgresServer, start_postgres
from tests.mirroring.rig import prepare

SCALE = float(os.environ.get("CAUSEWAY_MIRROR_SCALE", "1"))
"""How much longer, or shorter, than by default the histories are: 20 for an evening's run."""


@pytest.fixture(scope="session", params=["system", "rootfs"])
def source(request: pytest.FixtureRequest) -> Iterator[PostgresServer]:
    """A server that applications write to: the machine's own version and the newest."""
    with start_postgres(request.param) as server:
        server.conf(deadlock_timeout="30ms", max_prepared_transactions=50)
        yield server


@pytest.fixture
def tables(source: PostgresServer) -> Iterator[str]:
    """The name of a new database that has the tables."""
    with source.database("mirror") as name:
        with psycopg.connect(source.dsn(name), autocommit=True) as connection:
            prepare(connection)
        yield name
