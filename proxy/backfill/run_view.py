"""How a run is told: as a line, as JSON, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from proxy.backfill.run import Mode, Run, Status, Tuning
from proxy.units import format_duration, format_size


def describe(run: Run) -> dict[str, Any]:
    """All that may interest a program; moments as ISO 8601."""
    return {
        "table": run.table,
        "number": run.number,
        "status": run.status.value,
        "reason": run.reason,
        "mode": run.mode.value,
        "since": run.since,
        "rows": run.totals.keys,
        "estimate": None if run.estimate < 0 else run.estimate,
        "share": None if run.share is None else round(run.share, 4),
        "rate": round(run.rate, 1),
        "remaining_seconds": None if run.remaining is None else round(run.remaining, 1),
        "read": run.totals.rows,
        "seeded": run.totals.seeded,
        "stale": run.totals.stale,
        "poisoned": run.totals.poisoned,
        "bytes": run.totals.bytes,
        "chunks": run.totals.chunks,
        "under_way": len(run.claims),
        "throttled": run.throttled,
        "workers": [
            {"id": owner, "host": worker.host, "process": worker.process, "throttled": worker.throttled}
            for owner, worker in run.workers.items()
        ],
        "tuning": run.tuning.document(),
        "started": _iso(run.started),
        "updated": _iso(run.updated),
        "ended": _iso(run.ended),
    }


def line(run: Run) -> str:
    """Where it stands, for people, in one line."""
    if run.status.is_over:
        return ending(run)
    parts = [run.table, _amount(run)]
    if run.rate:
        parts.append(f"{run.rate:,.0f} rows/s")
    if run.remaining is not None:
        parts.append(f"{_clock(run.remaining)} left")
    if run.status is not Status.RUNNING:
        parts.append(f"{run.status.value}{f': {run.reason}' if run.reason else ''}")
    elif run.throttled:
        parts.append(f"held back: {run.throttled}")
    if len(run.workers) > 1:
        parts.append(f"{len(run.workers)} workers")
    return "  ".join(parts)


def ending(run: Run) -> str:
    """What became of it."""
    counts = run.totals
    took = f" in {_clock((run.ended - run.started).total_seconds())}" if run.ended else ""
    what = "put in or overwritten" if run.mode is Mode.REFRESH else "put in"
    told = (
        f"{counts.rows:,} rows read, {counts.seeded:,} documents {what}, {counts.stale:,} left as they were"
    )
    if counts.poisoned:
        told += f", {counts.poisoned:,} that no document can hold (`causeway gaps` names them)"
    return f"{run.table}  {run.status.value}{f': {run.reason}' if run.reason else ''}{took}: {told}"


def table_of(runs: Sequence[Run]) -> Table:
    """The runs side by side."""
    shown = Table("table", "status", "rows", "rate", "left", "workers", "said", box=None, pad_edge=False)
    shown.columns[0].overflow = "fold"
    for column in shown.columns[2:6]:
        column.justify = "right"
    for run in runs:
        rate = f"{run.rate:,.0f}/s" if run.rate else ""
        left = "" if run.remaining is None else _clock(run.remaining)
        said = Text(run.reason or run.throttled or ending_notes(run))
        shown.add_row(
            Text(run.table), run.status.value, _amount(run), rate, left, str(len(run.workers) or ""), said
        )
    return shown


def ending_notes(run: Run) -> str:
    """What differs from how runs are by default."""
    notes = []
    if run.totals.poisoned:
        notes.append(f"{run.totals.poisoned:,} rows that no document can hold")
    if run.mode is Mode.REFRESH:
        notes.append("refresh")
    if run.since:
        notes.append(f"since {run.since}")
    limits = tuned(run.tuning)
    return ", ".join([*notes, *([limits] if limits else [])])


def tuned(tuning: Tuning) -> str:
    """The limits that are set."""
    found = []
    if tuning.rate:
        found.append(f"{tuning.rate:g} rows/s")
    if tuning.max_lag_seconds:
        found.append(f"lag {format_duration(tuning.max_lag_seconds)}")
    if tuning.max_lag_bytes:
        found.append(f"lag {format_size(tuning.max_lag_bytes)}")
    if tuning.max_sessions:
        found.append(f"{tuning.max_sessions} sessions")
    if tuning.max_store_latency:
        found.append(f"store {format_duration(tuning.max_store_latency)}")
    if tuning.query:
        found.append(f"query {tuning.query_limit:g}")
    return f"at most {', '.join(found)}" if found else ""


def _amount(run: Run) -> str:
    if run.estimate < 0 or run.share is None:
        return f"{run.totals.keys:,}"
    return (
        f"{run.totals.keys:,} of {'' if run.status is Status.DONE else '~'}{run.estimate:,} ({run.share:.1%})"
    )


def _clock(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f}s"
    hours, rest = divmod(whole, 3600)
    return f"{hours}h{rest // 60:02}m" if hours else f"{rest // 60}m{rest % 60:02}s"


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
