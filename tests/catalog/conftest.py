"""Every supported server that is at hand: the machine's own and PostgreSQL 18."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import pytest

from devstack.postgres import PostgresServer, start_postgres
from proxy.catalog.model import Relation, Snapshot
from proxy.catalog.source import SourceDatabase
from proxy.mirror.effects import TableId


@pytest.fixture(scope="session", params=["system", "rootfs"])
def server(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[PostgresServer]:
    if request.param == "system":
        yield postgres
    else:
        with start_postgres("rootfs") as newest:
            assert newest.major >= 18
            yield newest


@dataclass
class Place:
    """One database with what is needed to look at it."""

    server: PostgresServer
    database: str
    source: SourceDatabase
    previous: Snapshot | None = field(default=None)

    def run(self, sql: str) -> str:
        return self.server.psql(sql, self.database)

    async def read(self, *tables: str) -> Snapshot:
        """The catalogue for the tables `name` or `schema.name`."""
        reading = await self.source.snapshot([table_id(table) for table in tables], self.previous)
        self.previous = reading.snapshot
        return reading.snapshot


def table_id(name: str) -> TableId:
    schema, dot, table = name.rpartition(".")
    return TableId(schema if dot else "public", table)


def find(snapshot: Snapshot, name: str) -> Relation:
    wanted = table_id(name)
    relation = snapshot.named(wanted.schema, wanted.name)
    assert relation is not None, name
    return relation


@pytest.fixture
async def place(server: PostgresServer) -> AsyncIterator[Place]:
    with server.database() as name:
        source = SourceDatabase(server.dsn(), name)
        yield Place(server, name, source)
        await source.close()
