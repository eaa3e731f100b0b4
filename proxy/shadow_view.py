"""What dark reads have found, as a person reads it on a terminal of 100 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from proxy.admin.shadow import Percentiles, ShadowReads, ShadowReason, ShadowStatus, StatementStatus
from proxy.mirror_view import duration, number

SHOWN_STATEMENTS = 10
SHOWN_REASONS = 10
COMPARED = ("match", "mismatch", "ignored", "transient", "nondeterministic")
LEFT_OUT = ("unsupported", "timeout", "error", "skipped", "dropped")


def render_shadow(shadow: ShadowStatus) -> list[RenderableType]:
    """Outcomes by table, then the statements with both latencies, then why reads were not compared."""
    state = Text.assemble(
        "dark reads: shadow process ",
        ("runs", "green") if shadow.up else ("is away", "bold red"),
        f", {number(shadow.waiting)} under way, {number(shadow.restarts)} restarts",
    )
    parts: list[RenderableType] = [state]
    if shadow.tables:
        parts.append(_tables(shadow.tables))
    if shadow.statements:
        parts.append(_statements(shadow.statements))
    if shadow.reasons:
        parts.append(_reasons(shadow.reasons))
    return parts


def rate(outcomes: Mapping[str, int]) -> float | None:
    """Share of the compared reads that are mismatches; None where none was compared."""
    compared = sum(outcomes.get(name, 0) for name in COMPARED)
    return outcomes.get("mismatch", 0) / compared if compared else None


def _tables(tables: Sequence[ShadowReads]) -> Table:
    view = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    view.add_column("dark reads of", overflow="fold")
    for heading in ("match", "mismatch", "rate", "ignored", "transient", "undetermined", "left out"):
        view.add_column(heading, justify="right", no_wrap=True)
    for table in tables:
        found = table.outcomes
        share = rate(found)
        view.add_row(
            Text(f"{table.database}: {table.table}"),
            number(found.get("match", 0)),
            Text(number(found.get("mismatch", 0)), "bold red" if found.get("mismatch") else ""),
            "-" if share is None else f"{share:.2%}",
            number(found.get("ignored", 0)),
            number(found.get("transient", 0)),
            number(found.get("nondeterministic", 0)),
            number(sum(found.get(name, 0) for name in LEFT_OUT)),
        )
    return view


def _statements(statements: Sequence[StatementStatus]) -> Table:
    view = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    view.add_column("fingerprint", no_wrap=True)
    view.add_column("statement", overflow="ellipsis", no_wrap=True, ratio=1)
    view.add_column("reads", justify="right", no_wrap=True)
    view.add_column("PostgreSQL p50/p95/p99", no_wrap=True)
    view.add_column("store", no_wrap=True)
    for one in statements[:SHOWN_STATEMENTS]:
        wrong = one.outcomes.get("mismatch", 0)
        view.add_row(
            Text(one.fingerprint, "bold red" if wrong else ""),
            Text(one.statement),
            number(sum(one.outcomes.values())),
            percentiles(one.postgres),
            percentiles(one.store),
        )
    if len(statements) > SHOWN_STATEMENTS:
        view.add_row("", Text(f"and {len(statements) - SHOWN_STATEMENTS} more", "dim"), "", "", "")
    return view


def percentiles(found: Percentiles) -> str:
    if found.p50 is None or found.p95 is None or found.p99 is None:
        return "-"
    return " ".join(duration(one) for one in (found.p50, found.p95, found.p99))


def _reasons(reasons: Sequence[ShadowReason]) -> Table:
    view = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    view.add_column("outcome")
    view.add_column("why", overflow="fold")
    view.add_column("reads", justify="right", no_wrap=True)
    for one in reasons[:SHOWN_REASONS]:
        view.add_row(Text(one.outcome), Text(one.reason), number(one.count))
    return view
