"""Entries of the ledger as people see them: what differs, where, and nothing that a rule hides."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from proxy.shadow.ledger import DifferingKey, DifferingValue, Mismatch
from proxy.shadow.mismatches_view import describe, render, render_one

SEEN = datetime(2026, 3, 1, 12, 30, 5, tzinfo=UTC)
ENTRY = Mismatch(
    id="3f9c" * 8,
    database="shop",
    fingerprint="0123456789abcdef",
    statement="SELECT * FROM orders WHERE id = ?",
    tables=("public.orders",),
    kind="rows",
    columns=("total",),
    keys=tuple(DifferingKey("public.orders", (str(n),), ("total",), "different") for n in range(1, 6)),
    values=(DifferingValue("total", "1.50", None),),
    redaction="plain",
    rows=2,
    note="open gaps: ddl",
    count=1234,
    first_seen=SEEN,
    last_seen=SEEN.replace(day=2),
)


def shown(what: Any) -> str:
    console = Console(width=200, record=True, force_terminal=False)
    with console.capture() as caught:
        console.print(what)
    return caught.get()


def test_a_list_has_a_line_for_each_entry() -> None:
    text = shown(render([ENTRY, replace(ENTRY, kind="missing", columns=())], 0))
    assert "other values: total" in text
    assert "rows the store lacks" in text
    assert "1,234" in text
    assert "1; 2; 3; 2 more" in text
    assert "2026-03-02 12:30:05" in text
    assert "room" not in text


def test_nothing_is_said_to_be_nothing_and_what_had_no_room_is_counted() -> None:
    assert "no mismatches" in shown(render([], 0))
    assert "1,500 more had no room" in shown(render([], 1500))


def test_one_entry_has_everything() -> None:
    text = shown(render_one(ENTRY))
    for part in (
        ENTRY.id,
        "0123456789abcdef",
        ENTRY.statement,
        "open gaps: ddl",
        "values: plain",
        "1.50",
        "NULL",
    ):
        assert part in text
    assert "1,234 times, 2026-03-01 12:30:05 to 2026-03-02 12:30:05" in text


def test_what_a_rule_hides_is_not_there() -> None:
    text = shown(render_one(replace(ENTRY, values=(), redaction="redact")))
    assert "1.50" not in text


def test_as_json() -> None:
    made = json.loads(json.dumps(describe(ENTRY)))
    assert (made["id"], made["kind"], made["count"]) == (ENTRY.id, "rows", 1234)
    assert made["first_seen"] == "2026-03-01T12:30:05+00:00"
    assert len(made["keys"]) == 5
