"""Backfills and comparisons, as they are read on a terminal."""

from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path

import pytest
from rich.console import Console, Group

from proxy.admin.history import BackfillStatus, VerifyStatus
from proxy.admin.mirror import MirrorReport, TableReport
from proxy.admin.status import combine
from proxy.history_view import render_history, share
from proxy.rules import load_rules
from tests.admin.histories import COMPARING, DIFFERENT, DONE, FAILED, NOW, RUNNING
from tests.admin.sources import book, process


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text("database: shop\ntables: {orders: {phase: backfill}}\n")
    return path


def shown(rules: Path, backfill: BackfillStatus | None, verify: VerifyStatus | None = None) -> str:
    table = TableReport(database="shop", table="public.orders", backfill=backfill, verify=verify)
    status = combine([process(book(load_rules(rules)), mirror=MirrorReport(tables=[table]))], workers=1)
    out = io.StringIO()
    now = NOW + timedelta(seconds=90)
    Console(file=out, width=100).print(Group(*render_history(status.tables, now=now)))
    return " ".join(out.getvalue().split())


def test_a_backfill_that_goes_on(rules: Path) -> None:
    text = shown(rules, RUNNING)
    assert "running 41 % 412k 8123 72.4s 400k" in text
    assert "replication" in text
    assert "verify" not in text


def test_one_that_nobody_carries_on_says_so(rules: Path) -> None:
    alone = RUNNING.model_copy(update={"workers": 0, "throttled": ""})
    assert "no worker" in shown(rules, alone)


def test_one_that_is_done_and_one_that_failed(rules: Path) -> None:
    assert "done 100 % 1000 - - 1000" in shown(rules, DONE)
    text = shown(rules, FAILED)
    assert "failed 99 %" in text
    assert "permission" in text


def test_a_comparison_that_found_something(rules: Path) -> None:
    assert "different 90.0s 1.0M 3 1 2 0 6" in shown(rules, None, DIFFERENT)


def test_a_comparison_that_goes_on(rules: Path) -> None:
    text = shown(rules, None, COMPARING)
    assert "running, in - 250 0 0 0 0 0" in text  # folded, nothing cut
    assert "part 25 %" in text


def test_nothing_of_a_table_without_either(rules: Path) -> None:
    assert shown(rules, None) == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "?"), (0.0, "0 %"), (0.414, "41 %"), (0.9901, "99 %"), (0.9999, "99 %"), (1.0, "100 %")],
)
def test_share(value: float | None, text: str) -> None:
    assert share(value) == text
