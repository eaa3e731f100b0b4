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

import os
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import cast

import pytest
from psycopg import sql

from devstack.fixtures import postgres
from devstack.postgres import PASSWORD, PostgresServer
from tests.clients.endpoint import Endpoint, Kind, NeverHappened, await_row

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
    source.execute(f"GRANT pg_read_all_stats TO {ROLE}")  # type: ignore[arg-type]
    return source


@pytest.fixture
def fresh_database(superuser: Endpoint, postgres: PostgresServer) -> Iterator[str]:
    """A new database owned by the role, dropped at the end, when nobody may be connected to it any more."""
    name = f"clients é {next(_numbers)}"
    create = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0").format(sql.Identifier(name), sql.Identifier(ROLE))
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
        left = superuser.query("SELECT pid, application_name, state, query FROM pg_stat_activity WHERE datname = %s", name)
        pytest.fail(f"the test left connections behind: {left}", pytrace=False)
    finally:
        with superuser.connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def direct(superuser: Endpoint, fresh_database: str) -> Endpoint:
    """The fresh database, straight, whatever the variant: for what a test observes behind the client's back."""
    return replace(superuser, user=ROLE, password=PASSWORD, dbname=fresh_database)


@pytest.fixture
def endpoint(request: pytest.FixtureRequest, endpoint_kind: Kind, direct: Endpoint) -> Endpoint:
    """The fresh database, as this variant's client reaches it."""
    if endpoint_kind == "direct":
        return direct
    running = cast("Endpoint", request.getfixturevalue("proxy_endpoint"))
    return replace(running, user=direct.user, password=direct.password, dbname=direct.dbname)


__all__ = ["postgres"]
