"""`causeway indexes` as its users have it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from devstack.document_store import DocumentStore
from devstack.postgres import PostgresServer
from proxy.cli import app
from tests.backfill.index_tables import indexed

pytestmark = pytest.mark.integration


@pytest.fixture
def given_settings(
    postgres: PostgresServer, document_store: DocumentStore, tmp_path: Path
) -> Iterator[dict[str, Any]]:
    with indexed(postgres, document_store, tmp_path) as settings:
        yield settings


def causeway(given: dict[str, Any], *arguments: str) -> Any:
    flags = [word for name, value in given.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    return CliRunner().invoke(app, ["indexes", *arguments, *flags])


def test_the_command(given_settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "240")
    done = causeway(given_settings, "lines")
    assert done.exit_code == 0, done.output
    assert "2 to be made: --apply makes them." in done.stdout
    done = causeway(given_settings, "--all", "--apply")
    assert done.exit_code == 0, done.output
    assert "plain here until decommission" in done.stdout
    assert "making by_customer ..." in done.stderr
    done = causeway(given_settings, "lines", "orders", "--json")
    assert done.exit_code == 0, done.output
    lines, orders = json.loads(done.stdout)
    assert lines["table"] == f"{lines['collection'].removesuffix('.lines')}.public.lines"
    assert [one["standing"] for one in lines["indexes"]] == ["there", "there", "not translated"]
    [partial] = [one["index"] for one in orders["indexes"] if one["name"] == "open"]
    assert json.loads(partial["partial"]) == {"gone": None, "paid": False, "state": "it's open"}
    assert orders["indexes"][1]["definition"].startswith("CREATE INDEX by_customer ON public.orders")


def test_the_command_used_wrongly(given_settings: dict[str, Any]) -> None:
    for arguments, code, said in [
        ((), 2, "name tables, or give --all"),
        (("orders", "--all"), 2, "name tables, or give --all"),
        (("other",), 1, "no rule is about table public.other"),
        (("nothing",), 1, "no rule is about table public.nothing"),
    ]:
        done = causeway(given_settings, *arguments)
        assert (done.exit_code, said in done.stderr) == (code, True), done.output
    del given_settings["store"]
    done = causeway(given_settings, "orders")
    assert (done.exit_code, done.stderr) == (1, "error: no `store` is given\n")
