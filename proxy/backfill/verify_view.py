"""What comparisons and gaps look like, for people and for programs. Pure."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from proxy.backfill.report import Found, Outcome, Report, Verification
from proxy.backfill.verify import Progress
from proxy.stores.identity import identity

NUMBERS = {
    "missing": "rows without their document",
    "extra": "documents without a row",
    "different": "documents that are not what their row becomes",
    "unsettled": "keys of which it could not be told: they are still being written or repaired",
    "impossible": "rows that no document can hold",
}
"""What is told where it is not 0."""


@dataclass(frozen=True, slots=True)
class Done:
    """One table's comparison as it ended."""

    state: Verification
    report: Report


Shower = Callable[[Any], str]
"""An `_id` as it is shown."""


def shower(*, values: bool) -> Shower:
    """`values`: as they are; else their types, and marks by which those of one run can be told from each other."""
    if values:
        return lambda value: repr(value)
    salt = secrets.token_bytes(16)

    def hidden(value: Any) -> str:
        mark = hashlib.blake2b(repr(identity(value)).encode(), key=salt, digest_size=4).hexdigest()
        return f"{type(value).__name__} #{mark}"

    return hidden


def describe(done: Done, show: Shower) -> dict[str, Any]:
    """As JSON has it."""
    state = done.state
    return {
        "table": state.table,
        "outcome": state.outcome.value,
        "message": state.message,
        "whole": state.scope.whole,
        "repair": state.repair,
        "started": state.started.isoformat(),
        "ended": None if state.ended is None else state.ended.isoformat(),
        **done.report.numbers(),
        "columns": dict(done.report.columns),
        "differences": [_difference(one, show) for one in done.report.found],
    }


def _difference(found: Found, show: Shower) -> dict[str, Any]:
    return {
        "class": found.difference.kind.value,
        "id": show(found.identifier),
        "columns": list(found.difference.columns),
        "fields": list(found.difference.fields),
        "note": found.note,
    }


def render(done: Sequence[Done], show: Shower) -> RenderableType:
    """A table of all, then what differs."""
    overview = Table(box=None, pad_edge=False, header_style="bold")
    for title in (
        "TABLE",
        "OUTCOME",
        "ROWS",
        "DOCUMENTS",
        "MISSING",
        "EXTRA",
        "DIFFERENT",
        "TRANSIENT",
        "REPAIRED",
        "LEFT",
    ):
        overview.add_column(
            title, justify="left" if title in ("TABLE", "OUTCOME") else "right", overflow="fold"
        )
    parts: list[RenderableType] = [overview]
    for one in done:
        report = one.report
        numbers = (
            report.rows,
            report.documents,
            report.missing,
            report.extra,
            report.different,
            report.transient,
        )
        repaired = report.repaired + report.removed
        overview.add_row(
            Text(one.state.table),
            Text(one.state.outcome.value, style="green" if report.equal and not one.state.message else "red"),
            *(f"{number:,}" for number in (*numbers, repaired, report.left)),
        )
        parts += _notes(one)
    for one in done:
        if one.report.found:
            parts += [Text(), _differences(one, show)]
    return Group(*parts)


def _notes(one: Done) -> Iterable[Text]:
    report, name = one.report, one.state.table
    if one.state.outcome is Outcome.FAILED:
        yield Text(f"{name}: cut short: {one.state.message}", style="red")
    elif one.state.message:
        closed = "" if report.left or not one.state.repair else "; gaps were left open for this"
        yield Text(f"{name}: held up {one.state.message}{closed}", style="yellow")
    for number in ("impossible", "unsettled"):
        if count := getattr(report, number):
            yield Text(f"{name}: {count:,} {NUMBERS[number]}")
    if stay := report.foreign - report.removed:
        yield Text(
            f"{name}: {stay:,} documents whose _id is no key of the table; "
            "--repair --remove-foreign removes those that Causeway has not made, too"
        )
    if report.gaps_closed:
        yield Text(f"{name}: {report.gaps_closed} gaps closed")


def _differences(one: Done, show: Shower) -> RenderableType:
    table = Table(box=None, pad_edge=False, header_style="bold", title_justify="left", title_style="bold")
    table.title = Text(one.state.table)
    for title in ("CLASS", "ID", "COLUMNS"):
        table.add_column(title, overflow="fold")
    for found in one.report.found:
        names = [*found.difference.columns, *(f"{name} (no column)" for name in found.difference.fields)]
        table.add_row(
            found.difference.kind.value, Text(show(found.identifier)), Text(found.note or ", ".join(names))
        )
    hidden = one.report.differences - len(one.report.found)
    if hidden <= 0:
        return table
    return Group(table, Text(f"and {hidden:,} more; --limit-differences shows them"))


def line(table: str, progress: Progress) -> str:
    """How far it is, in one line."""
    report = progress.report
    parts = [f"{report.rows:,} rows", f"{report.documents:,} documents"]
    share = share_of(progress)
    if share is not None:
        parts[0:0] = [f"{share:.0%}"]
    if report.differences:
        parts.append(f"{report.differences:,} differences")
    if report.repaired:
        parts.append(f"{report.repaired:,} repaired")
    if progress.waiting:
        parts.append(f"waiting: {progress.waiting}")
    elif progress.behind:
        parts.append(f"waiting: {progress.behind}")
    elif progress.phase:
        parts.append(progress.phase)
    return f"{table}  {', '.join(parts)}"


def share_of(progress: Progress) -> float | None:
    """0 to 1; None where it cannot be told."""
    if progress.estimate <= 0:
        return None
    return min((progress.report.rows + progress.report.documents) / progress.estimate, 0.999)
