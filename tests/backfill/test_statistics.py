"""How large tables are said to be."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from devstack.postgres import PostgresServer
from proxy.backfill import statistics
from proxy.backfill.statistics import Size, read_size
from proxy.catalog.model import Relation
from proxy.catalog.source import SourceDatabase
from proxy.mirror.effects import TableId

pytestmark = pytest.mark.integration


@pytest.fixture
async def source(postgres: PostgresServer, database: str) -> AsyncIterator[SourceDatabase]:
    found = SourceDatabase(postgres.dsn(), database)
    yield found
    await found.close()


async def table(source: SourceDatabase, name: str = "t") -> Relation:
    found = (await source.snapshot([TableId("public", name)])).snapshot.named("public", name)
    assert found is not None
    return found


async def test_an_analysed_table(source: SourceDatabase, postgres: PostgresServer) -> None:
    postgres.psql(
        "create table t (id int primary key, x text);"
        " insert into t select i, repeat('x', 1000) from generate_series(1, 500) i; analyze t",
        source.database,
    )
    size = await read_size(source, await table(source))
    assert size.rows == 500
    assert 1000 < size.row_bytes < 1500


async def test_small_tables_that_were_never_analysed_are_counted_and_large_ones_are_not_known(
    source: SourceDatabase, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres.psql(
        "create table t (id int primary key) with (autovacuum_enabled = off);"
        " insert into t select generate_series(1, 500)",
        source.database,
    )
    assert (await read_size(source, await table(source))).rows == 500
    monkeypatch.setattr(statistics, "COUNTED_BYTES", 1000)
    assert await read_size(source, await table(source)) == Size(-1, 0.0)


async def test_partitions_count(source: SourceDatabase, postgres: PostgresServer) -> None:
    postgres.psql(
        """
        create table t (id int primary key) partition by range (id);
        create table t1 partition of t for values from (0) to (100);
        create table t2 partition of t for values from (100) to (1000);
        insert into t select generate_series(1, 500); analyze t1; analyze t2;
        """,
        source.database,
    )
    assert (await read_size(source, await table(source))).rows == 500


async def test_an_empty_table(source: SourceDatabase, postgres: PostgresServer) -> None:
    postgres.psql("create table t (id int primary key)", source.database)
    assert await read_size(source, await table(source)) == Size(0, 0.0)
