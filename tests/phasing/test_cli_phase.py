"""`causeway phase` as it is called, on rule files alone and with proxies that follow them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from devstack.document_store import DocumentStore
from devstack.postgres import PostgresServer
from proxy.cli import app
from proxy.fleet.switches import KIND
from tests.support.fleet import forget_fleet
from tests.test_mirroring import World

RULES = "# the shop\ndatabase: shop\ntables:\n  orders:\n    phase: dual_write  # since May\n"


def called(*arguments: str | Path, **environment: str) -> Any:
    return CliRunner().invoke(app, ["phase", *map(str, arguments)], env={"COLUMNS": "200", **environment})


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    file = tmp_path / "rules.yaml"
    file.write_text(RULES)
    return file


def test_the_file_is_edited_with_its_comments(rules: Path) -> None:
    done = called("orders", "backfill", "--rules", rules)
    assert done.exit_code == 0, done.output
    assert rules.read_text() == RULES.replace("dual_write", "backfill")
    assert "no `store` is given" in done.output


def test_a_dry_run_changes_nothing(rules: Path) -> None:
    done = called("orders", "backfill", "--rules", rules, "--dry-run", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["outcome"], told["line"], told["after"]) == ("dry_run", 5, "phase: backfill  # since May")
    assert rules.read_text() == RULES


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["orders", "dualwrite"], 2, "'dualwrite' is not a phase; write one of passthrough, dual_write"),
        (["orders", "backfill", "--timeout", "soon"], 2, "--timeout: 'soon' is not a duration"),
        (["ordrs", "backfill"], 1, "no rule is about table public.ordrs"),
    ],
)
def test_what_is_wrong_is_said(rules: Path, arguments: list[str], code: int, words: str) -> None:
    done = called(*arguments, "--rules", rules)
    assert (done.exit_code, words in done.output) == (code, True), done.output
    assert rules.read_text() == RULES


def test_without_rules_there_is_nothing_to_edit() -> None:
    done = called("orders", "backfill")
    assert done.exit_code == 2
    assert "no `rules` are given" in done.output


def test_a_config_map_is_left_alone_and_what_to_write_is_said(tmp_path: Path) -> None:
    (tmp_path / "..1").mkdir()
    (tmp_path / "..1" / "rules.yaml").write_text(RULES)
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "rules.yaml").symlink_to("..data/rules.yaml")
    done = called("orders", "backfill", "--rules", tmp_path)
    assert done.exit_code == 1
    assert "ConfigMap" in done.output
    assert "write there: phase: backfill  # since May (line 5)" in done.output
    assert (tmp_path / "rules.yaml").read_text() == RULES


@pytest.fixture
def world(
    postgres: PostgresServer, database: str, document_store: DocumentStore, tmp_path: Path
) -> Iterator[World]:
    forget_fleet(document_store.uri)
    made = World(postgres, database, document_store, tmp_path)
    yield made
    made.client["_causeway"][KIND].delete_many({})
    forget_fleet(document_store.uri)
    made.ended()


def asked(world: World, phase: str, *more: str) -> dict[str, Any]:
    done = called(
        "orders", phase, "--rules", world.directory / "rules.yaml", "--store", world.store_uri,
        "--control-dsn", world.control_dsn, "--heartbeat-interval", "200ms", "--json", *more,
    )  # fmt: skip
    told: dict[str, Any] = json.loads(done.stdout)
    return {"code": done.exit_code, **told}


@pytest.mark.integration
def test_the_fleet_is_followed(world: World) -> None:
    with ExitStack() as running:
        for number in range(2):
            running.enter_context(
                world.running(spool=world.directory / f"spool-{number}", heartbeat_interval=0.2)
            )
        told = asked(world, "backfill")
        assert (told["code"], told["outcome"], len(told["proxies"])) == (0, "there", 2)
        assert {one["effective"] for one in told["proxies"]} == {"backfill"}
        dry = asked(world, "dark_read", "--dry-run")
        assert dry["code"] == 1
        assert [(one["gate"], one["open"]) for one in dry["gates"]] == [("history", False), ("gaps", True)]
        told = asked(world, "dark_read", "--timeout", "20s")
        assert (told["code"], told["outcome"]) == (1, "held")
        why = "its history has not been copied; run `causeway backfill public.orders`"
        assert [(one["effective"], one["why"]) for one in told["proxies"]] == [("backfill", why)] * 2
        told = asked(world, "passthrough")
        assert (told["code"], told["outcome"]) == (0, "there")
        assert "phase: passthrough" in (world.directory / "rules.yaml").read_text()
    told = asked(world, "dual_write")
    assert (told["code"], told["outcome"]) == (0, "no_proxy")
