"""What the mirror asks the source, asked of real servers."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Sequence

import asyncpg
import pytest

from devstack.postgres import PostgresServer
from proxy.catalog.limits import CatalogueLimits
from proxy.catalog.source import FUTURE, SourceDatabase, SourceRefused, SourceUnavailable, rows_query
from proxy.mirror.versions import unpack
from tests.catalog.conftest import Place, find
from tests.catalog.made import BUILT_IN, attribute, relation

pytestmark = pytest.mark.integration


def fields(record: bytes) -> list[bytes | None]:
    """What record_send wrote, field by field."""
    (count,) = struct.unpack_from("!i", record)
    found: list[bytes | None] = []
    place = 4
    for _ in range(count):
        _, length = struct.unpack_from("!Ii", record, place)
        place += 8
        found.append(None if length < 0 else record[place : place + length])
        place += max(length, 0)
    assert place == len(record)
    return found


async def read(
    place: Place, table: str, columns: list[str], values: Sequence[tuple[str | None, ...]], limit: int = 100
) -> list[list[bytes | None]]:
    snapshot = await place.read(table)
    records = await place.source.rows(
        find(snapshot, table), columns, values, types=snapshot.types, limit=limit
    )
    return [fields(record) for record in records]


async def test_rows_by_one_column(place: Place) -> None:
    place.run("""
        create table t (id int primary key, n text); insert into t select i, 'n' || i from generate_series(1, 9) i;
        """)
    rows = await read(
        place, "t", ["id"], [("3",), ("5",), ("3",), ("77",), ("99999999999",), ("x",), (None,)]
    )
    assert sorted(row[8] or b"" for row in rows) == [b"n3", b"n5"]
    snapshot = await place.read("t")
    assert all(row[0] == find(snapshot, "t").oid.to_bytes(4, "big") for row in rows)
    assert all(row[1:7] == [None] * 6 for row in rows)
    assert await read(place, "t", ["id"], []) == []


async def test_rows_by_several_columns(place: Place) -> None:
    place.run("""
        create table t (a int, "B b" text, c timestamptz, unique (a, "B b"));
        insert into t values (1, 'x', '2024-01-02 03:04:05.678901+00'), (1, 'y', null), (2, null, null), (3, 'z', null);
        """)
    rows = await read(
        place, "t", ["a", "B b"], [("1", "y"), ("2", None), ("2", "z"), ("3", "z"), (None, None)]
    )
    assert [row[7] for row in rows] == [
        (1).to_bytes(4, "big"),
        (2).to_bytes(4, "big"),
        (3).to_bytes(4, "big"),
    ]
    rows = await read(place, "t", ["c", "a"], [("2024-01-02 04:04:05.678901+01", "1"), ("no date", "1")])
    assert len(rows) == 1


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("varchar(3)", "abc"), ("char(5)", "ab"), ("numeric(8,2)", "10.00"),
        ("uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("bit(3)", "101"), ("bytea", "\\x00ff"), ("mood", "ok"), ("small", "7"),
        ('"char"', "x"), ("int4[]", "{1,NULL}"),
        ("interval", "1 day 02:03:04"), ("inet", "10.0.0.1"), ("float8", "NaN"), ("date", "infinity"),
        ("int4range", "[1,3)"),
    ],
)  # fmt: skip
async def test_values_are_read_as_their_columns_type(place: Place, type_: str, value: str) -> None:
    place.run("create type mood as enum ('ok'); create domain small as int check (value < 10)")
    quoted = value.replace("'", "''")
    place.run(
        f"create table t (id int primary key, k {type_}, j int); insert into t values (1, '{quoted}', 1)"
    )
    place.run("insert into t select 2, null, 1")
    assert len(await read(place, "t", ["k"], [(value,)])) == 1
    assert len(await read(place, "t", ["k", "j"], [(value, "1"), (None, "1"), (value, "2")])) == 2


async def test_one_row_more_than_the_limit_says_that_there_are_more(place: Place) -> None:
    place.run(
        "create table t (id int primary key, g int); insert into t select i, 1 from generate_series(1, 9) i"
    )
    assert len(await read(place, "t", ["g"], [("1",)], limit=9)) == 9
    assert len(await read(place, "t", ["g"], [("1",)], limit=3)) == 4
    assert len(await read(place, "t", ["id"], [(str(i),) for i in range(1, 10)], limit=3)) == 4


async def test_batches(place: Place, server: PostgresServer) -> None:
    place.run(
        "create table t (id int primary key, g int); insert into t select i, i % 2 from generate_series(1, 50) i"
    )
    snapshot = await place.read("t")
    source = SourceDatabase(server.dsn(), place.database, CatalogueLimits(batch=7))
    try:
        records = await source.rows(
            find(snapshot, "t"),
            ["id"],
            [(str(i % 50 + 1),) for i in range(75)],
            types=snapshot.types,
            limit=60,
        )
        assert len(records) == 50
    finally:
        await source.close()


async def test_partitions_are_read_through_their_root_and_inheritance_children_not_at_all(
    place: Place,
) -> None:
    place.run("""
        create table p (id int primary key) partition by range (id);
        create table p_1 partition of p for values from (0) to (10);
        create table up (id int primary key); create table down () inherits (up);
        insert into p values (1); insert into up values (1); insert into down values (1);
        """)
    (row,) = await read(place, "p", ["id"], [("1",)])
    snapshot = await place.read("p")
    assert row[0] == find(snapshot, "p_1").oid.to_bytes(4, "big")
    (row,) = await read(place, "up", ["id"], [("1",)])
    assert row[0] == find(await place.read("up"), "up").oid.to_bytes(4, "big")


async def test_text_for_types_that_only_have_that(place: Place) -> None:
    place.run(
        "create table t (id int primary key, a aclitem); insert into t values (1, 'postgres=r/postgres')"
    )
    snapshot = await place.read("t")
    with pytest.raises(SourceRefused, match="no binary output function"):
        await place.source.rows(find(snapshot, "t"), ["id"], [("1",)], types=snapshot.types, limit=1)
    place.run("alter table t drop a; alter table t add d timestamptz default '2024-01-02 03:04:05+00'")
    snapshot = await place.read("t")
    (record,) = await place.source.rows(
        find(snapshot, "t"), ["id"], [("1",)], types=snapshot.types, limit=1, text=True
    )
    assert fields(record)[5] == b'(1,"2024-01-02 03:04:05+00")'


async def test_a_table_that_is_gone_is_refused(place: Place) -> None:
    place.run("create table t (id int primary key)")
    snapshot = await place.read("t")
    assert await place.source.is_empty(find(snapshot, "t"))
    place.run("insert into t values (1)")
    assert not await place.source.is_empty(find(snapshot, "t"))
    place.run("drop table t")
    with pytest.raises(SourceRefused) as refused:
        await place.source.is_empty(find(snapshot, "t"))
    assert refused.value.sqlstate == "42P01"


async def test_a_table_that_is_being_written_is_not_empty(place: Place, server: PostgresServer) -> None:
    place.run("""
        create table t (id int primary key) partition by range (id);
        create table t_1 partition of t for values from (0) to (9);
        """)
    snapshot = await place.read("t")
    connection = await asyncpg.connect(server.dsn(place.database))
    try:
        writing = connection.transaction()
        await writing.start()
        await connection.execute("insert into t values (1)")
        assert not await place.source.is_empty(find(snapshot, "t"))
        assert not await place.source.is_empty(find(snapshot, "t_1"))
        await writing.rollback()
        assert await place.source.is_empty(find(snapshot, "t"))
    finally:
        await connection.close()


async def test_rows_that_row_security_would_hide_are_an_error(place: Place, server: PostgresServer) -> None:
    place.run("""
        create table t (id int primary key); insert into t values (1); grant select on t to causeway_trust;
        alter table t enable row level security;
        """)
    snapshot = await place.read("t")
    source = SourceDatabase(server.dsn(user="causeway_trust"), place.database)
    try:
        with pytest.raises(SourceRefused, match="row-level security"):
            await source.rows(find(snapshot, "t"), ["id"], [("1",)], types=snapshot.types, limit=1)
    finally:
        await source.close()


async def test_insert_position(place: Place) -> None:
    before = await place.source.insert_position()
    place.run("create table t (id int); insert into t values (1)")
    after = await place.source.insert_position()
    assert after > before
    assert unpack(after)[0] == 1


async def test_status_of_transactions(place: Place, server: PostgresServer) -> None:
    place.run("create table t (id int)")
    connection = await asyncpg.connect(server.dsn(place.database))
    try:
        running = connection.transaction()
        await running.start()
        mine = int(await connection.fetchval("select pg_current_xact_id()::text"))
        committed = int(place.run("insert into t values (1) returning pg_current_xact_id()"))
        aborted = int(place.run("begin; select pg_current_xact_id(); rollback").splitlines()[0])
        assert await place.source.xact_status([mine, committed, aborted, 10**15, committed]) == {
            mine: "in progress",
            committed: "committed",
            aborted: "aborted",
            10**15: FUTURE,
        }
        horizon = await place.source.running_horizon()
        assert horizon > mine
        assert await place.source.oldest_running() <= mine
        await running.commit()
        assert (await place.source.xact_status([mine]))[mine] == "committed"
        assert await place.source.oldest_running() >= horizon
    finally:
        await connection.close()


async def test_a_source_that_is_away(postgres: PostgresServer, database: str) -> None:
    source = SourceDatabase(postgres.dsn(), database, CatalogueLimits(connect_timeout=5))
    try:
        await source.insert_position()
        postgres.stop("immediate")
        try:
            for _ in range(2):
                with pytest.raises(SourceUnavailable):
                    await source.insert_position()
        finally:
            postgres.start()
        await source.insert_position()
    finally:
        await source.close()
    with pytest.raises(SourceUnavailable, match="closed"):
        await source.insert_position()


async def test_an_answer_that_does_not_come_in_time(postgres: PostgresServer, database: str) -> None:
    postgres.psql("create table t (id int primary key)", database)
    source = SourceDatabase(postgres.dsn(), database, CatalogueLimits(query_timeout=0.3))
    connection = await asyncpg.connect(postgres.dsn(database))
    try:
        async with connection.transaction():
            await connection.execute("lock table t")
            with pytest.raises(SourceUnavailable, match="in time"):
                await asyncio.wait_for(source.is_empty(relation(1, "t", attribute(1, "id"))), 20)
        assert await source.is_empty(relation(1, "t", attribute(1, "id")))
    finally:
        await connection.close()
        await source.close()


async def test_a_dsn_or_password_that_is_wrong(postgres: PostgresServer) -> None:
    for dsn in (
        "postgresql://127.0.0.1:1/?sslmode=nonsense",
        postgres.dsn(user="causeway_scram", password="wrong"),
    ):
        source = SourceDatabase(dsn, "postgres")
        with pytest.raises(SourceRefused) as refused:
            await source.insert_position()
        assert "wrong" not in str(refused.value)
        await source.close()


def test_names_and_types_are_quoted() -> None:
    table = relation(1, 'a"b', attribute(1, "id"), attribute(2, 'c"d'), schema="S s", kind="p")
    query, arguments = rows_query(table, ['c"d'], [("1",)], BUILT_IN, limit=2, text=False)
    assert query.endswith(
        ' FROM "S s"."a""b" AS t WHERE t."c""d" = ANY (CAST($1::pg_catalog.text[] AS "pg_catalog"."int4"[])) LIMIT 2'
    )
    assert arguments == [["1"]]


async def test_a_connection_that_the_server_ends_is_replaced(place: Place) -> None:
    ends = (
        "select count(pg_terminate_backend(pid)) from pg_stat_activity"
        " where datname = current_database() and application_name = 'causeway'"
    )
    for _ in range(10):
        assert await place.source.insert_position() > 0
        place.run(ends)
        try:
            await place.source.insert_position()
        except SourceUnavailable:
            continue
    assert await place.source.insert_position() > 0


async def test_what_asyncpg_takes_for_a_fault_of_its_own_is_the_end_of_a_connection(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It depends on what has arrived when, so it cannot be staged."""

    async def mistaken(*_: object, **__: object) -> None:
        raise asyncpg.InternalClientError("cannot switch to state 11; another operation (2) is in progress")

    with monkeypatch.context() as patch:
        patch.setattr(asyncpg.Connection, "fetchrow", mistaken)
        with pytest.raises(SourceUnavailable, match="another operation"):
            await place.source.insert_position()
    assert await place.source.insert_position() > 0
