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

import psycopg
import pytest
from psycopg import sql

from tests.clients.endpoint import Endpoint, Kind, await_row

_numbers = count(1)

ROLE = "clients_app"
PASSWORD = "it's 50% \"quoted\" & spaced"
"""Needs quoting in a connection string and escaping in a URL, as real secrets do."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "endpoint_kind" in metafunc.fixturenames:
        kinds = ["direct", "proxy"] if os.environ.get("CAUSEWAY_TEST_DIRECT") == "1" else ["proxy"]
        metafunc.parametrize("endpoint_kind", kinds, scope="session")


@pytest.fixture(scope="session")
def superuser() -> Endpoint:
    """Straight to the source as its superuser: prepares roles and databases, looks behind the scenes."""
    host, port, directory = os.environ["SHIM_PG"].split(",")
    return Endpoint("direct", host, int(port), "postgres", "", "postgres", directory, int(port))


@pytest.fixture(scope="session")
def role(superuser: Endpoint) -> str:
    """The applications' role: no superuser, may create databases and replicate."""
    with superuser.connect() as connection:
        connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(ROLE)))
        connection.execute(
            sql.SQL("CREATE ROLE {} LOGIN REPLICATION CREATEDB PASSWORD {}").format(
                sql.Identifier(ROLE), sql.Literal(PASSWORD)
            )
        )
        connection.execute(sql.SQL("GRANT pg_read_all_stats TO {}").format(sql.Identifier(ROLE)))
    return ROLE


@pytest.fixture
def database(superuser: Endpoint, role: str) -> Iterator[str]:
    """A fresh database owned by the role, dropped at the end, when nobody may be connected to it any more."""
    name = f"clients {os.getpid()} {next(_numbers)}"
    with superuser.connect() as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0").format(sql.Identifier(name), sql.Identifier(role))
        )
    yield name
    leftover: AssertionError | None = None
    try:
        await_row(
            superuser,
            "SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = %(name)s)",
            {"name": name},
        )
    except AssertionError as problem:
        leftover = problem
    with superuser.connect() as connection:
        connections = connection.execute(
            "SELECT application_name, state, query FROM pg_stat_activity WHERE datname = %s", [name]
        ).fetchall()
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
    if leftover is not None:
        pytest.fail(f"the test left connections behind: {connections}", pytrace=False)


@pytest.fixture
def direct(superuser: Endpoint, database: str) -> Endpoint:
    """The fresh database, straight, whatever the variant: for what a test observes behind the client's back."""
    return replace(superuser, user=ROLE, password=PASSWORD, dbname=database)


@pytest.fixture
def endpoint(request: pytest.FixtureRequest, endpoint_kind: Kind, direct: Endpoint) -> Endpoint:
    """The fresh database, as this variant's client reaches it."""
    if endpoint_kind == "direct":
        return direct
    running = cast("Endpoint", request.getfixturevalue("proxy_endpoint"))
    return replace(running, user=direct.user, password=direct.password, dbname=direct.dbname)


__all__ = ["psycopg"]
