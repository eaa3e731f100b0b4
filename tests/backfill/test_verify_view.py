"""What people and programs are shown of comparisons."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

from bson import ObjectId
from rich.console import Console

from proxy.backfill.compare import Difference, Kind
from proxy.backfill.report import Found, Report, begun, ended
from proxy.backfill.verify import Progress
from proxy.backfill.verify_view import Done, describe, line, render, share_of, shower

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def done(*found: Found, fault: str = "", **numbers: int) -> Done:
    report = Report(limit=2)
    for name, number in numbers.items():
        setattr(report, name, number)
    for one in found:
        report.add(one)
    return Done(ended(begun(None, "shop.public.t", "me", NOW), report, NOW, fault=fault), report)


def shown(*all_done: Done) -> str:
    console = Console(width=160, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(render(all_done, shower(values=True)))
    console.file.close()
    return console.export_text()


DIFFERENT = Found(Difference(Kind.DIFFERENT, ("name", "at"), ("strange",)), 7)


def test_all_tables_and_what_differs() -> None:
    text = shown(
        done(rows=1234), done(DIFFERENT, Found(Difference(Kind.EXTRA), ObjectId("0" * 24), "why"), rows=5)
    )
    assert "1,234" in text
    assert "different  7" in text
    assert "name, at, strange (no column)" in text
    assert "why" in text


def test_what_is_said_beside_the_numbers() -> None:
    text = shown(
        done(DIFFERENT, DIFFERENT, DIFFERENT, foreign=3, removed=1, impossible=2, unsettled=4, gaps_closed=5),
        done(fault="the store is away"),
    )
    for said in (
        "2 documents whose _id is no key of the table",
        "2 rows that no document can hold",
        "4 keys of which it could not be told",
        "5 gaps closed",
        "cut short: the store is away",
        "and 1 more; --limit-differences shows them",
    ):
        assert said in text


def test_who_held_it_up_is_told() -> None:
    made = done(rows=3, unsettled=2)
    made.report.held_up = "after 5m: proxy 7 is stuck"
    text = shown(Done(replace(made.state, message=made.report.held_up), made.report))
    assert "unsettled" in text
    assert "public.t: held up after 5m: proxy 7 is stuck" in text
    assert "cut short" not in text
    assert "left open" not in text
    equal = done(rows=3)
    text = shown(Done(replace(equal.state, repair=True, message="after 5m: proxy 7 is stuck"), equal.report))
    assert "proxy 7 is stuck; gaps were left open for this" in text


def test_keys_are_marks_that_tell_them_apart_in_one_run() -> None:
    hidden = shower(values=False)
    assert hidden("secret").startswith("str #")
    assert "secret" not in hidden("secret")
    assert hidden("secret") == hidden("secret") != hidden("other")
    assert shower(values=False)("secret") != hidden("secret")
    assert shower(values=True)("secret") == "'secret'"


def test_as_json() -> None:
    found = json.loads(json.dumps(describe(done(DIFFERENT, rows=5), shower(values=True))))
    assert (found["table"], found["outcome"], found["rows"], found["left"]) == (
        "shop.public.t",
        "different",
        5,
        1,
    )
    assert found["columns"] == {"name": 1, "at": 1, "strange": 1}
    assert found["differences"] == [
        {"class": "different", "id": "7", "columns": ["name", "at"], "fields": ["strange"], "note": ""}
    ]


def test_how_far_it_is() -> None:
    progress = Progress(phase="rows", estimate=100)
    progress.report.rows = 25
    assert share_of(progress) == 0.25
    assert line("t", progress) == "t  25%, 25 rows, 0 documents, rows"
    progress.report.documents, progress.waiting = 500, "the store is away"
    progress.report.missing = progress.report.repaired = 2
    assert share_of(progress) == 0.999
    assert line("t", progress).endswith("2 differences, 2 repaired, waiting: the store is away")
    progress.waiting, progress.behind = "", "proxy 7 is slow"
    assert line("t", progress).endswith("waiting: proxy 7 is slow")
    assert share_of(Progress()) is None
