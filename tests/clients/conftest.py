"""Real clients, run unchanged: each test proves itself against PostgreSQL and then holds for the proxy.

`endpoint` is a fresh database reached either straight (`direct`) or through a running proxy (`proxy`). By default
only `proxy` runs. `CAUSEWAY_TEST_DIRECT=1` adds `direct`, which shows that a test's expectation is PostgreSQL's own
behaviour; run it whenever a test here is written or changed:

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
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import cast

import pytest
from psycopg import sql

from devstack.postgres import PASSWORD, PostgresServer
from tests.clients.endpoint import Endpoint, Kind, NeverHappened, await_row
from tests.clients.programs import PostgresPrograms
from tests.support.proxy import ProxyProcess

_numbers = count(1)

ROLE = "causeway_scram"
"""The applications' role: no superuser; every connection of this matrix authenticates with SCRAM-SHA-256."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "endpoint_kind" in metafunc.fixturenames:
        kinds = ["direct", "proxy"] if os.environ.get("CAUSEWAY_TEST_DIRECT") == "1" else ["proxy"]
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
def fresh_database(superuser: Endpoint, postgres: PostgresServer) -> Iterator[str]:
    """A new database owned by the role, dropped at the end, when nobody may be connected to it any more."""
    name = f"clients é {next(_numbers)}"
    create = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0").format(
        sql.Identifier(name), sql.Identifier(ROLE)
    )
    if postgres.major >= 15:
        create += sql.SQL(" STRATEGY file_copy")
    with superuser.connect() as connection:
        connection.execute(create)
    yield name
    try:
        await_row(
            superuser,
            "SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = %(name)s)",
            {"name": name},
        )
    except NeverHappened:
        left = superuser.query(
            "SELECT pid, application_name, state, query FROM pg_stat_activity WHERE datname = %s", name
        )
        pytest.fail(f"the test left connections behind: {left}", pytrace=False)
    finally:
        with superuser.connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


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
    directory = Path(tempfile.mkdtemp(prefix="causeway-clients-"))
    rules = tmp_path_factory.mktemp("rules") / "rules.yaml"
    rules.write_text("tables: {}\n", encoding="utf-8")
    proxy = ProxyProcess(
        upstream=f"{postgres.host}:{postgres.port}",
        listen=f"127.0.0.1:0,unix:{directory}/.s.PGSQL.6432",
        admin="127.0.0.1:0",
        rules=rules,
        tls_cert=postgres.certificates.proxy.cert,
        tls_key=postgres.certificates.proxy.key,
    )
    try:
        proxy.start()
        yield replace(
            superuser,
            kind="proxy",
            host=proxy.host,
            port=proxy.port,
            socket_directory=str(directory),
            socket_port=6432,
        )
    finally:
        status = proxy.stop()
        shutil.rmtree(directory)
    assert status == 0, "\n".join(proxy.log)
    assert complaints(proxy.log) == []


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
    running = cast("Endpoint", request.getfixturevalue("proxy_endpoint"))
    return replace(running, user=direct.user, password=direct.password, dbname=direct.dbname)
