"""Each statement is one shape with other constants every time, and has a plan."""

from __future__ import annotations

import pytest

from bench.compiling import STATEMENTS, measure
from bench.mirrored import GIVE_KEY
from devstack.postgres import PostgresServer

MAKE = """
CREATE TABLE pgbench_accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84));
CREATE TABLE pgbench_branches (bid int PRIMARY KEY, bbalance int, filler char(88));
CREATE TABLE pgbench_tellers (tid int PRIMARY KEY, bid int, tbalance int, filler char(84));
CREATE TABLE pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22));
"""


@pytest.mark.integration
def test_costs_are_those_of_plans(postgres: PostgresServer, database: str) -> None:
    postgres.psql(f"{MAKE}{GIVE_KEY}", database)
    costs = measure(postgres.dsn(database), database, 1, 30)
    assert [cost.name for cost in costs] == list(STATEMENTS)
    for cost in costs:
        assert cost.parsed < cost.cold
        assert cost.by_text < cost.by_shape < cost.cold
