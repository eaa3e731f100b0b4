"""The status as it is read on a terminal."""

from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path

import pytest
from rich.console import Console

from proxy.admin.status import Status, combine
from proxy.rules import Problem, RulesError, load_rules
from proxy.status_view import render, span
from tests.admin.sources import STARTED, book, process


def text(status: Status, *, width: int = 200) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(render(status, now=STARTED + timedelta(hours=2, minutes=3)))
    return out.getvalue()


def test_what_runs_where_and_for_how_long() -> None:
    shown = text(combine([process(), process(worker=1, clients=2)], workers=2))
    assert "running for 2h 3m" in shown
    assert "127.0.0.1:6432 → db:5432" in shown
    assert "5 of 100 clients (2 active, 3 idle, 0 starting), 5 server connections" in shown
    assert "50.0 MiB" in shown
    assert "1001" in shown


def test_without_rules_it_says_so() -> None:
    assert "everything is passed through" in text(combine([process(rules_source=None)], workers=1))


def test_a_held_table_has_its_reason_and_names_are_not_markup(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("tables:\n  '\"[red]orders\"': {phase: decommission, collection: '[b]c'}\n")
    shown = text(combine([process(book(load_rules(path)))], workers=1))
    assert "decommission" in shown
    assert "not built yet" in shown
    assert 'public."[red]orders"' in shown
    assert "[b]c" in shown


def test_rejected_rules_are_shown_whole() -> None:
    error = RulesError([Problem("/etc/rules/a.yaml", 3, 5, "tables.x", "unknown phase", "write dual_write")])
    shown = text(combine([process(book(error=error))], workers=1), width=60)
    assert "the rule files are rejected" in shown
    words = " ".join(shown.replace("│", " ").split())
    assert "/etc/rules/a.yaml:3:5: tables.x: unknown phase (write dual_write)" in words


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(0, "0s"), (-3, "0s"), (59, "59s"), (60, "1m"), (3600 + 5, "1h 5s"), (90061, "1d 1h")],
)
def test_spans(seconds: int, written: str) -> None:
    assert span(timedelta(seconds=seconds)) == written
