"""What the commands make of their flags; `test_running` starts them as processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from devstack.document_store import DocumentStore
from devstack.postgres import PostgresServer
from proxy.backfill import running
from proxy.backfill.joining import Wanted
from proxy.backfill.run import Mode
from proxy.cli import app
from tests.backfill.copy_world import CopyWorld, copy_world


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What `backfill` was called with; it does nothing."""
    calls: list[tuple[Any, ...]] = []

    async def backfill(settings: Any, names: Any, wanted: Any, shown: Any, *, every: bool = False) -> bool:
        calls.append((names, every, wanted, type(shown).__name__))
        return "bad" not in names

    monkeypatch.setattr(running, "backfill", backfill)
    return calls


def test_flags(asked: list[tuple[Any, ...]]) -> None:
    arguments = "orders items --since 2026-01-01 --refresh --again --offline --rate 5 --max-lag 1m --json"
    assert CliRunner().invoke(app, ["backfill", *arguments.split()]).exit_code == 0
    tuning = {"rate": 5.0, "max_lag_seconds": 60.0}
    wanted = Wanted(Mode.REFRESH, "2026-01-01", tuning, offline=True, again=True)
    assert asked == [(["orders", "items"], False, wanted, "JsonLines")]


def test_without_flags(asked: list[tuple[Any, ...]]) -> None:
    assert CliRunner().invoke(app, ["backfill", "--all"]).exit_code == 0
    assert asked == [([], True, Wanted(tuning={}), "PlainLines")]


def test_a_table_that_is_not_copied_is_exit_code_1(asked: list[tuple[Any, ...]]) -> None:
    assert CliRunner().invoke(app, ["backfill", "bad"]).exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--rate", "5"], "name tables, or give --all"),
        (["orders", "--all"], "name tables, or give --all"),
        (["orders", "--rate", "-5"], "--rate"),
        (["pause"], "name tables, or give --all"),
        (["set", "orders"], "at least one limit"),
        (["set", "orders", "--max-lag", "soon"], "not a duration"),
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(app, ["backfill", *arguments])
    assert result.exit_code == 2
    assert said in result.output


def test_what_is_missing_is_exit_code_1() -> None:
    result = CliRunner().invoke(app, ["backfill", "orders"], env={"CAUSEWAY_RULES": ""})
    assert result.exit_code == 1
    assert "no `rules` are given" in result.output
    result = CliRunner().invoke(app, ["backfill", "status"])
    assert "no `store` is given" in result.output


@pytest.fixture
def world(postgres: PostgresServer, document_store: DocumentStore, tmp_path: Path) -> Iterator[CopyWorld]:
    tables = "create table orders (id int primary key); insert into orders select generate_series(1, 10)"
    rules = "tables: {orders: {phase: backfill}}"
    with copy_world(postgres, document_store, tmp_path, tables, rules) as made:
        yield made


@pytest.mark.integration
async def test_the_commands_on_a_run_that_is_over(world: CopyWorld) -> None:
    import asyncio

    await world.backfill("orders")
    store = ["--store", str(world.given["store"])]

    def invoked(*arguments: str) -> str:
        wide = CliRunner(env={"COLUMNS": "200"})
        result = wide.invoke(app, ["backfill", *arguments, *store], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    for command in ("pause", "resume", "cancel"):
        told = await asyncio.to_thread(invoked, command, f"{world.database}:orders")
        assert "done" in told
    assert f"{world.database}.public.orders" in await asyncio.to_thread(invoked, "status")
    told = await asyncio.to_thread(invoked, "status", f"{world.database}:orders", "--json")
    assert '"status": "done"' in told
