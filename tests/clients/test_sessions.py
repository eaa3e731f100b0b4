"""Who connects, where to, and how: a session's start and end arrive as sent and are answered by PostgreSQL."""

from __future__ import annotations

import concurrent.futures
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import asyncpg
import psycopg
import pytest
from psycopg import errors, sql

from devstack.postgres import PASSWORD, ROLES
from tests.clients.endpoint import PATIENCE, Endpoint, await_row
from tests.clients.programs import PostgresPrograms, run

pytestmark = pytest.mark.integration

PASSWORD_ROLES = [role.name for role in ROLES if role.connection == "host"]
"""Roles that a password (or nothing at all) lets in without TLS."""


def refusal(endpoint: Endpoint, **overrides: Any) -> str:
    """What libpq says of a connection that must be refused, without the address."""
    with pytest.raises(psycopg.OperationalError) as caught:
        psycopg.connect(endpoint.dsn(**overrides)).close()
    return re.sub(
        r'(connection to server at|connection to server on socket) "[^"]*"(, port \d+)?',
        "",
        str(caught.value),
    )


async def refusal_fields(endpoint: Endpoint, **overrides: Any) -> tuple[type[BaseException], dict[str, Any]]:
    """The error as asyncpg decodes it: every field of the ErrorResponse."""
    chosen = endpoint.parameters(**overrides)
    with pytest.raises(asyncpg.PostgresError) as caught:
        await asyncpg.connect(
            host=chosen["host"],
            port=chosen["port"],
            user=chosen["user"],
            password=chosen["password"],
            database=chosen["dbname"],
            server_settings=chosen.get("settings"),
            ssl=False,
        )
    return type(caught.value), caught.value.as_dict()


@pytest.mark.parametrize("role", PASSWORD_ROLES)
@pytest.mark.parametrize("path", ["tcp", "socket"])
def test_each_authentication_method(endpoint: Endpoint, role: str, path: str) -> None:
    way = endpoint if path == "tcp" else endpoint.over_socket()
    with psycopg.connect(way.dsn(user=role, password=PASSWORD)) as connection:
        assert connection.execute("SELECT session_user, current_user").fetchone() == (role, role)
    if role == "causeway_trust":
        psycopg.connect(way.dsn(user=role, password="ignored")).close()
    else:
        assert f'password authentication failed for user "{role}"' in refusal(
            way, user=role, password="wrong"
        )
        assert "no password supplied" in refusal(way, user=role, password=None, passfile="/nonexistent")


@pytest.mark.parametrize(
    "overrides",
    [
        {"password": "wrong"},
        {"user": "causeway_md5", "password": "wrong"},
        {"user": "causeway_password", "password": "wrong"},
        {"user": "nobody of that name", "password": "x"},
        {"dbname": "no such database é"},
        {"settings": {"work_mem": "plenty"}},
        {"settings": {"no_such_setting": "1"}},
        {"settings": {"client_encoding": "MARTIAN"}},
        {"settings": {"options": "-c work_mem=lots"}},
        {"settings": {"options": "--no-such-switch"}},
        {"settings": {"replication": "perhaps"}},
    ],
    ids=str,
)
async def test_refusals_are_those_of_postgres(
    endpoint: Endpoint, direct: Endpoint, overrides: dict[str, Any]
) -> None:
    """Unknown roles and settings of the wrong kind: type, SQLSTATE, message, detail, hint and source line alike."""
    expected = await refusal_fields(direct, **overrides)
    assert await refusal_fields(endpoint, **overrides) == expected
    if "settings" not in overrides:
        assert refusal(endpoint, **overrides) == refusal(direct, **overrides)


def test_connection_limits_are_those_of_postgres(
    endpoint: Endpoint, direct: Endpoint, superuser: Endpoint
) -> None:
    limit = sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}")
    with superuser.connect() as admin, psycopg.connect(endpoint.dsn()):
        admin.execute(limit.format(sql.Identifier(direct.dbname), sql.Literal(1)))
        expected = refusal(direct)
        assert refusal(endpoint) == expected
        assert "too many connections for database" in expected
        admin.execute(limit.format(sql.Identifier(direct.dbname), sql.Literal(-1)))


@pytest.fixture
def three_databases(superuser: Endpoint) -> Iterator[list[str]]:
    names = [f"branch {letter}" for letter in "äbc"]
    with superuser.connect() as connection:
        for name in names:
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
    yield names
    with superuser.connect() as connection:
        for name in names:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def test_many_databases_and_users_at_once(
    endpoint: Endpoint, superuser: Endpoint, three_databases: list[str]
) -> None:
    """Sessions of every role in every database, all open at the same time: nobody sees another's."""

    def session(database: str, role: str, number: int) -> tuple[Any, ...]:
        with psycopg.connect(
            endpoint.dsn(dbname=database, user=role, password=PASSWORD, application_name=f"app {number}"),
            autocommit=True,
        ) as connection:
            connection.execute("CREATE TEMPORARY TABLE mine AS SELECT %s::int AS n", [number])
            everybody.wait(PATIENCE)
            statement = (
                "SELECT current_database(), current_user, current_setting('application_name'), n FROM mine"
            )
            seen = {tuple(connection.execute(statement).fetchall()) for _ in range(20)}
        ((row,),) = seen
        return row

    combinations = [(database, role) for database in three_databases for role in PASSWORD_ROLES] * 2
    everybody = threading.Barrier(len(combinations))
    with concurrent.futures.ThreadPoolExecutor(len(combinations)) as executor:
        sessions = [executor.submit(session, *both, number) for number, both in enumerate(combinations)]
        seen = [future.result(PATIENCE * 2) for future in sessions]
    assert seen == [(database, role, f"app {n}", n) for n, (database, role) in enumerate(combinations)]


@pytest.mark.parametrize("name", ["shop", "with 'quotes' and \\ and spaces", "é", "x" * 100, ""])
def test_application_name_arrives_as_sent(endpoint: Endpoint, direct: Endpoint, name: str) -> None:
    def seen(way: Endpoint) -> tuple[Any, ...]:
        with psycopg.connect(way.dsn(application_name=name)) as connection:
            shown = connection.execute("SHOW application_name").fetchone()
            pid = connection.info.backend_pid
            watched = direct.query("SELECT application_name FROM pg_stat_activity WHERE pid = %s", pid)
            return shown, watched, connection.info.parameter_status("application_name")

    assert seen(endpoint) == seen(direct)
    if name == "shop":
        assert seen(endpoint) == (("shop",), [("shop",)], "shop")


def test_startup_parameters(endpoint: Endpoint, programs: PostgresPrograms) -> None:
    options = (
        r"-c search_path=sales\,\ east,public -c statement_timeout=1234ms --work_mem=4321kB -c my.own=a\ b"
    )
    with psycopg.connect(endpoint.dsn(options=options, client_encoding="LATIN1")) as connection:
        settings = [
            connection.execute(f"SHOW {n}").fetchone()
            for n in ("search_path", "statement_timeout", "work_mem", "my.own")
        ]
        assert settings == [("sales, east,public",), ("1234ms",), ("4321kB",), ("a b",)]
        assert connection.info.parameter_status("client_encoding") == "LATIN1"
    environment = endpoint.environment(
        options="-c geqo=off", client_encoding="SJIS", application_name="env é"
    )
    psql = programs["psql"]
    environment |= {"PGDATESTYLE": "German", "PGTZ": "Asia/Kathmandu", "PGGEQO": "off"}
    command = [
        psql,
        "-XAt",
        "-c",
        "SHOW client_encoding",
        "-c",
        "SHOW DateStyle",
        "-c",
        "SHOW TimeZone",
        "-c",
        "SHOW geqo",
    ]
    assert run(command, environment).stdout == "SJIS\nGerman, DMY\nAsia/Kathmandu\noff\n"


async def test_unusual_startup_parameters(endpoint: Endpoint) -> None:
    """Any setting may stand in a StartupMessage, in any letter case, in numbers, with long values."""
    settings = {f"test.setting_{n}": "v" * n for n in range(1, 60)} | {
        "INTERVALSTYLE": "iso_8601",
        "row_security": "off",
    }
    connection = await asyncpg.connect(
        host=endpoint.host,
        port=endpoint.port,
        user=endpoint.user,
        password=endpoint.password,
        database=endpoint.dbname,
        ssl=False,
        server_settings=settings,
    )
    for name in ("test.setting_1", "test.setting_59", "intervalstyle"):
        expected = settings.get(name, settings["INTERVALSTYLE"])
        assert await connection.fetchval("SELECT current_setting($1)", name) == expected
    await connection.close()


def test_role_and_database_settings_apply(endpoint: Endpoint, superuser: Endpoint) -> None:
    with superuser.connect() as admin:
        statement = sql.SQL("ALTER DATABASE {} SET lock_timeout = '77s'").format(
            sql.Identifier(endpoint.dbname)
        )
        admin.execute(statement)
    assert endpoint.query("SHOW lock_timeout") == [("77s",)]


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"])
def test_tls_modes_of_libpq(endpoint: Endpoint, mode: str) -> None:
    """`channel_binding=disable`: behind TLS on both legs a proxy cannot pass channel binding through."""
    dsn = endpoint.dsn(sslmode=mode, sslrootcert=endpoint.root_certificate, channel_binding="disable")
    with psycopg.connect(dsn) as connection:
        assert connection.pgconn.ssl_in_use == (mode not in ("disable", "allow"))
        assert connection.execute("SELECT length(%s)", ["x" * 3_000_000]).fetchone() == (3_000_000,)
        thread = threading.Timer(0.2, connection.cancel_safe)
        thread.start()
        with pytest.raises(errors.QueryCanceled):
            connection.execute("SELECT pg_sleep(%s)", [PATIENCE])
        thread.join()


def test_direct_tls_and_newer_protocol(endpoint: Endpoint, superuser: Endpoint) -> None:
    version = superuser.query("SHOW server_version_num")
    server = int(version[0][0])
    if psycopg.pq.version() < 170000:
        pytest.skip("sslnegotiation came with libpq 17")
    if endpoint.kind == "proxy" or server >= 170000:
        way = {"sslmode": "verify-full", "sslrootcert": endpoint.root_certificate, "sslnegotiation": "direct"}
        with psycopg.connect(endpoint.dsn(channel_binding="disable", **way)) as connection:
            assert connection.pgconn.ssl_in_use
    if psycopg.pq.version() >= 180000:
        with psycopg.connect(endpoint.dsn(max_protocol_version="latest")) as connection:
            assert connection.pgconn.protocol_version == 3
            thread = threading.Timer(0.2, connection.cancel_safe)
            thread.start()
            with pytest.raises(errors.QueryCanceled):
                connection.execute("SELECT pg_sleep(%s)", [PATIENCE])
            thread.join()


def test_session_state_is_the_sessions_own(endpoint: Endpoint) -> None:
    with (
        psycopg.connect(endpoint.dsn(), autocommit=True) as first,
        psycopg.connect(endpoint.dsn(), autocommit=True) as second,
    ):
        first.execute("SET TimeZone = 'Asia/Tokyo'; CREATE TEMP TABLE t (n int); PREPARE p AS SELECT 1")
        assert first.execute("SELECT pg_try_advisory_lock(1)").fetchone() == (True,)
        assert second.execute("SELECT pg_try_advisory_lock(1)").fetchone() == (False,)
        assert second.execute("SHOW TimeZone").fetchone() != ("Asia/Tokyo",)
        with pytest.raises(errors.UndefinedTable):
            second.execute("SELECT * FROM pg_temp.t")
        with pytest.raises(errors.InvalidSqlStatementName):
            second.execute("EXECUTE p")
        first.execute("DISCARD ALL")
        with pytest.raises(errors.InvalidSqlStatementName):
            first.execute("EXECUTE p")
        assert second.execute("SELECT pg_try_advisory_lock(1)").fetchone() == (True,)
    with psycopg.connect(endpoint.dsn(), autocommit=True) as third:
        await_row(endpoint, "SELECT 1 WHERE pg_try_advisory_lock(1)", {})
        assert third.execute("SELECT 1").fetchone() == (1,)


def test_killed_client_releases_its_locks(endpoint: Endpoint, direct: Endpoint) -> None:
    """A client that dies without a Terminate, in mid-transaction: the server must notice at once."""
    direct.execute("CREATE TABLE t (n int); INSERT INTO t VALUES (1)")
    program = (
        "import psycopg, sys, time\n"
        "connection = psycopg.connect(sys.argv[1])\n"
        "connection.execute('UPDATE t SET n = 2')\n"
        "print('locked', flush=True)\n"
        "time.sleep(1000)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, endpoint.dsn()], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        process.send_signal(signal.SIGKILL)
    with direct.connect(options=f"-c lock_timeout={int(PATIENCE)}s") as connection:
        connection.execute("UPDATE t SET n = 3")


def test_server_ends_an_idle_session(endpoint: Endpoint, direct: Endpoint) -> None:
    """What PostgreSQL says to an idle client must be there when the client next looks."""
    with psycopg.connect(endpoint.dsn(options="-c idle_in_transaction_session_timeout=50ms")) as connection:
        connection.execute("SELECT 1")
        await_row(
            direct,
            "SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = %(pid)s)",
            {"pid": connection.info.backend_pid},
        )
        with pytest.raises(errors.IdleInTransactionSessionTimeout):
            connection.execute("SELECT 2")
        assert connection.broken


def test_several_hosts_and_session_attributes(endpoint: Endpoint) -> None:
    """libpq tries the hosts in turn and asks each what it is (`SHOW transaction_read_only`, or ParameterStatus)."""
    hosts = {"host": f"{endpoint.host},{endpoint.host}", "port": f"1,{endpoint.port}"}
    for attributes in ("any", "read-write", "primary", "prefer-standby"):
        with psycopg.connect(endpoint.dsn(target_session_attrs=attributes, **hosts)) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    assert "session is not read-only" in refusal(endpoint, target_session_attrs="read-only")
    assert "server is not in hot standby mode" in refusal(endpoint, target_session_attrs="standby")


def test_connections_come_and_go(endpoint: Endpoint) -> None:
    """A CGI-like application: a connection for each request, some without a query, some left without a goodbye."""

    def request(n: int) -> int:
        with psycopg.connect(endpoint.dsn(user="causeway_trust"), autocommit=True) as connection:
            if n % 3 == 0:
                return n
            row = connection.execute("SELECT %s::int", [n]).fetchone()
            assert row is not None
            return int(row[0])

    with concurrent.futures.ThreadPoolExecutor(8) as executor:
        assert list(executor.map(request, range(160))) == list(range(160))


def test_pg_isready(endpoint: Endpoint, programs: PostgresPrograms) -> None:
    program = programs["pg_isready"]
    for way in (endpoint, endpoint.over_socket()):
        assert run([program], way.environment()).stdout.endswith("accepting connections\n")
