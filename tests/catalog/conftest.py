"""The PostgreSQL servers of these tests, and one database or transaction on them.

A module to which the version makes a difference runs on every one: `pytestmark = on_every_version`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncpg
import pytest

from devstack.postgres import PostgresServer
from proxy.catalog.introspect import Reading, read_snapshot
from proxy.catalog.model import Relation, Snapshot
from proxy.catalog.source import SourceDatabase
from proxy.mirror.effects import TableId
from tests.support.versions import EVERY, USUAL, server_of

on_every_version = pytest.mark.parametrize("server", EVERY, indirect=True)


@pytest.fixture(scope="session", params=USUAL)
def server(request: pytest.FixtureRequest) -> PostgresServer:
    return server_of(request)


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


class Scratch:
    """One transaction that is rolled back: DDL and its catalogue without a database of its own."""

    def __init__(self, server: PostgresServer, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        self.server = server
        self.connection = connection
        self.previous: Snapshot | None = None

    async def run(self, sql: str) -> None:
        await self.connection.execute(sql)

    async def lines(self, query: str) -> list[str]:
        """The first column, as text."""
        return [str(row[0]) for row in await self.connection.fetch(query)]

    async def reading(self, *tables: str) -> Reading:
        names = [table_id(table) for table in tables]
        reading = await read_snapshot(self.connection, names, self.previous)
        self.previous = reading.snapshot
        return reading

    async def read(self, *tables: str) -> Snapshot:
        return (await self.reading(*tables)).snapshot

    async def contents(self, tables: Iterable[str]) -> dict[str, list[str]]:
        """Every row of each table as text, in order of the text."""
        found = {}
        for name in tables:
            quoted = '"' + name.replace('"', '""') + '"'
            found[name] = await self.lines(f"select t::text from {quoted} t order by t::text")
        return found


@pytest.fixture(scope="session")
def scratch_database(server: PostgresServer) -> Iterator[str]:
    with server.database("scratch") as name:
        yield name


@pytest.fixture
async def scratch(server: PostgresServer, scratch_database: str) -> AsyncIterator[Scratch]:
    async with scratch_of(server, scratch_database) as one:
        yield one


@asynccontextmanager
async def scratch_of(server: PostgresServer, database: str) -> AsyncIterator[Scratch]:
    connection = await asyncpg.connect(server.dsn(database))
    try:
        transaction = connection.transaction(isolation="repeatable_read")
        await transaction.start()
        yield Scratch(server, connection)
        await transaction.rollback()
    finally:
        await connection.close()
