"""`causeway verify` as its users have it: exit codes, the table, JSON, what is hidden."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId
from typer.testing import CliRunner

from devstack.document_store import DocumentStore
from devstack.postgres import PostgresServer
from proxy.backfill.report import KIND, Outcome, Verification, parse_verification
from proxy.cli import app
from tests.backfill.verify_world import World, made_world

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


@pytest.fixture
def world(postgres: PostgresServer, document_store: DocumentStore, tmp_path: Path) -> Iterator[World]:
    with made_world(postgres, document_store, tmp_path) as made:
        yield made


def causeway(world: World, *arguments: str) -> Any:
    flags = [
        word
        for name in ("upstream", "control_dsn", "store", "rules", "heartbeat_interval")
        for word in (f"--{name.replace('_', '-')}", world.given[name])
    ]
    return CliRunner().invoke(app, [*arguments, *flags])


def kept(world: World, table: str) -> Verification:
    [state] = world.client["_causeway"][KIND].find({"_id": f"{world.database}.public.{table}"})
    return parse_verification(state["value"])


def test_from_nothing_to_equal(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    done = causeway(world, "verify", "words", "--limit-differences", "3")
    assert done.exit_code == 1, done.output
    assert f"{world.database}.public.words  different" in done.stdout
    assert "and 197 more; --limit-differences shows them" in done.stdout
    assert "words" not in done.stderr
    assert (kept(world, "words").outcome, kept(world, "words").left) == (Outcome.DIFFERENT, 200)
    done = causeway(world, "verify", "words", "empty", "--repair", "--json")
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    assert answer["equal"] is True
    assert [(one["outcome"], one["repaired"], one["left"]) for one in answer["tables"]] == [
        ("equal", 200, 0),
        ("equal", 0, 0),
    ]
    whole = kept(world, "words")
    assert (whole.outcome, whole.repair, whole.scheduled, whole.scope.whole) == (
        Outcome.EQUAL,
        True,
        False,
        True,
    )
    assert whole.whole is not None
    assert whole.whole.left == 0
    done = causeway(world, "verify", "words")
    assert done.exit_code == 0, done.output
    assert "equal" in done.stdout


def test_values_are_hidden_unless_they_are_asked_for(world: World) -> None:
    secret = "zz-very-secret-word"
    world.run(f"truncate words; insert into words values ('{secret}', 1)")
    for arguments in (("verify", "words"), ("verify", "words", "--json")):
        done = causeway(world, *arguments)
        assert done.exit_code == 1
        assert secret not in done.output
        assert "str #" in done.stdout
    assert secret in causeway(world, "verify", "words", "--show-values").stdout
    assert secret not in str(kept(world, "words").document())


def test_what_is_told_of_documents_that_are_not_causeways(world: World) -> None:
    world.collection("empty").insert_one({"_id": ObjectId()})
    done = causeway(world, "verify", "empty", "--repair")
    assert done.exit_code == 1
    assert "1 documents whose _id is no key of the table" in done.stdout
    done = causeway(world, "verify", "empty", "--repair", "--remove-foreign")
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "name tables, or give --all"),
        (("words", "--all"), 2, "name tables, or give --all"),
        (("words", "--remove-foreign"), 2, "goes with --repair"),
        (("words", "--sample", "many"), 2, "--sample: "),
        (("words", "--since", "24h"), 2, "needs `last_modified` in the table's rule"),
        (("words", "--where", "n +"), 2, "syntax error"),
        (("words", "--where", "nowhere = 1"), 2, "nowhere"),
        (("items", "--since", "yesteryear"), 2, "invalid input syntax"),
        (("nothing",), 1, "no rule is about table public.nothing"),
        (("Words",), 1, "capitals"),
    ],
)
def test_used_wrongly(world: World, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = causeway(world, "verify", *arguments)
    assert done.exit_code == code, done.output
    assert said in done.stderr


def test_some_rows_only(world: World) -> None:
    done = causeway(world, "verify", "items", "--since", "24h", "--json")
    assert done.exit_code == 0, done.output
    [table] = json.loads(done.stdout)["tables"]
    assert (table["rows"], table["whole"]) == (0, False)
    done = causeway(
        world, "verify", "items", "--since", "2026-01-01 06:30:00+00", "--where", "t.id <= 10", "--json"
    )
    [table] = json.loads(done.stdout)["tables"]
    assert table["rows"] == 4
    assert kept(world, "items").whole is None
    done = causeway(world, "verify", "items", "--sample", "0.0001%", "--json")
    [table] = json.loads(done.stdout)["tables"]
    assert table["rows"] in (0, 100, 500)


def test_a_store_that_is_away(world: World) -> None:
    world.given["store"] = "mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=200"
    done = causeway(world, "verify", "words", "--connect-timeout", "1s", "--store-timeout", "300ms")
    assert done.exit_code == 1
    assert done.stderr.startswith("error: ")
