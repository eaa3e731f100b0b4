"""psycopg 3: synchronous calls, pipelines, binary results, portals, COPY, two-phase commit."""

from __future__ import annotations

import datetime
import decimal
import hashlib
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import errors, sql
from psycopg.rows import dict_row, namedtuple_row, scalar_row
from psycopg.types.composite import CompositeInfo, register_composite
from psycopg.types.json import Jsonb
from psycopg.types.range import Range

from tests.clients.endpoint import PATIENCE, Endpoint, await_running
from tests.clients.reading import Readings, with_marker

pytestmark = pytest.mark.integration

Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def connection(endpoint: Endpoint) -> Iterator[Connection]:
    with psycopg.connect(endpoint.dsn()) as connection:
        yield connection


VALUES: list[tuple[str, Any]] = [
    ("int2", 5),
    ("int8", -(2**63)),
    ("numeric", decimal.Decimal("-1234567890.000000000001")),
    ("float8", 0.1),
    ("text", "é漢\U0001f600 '"),
    ("bytea", bytes(range(256))),
    ("date", datetime.date(2024, 2, 29)),
    ("timestamptz", datetime.datetime(2024, 2, 29, 12, 0, 0, 1, tzinfo=datetime.UTC)),
    ("interval", datetime.timedelta(days=3, seconds=4)),
    ("uuid", UUID(int=7)),
    ("jsonb", {"a": [1, None]}),
    ("int4[]", [1, 2, None]),
    ("numrange", Range(decimal.Decimal("1.5"), decimal.Decimal("2.5"))),
]


@pytest.mark.parametrize("binary", [False, True])
def test_values_as_text_and_binary(connection: Connection, binary: bool) -> None:
    placeholder = "%b" if binary else "%t"
    cursor = connection.cursor(binary=binary)
    for name, value in VALUES:
        sent = Jsonb(value) if name == "jsonb" else value
        statement = sql.SQL("SELECT " + placeholder + "::{}").format(sql.SQL(name))
        row = cursor.execute(statement, [sent]).fetchone()
        assert row is not None
        assert row[0] == value, name


def test_client_side_binding_and_multiple_statements(endpoint: Endpoint) -> None:
    with psycopg.connect(endpoint.dsn(), cursor_factory=psycopg.ClientCursor, autocommit=True) as connection:
        cursor = connection.execute("SELECT %s, %s; SELECT generate_series(1, 3)", ["it's", None])
        assert cursor.fetchall() == [("it's", None)]
        assert cursor.nextset() is True
        assert cursor.fetchall() == [(1,), (2,), (3,)]
        with pytest.raises(errors.DivisionByZero):
            connection.execute("CREATE TABLE half (n int); SELECT 1 / 0")
        assert connection.execute("SELECT to_regclass('half')").fetchone() == (None,)
        with psycopg.RawCursor(connection) as raw:
            assert raw.execute("SELECT $1::int + $2::int", [1, 2]).fetchone() == (3,)


def test_row_factories_and_composites(connection: Connection) -> None:
    connection.execute("CREATE TYPE pair AS (a int, b text)")
    info = CompositeInfo.fetch(connection, "pair")
    assert info is not None
    register_composite(info, connection)
    row = connection.execute("SELECT (1, 'x')::pair AS p, ARRAY[(2, NULL)::pair] AS many").fetchone()
    assert row is not None
    assert (row[0].a, row[0].b, row[1][0].a, row[1][0].b) == (1, "x", 2, None)
    assert connection.cursor(row_factory=dict_row).execute("SELECT 1 AS a").fetchone() == {"a": 1}
    assert connection.cursor(row_factory=scalar_row).execute("SELECT 'one'").fetchone() == "one"
    named = connection.cursor(row_factory=namedtuple_row).execute("SELECT 1 AS a").fetchone()
    assert named is not None
    assert tuple(named) == (1,)
    assert named._fields == ("a",)


def test_automatic_preparation(endpoint: Endpoint) -> None:
    """A statement is prepared at its fifth use, dropped when more than `prepared_max` compete, and outlives DDL."""
    with psycopg.connect(endpoint.dsn(), autocommit=True) as connection:
        connection.prepare_threshold = 3
        connection.prepared_max = 4
        for n in range(12):
            statement = sql.SQL("SELECT {} + %s").format(sql.Literal(n))
            for argument in range(6):
                assert connection.execute(statement, [argument]).fetchone() == (n + argument,)
        count = connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()
        assert count is not None
        assert 0 < count[0] <= 5, "the oldest is deallocated when a newer one has been prepared"
        connection.execute("CREATE TABLE t (a int)")
        for _ in range(5):
            connection.execute("SELECT * FROM t WHERE a = %s", [1])
        endpoint.execute("ALTER TABLE t ADD b int")
        with pytest.raises(errors.FeatureNotSupported, match="cached plan must not change result type"):
            connection.execute("SELECT * FROM t WHERE a = %s", [1])
        connection.execute("DEALLOCATE ALL")
        assert connection.execute("SELECT * FROM t WHERE a = %s", [1]).fetchall() == []
        for _ in range(2):
            assert connection.execute("SELECT %s::text", ["x"], prepare=True).fetchone() == ("x",)


def test_transactions_savepoints_and_isolation(connection: Connection) -> None:
    connection.execute("CREATE TABLE t (n int PRIMARY KEY)")
    connection.commit()
    with connection.transaction():
        connection.execute("INSERT INTO t VALUES (1)")
        with pytest.raises(errors.UniqueViolation) as caught, connection.transaction():
            connection.execute("INSERT INTO t VALUES (2), (1)")
        assert caught.value.diag.constraint_name == "t_pkey"
        assert caught.value.diag.schema_name == "public"
        with connection.transaction(force_rollback=True):
            connection.execute("INSERT INTO t VALUES (3)")
    assert connection.execute("SELECT n FROM t").fetchall() == [(1,)]
    connection.rollback()
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    with pytest.raises(errors.ReadOnlySqlTransaction):
        connection.execute("INSERT INTO t VALUES (4)")
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.INERROR
    connection.rollback()
    assert connection.execute("SHOW transaction_isolation").fetchone() == ("repeatable read",)


def test_serialization_failure_and_deadlock_reach_the_client(
    endpoint: Endpoint, connection: Connection
) -> None:
    connection.execute("CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t VALUES (1, 0), (2, 0)")
    connection.commit()
    with psycopg.connect(endpoint.dsn()) as other:
        other.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
        other.execute("SELECT * FROM t").fetchall()
        connection.execute("UPDATE t SET n = 1 WHERE id = 1")
        connection.commit()
        with pytest.raises(errors.SerializationFailure):
            other.execute("UPDATE t SET n = 2 WHERE id = 1")
        other.rollback()
        other.isolation_level = None
        connection.execute("UPDATE t SET n = 3 WHERE id = 1")
        other.execute("UPDATE t SET n = 3 WHERE id = 2")
        outcomes: list[type[BaseException] | None] = []

        def blocked() -> None:
            try:
                other.execute("UPDATE t SET n = 4 WHERE id = 1")
                outcomes.append(None)
            except errors.DeadlockDetected as problem:
                outcomes.append(type(problem))

        thread = threading.Thread(target=blocked)
        thread.start()
        try:
            connection.execute("UPDATE t SET n = 4 WHERE id = 2")
            outcomes.append(None)
        except errors.DeadlockDetected as problem:
            outcomes.append(type(problem))
        connection.rollback()
        thread.join(PATIENCE)
        assert set(outcomes) == {None, errors.DeadlockDetected}
        other.rollback()


def test_pipeline_mode(connection: Connection) -> None:
    connection.autocommit = True
    connection.execute("CREATE TABLE t (n int PRIMARY KEY)")
    with connection.pipeline() as pipeline:
        cursors = [connection.execute("INSERT INTO t VALUES (%s) RETURNING n", [n]) for n in range(300)]
        pipeline.sync()
        counted = connection.execute("SELECT count(*) FROM t")
        assert counted.fetchone() == (300,)
        assert [cursor.fetchone() for cursor in cursors] == [(n,) for n in range(300)]
    with connection.pipeline():
        connection.cursor().executemany("INSERT INTO t VALUES (%s)", [(n,) for n in range(1000, 3000)])
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (2300,)


def test_pipeline_error_skips_to_the_sync(connection: Connection) -> None:
    connection.autocommit = True
    connection.execute("CREATE TABLE t (n int PRIMARY KEY)")

    def insert_in_pipeline(numbers: Sequence[int]) -> None:
        with connection.pipeline() as pipeline:
            for number in numbers:
                connection.execute("INSERT INTO t VALUES (%s)", [number])
            pipeline.sync()

    with pytest.raises(errors.UniqueViolation):
        insert_in_pipeline([1, 1, 2])
    assert connection.execute("SELECT n FROM t").fetchall() == [], (
        "what lies between two Syncs is one transaction"
    )
    with connection.pipeline() as pipeline:
        failing = connection.execute("SELECT 1 / %s", [0])
        with pytest.raises(errors.DivisionByZero):
            failing.fetchone()
        pipeline.sync()
        after = connection.execute("SELECT 'after'")
        assert after.fetchone() == ("after",)
    with connection.pipeline(), connection.transaction():
        connection.execute("INSERT INTO t VALUES (3)")
        with pytest.raises(errors.UniqueViolation), connection.transaction():
            connection.execute("INSERT INTO t VALUES (3)")
        connection.execute("INSERT INTO t VALUES (4)")
    assert connection.execute("SELECT n FROM t ORDER BY n").fetchall() == [(3,), (4,)]


def test_pipeline_with_large_results_does_not_deadlock(connection: Connection) -> None:
    """Both directions are full at once: 200 statements of 20 kB out, 200 results of 200 kB back."""
    text = "x" * 20_000
    with connection.pipeline():
        cursors = [connection.execute("SELECT repeat(%s, 10), %s::int", [text, n]) for n in range(200)]
        for n, cursor in enumerate(cursors):
            row = cursor.fetchone()
            assert row is not None
            assert (len(row[0]), row[1]) == (200_000, n)


def test_server_side_cursors(connection: Connection) -> None:
    connection.execute("CREATE TABLE t AS SELECT n, md5(n::text) AS m FROM generate_series(1, 5000) n")
    with connection.cursor(name="every row", scrollable=True) as cursor:
        cursor.itersize = 333
        cursor.execute("SELECT n, m FROM t WHERE n > %s ORDER BY n", [10])
        assert cursor.fetchmany(5) == [(n, hashlib.md5(str(n).encode()).hexdigest()) for n in range(11, 16)]
        assert sum(1 for _ in cursor) == 4985
        cursor.scroll(0, mode="absolute")
        row = cursor.fetchone()
        assert row is not None
        assert row[0] == 11
    with connection.cursor(name="held", withhold=True) as cursor:
        cursor.execute("SELECT n FROM t ORDER BY n")
        connection.commit()
        assert cursor.fetchmany(2) == [(1,), (2,)]
    with connection.cursor(name="bin", binary=True) as cursor:
        assert cursor.execute("SELECT 7::int8").fetchone() == (7,)


def test_streamed_results(connection: Connection) -> None:
    rows = connection.cursor().stream("SELECT n, repeat('y', 1000) FROM generate_series(1, 30000) n")
    assert all(second[0] == first[0] + 1 for first, second in pairwise(rows))
    stream = connection.cursor().stream("SELECT n, repeat('y', 1000) FROM generate_series(1, 1000000) n")
    assert isinstance(stream, Generator)
    assert next(stream)[0] == 1
    stream.close()
    connection.rollback()
    assert connection.execute("SELECT 1").fetchone() == (1,)
    if psycopg.capabilities.has_stream_chunked():
        chunked = connection.cursor().stream("SELECT generate_series(1, 1000)", size=64)
        assert [row[0] for row in chunked] == list(range(1, 1001))


@pytest.mark.parametrize("binary", [False, True])
def test_copy(connection: Connection, binary: bool) -> None:
    connection.execute("CREATE TABLE t (id int4, at timestamptz, raw bytea, note text)")
    options = sql.SQL("(FORMAT binary)" if binary else "(FORMAT text)")
    start = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    rows = [
        (n, start + datetime.timedelta(seconds=n), bytes([n % 256]) * 40, None if n % 7 else f"\\ {n}\t")
        for n in range(15000)
    ]
    types = ["int4", "timestamptz", "bytea", "text"]
    with connection.cursor() as cursor:
        with cursor.copy(sql.SQL("COPY t FROM STDIN {}").format(options)) as copy:
            if binary:
                copy.set_types(types)
            for row in rows:
                copy.write_row(row)
        assert cursor.rowcount == 15000
        with cursor.copy(sql.SQL("COPY (SELECT * FROM t ORDER BY id) TO STDOUT {}").format(options)) as copy:
            copy.set_types(types)
            assert list(copy.rows()) == rows
        with cursor.copy(sql.SQL("COPY t TO STDOUT {}").format(options)) as copy:
            size = sum(len(block) for block in copy)
        assert size > 15000 * 40


def test_copy_errors(connection: Connection) -> None:
    connection.execute("CREATE TABLE t (n int PRIMARY KEY)")
    connection.commit()
    cursor = connection.cursor()

    def copy_in(lines: Iterable[bytes]) -> None:
        with cursor.copy("COPY t FROM STDIN") as copy:
            for line in lines:
                copy.write(line)

    def broken_source() -> Iterator[bytes]:
        yield b"1\n"
        raise RuntimeError("own mistake")

    with pytest.raises(errors.InvalidTextRepresentation):
        copy_in(b"%d\n" % n if n != 10000 else b"bad\n" for n in range(50000))
    connection.rollback()
    with pytest.raises(RuntimeError, match="own mistake"):
        copy_in(broken_source())
    connection.rollback()
    with (
        pytest.raises(errors.DivisionByZero),
        cursor.copy("COPY (SELECT 1 / (9000 - n) FROM generate_series(1, 10000) n) TO STDOUT") as copy,
    ):
        for _ in copy:
            pass
    connection.rollback()
    assert cursor.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_two_phase_commit(endpoint: Endpoint) -> None:
    with psycopg.connect(endpoint.dsn()) as connection:
        connection.execute("CREATE TABLE t (n int)")
        connection.commit()
        prepared = [
            connection.xid(42, f"{endpoint.kind} {step}", "branch")
            for step in ("commit", "rollback", "recover")
        ]
        for n, xid in enumerate(prepared):
            connection.tpc_begin(xid)
            connection.execute("INSERT INTO t VALUES (%s)", [n])
            connection.tpc_prepare()
            if n == 0:
                connection.tpc_commit()
            elif n == 1:
                connection.tpc_rollback()
            else:
                connection.close()
    with psycopg.connect(endpoint.dsn()) as connection:
        waiting = [xid for xid in connection.tpc_recover() if xid.database == endpoint.dbname]
        assert [xid.gtrid for xid in waiting] == [f"{endpoint.kind} recover"]
        connection.tpc_commit(waiting[0])
        assert connection.execute("SELECT n FROM t ORDER BY n").fetchall() == [(0,), (2,)]


def test_notifies_and_notices(endpoint: Endpoint, direct: Endpoint) -> None:
    with psycopg.connect(endpoint.dsn(), autocommit=True) as connection:
        connection.execute("LISTEN news")
        direct.execute("NOTIFY news, 'first'; NOTIFY news, 'second'")
        heard = [n.payload for n in connection.notifies(timeout=PATIENCE, stop_after=2)]
        assert heard == ["first", "second"]
        messages: list[tuple[str | None, str | None]] = []
        connection.add_notice_handler(
            lambda diagnostic: messages.append((diagnostic.severity, diagnostic.message_primary))
        )
        connection.execute("DO $$ BEGIN RAISE WARNING 'careful'; END $$")
        assert messages == [("WARNING", "careful")]


def test_cancel_safe_from_another_thread(connection: Connection, direct: Endpoint) -> None:
    for cancel in (lambda: connection.cancel_safe(timeout=PATIENCE), connection.cancel):

        def interrupt(cancel: Any = cancel) -> None:
            await_running(direct, "pg_sleep(2000)")
            cancel()

        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(errors.QueryCanceled, match="user request"):
            connection.execute("SELECT pg_sleep(2000)")
        thread.join(PATIENCE)
        connection.rollback()
        assert connection.execute("SELECT 1").fetchone() == (1,)
        connection.rollback()
    connection.execute("SET statement_timeout = '50ms'")
    with pytest.raises(errors.QueryCanceled, match="statement timeout"):
        connection.execute("SELECT pg_sleep(2000)")


def test_parameters_of_the_session(endpoint: Endpoint) -> None:
    with psycopg.connect(
        endpoint.dsn(client_encoding="latin1", application_name="psycopg app")
    ) as connection:
        assert connection.info.parameter_status("application_name") == "psycopg app"
        assert connection.info.encoding == "iso8859-1"
        assert connection.execute("SELECT 'é'").fetchone() == ("é",)
        connection.execute("SET application_name = 'renamed'")
        assert connection.info.parameter_status("application_name") == "renamed"
        assert connection.info.backend_pid == connection.execute("SELECT pg_backend_pid()").fetchone()[0]  # type: ignore[index]


def test_unix_socket(endpoint: Endpoint, direct: Endpoint) -> None:
    with psycopg.connect(endpoint.over_socket().dsn()) as connection:
        assert connection.info.host == endpoint.socket_directory

        def interrupt() -> None:
            await_running(direct, "pg_sleep(2000)")
            connection.cancel_safe(timeout=PATIENCE)

        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(errors.QueryCanceled):
            connection.execute("SELECT pg_sleep(2000)")
        thread.join(PATIENCE)


@pytest.mark.parametrize("binary", [False, True])
def test_reads_of_a_table(readings: Readings, binary: bool) -> None:
    """Outside a block and in one, unprepared and prepared, one at a time and in a pipeline."""
    reads = with_marker("%s")

    def ask(endpoint: Endpoint) -> list[Any]:
        found: list[Any] = []
        with psycopg.connect(endpoint.dsn(), autocommit=True) as connection:
            for prepare in (False, True, True):
                for text, value in reads:
                    cursor = connection.cursor(binary=binary).execute(text, [value], prepare=prepare)
                    assert cursor.description is not None
                    shown = [(column.name, column.type_code) for column in cursor.description]
                    found.append((shown, cursor.fetchall()))
            with connection.transaction():
                for text, value in reads:
                    found.append(connection.cursor(binary=binary).execute(text, [value]).fetchall())
            with connection.pipeline():
                cursors = [connection.cursor(binary=binary).execute(text, [value]) for text, value in reads]
                found += [cursor.fetchall() for cursor in cursors]
            return found

    assert readings.same(ask)
