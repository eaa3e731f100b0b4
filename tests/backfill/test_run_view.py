"""What is told of a run, as a line, as JSON and as a table."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

from rich.console import Console

from proxy.backfill.moves import join, pause, say
from proxy.backfill.run import Counts, Mode, Run, Status, Tuning, Worker
from proxy.backfill.run_view import describe, ending, line, table_of, tuned
from tests.backfill.test_moves import START, new

LATER = START + timedelta(seconds=10)


def going(**given: Any) -> Run:
    """500 of 1000 rows, 50 a second."""
    made = new(estimate=1000, totals=Counts(keys=500, rows=500, seeded=400, stale=100), marks=((START, 0),))
    return replace(made, updated=LATER, **given)


def test_where_a_run_stands() -> None:
    assert line(going()) == "shop.public.orders  500 of ~1,000 (50.0%)  50 rows/s  10.0s left"
    throttled = say(join(going(), "a", Worker("host", 1, START)), "a", "9 active sessions > 8")
    assert line(throttled).endswith("held back: 9 active sessions > 8")
    assert line(join(join(going(), "a", Worker("h", 1, START)), "b", Worker("h", 2, START))).endswith(
        "2 workers"
    )
    assert line(pause(going(), "lunch", LATER)).endswith("paused: lunch")
    assert line(new(estimate=-1, totals=Counts(keys=7))) == "shop.public.orders  7"


def test_what_became_of_a_run() -> None:
    done = going(status=Status.DONE, ended=START + timedelta(seconds=75))
    assert ending(done) == (
        "shop.public.orders  done in 1m15s: 500 rows read, 400 documents put in, 100 left as they were"
    )
    assert line(done) == ending(done)
    failed = going(status=Status.FAILED, reason="no privilege", ended=START + timedelta(hours=2))
    assert "failed: no privilege in 2h00m" in ending(failed)
    assert "causeway gaps" in ending(going(totals=Counts(poisoned=1)))
    assert "overwritten" in ending(going(mode=Mode.REFRESH))


def test_json_has_it_all_and_is_json() -> None:
    told = json.loads(json.dumps(describe(join(going(), "a", Worker("host", 7, START)))))
    assert (told["rows"], told["estimate"], told["share"], told["rate"]) == (500, 1000, 0.5, 50.0)
    assert told["remaining_seconds"] == 10.0
    assert told["workers"] == [{"id": "a", "host": "host", "process": 7, "throttled": ""}]
    assert told["started"] == "2026-01-01T00:00:00+00:00"
    unknown = describe(new(estimate=-1))
    assert (unknown["estimate"], unknown["share"], unknown["remaining_seconds"], unknown["ended"]) == (
        None, None, None, None,
    )  # fmt: skip


def test_runs_side_by_side() -> None:
    console = Console(width=160, record=True, file=io.StringIO())
    runs = [
        going(tuning=Tuning(rate=50.0, max_lag_seconds=5.0), since="2026-01-01"),
        pause(new(table="shop.public.items"), "[red]lunch", LATER),
    ]
    console.print(table_of(runs))
    text = console.export_text()
    assert "since 2026-01-01, at most 50 rows/s, lag 5s" in text
    assert "[red]lunch" in text


def test_limits_that_are_set() -> None:
    assert tuned(Tuning()) == ""
    every = Tuning(
        rate=1.0, max_lag_seconds=2.0, max_lag_bytes=1 << 20, max_sessions=3, max_store_latency=0.5,
        query="select 1", query_limit=4.0,
    )  # fmt: skip
    assert tuned(every) == "at most 1 rows/s, lag 2s, lag 1MiB, 3 sessions, store 500ms, query 4"
