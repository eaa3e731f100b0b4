"""How far backfills are and how comparisons ended, as a person reads it on a terminal of 100 columns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from proxy.admin.history import BackfillState, BackfillStatus, VerifyOutcome, VerifyStatus
from proxy.admin.status import TableStatus
from proxy.mirror_view import duration, name, number

BACKFILL_STYLES: dict[BackfillState, str] = {
    "running": "bold cyan",
    "paused": "bold yellow",
    "done": "green",
    "failed": "bold red",
    "cancelled": "dim",
}
VERIFY_STYLES: dict[VerifyOutcome, str] = {
    "running": "bold cyan",
    "equal": "green",
    "different": "bold red",
    "failed": "bold red",
}


def render_history(tables: Sequence[TableStatus], *, now: datetime) -> list[RenderableType]:
    """A row for each table that is or was copied, then one for each that is or was compared."""
    parts: list[RenderableType] = []
    copied = [(name(table), table.backfill) for table in tables if table.backfill is not None]
    if copied:
        parts.append(_backfills(copied))
    compared = [(name(table), table.verify) for table in tables if table.verify is not None]
    if compared:
        parts.append(_verifications(compared, now))
    return parts


def _backfills(tables: Sequence[tuple[str, BackfillStatus]]) -> Table:
    view = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    view.add_column("backfill", overflow="fold")
    view.add_column("is")
    for heading in ("done", "rows", "rows/s", "left", "seeded"):
        view.add_column(heading, justify="right", no_wrap=True)
    view.add_column("why", overflow="fold")
    for table, run in tables:
        running = run.status == "running"
        why = run.reason or run.throttled
        if running and not run.workers:
            why = "no worker takes part; start `causeway backfill` again"
        view.add_row(
            Text(table),
            Text(run.status, BACKFILL_STYLES[run.status]),
            share(run.share),
            number(run.rows),
            number(round(run.rate)) if running else "-",
            "-" if run.remaining_seconds is None or not running else duration(run.remaining_seconds),
            number(run.seeded),
            Text(why, "yellow" if running else ""),
        )
    return view


def _verifications(tables: Sequence[tuple[str, VerifyStatus]], now: datetime) -> Table:
    view = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    view.add_column("verify", overflow="fold")
    view.add_column("is")
    for heading in ("ago", "rows", "missing", "extra", "different", "repaired", "left"):
        view.add_column(heading, justify="right", no_wrap=True)
    view.add_column("why", overflow="fold")
    for table, found in tables:
        state = found.outcome if found.complete else f"{found.outcome}, in part"
        if found.outcome == "running" and found.share is not None:
            state = f"{state} {share(found.share)}"
        view.add_row(
            Text(table),
            Text(state, VERIFY_STYLES[found.outcome]),
            "-" if found.ended_at is None else duration(max(0.0, (now - found.ended_at).total_seconds())),
            number(found.rows),
            _count(found.missing),
            _count(found.extra),
            _count(found.different),
            number(found.repaired),
            _count(found.left),
            Text(found.reason),
        )
    return view


def _count(value: int) -> Text:
    return Text(number(value), "bold red" if value else "")


def share(value: float | None) -> str:
    """`45 %`; never 100 % before all is done."""
    return "?" if value is None else f"{int(value * 100)} %"
