"""Tables with keys of many kinds, a store that has their documents, and comparisons of the two."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bson import CodecOptions
from bson.binary import UuidRepresentation
from bson.codec_options import DatetimeConversion
from pymongo import MongoClient
from pymongo.collection import Collection

from devstack.document_store import DocumentStore
from devstack.postgres import PostgresServer
from proxy.backfill.member import Member, open_member
from proxy.backfill.report import Report
from proxy.backfill.verify import Options, Progress, Verify
from proxy.config import Settings
from tests.stores.conftest import polled
from tests.support.fleet import forget_fleet

CODEC: CodecOptions[dict[str, Any]] = CodecOptions(
    uuid_representation=UuidRepresentation.STANDARD, datetime_conversion=DatetimeConversion.DATETIME_MS
)

SCHEMA = """
create table items (id int primary key, name text, price numeric, at timestamptz, data jsonb, changed timestamptz);
insert into items select n, 'item ' || n, n / 4.0, '2026-01-01'::timestamptz + n * interval '1.000001 s',
  jsonb_build_object('n', n, 'half', n / 2.0), '2026-01-01'::timestamptz + n * interval '1 hour'
  from generate_series(1, 500) n;
create table cells (x int, y text, n int, primary key (x, y));
insert into cells select n % 50, 'y' || n, n from generate_series(1, 200) n;
create table words (word text primary key, n int);
insert into words select chr(97 + n % 26) || repeat('é', n % 7) || n, n from generate_series(1, 200) n;
create table tokens (id uuid primary key, n int);
insert into tokens select gen_random_uuid(), n from generate_series(1, 200) n;
create table moments (at timestamptz primary key, n numeric);
insert into moments select '2026-01-01'::timestamptz + n * interval '1 microsecond',
  case n % 5 when 0 then 'NaN'::numeric else n end from generate_series(1, 200) n;
create table sums (total numeric primary key, n int);
insert into sums select n + 0.50, n from generate_series(1, 200) n;
create table empty (id int primary key);
create domain small as int check (value < 1000);
create table smalls (id small primary key, shape point);
insert into smalls select n, point(n, n) from generate_series(1, 50) n;
create table parts (day date, id int, note text, primary key (day, id)) partition by range (day);
create table parts_one partition of parts for values from ('2026-01-01') to ('2026-02-01');
create table parts_rest (note text, day date not null, id int not null);
alter table parts attach partition parts_rest default;
insert into parts select '2026-01-01'::date + n % 60, n, 'n' || n from generate_series(1, 500) n;
"""
TABLES = ("items", "cells", "words", "tokens", "moments", "sums", "empty", "smalls", "parts")
RULES = """
defaults: {phase: dual_write}
tables:
  items: {last_modified: changed, rename: {name: label}}
  cells:
  words:
  tokens:
  moments:
  sums: {collection: Totals}
  empty:
  smalls:
  parts:
"""
COLLECTIONS = {**{name: name for name in TABLES}, "sums": "Totals"}


@dataclass
class World:
    """One database of its own, without proxies."""

    server: PostgresServer
    database: str
    given: dict[str, Any]
    client: MongoClient[dict[str, Any]]

    @property
    def settings(self) -> Settings:
        return Settings.model_validate(self.given)

    def run(self, sql: str) -> str:
        return self.server.psql(sql, self.database)

    def collection(self, table: str) -> Collection[dict[str, Any]]:
        return self.client[self.database].get_collection(COLLECTIONS.get(table, table), codec_options=CODEC)

    def documents(self, table: str) -> dict[str, dict[str, Any]]:
        """By what their `_id`s look like."""
        return {repr(document["_id"]): document for document in self.collection(table).find()}

    async def verify(self, *tables: str, member: Member | None = None, **options: Any) -> dict[str, Report]:
        """The reports by table."""
        given = Options(**{"gather": 0.0, "chunk_rows": 100, **options})
        if member is None:
            async with open_member(self.settings, "verify") as member:
                return await self.verify(*tables, member=member, **options)
        found = {}
        for table in member.tables(tables or TABLES):
            found[table.relation.name] = await Verify(member, table.name, given, Progress()).run()
        return found

    async def fill(self, *tables: str) -> None:
        """The collections have all documents."""
        for report in (await self.verify(*tables, repair=True)).values():
            assert report.equal, report


@contextmanager
def made_world(
    postgres: PostgresServer, document_store: DocumentStore, directory: Path, **settings: Any
) -> Iterator[World]:
    forget_fleet(document_store.uri)
    with postgres.database(f"verify_{uuid.uuid4().hex[:8]}") as name:
        postgres.psql(SCHEMA, name)
        rules = directory / "rules.yaml"
        rules.write_text(f"database: {name}\n{RULES}")
        given = {
            "upstream": f"127.0.0.1:{postgres.port}",
            "control_dsn": postgres.dsn(name),
            "store": polled(document_store.uri),
            "rules": str(rules),
            "heartbeat_interval": "50ms",
            "catalogue_interval": "100ms",
            **settings,
        }
        with MongoClient[dict[str, Any]](document_store.uri) as client:
            yield World(postgres, name, given, client)
            client.drop_database(name)
