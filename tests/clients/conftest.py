"""Real clients, run unchanged: each test proves itself against PostgreSQL and then holds for the proxy.

`endpoint` is a fresh database reached either straight (`direct`), through a running proxy (`proxy`), or through one
that mirrors every table (`dual_write`) or serves their reads (`primary_switch`). By default `proxy` runs, and of the
others the modules of REPRESENTATIVE and SERVED; `CAUSEWAY_TEST_DUAL_WRITE=all` and
`CAUSEWAY_TEST_PRIMARY_SWITCH=all`, as in CI, run all of them. `CAUSEWAY_TEST_DIRECT=1` adds `direct`, which shows
that a test's expectation is PostgreSQL's own behaviour; run it whenever a test here is written or changed:

    CAUSEWAY_TEST_DIRECT=1 pytest tests/clients

After each test its database must be free of connections within `PATIENCE`: a client that is gone may not leave a
server connection behind. A client that is not installed skips its tests with the command that installs it; with
`CI=true` it fails them.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, cast

import pytest
from psycopg import sql

from devstack.document_store import start_document_store
from devstack.postgres import PASSWORD, PostgresServer
from proxy.addresses import TcpAddress
from proxy.admin.client import fetch_status
from proxy.admin.status import Status
from proxy.names import quote_identifier
from tests.clients.endpoint import Endpoint, Kind, NeverHappened, await_row
from tests.clients.programs import PostgresPrograms
from tests.clients.reading import MAKE, ROWS, Readings
from tests.clients.ruled import ANCHOR, ruled_tables
from tests.support.proxy import ProxyProcess
from tests.support.shares import note_reads, reads_of
from tests.support.waiting import eventually

_numbers = count(1)

ROLE = "causeway_scram"
"""The applications' role: no superuser; every connection of this matrix authenticates with SCRAM-SHA-256."""


REPRESENTATIVE = frozenset({"test_asyncpg", "test_psycopg", "test_pgbench", "test_sqlalchemy"})
"""Simple and extended protocol, text and binary, pipelines, COPY, an ORM."""
SERVED = frozenset({"test_asyncpg", "test_psycopg"})
"""The same of clients whose reads are served."""

MIRRORING = ("dual_write", "primary_switch")

FEW = 100
"""Reads of which the store need not have answered any: where only some of the tests are run."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "endpoint_kind" in metafunc.fixturenames:
        kinds = ["proxy"]
        module = metafunc.module.__name__.rpartition(".")[2]
        if module in REPRESENTATIVE or os.environ.get("CAUSEWAY_TEST_DUAL_WRITE") == "all":
            kinds.append("dual_write")
        if module in SERVED or os.environ.get("CAUSEWAY_TEST_PRIMARY_SWITCH") == "all":
            kinds.append("primary_switch")
        if os.environ.get("CAUSEWAY_TEST_DIRECT") == "1":
            kinds.insert(0, "direct")
        metafunc.parametrize("endpoint_kind", kinds, scope="session")


@pytest.fixture(scope="session")
def superuser(postgres: PostgresServer) -> Endpoint:
    """Straight to the source as its superuser: prepares databases, looks behind the scenes."""
    source = Endpoint(
        kind="direct",
        host=postgres.host,
        port=postgres.port,
        user="postgres",
        password="",
        dbname="postgres",
        socket_directory=str(postgres.socket_dir),
        socket_port=postgres.port,
        root_certificate=str(postgres.certificates.ca),
    )
    source.execute(f"GRANT pg_read_all_stats TO {ROLE}")
    return source


@pytest.fixture(scope="session")
def programs(postgres: PostgresServer) -> PostgresPrograms:
    """psql and its relatives, of the source's own version: pg_dump refuses a newer server."""
    return PostgresPrograms(postgres.pg_bin)


@pytest.fixture
def fresh_database(
    request: pytest.FixtureRequest, superuser: Endpoint, postgres: PostgresServer
) -> Iterator[str]:
    """A new database owned by the role, dropped at the end, when nobody may be connected to it any more."""
    kind = request.node.callspec.params.get("endpoint_kind") if hasattr(request.node, "callspec") else None
    # MongoDB has no databases with spaces in their names.
    name = f"clients{'-é-' if kind in MIRRORING else ' é '}{next(_numbers)}"
    create = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0").format(
        sql.Identifier(name), sql.Identifier(ROLE)
    )
    if postgres.major >= 15:
        create += sql.SQL(" STRATEGY file_copy")
    with superuser.connect() as connection:
        connection.execute(create)
    if kind in MIRRORING:
        with superuser.connect(dbname=name, user=ROLE, password=PASSWORD) as connection:
            connection.execute(ANCHOR)
    yield name
    try:
        await_row(
            superuser,
            "SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = %(name)s"
            " AND application_name NOT IN ('causeway', 'causeway shadow'))",
            {"name": name},
        )
        if kind in MIRRORING:
            assert unruled(superuser, name) == []
    except NeverHappened:
        left = superuser.query(
            "SELECT pid, application_name, state, query FROM pg_stat_activity WHERE datname = %s", name
        )
        pytest.fail(f"the test left connections behind: {left}", pytrace=False)
    finally:
        with superuser.connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def unruled(superuser: Endpoint, database: str) -> list[str]:
    """Tables that the test has made and no rule names."""
    with superuser.connect(dbname=database) as connection:
        found = connection.execute(
            "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND NOT c.relispartition"
            " AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"
        ).fetchall()
    ruled = ruled_tables()
    return [f"{schema}.{name}" for schema, name in found if f"{schema}.{name}" not in ruled]


@pytest.fixture
def direct(superuser: Endpoint, fresh_database: str) -> Endpoint:
    """The fresh database, straight, whatever the variant: for what a test observes behind the client's back."""
    return replace(superuser, user=ROLE, password=PASSWORD, dbname=fresh_database)


@pytest.fixture(scope="session")
def proxy_endpoint(
    postgres: PostgresServer, superuser: Endpoint, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Endpoint]:
    """One proxy in a process of its own, as an operator starts it: TCP, a Unix socket, TLS for those who ask.

    The server has TLS on, so the proxy's own leg is encrypted whatever the client's is. At the end it must stop of
    itself, and may have written neither a warning nor an error.
    """
    with running_proxy(postgres, "tables: {}\n", tmp_path_factory.mktemp("proxy")) as (proxy, directory):
        yield reached(superuser, proxy, directory, "proxy")
    assert complaints(proxy.log) == []


@pytest.fixture(scope="session")
def dual_write_endpoint(
    postgres: PostgresServer,
    superuser: Endpoint,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Endpoint]:
    """As `proxy_endpoint`, with a rule for every table that any test makes, `durability: strict` and a document store.

    It lives as long as the session, so its store is its own: in that of other tests it would be one of their fleet,
    which mirrors none of their tables.

    Tables come after the rules, and go without them: what the proxy says of that is no complaint.
    """
    with mirroring_proxy(postgres, "dual_write", tmp_path_factory) as (proxy, directory):
        yield reached(superuser, proxy, directory, "dual_write")
        captured = captured_rows(proxy)
        print(f"rows captured: {captured}")
    assert captured > 0


class ServingProxy:
    """A proxy that serves reads, and those of them that somebody has asked for already."""

    def __init__(self, proxy: ProxyProcess, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._proxy = proxy
        self._told: Counter[str] = Counter()

    def reads(self) -> Counter[str]:
        """Since this was asked last: see `reads_of`."""
        told, self._told = self._told, reads_of(status_of(self._proxy).serving)
        return self._told - told

    def all_reads(self) -> Counter[str]:
        return reads_of(status_of(self._proxy).serving)

    def of(self, database: str) -> tuple[int, int]:
        """Reads of one database, by the store and by PostgreSQL."""
        serving = status_of(self._proxy).serving
        tables = [] if serving is None else [one for one in serving.tables if one.database == database]
        return sum(one.store for one in tables), sum(one.postgres for one in tables)


@pytest.fixture(scope="module")
def serving_proxy(
    postgres: PostgresServer,
    superuser: Endpoint,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ServingProxy]:
    """As `dual_write_endpoint`, with every table's reads served: forced past gates, for no history needs copying.

    One for each file: a proxy looks after every database that it has seen, and each test has one of its own.
    """
    with mirroring_proxy(postgres, "primary_switch", tmp_path_factory) as (proxy, directory):
        serving = ServingProxy(proxy, reached(superuser, proxy, directory, "primary_switch"))
        yield serving
        found = serving.all_reads()
    assert found["store"] > 0 or found.total() < FEW


@pytest.fixture
def primary_switch_endpoint(
    request: pytest.FixtureRequest, serving_proxy: ServingProxy
) -> Iterator[Endpoint]:
    """Its reads are those of the test's suite: the file without its prefix."""
    yield serving_proxy.endpoint
    note_reads(request.node, request.node.path.stem.removeprefix("test_"), serving_proxy.reads())


@contextmanager
def mirroring_proxy(
    postgres: PostgresServer, phase: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ProxyProcess, str]]:
    """A proxy with a store of its own and a rule for every table that any test makes."""
    tables = "".join(
        f"  '{quote_identifier(schema)}.{quote_identifier(table)}': {{force: true}}\n"
        for schema, _, table in (name.partition(".") for name in sorted(ruled_tables()))
    )
    with (
        start_document_store() as store,
        running_proxy(
            postgres,
            f"defaults: {{phase: {phase}}}\ntables:\n{tables}",
            tmp_path_factory.mktemp(phase.replace("_", "-")),
            control_dsn=postgres.dsn(),
            store=store.uri,
            spool=tmp_path_factory.mktemp("spool"),
            catalogue_interval="200ms",
        ) as (proxy, directory),
    ):
        yield proxy, directory
    assert [line for line in complaints(proxy.log) if json.loads(line)["event"] not in EXPECTED_EVENTS] == []


EXPECTED_EVENTS = frozenset(
    {
        *("catalogue_unavailable", "events_left_out", "gap_opened", "reread_failed", "table_not_mirrored"),
        *("table_mirrored", "table_not_looked_at", "table_phase"),
    }
)
"""reread_failed, table_not_looked_at: the test's database was dropped meanwhile. table_mirrored and table_phase: the
rules force them."""


def captured_rows(proxy: ProxyProcess) -> int:
    return sum(table.mirror.captured for table in status_of(proxy).tables if table.mirror is not None)


def status_of(proxy: ProxyProcess) -> Status:
    assert proxy.admin is not None
    host, _, port = proxy.admin.rpartition(":")
    return fetch_status(TcpAddress(host, int(port)))


@contextmanager
def running_proxy(
    postgres: PostgresServer, rules: str, directory: Path, **settings: Any
) -> Iterator[tuple[ProxyProcess, str]]:
    """The process, and the directory of its Unix socket; it must stop of itself."""
    (directory / "rules.yaml").write_text(rules, encoding="utf-8")
    sockets = tempfile.mkdtemp(prefix="causeway-clients-")
    proxy = ProxyProcess(
        upstream=f"{postgres.host}:{postgres.port}",
        listen=f"127.0.0.1:0,unix:{sockets}/.s.PGSQL.6432",
        admin="127.0.0.1:0",
        rules=directory / "rules.yaml",
        tls_cert=postgres.certificates.proxy.cert,
        tls_key=postgres.certificates.proxy.key,
        **settings,
    )
    try:
        proxy.start()
        yield proxy, sockets
    finally:
        status = proxy.stop()
        shutil.rmtree(sockets)
    assert status == 0, "\n".join(proxy.log[-50:])


def reached(superuser: Endpoint, proxy: ProxyProcess, sockets: str, kind: Kind) -> Endpoint:
    return replace(
        superuser, kind=kind, host=proxy.host, port=proxy.port, socket_directory=sockets, socket_port=6432
    )


def complaints(log: list[str]) -> list[str]:
    """Lines that are no log events, and events of level warning and above."""
    found = []
    for line in log:
        try:
            level = json.loads(line)["level"]
        except (ValueError, KeyError):
            found.append(line)
            continue
        if level not in ("debug", "info"):
            found.append(line)
    return found


@pytest.fixture
def endpoint(request: pytest.FixtureRequest, endpoint_kind: Kind, direct: Endpoint) -> Endpoint:
    """The fresh database, as this variant's client reaches it."""
    if endpoint_kind == "direct":
        return direct
    running = cast("Endpoint", request.getfixturevalue(f"{endpoint_kind}_endpoint"))
    return replace(running, user=direct.user, password=direct.password, dbname=direct.dbname)


@pytest.fixture
def readings(request: pytest.FixtureRequest, endpoint: Endpoint, direct: Endpoint) -> Iterator[Readings]:
    """A table to be read, at rest; where its reads are served, the store must have answered most of them."""
    for statement in MAKE:
        endpoint.execute(statement)
    found = Readings(endpoint, direct)
    if endpoint.kind != "primary_switch":
        yield found
        return
    serving: ServingProxy = request.getfixturevalue("serving_proxy")
    with endpoint.connect() as connection:

        def served() -> bool:
            """The table's phase is another one moments after it has come to be."""
            before, _ = serving.of(endpoint.dbname)
            row = connection.execute("SELECT count(*) FROM readings").fetchone()
            return row == (ROWS + 1,) and serving.of(endpoint.dbname)[0] > before

        eventually(served)
    store, postgres = serving.of(endpoint.dbname)
    yield found
    by_store, by_postgres = serving.of(endpoint.dbname)
    assert by_store - store > by_postgres - postgres, serving.all_reads()
