"""Which databases a server has, and in which of them rules may have tables mirrored."""

from __future__ import annotations

import pytest

from devstack.postgres import PostgresServer
from proxy.catalog.limits import CatalogueLimits
from proxy.catalog.server import read_server, ruled_databases
from tests.rulefiles.texts import rules


def test_rules_that_name_their_databases_are_looked_at_there() -> None:
    known = ("shop", "archive", "postgres")
    assert ruled_databases(rules("database: blog\ntables: {posts: {phase: dual_write}}"), known) == ["blog"]
    assert ruled_databases(rules("tables: {posts: {phase: dual_write}}"), known) == list(known)
    assert ruled_databases(rules("tables: {posts: {phase: passthrough}}"), known) == []


def test_databases_are_in_the_order_of_the_server() -> None:
    text = "database: [blog, gone, shop]\ntables: {posts: {phase: dual_write}}"
    assert ruled_databases(rules(text), ("shop", "archive", "blog")) == ["shop", "blog", "gone"]


@pytest.mark.integration
async def test_the_databases_of_a_server(postgres: PostgresServer) -> None:
    with postgres.database() as name:
        server = await read_server(postgres.dsn(name), CatalogueLimits())
        assert server.databases[0] == name
        assert "template1" not in server.databases
        assert server.system == postgres.psql("SELECT system_identifier FROM pg_control_system()").strip()
        assert server.role == postgres.psql("SELECT current_user", name).strip()


@pytest.mark.integration
async def test_a_server_that_does_not_answer(postgres: PostgresServer) -> None:
    dsn = postgres.dsn().replace(f":{postgres.port}", ":1")
    with pytest.raises(OSError):  # noqa: PT011 - any of them will do
        await read_server(dsn, CatalogueLimits(connect_timeout=1))
