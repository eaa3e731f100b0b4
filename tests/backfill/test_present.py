"""Which keys have rows, asked of PostgreSQL: any type of key, partitions, quoted names, values that are none."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import pytest

from devstack.postgres import PostgresServer
from proxy.backfill.present import present_query
from proxy.catalog.source import SourceDatabase, SourceRefused
from proxy.mirror.effects import TableId

pytestmark = pytest.mark.integration


@dataclass
class Place:
    server: PostgresServer
    database: str
    source: SourceDatabase

    async def present(
        self, sql: str, columns: Sequence[str], keys: Sequence[Sequence[str]], name: str = "t"
    ) -> list[int]:
        self.server.psql(sql, self.database)
        snapshot = (await self.source.snapshot([TableId("public", name)])).snapshot
        relation = snapshot.named("public", name)
        assert relation is not None
        query, arguments = present_query(relation, columns, snapshot.types, keys)
        return sorted(int(row[0]) for row in await self.source.fetch(query, *arguments))


@pytest.fixture
async def place(postgres: PostgresServer, database: str) -> AsyncIterator[Place]:
    source = SourceDatabase(postgres.dsn(), database)
    yield Place(postgres, database, source)
    await source.close()


async def test_one_column(place: Place) -> None:
    sql = "create table t (id int primary key); insert into t values (1), (3)"
    assert await place.present(sql, ["id"], [("1",), ("2",), ("3",), ("1",)]) == [1, 3, 4]


async def test_several_columns_of_all_sorts(place: Place) -> None:
    sql = """
        create domain small as numeric check (value < 10);
        create table "T ""x" ("K 1" text, n small, at timestamptz, primary key ("K 1", n, at));
        insert into "T ""x" values ('a''b"c', 1.50, '2026-01-01 00:00:00.000001+00')
        """
    keys = [
        ("a'b\"c", "1.5", "2026-01-01 00:00:00.000001+00"),
        ("a'b\"c", "1.5", "2026-01-01 00:00:00.000002+00"),
        ("a'b\"c", "99", "2026-01-01 00:00:00.000001+00"),
        ("", "1.5", "2026-01-01 00:00:00.000001+00"),
    ]
    assert await place.present(sql, ["K 1", "n", "at"], keys, name='T "x') == [1]


async def test_partitions_count_and_inheriting_tables_do_not(place: Place) -> None:
    sql = """
        create table t (id int primary key) partition by range (id);
        create table t1 partition of t for values from (0) to (10); insert into t values (5);
        create table p (id int primary key); create table c () inherits (p); insert into c values (7)
        """
    assert await place.present(sql, ["id"], [("5",), ("50",)]) == [1]
    assert await place.present("select 1", ["id"], [("7",)], name="p") == []


async def test_what_is_no_value_of_the_type(place: Place) -> None:
    with pytest.raises(SourceRefused) as raised:
        await place.present("create table t (id int primary key)", ["id"], [("1",), ("99999999999",)])
    assert raised.value.sqlstate.startswith("22")


async def test_however_many_there_are_no_table_is_read_whole(place: Place) -> None:
    place.server.psql(
        "create table t (id int primary key); insert into t select generate_series(1, 2000)", place.database
    )
    snapshot = (await place.source.snapshot([TableId("public", "t")])).snapshot
    relation = snapshot.named("public", "t")
    assert relation is not None
    query, arguments = present_query(relation, ["id"], snapshot.types, [(str(n),) for n in range(1000)])
    plan = await place.source.fetch(f"EXPLAIN {query}", *arguments)
    assert any("Index" in row[0] for row in plan), plan
