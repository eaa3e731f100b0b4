"""psycopg 2: simple protocol throughout, green and asynchronous polling, named cursors, replication streams."""

from __future__ import annotations

import datetime
import decimal
import hashlib
import io
import os
import select
import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg2
import psycopg2.errorcodes
import psycopg2.errors
import psycopg2.extensions
import psycopg2.extras
import psycopg2.sql
import pytest

from tests.clients.endpoint import PATIENCE, Endpoint, await_row, await_running
from tests.clients.reading import Readings, with_marker

pytestmark = pytest.mark.integration


def connect(endpoint: Endpoint, **options: Any) -> Any:
    return psycopg2.connect(**endpoint.parameters(), **options)


@pytest.fixture
def connection(endpoint: Endpoint) -> Iterator[Any]:
    connection = connect(endpoint)
    yield connection
    connection.close()


def test_values_and_thousands_of_rows(connection: Any) -> None:
    values = [
        True,
        2**62,
        decimal.Decimal("1.000000000000000000001"),
        "é漢 ' \\ %",
        datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.UTC),
        datetime.timedelta(days=-3, seconds=5),
        [1, 2, None],
        None,
    ]
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT " + ", ".join(["%s"] * len(values)), values)
        assert list(cursor.fetchone()) == values
        cursor.execute("SELECT %s", [psycopg2.Binary(bytes(range(256)))])
        assert bytes(cursor.fetchone()[0]) == bytes(range(256))
        cursor.execute("CREATE TABLE t (id serial PRIMARY KEY, a int, b text, doc jsonb)")
        rows = [(n, f"row {n}", psycopg2.extras.Json({"n": n})) for n in range(5000)]
        created = psycopg2.extras.execute_values(
            cursor, "INSERT INTO t (a, b, doc) VALUES %s RETURNING id", rows, page_size=700, fetch=True
        )
        assert [row[0] for row in created] == list(range(1, 5001))
        psycopg2.extras.execute_batch(
            cursor, "UPDATE t SET a = a + %s WHERE id = %s", [(1, n) for n in range(1, 1001)]
        )
        cursor.execute("SELECT id, a, b, doc FROM t ORDER BY id")
        fetched = cursor.fetchall()
        assert len(fetched) == cursor.rowcount == 5000
        assert fetched[0] == (1, 1, "row 0", {"n": 0})
        assert fetched[-1] == (5000, 4999, "row 4999", {"n": 4999})


def test_several_statements_at_once(connection: Any) -> None:
    with connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
        cursor.execute("CREATE TABLE t (n int); INSERT INTO t VALUES (1), (2); SELECT n FROM t ORDER BY n")
        assert [dict(row) for row in cursor.fetchall()] == [{"n": 1}, {"n": 2}]
        connection.commit()
        with pytest.raises(psycopg2.errors.DivisionByZero) as caught:
            cursor.execute("INSERT INTO t VALUES (3); SELECT 1/0; INSERT INTO t VALUES (4)")
        assert caught.value.pgcode == psycopg2.errorcodes.DIVISION_BY_ZERO
        assert connection.status == psycopg2.extensions.STATUS_IN_TRANSACTION
        with pytest.raises(psycopg2.errors.InFailedSqlTransaction):
            cursor.execute("SELECT 1")
        connection.rollback()
        cursor.execute("SELECT count(*) AS n FROM t")
        assert dict(cursor.fetchone()) == {"n": 2}


def test_isolation_levels_and_savepoints(endpoint: Endpoint, connection: Any) -> None:
    levels = {
        psycopg2.extensions.ISOLATION_LEVEL_READ_COMMITTED: "read committed",
        psycopg2.extensions.ISOLATION_LEVEL_REPEATABLE_READ: "repeatable read",
        psycopg2.extensions.ISOLATION_LEVEL_SERIALIZABLE: "serializable",
    }
    with connection.cursor() as cursor:
        for level, name in levels.items():
            connection.set_session(isolation_level=level, readonly=level > 2, deferrable=level > 2)
            cursor.execute("SHOW transaction_isolation")
            assert cursor.fetchone() == (name,)
            connection.rollback()
        connection.set_session(isolation_level="DEFAULT", readonly=False, deferrable=False, autocommit=True)
        cursor.execute("CREATE TABLE t (n int PRIMARY KEY)")
        connection.autocommit = False
        cursor.execute("INSERT INTO t VALUES (1); SAVEPOINT s")
        with pytest.raises(psycopg2.errors.UniqueViolation):
            cursor.execute("INSERT INTO t VALUES (1)")
        cursor.execute("ROLLBACK TO SAVEPOINT s; INSERT INTO t VALUES (2)")
        connection.commit()
        cursor.execute("SELECT array_agg(n ORDER BY n) FROM t")
        assert cursor.fetchone() == ([1, 2],)


def test_named_cursors(connection: Any) -> None:
    with connection.cursor("named") as cursor:
        cursor.itersize = 250
        cursor.execute("SELECT n, repeat('x', 200) FROM generate_series(1, 4000) n")
        assert [row[0] for row in cursor] == list(range(1, 4001))
    with connection.cursor("scrolling", scrollable=True, withhold=True) as cursor:
        cursor.execute("SELECT generate_series(1, 100)")
        connection.commit()
        cursor.scroll(50)
        assert cursor.fetchmany(2) == [(51,), (52,)]
        cursor.scroll(0, mode="absolute")
        assert cursor.fetchone() == (1,)


@pytest.mark.parametrize("form", ["text", "csv", "binary"])
def test_copy_expert(connection: Any, form: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE t AS SELECT n, md5(n::text) AS m, now() AS at FROM generate_series(1, 30000) n"
        )
        out = io.BytesIO()
        cursor.copy_expert(f"COPY t TO STDOUT (FORMAT {form})", out, size=1000)
        out.seek(0)
        cursor.execute("CREATE TABLE again (LIKE t)")
        cursor.copy_expert(f"COPY again FROM STDIN (FORMAT {form})", out, size=777)
        assert cursor.rowcount == 30000
        cursor.execute("SELECT count(*) FROM (TABLE t EXCEPT TABLE again) d")
        assert cursor.fetchone() == (0,)


def test_copy_error_midway(connection: Any) -> None:
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (n int)")
        content = io.StringIO("".join(f"{n}\n" for n in range(100_000)) + "bad\n" + "1\n" * 100_000)
        with pytest.raises(psycopg2.errors.InvalidTextRepresentation, match="line 100001"):
            cursor.copy_from(content, "t")

        class Broken(io.StringIO):
            def read(self, size: int | None = -1) -> str:
                raise OSError("disk on fire")

        with pytest.raises(psycopg2.errors.QueryCanceled, match="disk on fire"):
            cursor.copy_from(Broken(), "t")
        cursor.execute("SELECT count(*) FROM t")
        assert cursor.fetchone() == (0,)


def test_large_objects(connection: Any) -> None:
    """lo_* of libpq call functions by their OID through FunctionCall messages."""
    content = os.urandom(300_000)
    large = connection.lobject(0, "wb")
    assert large.write(content) == len(content)
    identifier = large.oid
    large.close()
    connection.commit()
    large = connection.lobject(identifier, "rwb")
    assert large.seek(100_000) == 100_000
    assert large.read(1000) == content[100_000:101_000]
    assert large.tell() == 101_000
    large.truncate(200_000)
    assert large.seek(0, os.SEEK_END) == 200_000
    large.close()
    connection.lobject(identifier, "rb").unlink()
    connection.commit()
    with pytest.raises(psycopg2.OperationalError, match="does not exist"):
        connection.lobject(identifier, "rb")
    connection.rollback()


def test_two_phase_commit(endpoint: Endpoint, connection: Any) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (n int)")
    for n, finish in enumerate(("tpc_commit", "tpc_rollback")):
        xid = connection.xid(7, f"{endpoint.kind} psycopg2 {n}", "branch")
        connection.tpc_begin(xid)
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO t VALUES (%s)", [n])
        connection.tpc_prepare()
        getattr(connection, finish)()
    xid = connection.xid(7, f"{endpoint.kind} psycopg2 recovered", "branch")
    connection.tpc_begin(xid)
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO t VALUES (2)")
    connection.tpc_prepare()
    connection.close()
    again = connect(endpoint)
    mine = [waiting for waiting in again.tpc_recover() if waiting.database == endpoint.dbname]
    assert [waiting.gtrid for waiting in mine] == [xid.gtrid]
    again.tpc_commit(mine[0])
    with again, again.cursor() as cursor:
        cursor.execute("SELECT array_agg(n) FROM t")
        assert cursor.fetchone() == ([0, 2],)
    again.close()


def test_notify_wakes_a_waiting_connection(connection: Any, direct: Endpoint) -> None:
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("LISTEN news")
        direct.execute("NOTIFY news, 'extra'")
        assert select.select([connection], [], [], PATIENCE)[0] == [connection]
        connection.poll()
        (notification,) = connection.notifies
        assert (notification.channel, notification.payload) == ("news", "extra")
        cursor.execute("DO $$ BEGIN RAISE NOTICE 'hello'; END $$")
        assert connection.notices[-1] == "NOTICE:  hello\n"


def wait_for(connection: Any) -> None:
    """The documented polling loop of an asynchronous psycopg 2 connection."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        state = connection.poll()
        if state == psycopg2.extensions.POLL_OK:
            return
        if state == psycopg2.extensions.POLL_WRITE:
            select.select([], [connection.fileno()], [], PATIENCE)
        else:
            select.select([connection.fileno()], [], [], PATIENCE)
    raise AssertionError("the connection never became ready")


def test_asynchronous_connection(endpoint: Endpoint, direct: Endpoint) -> None:
    connection = connect(endpoint, async_=1)
    wait_for(connection)
    cursor = connection.cursor()
    for n in range(20):
        cursor.execute("SELECT %s, repeat('x', 100000)", [n])
        wait_for(connection)
        assert cursor.fetchone() == (n, "x" * 100_000)
    cursor.execute("SELECT pg_sleep(2000)")
    await_running(direct, "pg_sleep(2000)")
    connection.cancel()
    with pytest.raises(psycopg2.errors.QueryCanceled):
        wait_for(connection)
    cursor.execute("SELECT 1")
    wait_for(connection)
    assert cursor.fetchone() == (1,)
    connection.close()


def test_green_connection(endpoint: Endpoint) -> None:
    """As under gevent or eventlet: synchronous calls that poll through a wait callback."""
    psycopg2.extensions.set_wait_callback(psycopg2.extras.wait_select)
    try:
        connection = connect(endpoint)
        with connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE t (n int, filler text)")
            for n in range(50):
                cursor.execute("INSERT INTO t VALUES (%s, %s)", [n, "f" * 50_000])
            cursor.execute("SELECT sum(n), sum(length(filler)) FROM t")
            assert cursor.fetchone() == (1225, 2_500_000)
            with pytest.raises(psycopg2.errors.UndefinedColumn):
                cursor.execute("SELECT nothing FROM t")
        connection.close()
    finally:
        psycopg2.extensions.set_wait_callback(None)


def test_cancel_from_another_thread(connection: Any, direct: Endpoint) -> None:
    def interrupt() -> None:
        await_running(direct, "pg_sleep(2000)")
        connection.cancel()

    with connection.cursor() as cursor:
        for _ in range(3):
            thread = threading.Thread(target=interrupt)
            thread.start()
            with pytest.raises(psycopg2.errors.QueryCanceled):
                cursor.execute("SELECT pg_sleep(2000)")
            thread.join(PATIENCE)
            connection.rollback()
            cursor.execute("SELECT 'not hit by a late cancel', pg_sleep(0.01)")


def test_terminated_backend(connection: Any, direct: Endpoint) -> None:
    def terminate() -> None:
        assert await_running(direct, "pg_sleep(2000)") == connection.get_backend_pid()
        direct.query("SELECT pg_terminate_backend(%s)", connection.get_backend_pid())

    thread = threading.Thread(target=terminate)
    thread.start()
    with (
        connection.cursor() as cursor,
        pytest.raises(
            psycopg2.OperationalError, match=r"terminating connection|server closed the connection"
        ),
    ):
        cursor.execute("SELECT pg_sleep(2000)")
    thread.join(PATIENCE)
    assert connection.closed


def test_encodings(connection: Any) -> None:
    connection.set_client_encoding("LATIN1")
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s, upper('é')", ["ü"])
        assert cursor.fetchone() == ("ü", "É")
        with pytest.raises(psycopg2.errors.UntranslatableCharacter):
            cursor.execute("SELECT chr(28450)")
    assert connection.encoding == "LATIN1"
    assert connection.get_parameter_status("client_encoding") == "LATIN1"


def test_physical_replication_commands(endpoint: Endpoint, direct: Endpoint) -> None:
    connection = connect(endpoint, connection_factory=psycopg2.extras.PhysicalReplicationConnection)
    with connection.cursor() as cursor:
        cursor.execute("IDENTIFY_SYSTEM")
        system, timeline, position, database = cursor.fetchone()
        assert direct.query("SELECT system_identifier::text FROM pg_control_system()") == [(system,)]
        assert database is None
        cursor.execute("SHOW wal_level")
        assert cursor.fetchone() == ("logical",)
        cursor.start_replication(start_lsn=position, timeline=int(timeline))
        direct.execute("CREATE TABLE written AS SELECT generate_series(1, 1000)")
        deadline = time.monotonic() + PATIENCE
        received = 0
        while received < 10_000 and time.monotonic() < deadline:
            message = cursor.read_message()
            if message is None:
                select.select([cursor], [], [], 1)
            else:
                received += len(message.payload)
                cursor.send_feedback(flush_lsn=message.data_start)
        assert received >= 10_000
    connection.close()


@pytest.mark.parametrize("plugin", ["test_decoding", "pgoutput"])
def test_logical_replication_stream(endpoint: Endpoint, direct: Endpoint, plugin: str) -> None:
    slot = f"slot_{endpoint.kind}_{plugin}"
    direct.execute(
        "CREATE TABLE t (id int PRIMARY KEY, note text); CREATE PUBLICATION everything FOR TABLE t"
    )
    connection = connect(endpoint, connection_factory=psycopg2.extras.LogicalReplicationConnection)
    with connection.cursor() as cursor:
        cursor.create_replication_slot(slot, output_plugin=plugin)
        try:
            options = (
                {"proto_version": "1", "publication_names": "everything"} if plugin == "pgoutput" else {}
            )
            cursor.start_replication(slot_name=slot, options=options, decode=False)
            for n in range(20):
                direct.execute(
                    f"INSERT INTO t SELECT n, repeat('é', 500) FROM generate_series({n * 100}, {n * 100 + 99}) n"
                )
            inserts = 0
            deadline = time.monotonic() + PATIENCE
            while inserts < 2000 and time.monotonic() < deadline:
                message = cursor.read_message()
                if message is None:
                    select.select([cursor], [], [], 1)
                    continue
                payload = message.payload
                inserts += payload.startswith(b"I" if plugin == "pgoutput" else b"table public.t: INSERT")
                cursor.send_feedback(flush_lsn=message.data_start, reply=inserts % 500 == 0)
            assert inserts == 2000
        finally:
            connection.close()
            await_row(
                direct,
                "SELECT 1 FROM pg_replication_slots WHERE slot_name = %(slot)s AND NOT active",
                {"slot": slot},
            )
            direct.query("SELECT pg_drop_replication_slot(%s)", slot)


def test_sql_on_a_replication_connection(endpoint: Endpoint) -> None:
    connection = connect(endpoint, connection_factory=psycopg2.extras.LogicalReplicationConnection)
    with connection.cursor() as cursor:
        cursor.execute("IDENTIFY_SYSTEM")
        assert cursor.fetchone()[3] == endpoint.dbname
        cursor.execute("SELECT md5('x')")
        assert cursor.fetchone() == (hashlib.md5(b"x").hexdigest(),)
        with pytest.raises(psycopg2.errors.SyntaxError):
            cursor.execute("START_REPLICATION nonsense")
    connection.close()


def test_tls(endpoint: Endpoint) -> None:
    """`channel_binding=disable`: behind TLS on both legs a proxy cannot pass channel binding through."""
    way = {"sslmode": "verify-full", "sslrootcert": endpoint.root_certificate, "channel_binding": "disable"}
    connection = psycopg2.connect(**endpoint.parameters(**way))
    assert connection.info.ssl_in_use
    with connection.cursor() as cursor:
        text = io.StringIO("".join(f"{n}\n" for n in range(200_000)))
        cursor.execute("CREATE TABLE t (n int)")
        cursor.copy_from(text, "t")
        cursor.execute("SELECT sum(n), string_agg(n::text, '') FROM t")
        assert cursor.fetchone() == (19_999_900_000, "".join(map(str, range(200_000))))
    connection.close()


@pytest.mark.parametrize("autocommit", [True, False])
def test_reads_of_a_table(readings: Readings, autocommit: bool) -> None:
    """Each by itself, and in a block with others."""

    def ask(endpoint: Endpoint) -> list[Any]:
        connection = connect(endpoint)
        connection.autocommit = autocommit
        found = []
        with connection.cursor() as cursor:
            for text, value in with_marker("%s") * 2:
                cursor.execute(text, [value])
                shown = [(column.name, column.type_code) for column in cursor.description]
                found.append((shown, [[_comparable(value) for value in row] for row in cursor.fetchall()]))
        connection.rollback()
        connection.close()
        return found

    assert readings.same(ask)


def _comparable(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value
