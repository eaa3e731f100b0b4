"""`causeway explain` as its users have it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from devstack.postgres import PostgresServer
from proxy.cli import app

pytestmark = pytest.mark.integration


@pytest.fixture
def flags(postgres: PostgresServer, database: str, tmp_path: Path) -> list[str]:
    postgres.psql(
        "CREATE TABLE orders (id bigint PRIMARY KEY, customer int, total numeric(10,2), state text)", database
    )
    rules = tmp_path / "rules.yaml"
    rules.write_text("tables:\n  orders: {phase: dual_write}\n")
    return ["--rules", str(rules), "--control-dsn", postgres.dsn(database)]


def explained(flags: list[str], *arguments: str) -> Any:
    return CliRunner().invoke(app, ["explain", *arguments, *flags])


def test_a_read_that_is_compiled(flags: list[str]) -> None:
    sql = "SELECT id FROM orders WHERE customer = $1 AND total > 5 ORDER BY id LIMIT 3"
    done = explained(flags, sql, "--param", "7")
    assert done.exit_code == 0, done.output
    assert "public.orders in" in done.stdout
    assert '"customer": {"$in": [7]}' in done.stdout or '"customer"' in done.stdout
    assert "index on" in done.stdout
    done = explained(flags, sql, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    [question] = found["questions"]
    assert question["filter on"] == ["customer", "total"]
    assert question["sort"] == ["_id asc"]
    assert [column["name"] for column in found["columns"]] == ["id"]


def test_a_read_that_stays(flags: list[str]) -> None:
    done = explained(flags, "SELECT id,\n  random() FROM orders")
    assert done.exit_code == 1
    assert done.stdout == "stays on PostgreSQL: a volatile function\n    random() FROM orders\n    ^\n"
    done = explained(flags, "SELECT * FROM other", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout) == {"unsupported": "a table that is not mirrored", "position": 14}


def test_used_wrongly() -> None:
    done = CliRunner().invoke(app, ["explain", "SELECT 1"])
    assert done.exit_code == 2
    assert "--control-dsn" in done.stderr
