"""Proxies in front of two PostgreSQL servers that keep their documents in one store do not concern one another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest
from typer.testing import CliRunner

from devstack.installation import find_installation
from devstack.postgres import SOURCE, PostgresServer, launch
from proxy.cli import app
from proxy.fleet.losses import PROXIES
from proxy.phases import Phase
from tests.support.instance import RunningInstance
from tests.switching.rig import Shop, eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

BLOG = "elsewhere_blog"


@pytest.fixture
def elsewhere() -> Iterator[PostgresServer]:
    """Not a copy of the cluster that other tests' servers are copies of: those have one system identifier."""
    profile = replace(SOURCE, kind="elsewhere", script=f"{SOURCE.script}\n-- of another cluster\n")
    server = launch(find_installation(), profile)
    try:
        with psycopg.connect(server.dsn(), autocommit=True) as setup:
            setup.execute(f"CREATE DATABASE {BLOG}")
        with psycopg.connect(server.dsn(BLOG), autocommit=True) as setup:
            setup.execute("CREATE TABLE posts (id int PRIMARY KEY)")
        yield server
    finally:
        server.close()


def neighbour(shop: Shop, server: PostgresServer) -> RunningInstance:
    """A proxy in front of the other server; it mirrors a table of its own."""
    rules = shop.directory / "blog.yaml"
    rules.write_text(f"database: {BLOG}\ntables: {{posts: {{phase: dual_write}}}}\n")
    return RunningInstance(
        upstream=f"{server.host}:{server.port}",
        store=shop.store_uri,
        control_dsn=f"postgresql://postgres@{server.host}:{server.port}/{BLOG}",
        rules=rules,
        spool=shop.directory / "blog spool",
    )


def test_neither_gates_nor_a_backfill_wait_for_the_other_server(
    shop: Shop, elsewhere: PostgresServer
) -> None:
    rule = {"gates": {"min_comparisons": 0}}
    with neighbour(shop, elsewhere), shop.dark(**rule):
        beats = [one["value"] for one in shop.client["_causeway"][PROXIES].find({"value.clean": False})]
        assert len({beat["source"] for beat in beats}) == 2
        shop.asked("primary_switch", **rule)
        shop.reaches(Phase.PRIMARY_SWITCH)
        with shop.proxy.connect(shop.database) as client:
            before = shop.served()
            client.execute("SELECT total FROM orders WHERE id = 3")
            assert shop.served() == before + 1
        told = shop.command("phase", "orders", "backfill", "--timeout", "20s")
        assert (told["outcome"], len(told["proxies"])) == ("there", 1)
        flags = ["--rules", str(shop.directory / "rules.yaml"), "--store", shop.store_uri]
        done = CliRunner().invoke(app, ["backfill", "orders", *flags, "--control-dsn", shop.control_dsn])
        assert done.exit_code == 0, done.output
    eventually(lambda: not shop.gaps(), lambda: str(shop.gaps()))
