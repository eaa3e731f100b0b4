"""The reads of tables in `primary_switch`, as a person reads them on a terminal of 100 columns."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from proxy.admin.serving import BreakerState, ReadReason, ServingStatus, TableReads
from proxy.mirror_view import number
from proxy.shadow_view import percentiles

SHOWN_REASONS = 10
_STATES: dict[BreakerState, tuple[str, str]] = {
    "closed": ("is asked", "green"),
    "half_open": ("is tried again", "bold yellow"),
    "open": ("is not asked, after errors", "bold red"),
}


def render_serving(serving: ServingStatus) -> list[RenderableType]:
    """Who answered, by table, then why PostgreSQL did."""
    state = Text.assemble(
        "served reads: the store ",
        _STATES[serving.breaker],
        f", {number(serving.running)} under way, breaker opened {number(serving.opened)} times",
    )
    parts: list[RenderableType] = [state]
    if serving.tables:
        parts.append(_tables(serving.tables))
    if serving.reasons:
        parts.append(_reasons(serving.reasons))
    return parts


def _tables(tables: Sequence[TableReads]) -> Table:
    view = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    view.add_column("reads of", overflow="fold")
    for heading in ("store", "PostgreSQL", "served", "p50/p95/p99"):
        view.add_column(heading, justify="right", no_wrap=True)
    for table in tables:
        view.add_row(
            Text(f"{table.database}: {table.table}"),
            number(table.store),
            number(table.postgres),
            f"{table.store / (table.store + table.postgres):.1%}",
            percentiles(table.latency),
        )
    return view


def _reasons(reasons: Sequence[ReadReason]) -> Table:
    view = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    view.add_column("why PostgreSQL answered", overflow="fold")
    view.add_column("reads", justify="right", no_wrap=True)
    for one in reasons[:SHOWN_REASONS]:
        view.add_row(Text(one.reason), number(one.count))
    if len(reasons) > SHOWN_REASONS:
        rest = sum(one.count for one in reasons[SHOWN_REASONS:])
        view.add_row(Text(f"and {len(reasons) - SHOWN_REASONS} more reasons", "dim"), number(rest))
    return view
