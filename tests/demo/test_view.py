"""The picture, the lines and the summary, from states alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rich.cells import cell_len

from demo import view
from demo.state import State, Step
from demo.view import held_tables, log_line, render, visible_steps
from tests.demo.states import (
    REASON,
    TITLES,
    beginning,
    compared,
    copying,
    ended,
    paired,
    rejected,
    shown,
    status,
    under_load,
    without_store,
)

NOW = 110.0


def picture(state: State, width: int, height: int) -> list[str]:
    return [
        line.rstrip() for line in shown(render(state, NOW, width, height), width).rstrip("\n").split("\n")
    ]


@pytest.mark.parametrize(
    ("width", "height"), [(80, 24), (80, 31), (80, 32), (100, 50), (120, 40), (200, 60), (80, 16)]
)
@pytest.mark.parametrize("make", [beginning, under_load, rejected, paired, without_store, compared, ended])
def test_the_picture_fits_the_terminal(make: Callable[[], State], width: int, height: int) -> None:
    lines = picture(make(), width, height)
    assert max(cell_len(line) for line in lines) <= width
    assert len(lines) <= height


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40)])
def test_the_picture_under_load(width: int, height: int) -> None:
    text = "\n".join(picture(under_load(), width, height))
    for title in TITLES if height > 24 else TITLES[:12]:
        assert title in text
    for fact in (
        "0:10",
        "causeway :34567",
        "PostgreSQL 18.1",
        "3,000/s",
        "28,500 in all",
        "own share    p50 9 µs",
        "10 clients, 10 servers",
        "263 transactions/s",
        "137 orders, 94 paid",
        "p50 12.3 ms, p99 45.6 ms",
        "0 errors, 0 reconnects",
        "DocumentDB, 6,000 documents",
        "95 rows, 1.90 s ",
        "1 applied, 0 rejected",
    ):
        assert fact in text
    assert "held: orders, payments: dark_read" in text


def test_each_table_has_its_phase_documents_and_queue() -> None:
    narrow, wide = ("\n".join(picture(under_load(), *size)) for size in ((80, 24), (120, 40)))
    assert "table       phase      documents queue" in narrow
    assert "orders      dual_write     1,000    34" in narrow
    assert "table       phase      captured documents queue    lag" in wide
    assert "orders      dual_write    1,234     1,000    34 250 ms" in wide


def test_before_anything_is_mirrored_there_are_no_figures_of_it() -> None:
    state = under_load()
    state.documents = {}
    assert state.status is not None
    bare = [table.model_copy(update={"mirror": None}) for table in state.status.tables]
    state.status = state.status.model_copy(update={"tables": bare, "mirror": None})
    text = "\n".join(picture(state, 120, 40))
    assert "orders      dual_write        -         -     -" in text
    assert "DocumentDB, not used yet" in text


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40)])
def test_a_row_beside_its_document(width: int, height: int) -> None:
    text = " ".join("\n".join(picture(paired(), width, height)).split())
    assert "row (41, 7, shipped, 64.50, " in text
    assert "document {_id: 41," in text
    over = paired()
    over.steps[6].status = "done"
    assert "{_id: 41" not in "\n".join(picture(over, width, height))


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40)])
def test_the_bar_of_a_backfill(width: int, height: int) -> None:
    text = "\n".join(picture(copying(), width, height))
    for part in (
        "causeway backfill shop.public.visits",
        "━━━━━━━━",
        " 41 %",
        "12,345 rows, 3,456/s",
        "5.00 s left",
    ):
        assert part in text


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40)])
def test_the_store_is_shown_to_be_stopped(width: int, height: int) -> None:
    assert "DocumentDB, stopped" in "\n".join(picture(without_store(), width, height))


def test_a_store_that_is_away_is_told_from_one_that_was_stopped() -> None:
    state = under_load()
    assert state.status is not None
    assert state.status.mirror is not None
    away = state.status.mirror.model_copy(update={"store": "away"})
    state.status = state.status.model_copy(update={"mirror": away})
    assert "DocumentDB, away" in "\n".join(picture(state, 80, 24))


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40)])
def test_tables_against_collections(width: int, height: int) -> None:
    lines = picture(compared(), width, height)
    assert any(line.endswith(" rows documents values equal differ") for line in lines)
    (orders,) = (line for line in lines if line.startswith("orders "))
    assert orders.endswith("1,000     1,000        5,000      1")


def test_what_holds_a_table_is_read_in_full_on_the_smallest_terminal() -> None:
    lines = picture(under_load(), 80, 24)
    rules = " ".join(line[40:].strip() for line in lines[-6:])
    assert REASON in rules


def test_mistakes_are_shown_with_their_place_and_that_the_old_rules_hold() -> None:
    for width, height in ((80, 24), (120, 40)):
        text = "\n".join(picture(rejected(), width, height))
        assert "shop.yaml:5:11" in text
        assert "shop.yaml:13:11" in text
        assert "Rejected: the rules before it hold." in text


def test_a_tall_terminal_shows_the_file_and_the_log() -> None:
    lines = picture(rejected(), 120, 48)
    assert any("   5   shadow: 5  ◄" in line for line in lines)
    assert any("  13     phase: dual_wirte" in line for line in lines)
    assert any("rules_problem file=shop.yaml line=5" in line for line in lines)
    assert not any("◄" in line for line in picture(under_load(), 120, 40))
    assert not any("the proxy's log" in line for line in picture(rejected(), 80, 24))


def test_a_file_longer_than_the_room_is_cut_and_says_so() -> None:
    state = rejected()
    state.rule_file += "".join(f"  table{n}:\n" for n in range(50))
    assert any("more lines" in line for line in picture(state, 120, 40))


def test_application_errors_stand_out() -> None:
    state = under_load()
    state.pgbench_failed = 2
    assert "2 errors" in "\n".join(picture(state, 80, 24))


@pytest.mark.parametrize("current", [0, 1, 5, 11, 12])
@pytest.mark.parametrize("room", [1, 3, 8, 13, 20])
def test_the_current_step_is_always_visible(current: int, room: int) -> None:
    steps = [Step(title) for title in TITLES]
    for step in steps[:current]:
        step.status = "done"
    steps[current].status = "running"
    visible = visible_steps(steps, room)
    assert steps[current] in visible
    assert len(visible) == min(room, len(steps))


def test_step_line() -> None:
    state = ended()
    state.steps[0].detail = "PostgreSQL and DocumentDB"
    assert view.step_line(state, state.steps[0]).plain == "[ 40.0 s] ✓ databases: PostgreSQL and DocumentDB"
    state.steps[1].status = "failed"
    assert view.step_line(state, state.steps[1]).plain == "[ 40.0 s] ✗ proxy"


def test_traffic_line() -> None:
    state = under_load()
    state.steps[5].detail = "held"
    line = view.traffic_line(state, NOW).plain
    assert line.startswith(
        "[ 10.0 s]   both under load: held; 3,000 statements/s; 10 connections, own share p50 "
    )
    assert line.endswith("; 0 application errors")


def test_traffic_line_before_there_is_traffic() -> None:
    state = beginning()
    state.steps[0].status = "running"
    assert view.traffic_line(state, NOW).plain == "[ 10.0 s]   databases"


def test_each_reason_is_told_once() -> None:
    tables = status({"orders": "dark_read", "payments": "primary_switch"}).tables
    assert held_tables(tables) == [(REASON, ["orders", "payments"])]
    assert held_tables(status().tables) == []


def test_log_line() -> None:
    line = log_line(
        {
            "ts": "2026-01-01T07:39:58.123Z",
            "level": "ERROR",
            "event": "rules_problem",
            "logger": "proxy.reload",
            "pid": 12,
            "file": "/tmp/rules/shop.yaml",
            "line": 5,
            "reasons": [],
            "hint": None,
        }
    )
    assert (line.level, line.text) == ("error", "07:39:58 rules_problem file=shop.yaml line=5")
