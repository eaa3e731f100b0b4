"""A PostgreSQL to compare with: the same rows as images, and as PostgreSQL writes them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import asyncpg
import bson
import pytest
from bson.codec_options import CodecOptions, DatetimeConversion

from devstack.postgres import PostgresServer
from proxy.catalog.introspect import read_snapshot
from proxy.documents.mapping import Server, build_mapping
from proxy.documents.records import parse_image
from proxy.documents.table_mapping import TableMapping
from proxy.mirror.effects import TableId
from tests.documents.made import rule_of
from tests.support.versions import AND_OLDEST, USUAL, server_of

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

READ_BACK: CodecOptions[dict[str, Any]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_AUTO)

PLAIN = {
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "bytea_output": "hex",
    "extra_float_digits": "1",
}
ODD = {
    "DateStyle": "German, DMY",
    "IntervalStyle": "sql_standard",
    "TimeZone": "Asia/Kolkata",
    "bytea_output": "escape",
    "extra_float_digits": "-4",
}
"""An application's session: nothing of it may show in a document."""


@dataclass(frozen=True)
class Row:
    """One row: as an image in an odd session, and as a plain one writes its columns."""

    fields: list[bytes | None]
    text: bytes | None
    shown: tuple[str | None, ...]


@dataclass(frozen=True)
class Rows:
    mapping: TableMapping
    rows: list[Row]


@dataclass
class Place:
    """One database with two sessions."""

    plain: Connection
    odd: Connection
    database: str
    version: int

    async def rows(self, table: str, **settings: Any) -> Rows:
        """All rows of a table of schema public by their ctid, and its mapping by a rule with `settings`."""
        reading = await read_snapshot(self.plain, [TableId("public", table)])
        relation = reading.snapshot.named("public", table)
        assert relation is not None
        mapping = build_mapping(
            relation, rule_of(table, **settings), reading.snapshot.types, Server(self.database)
        )
        quoted = '"' + table.replace('"', '""') + '"'
        text = "ROW(t.*)::pg_catalog.text" if mapping.needs_text else "NULL::pg_catalog.text"
        images = await self.odd.fetch(
            f"SELECT pg_catalog.record_send(ROW(t.tableoid, NULL::pg_catalog.pg_lsn, NULL::pg_catalog.text, "
            f"NULL::pg_catalog.xid8, NULL::pg_catalog.text, {text}, NULL::pg_catalog.bytea, t.*)) AS image "
            f"FROM {quoted} t ORDER BY t.ctid"
        )
        columns = ", ".join(
            f"""CASE pg_catalog.num_nulls(t."{name}") WHEN 0 THEN pg_catalog.format('%s', t."{name}") END"""
            for name in mapping.attributes
        )
        shown = await self.plain.fetch(f"SELECT {columns} FROM {quoted} t ORDER BY t.ctid")
        rows = []
        for image, each in zip(images, shown, strict=True):
            header, oids, fields = parse_image(image["image"])
            assert header.relation == relation.oid
            assert mapping.fits(oids)
            rows.append(Row(fields, header.text, tuple(each)))
        return Rows(mapping, rows)


def stored(document: dict[str, Any]) -> dict[str, Any]:
    """As the store gives it back."""
    return bson.decode(bson.encode(document), READ_BACK)


def back(mapping: TableMapping, document: dict[str, Any], extra: dict[str, Any]) -> Sequence[str | None]:
    """The texts of the columns, after a way through BSON."""
    return tuple(mapping.decode(stored(document), stored(extra)).values())


on_the_oldest_too = pytest.mark.parametrize("server", AND_OLDEST, indirect=True)


@pytest.fixture(scope="session", params=USUAL)
def server(request: pytest.FixtureRequest) -> PostgresServer:
    return server_of(request)


@pytest.fixture(scope="session")
def types_database(server: PostgresServer) -> Iterator[str]:
    with server.database() as name:
        yield name


@pytest.fixture
async def place(server: PostgresServer, types_database: str) -> AsyncIterator[Place]:
    plain = await asyncpg.connect(server.dsn(types_database), server_settings=PLAIN)
    odd = await asyncpg.connect(server.dsn(types_database), server_settings=ODD)
    try:
        await plain.execute("DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public")
        yield Place(plain, odd, types_database, server.major)
    finally:
        await plain.close()
        await odd.close()
