"""asyncpg: binary extended protocol throughout, statement caches, portals, COPY, cancellation by time-out."""

from __future__ import annotations

import asyncio
import datetime
import decimal
import hashlib
import ipaddress
import json
import os
import ssl
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
import pytest

from tests.clients.endpoint import PATIENCE, Endpoint, await_running
from tests.clients.reading import Readings, with_marker

pytestmark = pytest.mark.integration

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


async def connect(endpoint: Endpoint, **options: Any) -> Connection:
    return await asyncpg.connect(
        host=endpoint.host,
        port=endpoint.port,
        user=endpoint.user,
        password=endpoint.password,
        database=endpoint.dbname,
        ssl=options.pop("ssl", False),
        timeout=PATIENCE,
        **options,
    )


@pytest.fixture
async def connection(endpoint: Endpoint) -> AsyncIterator[Connection]:
    connection = await connect(endpoint)
    yield connection
    await connection.close(timeout=PATIENCE)


VALUES: list[tuple[str, Any]] = [
    ("bool", True),
    ("int2", -(2**15)),
    ("int8", 2**63 - 1),
    ("float8", 1.5e-300),
    ("numeric", decimal.Decimal("-12345678901234567890.000000000123456789")),
    ("numeric", decimal.Decimal("NaN")),
    ("text", "é漢\U0001f600 \\ ' \" \n\t"),
    ("bytea", bytes(range(256)) * 10),
    ("uuid", uuid.UUID(int=2**100 + 1)),
    ("date", datetime.date(1, 1, 1)),
    ("time", datetime.time(23, 59, 59, 999999)),
    ("timestamp", datetime.datetime(9999, 12, 31, 23, 59, 59, 999999)),
    ("timestamptz", datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.UTC)),
    ("interval", datetime.timedelta(days=-40, microseconds=1)),
    ("inet", ipaddress.ip_interface("10.1.2.3/24")),
    ("cidr", ipaddress.ip_network("2001:db8::/32")),
    ("int4[]", [[1, None], [3, 4]]),
    ("text[]", []),
    ("int4range", asyncpg.Range(1, 10)),
    ("int4multirange", [asyncpg.Range(1, 10), asyncpg.Range(20, 30)]),
    ("jsonb", '{"a": [1, 2, {"b": null}]}'),
    ("bit(5)", asyncpg.BitString.from_int(21, 5)),
    ("point", asyncpg.Point(1.5, -2)),
    ("int4", None),
]


async def test_values_travel_in_binary(connection: Connection) -> None:
    for name, value in VALUES:
        returned = await connection.fetchval(f"SELECT $1::{name}", value)
        if isinstance(value, decimal.Decimal) and value.is_nan():
            assert returned.is_nan()
        else:
            assert returned == value, name


async def test_composite_enum_domain_and_custom_codec(connection: Connection) -> None:
    await connection.execute(
        "CREATE TYPE mood AS ENUM ('sad', 'ok');"
        "CREATE DOMAIN small AS int CHECK (VALUE < 10);"
        "CREATE TYPE pair AS (a small, m mood, words text[]);"
    )
    row = await connection.fetchrow(
        "SELECT $1::pair AS one, $2::pair[] AS many", (1, "ok", ["x"]), [(2, "sad", None)]
    )
    assert row is not None
    assert tuple(row["one"]) == (1, "ok", ["x"])
    assert [tuple(pair) for pair in row["many"]] == [(2, "sad", None)]
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
    assert await connection.fetchval("SELECT $1::jsonb || '{\"b\": 2}'", {"a": 1}) == {"a": 1, "b": 2}
    with pytest.raises(asyncpg.CheckViolationError):
        await connection.fetchval("SELECT 10::small")


async def test_prepared_statement_lives_and_is_replaced(connection: Connection) -> None:
    await connection.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
    statement = await connection.prepare("INSERT INTO t VALUES ($1, $2) RETURNING id, upper(v) AS shout")
    assert [p.name for p in statement.get_parameters()] == ["int4", "text"]
    assert [a.name for a in statement.get_attributes()] == ["id", "shout"]
    for n in range(200):
        row = await statement.fetchrow(n, f"v{n}")
        assert row is not None
        assert tuple(row) == (n, f"V{n}")
    await statement.fetch(1000, "last")
    assert statement.get_statusmsg() == "INSERT 0 1"
    with pytest.raises(asyncpg.UniqueViolationError) as caught:
        await statement.fetch(1, "again")
    assert caught.value.detail == "Key (id)=(1) already exists."
    assert caught.value.constraint_name == "t_pkey"

    select = await connection.prepare("SELECT * FROM t WHERE id = $1")
    assert len(await select.fetch(1)) == 1
    await connection.execute("ALTER TABLE t ADD COLUMN more int DEFAULT 5")
    with pytest.raises(asyncpg.InvalidCachedStatementError):
        await select.fetch(1)
    row = await connection.fetchrow("SELECT * FROM t WHERE id = $1", 1)
    assert row is not None
    assert tuple(row) == (1, "v1", 5)


async def test_many_statements_overflow_the_cache(endpoint: Endpoint) -> None:
    connection = await connect(endpoint, statement_cache_size=5)
    for n in range(60):
        assert await connection.fetchval(f"SELECT $1::int + {n}", 1) == n + 1
    assert await connection.fetchval("SELECT count(*) FROM pg_prepared_statements") <= 6
    await connection.close()
    uncached = await connect(endpoint, statement_cache_size=0)
    for n in range(20):
        assert await uncached.fetchval("SELECT $1::int", n) == n
    await uncached.close()


async def test_portals_deliver_rows_in_portions(connection: Connection) -> None:
    async with connection.transaction():
        seen = [
            row["n"]
            async for row in connection.cursor("SELECT n FROM generate_series(1, $1) n", 1000, prefetch=7)
        ]
        assert seen == list(range(1, 1001))
        cursor = await connection.cursor("SELECT n, repeat('x', 1000) FROM generate_series(1, 500) n")
        assert [row["n"] for row in await cursor.fetch(3)] == [1, 2, 3]
        assert await connection.fetchval("SELECT 'between two portions'") == "between two portions"
        assert await cursor.forward(100) == 100
        row = await cursor.fetchrow()
        assert row is not None
        assert row["n"] == 104
        assert len(await cursor.fetch(10_000)) == 396
        assert await cursor.fetch(1) == []

    async def read(statement: str) -> list[asyncpg.Record]:
        async with connection.transaction():
            return [row async for row in connection.cursor(statement, prefetch=20)]

    with pytest.raises(asyncpg.DivisionByZeroError):
        await read("SELECT 1 / (50 - n) AS q FROM generate_series(1, 100) n")
    assert await connection.fetchval("SELECT 1") == 1


async def test_executemany_pipelines(connection: Connection) -> None:
    await connection.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
    await connection.executemany("INSERT INTO t VALUES ($1, $2)", [(n, "v" * (n % 300)) for n in range(5000)])
    assert await connection.fetchval("SELECT count(*) FROM t") == 5000
    rows = await connection.fetchmany(
        "UPDATE t SET v = $2 WHERE id = $1 RETURNING id, v", [(n, "new") for n in range(500)]
    )
    assert [tuple(row) for row in rows] == [(n, "new") for n in range(500)]
    with pytest.raises(asyncpg.UniqueViolationError):
        await connection.executemany(
            "INSERT INTO t VALUES ($1, $2)", [(n, "w") for n in range(9000, 3000, -1)]
        )
    assert await connection.fetchval("SELECT count(*) FROM t") == 5000, "executemany is one transaction"


async def test_transactions_and_savepoints(connection: Connection) -> None:
    await connection.execute("CREATE TABLE t (n int PRIMARY KEY)")

    async def insert_in_savepoint(*numbers: int) -> None:
        async with connection.transaction():
            for number in numbers:
                await connection.execute("INSERT INTO t VALUES ($1)", number)

    async with connection.transaction(isolation="serializable"):
        await connection.execute("INSERT INTO t VALUES (1)")
        with pytest.raises(asyncpg.UniqueViolationError):
            await insert_in_savepoint(2, 1)
        async with connection.transaction():
            await connection.execute("INSERT INTO t VALUES (3)")
    assert [row["n"] for row in await connection.fetch("SELECT n FROM t ORDER BY n")] == [1, 3]
    transaction = connection.transaction(readonly=True, deferrable=True, isolation="serializable")
    await transaction.start()
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await connection.execute("INSERT INTO t VALUES (4)")
    with pytest.raises(asyncpg.InFailedSQLTransactionError):
        await connection.fetch("SELECT 1")
    await transaction.rollback()


async def test_copy_in_every_form(connection: Connection, tmp_path: Path) -> None:
    await connection.execute("CREATE TABLE t (id int, at timestamptz, raw bytea, words text[])")
    start = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    records = [
        (n, start + datetime.timedelta(seconds=n), hashlib.sha256(b"%d" % n).digest(), ["a", None])
        for n in range(20000)
    ]
    assert await connection.copy_records_to_table("t", records=records) == "COPY 20000"
    expected = await connection.fetchval("SELECT md5(string_agg(t::text, '|' ORDER BY id)) FROM t")
    for options in (
        {"format": "csv", "header": True},
        {"format": "binary"},
        {"format": "text", "null": "nil"},
    ):
        path = tmp_path / "copy"
        await connection.copy_from_table("t", output=path, **options)
        await connection.execute("CREATE TABLE again (LIKE t)")
        assert await connection.copy_to_table("again", source=path, **options) == "COPY 20000"
        returned = await connection.fetchval("SELECT md5(string_agg(a::text, '|' ORDER BY id)) FROM again a")
        await connection.execute("DROP TABLE again")
        assert returned == expected, options
    chunks: list[bytes] = []

    async def collect(chunk: bytes) -> None:
        chunks.append(chunk)

    await connection.copy_from_query("SELECT id FROM t WHERE id < $1 ORDER BY id", 1000, output=collect)
    assert b"".join(chunks) == b"".join(b"%d\n" % n for n in range(1000))

    async def generate() -> AsyncIterator[bytes]:
        for n in range(300):
            yield b"%d,\n" % n
            await asyncio.sleep(0)

    assert (
        await connection.copy_to_table("t", source=generate(), columns=["id", "words"], format="csv")
        == "COPY 300"
    )


async def test_copy_that_fails_leaves_a_usable_connection(connection: Connection, tmp_path: Path) -> None:
    await connection.execute("CREATE TABLE t (id int PRIMARY KEY)")
    with pytest.raises(asyncpg.UniqueViolationError):
        await connection.copy_records_to_table("t", records=[(n % 15000,) for n in range(50000)])
    assert await connection.fetchval("SELECT count(*) FROM t") == 0

    async def broken() -> AsyncIterator[bytes]:
        yield b"1\n" * 10
        raise RuntimeError("the source of the rows broke")

    with pytest.raises(RuntimeError, match="the source of the rows broke"):
        await connection.copy_to_table("t", source=broken())
    assert await connection.fetchval("SELECT count(*) FROM t") == 0
    with pytest.raises(asyncpg.DivisionByZeroError):
        await connection.copy_from_query(
            "SELECT 1 / (9000 - n) FROM generate_series(1, 10000) n", output=tmp_path / "x"
        )
    assert await connection.fetchval("SELECT 1") == 1


async def test_listen_and_notices(connection: Connection, direct: Endpoint) -> None:
    heard: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
    notices: list[str] = []

    def hear(_connection: Any, _pid: int, channel: str, payload: object) -> None:
        heard.put_nowait((channel, str(payload)))

    connection.add_log_listener(lambda _, message: notices.append(message.message))
    await connection.add_listener("news", hear)
    await asyncio.to_thread(direct.execute, "NOTIFY news, 'while idle'")
    assert await asyncio.wait_for(heard.get(), PATIENCE) == ("news", "while idle")
    await connection.execute("DO $$ BEGIN FOR n IN 1..50 LOOP RAISE NOTICE 'notice %', n; END LOOP; END $$")
    await connection.execute("SELECT pg_notify('news', repeat('x', 7000))")
    assert await asyncio.wait_for(heard.get(), PATIENCE) == ("news", "x" * 7000)
    await connection.remove_listener("news", hear)
    await asyncio.sleep(0)
    assert notices == [f"notice {n}" for n in range(1, 51)]


async def test_timeout_cancels_at_the_server(connection: Connection, direct: Endpoint) -> None:
    for _ in range(3):
        with pytest.raises(TimeoutError):
            await connection.fetch("SELECT pg_sleep(1000)", timeout=0.1)
        assert await connection.fetchval("SELECT 'usable'") == "usable"
    running = await asyncio.to_thread(
        direct.query,
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND query ~ '^SELECT pg_sleep'"
        " AND state = 'active'",
    )
    assert running == []


async def test_cancelled_task_and_terminated_connection(endpoint: Endpoint, direct: Endpoint) -> None:
    connection = await connect(endpoint)
    task = asyncio.create_task(connection.fetch("SELECT pg_sleep(2000)"))
    await asyncio.to_thread(await_running, direct, "pg_sleep(2000)")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await connection.fetchval("SELECT 1") == 1
    task = asyncio.create_task(connection.fetch("SELECT pg_sleep(4000)"))
    backend = await asyncio.to_thread(await_running, direct, "pg_sleep(4000)")
    await asyncio.to_thread(direct.execute, f"SELECT pg_terminate_backend({backend})")
    with pytest.raises(
        asyncpg.ConnectionDoesNotExistError, match="terminating connection due to administrator"
    ):
        await task
    assert connection.is_closed()


async def test_pool_under_concurrency(endpoint: Endpoint) -> None:
    async with asyncpg.create_pool(
        host=endpoint.host,
        port=endpoint.port,
        user=endpoint.user,
        password=endpoint.password,
        database=endpoint.dbname,
        ssl=False,
        min_size=2,
        max_size=8,
        max_queries=25,
    ) as pool:
        await pool.execute("CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL)")
        await pool.execute("INSERT INTO accounts SELECT n, 100 FROM generate_series(1, 10) n")

        async def transfer(n: int) -> None:
            first, second = sorted((n % 10 + 1, (n * 7 + 3) % 10 + 1))
            async with pool.acquire() as connection, connection.transaction():
                await connection.execute(
                    "SELECT FROM accounts WHERE id = ANY($1) ORDER BY id FOR UPDATE", [first, second]
                )
                await connection.execute("UPDATE accounts SET balance = balance - $1 WHERE id = $2", n, first)
                await connection.execute(
                    "UPDATE accounts SET balance = balance + $1 WHERE id = $2", n, second
                )

        await asyncio.gather(*(transfer(n) for n in range(300)))
        assert await pool.fetchval("SELECT sum(balance) FROM accounts") == 1000


async def test_large_values_both_ways(connection: Connection) -> None:
    value = os.urandom(1 << 20) * 12
    assert await connection.fetchval("SELECT $1::bytea", value) == value
    rows = await connection.fetch("SELECT n, repeat('y', 50000) AS v FROM generate_series(1, 400) n")
    assert len(rows) == 400
    assert rows[-1]["v"] == "y" * 50000


async def test_session_settings(endpoint: Endpoint) -> None:
    connection = await connect(
        endpoint,
        server_settings={"application_name": "shop", "search_path": "pg_catalog", "TimeZone": "Asia/Tokyo"},
    )
    assert await connection.fetchval("SHOW application_name") == "shop"
    assert await connection.fetchval("SHOW search_path") == "pg_catalog"
    assert connection.get_settings().TimeZone == "Asia/Tokyo"
    await connection.execute("SET TimeZone = 'UTC'")
    assert connection.get_settings().TimeZone == "UTC"
    await connection.reset()
    assert await connection.fetchval("SHOW TimeZone") == "Asia/Tokyo"
    await connection.close()


async def test_unix_socket(endpoint: Endpoint) -> None:
    connection = await connect(endpoint.over_socket())
    assert await connection.fetchval("SELECT 40 + 2") == 42
    await connection.close()


async def test_forty_connections_at_once(endpoint: Endpoint) -> None:
    connections = await asyncio.gather(*(connect(endpoint) for _ in range(40)))
    pids = await asyncio.gather(
        *(connection.fetchval("SELECT pg_backend_pid()") for connection in connections)
    )
    assert len(set(pids)) == 40
    assert pids == [connection.get_server_pid() for connection in connections]
    await asyncio.gather(*(connection.close() for connection in connections))


@pytest.mark.parametrize("direct_tls", [False, True])
async def test_tls(endpoint: Endpoint, direct_tls: bool) -> None:
    if direct_tls and endpoint.kind == "direct" and endpoint.query("SHOW server_version_num") < [("170000",)]:
        pytest.skip("PostgreSQL takes TLS without an SSLRequest from version 17 on")
    context = ssl.create_default_context(cafile=endpoint.root_certificate)
    context.set_alpn_protocols(["postgresql"])
    connection = await connect(endpoint, ssl=context, direct_tls=direct_tls)
    value = os.urandom(5_000_000)
    assert await connection.fetchval("SELECT $1::bytea", value) == value
    with pytest.raises(TimeoutError):
        await connection.fetch("SELECT pg_sleep(1000)", timeout=0.1)
    assert (
        await connection.copy_from_query("SELECT generate_series(1, 100000)", output=discard) == "COPY 100000"
    )
    await connection.close()


async def discard(chunk: bytes) -> None:
    """A sink for COPY."""


async def test_reads_of_a_table(readings: Readings) -> None:
    """Through the statement cache and without one, in a block, and as prepared statements that stay."""
    reads = with_marker("$1")

    async def ask(endpoint: Endpoint) -> list[Any]:
        found: list[Any] = []
        for cache in (100, 0):
            connection = await connect(endpoint, statement_cache_size=cache)
            found += [await connection.fetch(*read) for read in reads * 2]
            found += [await connection.fetchrow(*read) for read in reads]
            async with connection.transaction():
                found += [await connection.fetch(*read) for read in reads]
            prepared = [(await connection.prepare(text), value) for text, value in reads]
            for statement, value in prepared * 2:
                found.append([[attribute.type.oid for attribute in statement.get_attributes()]])
                found.append(await statement.fetch(value))
            await connection.close()
        return found

    assert await ask(readings.endpoint) == await ask(readings.direct)
