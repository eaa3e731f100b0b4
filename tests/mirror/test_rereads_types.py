"""Rows are found again by foreign keys of every type that keys are made of, with real databases."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from devstack.document_store import DocumentStore
from devstack.postgres import PostgresServer
from proxy.catalog.model import Snapshot
from proxy.catalog.source import SourceDatabase
from proxy.documents.records import parse_image
from proxy.mirror.cascades import followed_columns, following
from proxy.mirror.effects import TableId
from proxy.mirror.gap import GapLimits
from proxy.mirror.gaps import GapKeeper
from proxy.mirror.rereads import Rereader
from proxy.mirror.tables import MirroredTable, Surroundings, TableBook
from proxy.phases import Phase
from proxy.sql.model import Verb
from proxy.stores.mongo import open_store
from proxy.stores.protocol import Write
from tests.documents.made import rules_of

pytestmark = pytest.mark.integration

KEYS = {
    "smallint": "'-7'",
    "bigint": "'9223372036854775807'",
    "numeric(12,3)": "'12.500'",
    "numeric": "'0.00001'",
    "text": "'ü ''quoted'' '",
    "varchar(9)": "'Padded   '",
    "char(5)": "'ab'",
    "uuid": "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'",
    "boolean": "'t'",
    "date": "'0044-03-15 BC'",
    "time": "'23:59:59.999999'",
    "timestamp": "'2026-01-01 10:00:00.000001'",
    "timestamptz": "'2026-01-01 10:00:00.5+02'",
    "interval": "'1 mon -2 days 03:04:05.6'",
    "bytea": r"'\x00ff'",
    "double precision": "'0.1'",
    "real": "'0.3'",
    "inet": "'10.0.0.1/32'",
    "mood": "'so so'",
    "code": "'X-1'",
    "oid": "'4294967295'",
}


class Tables:
    def __init__(self, database: str, snapshot: Snapshot, source: SourceDatabase, names: list[str]) -> None:
        self.book = TableBook(
            rules_of({name: {"phase": "dual_write"} for name in names}),
            {database: snapshot},
            Surroundings(store=True, spool=True, control_dsn=True),
            last_built=Phase.DUAL_WRITE,
        )
        self.known = snapshot
        self.origin = source

    def table(self, database: str, table: TableId) -> MirroredTable | None:
        return self.book.named(database, table.schema, table.name)

    def ruled(self, database: str, table: TableId) -> bool:
        return True

    def snapshot(self, database: str) -> Snapshot | None:
        return self.known

    def source(self, database: str) -> SourceDatabase:
        return self.origin

    def refresh_soon(self, database: str) -> None:
        raise AssertionError("the catalogue does not change here")


async def test_children_are_found_by_keys_of_every_type(
    postgres: PostgresServer, database: str, document_store: DocumentStore, tmp_path: Path
) -> None:
    script = ["CREATE TYPE mood AS ENUM ('so so'); CREATE DOMAIN code AS varchar(8);"]
    names = []
    for number, (kind, value) in enumerate(KEYS.items()):
        names += [f"p{number}", f"c{number}"]
        script.append(
            f"CREATE TABLE p{number} (id {kind} PRIMARY KEY);"
            f"CREATE TABLE c{number} (id int PRIMARY KEY, p_id {kind} REFERENCES p{number} ON DELETE CASCADE);"
            f"INSERT INTO p{number} VALUES ({value}); INSERT INTO c{number} VALUES (1, {value});"
        )
    postgres.psql("".join(script), database)
    uri = document_store.uri
    store = open_store(f"{uri}{'&' if '?' in uri else '?'}serverMonitoringMode=poll")
    source = SourceDatabase(postgres.dsn(), database)
    snapshot = (await source.snapshot([TableId("public", name) for name in names])).snapshot
    tables = Tables(database, snapshot, source, names)
    keeper = GapKeeper(store, None, GapLimits(reread_linger=0.0), proxy="p")

    async def at_once(database: str, version: int) -> None:
        await asyncio.sleep(0)

    rereader = Rereader(store, keeper, tables, at_once, GapLimits(), proxy="p")
    try:
        for number in range(len(KEYS)):
            parent, child = (tables.table(database, TableId("public", f"{one}{number}")) for one in "pc")
            assert parent is not None
            assert child is not None
            key = followed_columns(snapshot, parent.relation.oid, Verb.DELETE)
            text = postgres.psql(f"SET timezone = UTC; SELECT id FROM p{number}", database).splitlines()[-1]
            (record,) = await source.rows(
                parent.relation, key, [(text,)], types=snapshot.types, limit=1, text=parent.mapping.needs_text
            )
            header, _, fields = parse_image(record)
            old = dict(zip(key, parent.mapping.values_text(key, fields, header.text), strict=True))
            (record,) = await source.rows(child.relation, ["id"], [("1",)], types=snapshot.types, limit=1)
            _, _, fields = parse_image(record)
            write = Write(child.mapping.key(fields), child.mapping.document(fields)[0], 5)
            await store.apply(child.mapping.namespace, [write])
            for unseen in following(
                snapshot, parent.relation.oid, Verb.DELETE, old, None, lambda table: True
            ):
                keeper.record(database, unseen, 0)
            postgres.psql(f"DELETE FROM p{number}", database)
        for _ in range(2):
            await rereader.round(database)
        assert keeper.counts() == {}
        assert rereader.rows_repaired == len(KEYS)
        for name in names:
            table = tables.table(database, TableId("public", name))
            assert table is not None
            assert await store.find_keys(table.mapping.namespace, [{}], 10) == [], name
    finally:
        await source.close()
        await store.close()
