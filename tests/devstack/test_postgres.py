"""The throw-away PostgreSQL: what it offers, and that it is gone afterwards."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import asyncpg
import pytest

from devstack.errors import DevstackError
from devstack.postgres import PASSWORD, ROLES, PostgresServer, Role, StopMode, start_postgres

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def own_server() -> Iterator[PostgresServer]:
    """A server that these tests may stop and reconfigure."""
    with start_postgres(settings={"max_connections": 30}) as server:
        yield server


def _psql(server: PostgresServer, dsn: str, sql: str) -> subprocess.CompletedProcess[str]:
    """A connection by libpq: it says exactly what it was asked to do, and what the server said to it."""
    return subprocess.run(
        [str(server.pg_bin / "psql"), "-XAt", "-c", sql, dsn],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def _dsn(server: PostgresServer, leg: str, user: str, password: str | None = None) -> str:
    if leg == "socket":
        return server.socket_dsn("postgres", user, password)
    if leg == "tls":
        root = str(server.certificates.ca)
        return server.dsn("postgres", user, password, sslmode="verify-full", sslrootcert=root)
    return server.dsn("postgres", user, password, sslmode="disable")


async def _fetch(dsn: str, sql: str) -> object:
    connection = await asyncpg.connect(dsn, ssl=False)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("wal_level", "logical"),
        ("max_connections", "400"),
        ("max_prepared_transactions", "20"),
        ("ssl", "on"),
        ("server_encoding", "UTF8"),
    ],
)
async def test_settings(postgres: PostgresServer, name: str, value: str) -> None:
    assert await _fetch(postgres.dsn(), f"show {name}") == value


@pytest.mark.parametrize("leg", ["tcp", "tls", "socket"])
@pytest.mark.parametrize(
    "role", [role for role in ROLES if role.connection == "host"], ids=lambda role: role.name
)
def test_every_password_method(postgres: PostgresServer, role: Role, leg: str) -> None:
    def attempt(password: str) -> subprocess.CompletedProcess[str]:
        dsn = _dsn(postgres, leg, role.name, password)
        return _psql(postgres, dsn, "select current_user")

    assert attempt(PASSWORD).stdout == f"{role.name}\n"
    wrong = attempt("wrong")
    if role.method == "trust":
        assert wrong.returncode == 0
    else:
        assert "password authentication failed" in wrong.stderr


def test_role_that_needs_tls(postgres: PostgresServer) -> None:
    def attempt(leg: str) -> subprocess.CompletedProcess[str]:
        dsn = _dsn(postgres, leg, "causeway_ssl", PASSWORD)
        return _psql(postgres, dsn, "select current_user")

    assert attempt("tls").stdout == "causeway_ssl\n"
    assert "rejects connection" in attempt("tcp").stderr


def test_role_that_needs_a_client_certificate(postgres: PostgresServer) -> None:
    def attempt(*parameters: str) -> subprocess.CompletedProcess[str]:
        dsn = "&".join([_dsn(postgres, "tls", "causeway_cert"), *parameters])
        return _psql(postgres, dsn, "select current_user")

    client = postgres.certificates.client
    assert attempt(f"sslcert={client.cert}", f"sslkey={client.key}").stdout == "causeway_cert\n"
    assert "requires a valid client certificate" in attempt().stderr


async def test_any_role_creates_tables_in_a_new_database(postgres: PostgresServer, database: str) -> None:
    connection = await asyncpg.connect(postgres.dsn(database, "causeway_scram", PASSWORD))
    try:
        await connection.execute("create table t (id int primary key)")
        assert await connection.fetchval("select count(*) from t") == 0
    finally:
        await connection.close()


def test_database_is_dropped(postgres: PostgresServer) -> None:
    with postgres.database() as name:
        assert postgres.psql("select current_database()", name) == name
    assert postgres.psql(f"select count(*) from pg_database where datname = '{name}'") == "0"


def test_psql_reports_an_error(postgres: PostgresServer) -> None:
    with pytest.raises(DevstackError, match="division by zero"):
        postgres.psql("select 1/0")


@pytest.mark.parametrize("replication", ["database", "true"])
def test_replication_connection(postgres: PostgresServer, replication: str) -> None:
    dsn = postgres.dsn("postgres", "causeway_scram", PASSWORD, replication=replication)
    done = _psql(postgres, dsn, "IDENTIFY_SYSTEM")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("|postgres\n" if replication == "database" else "|\n")


def test_settings_given_at_start(own_server: PostgresServer) -> None:
    assert own_server.psql("show max_connections") == "30"


def test_conf_reloads_and_none_takes_back(own_server: PostgresServer) -> None:
    own_server.conf(work_mem="7MB", application_name="it's quoted")
    assert own_server.psql("show work_mem") == "7MB"
    own_server.conf(work_mem=None)
    assert own_server.psql("show work_mem") == "4MB"


@pytest.mark.parametrize("mode", ["smart", "fast", "immediate"])
async def test_stop_and_start_keep_port_and_data(own_server: PostgresServer, mode: StopMode) -> None:
    table = f"kept_{mode}"
    own_server.psql(f"create table {table} as select 1 as a; checkpoint")
    own_server.stop(mode)
    assert not own_server.running
    assert own_server.pid is None
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncpg.connect(own_server.dsn())
    own_server.start()
    assert own_server.psql(f"select count(*) from {table}") == "1"


def test_a_server_that_cannot_start_says_why() -> None:
    with (
        pytest.raises(DevstackError, match="no_such_setting"),
        start_postgres(settings={"no_such_setting": 1}),
    ):
        pass


def test_everything_is_deleted_at_the_end() -> None:
    with start_postgres() as server:
        base = server.data_dir.parent
        assert base.is_dir()
    assert not base.exists()


def test_dsn_quotes_what_needs_it(postgres: PostgresServer) -> None:
    assert (
        postgres.dsn("a/b", "me@x", "p:w", host="::1", port=1, sslmode="require")
        == "postgresql://me%40x:p%3Aw@[::1]:1/a%2Fb?sslmode=require"
    )
