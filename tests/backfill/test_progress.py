"""Bars, lines and JSON: now and then, and whenever the status is another one."""

from __future__ import annotations

import io
import json
from dataclasses import replace

from rich.console import Console

from proxy.backfill.moves import pause
from proxy.backfill.progress import Bars, JsonLines, PlainLines
from proxy.backfill.run import Counts, Status
from tests.backfill.test_moves import START, new


def test_a_plain_line_every_few_seconds_and_at_every_change() -> None:
    written: list[str] = []
    now = 0.0
    shown = PlainLines(written.append, every=5.0, clock=lambda: now)
    with shown:
        for now in (0.0, 1.0, 4.9):
            shown.update(new(totals=Counts(keys=int(now))))
        assert written == ["shop.public.orders  0 of ~100 (0.0%)"]
        now = 5.0
        shown.update(new(totals=Counts(keys=50)))
        shown.update(pause(new(), "lunch", START))
        shown.tell("a message")
        over = new(status=Status.DONE)
        shown.update(over)
        shown.end(over)
    assert written[1:4] == [
        "shop.public.orders  50 of ~100 (50.0%)",
        "shop.public.orders  0 of ~100 (0.0%)  paused: lunch",
        "a message",
    ]
    assert len(written) == 5
    assert " done: " in written[4]


def test_another_table_is_told_at_once() -> None:
    written: list[str] = []
    shown = PlainLines(written.append, clock=lambda: 0.0)
    shown.update(new())
    shown.update(new(table="shop.public.items"))
    assert len(written) == 2


def test_json_lines() -> None:
    written: list[str] = []
    with JsonLines(written.append, clock=lambda: 0.0) as shown:
        shown.update(new())
        shown.tell("a message")
        shown.end(new(status=Status.DONE))
    events = [json.loads(line) for line in written]
    assert [event["event"] for event in events] == ["progress", "message", "end"]
    assert events[1] == {"event": "message", "text": "a message"}
    assert events[2]["status"] == "done"


def test_bars() -> None:
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=120)
    run = new(estimate=1000, totals=Counts(keys=250))
    with Bars(console) as shown:
        shown.update(replace(run, estimate=-1))
        shown.update(run)
        shown.tell("[bold]a message")
        shown.end(run)
    told = output.getvalue()
    assert "250 of ~1,000 (25.0%)" in told
    assert "[bold]a message" in told
    assert "━" in told
