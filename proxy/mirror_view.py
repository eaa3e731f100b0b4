"""What is mirrored, as a person reads it on a terminal of 100 columns."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from proxy.admin.mirror import MirrorOverview, MirrorStatus, SourceState
from proxy.admin.status import TableStatus

STATE_STYLES: dict[SourceState, str] = {
    "unknown": "dim",
    "ok": "green",
    "away": "bold yellow",
    "refused": "bold red",
}


def render_mirror(overview: MirrorOverview, tables: Sequence[TableStatus]) -> list[RenderableType]:
    """The store, catalogues and what waits; then a row for each mirrored table, a line for each cause of gaps."""
    mirrored = [(name(table), table.mirror) for table in tables if table.mirror is not None]
    parts: list[RenderableType] = [_overview(overview)]
    if mirrored:
        parts.append(_counts(mirrored))
    gaps = [
        (table, cause, count) for table, mirror in mirrored for cause, count in sorted(mirror.gaps.items())
    ]
    if gaps:
        parts.append(_gaps(gaps))
    return parts


def name(table: TableStatus) -> str:
    return table.table if table.database is None else f"{table.database}: {table.table}"


def _overview(overview: MirrorOverview) -> Text:
    text = Text.assemble("mirror: store ", (overview.store, STATE_STYLES[overview.store]))
    if overview.store_error:
        text.append(f" ({overview.store_error})", STATE_STYLES["away"])
    text.append(
        f", memory {size(overview.memory_bytes)}, spool {size(overview.spool_bytes)} "
        f"({number(overview.spool_entries)} transactions)"
    )
    looked = overview.statement_cache_hits + overview.statement_cache_misses
    if looked:
        text.append(f", {overview.statement_cache_hits / looked:.1%} of {number(looked)} statements cached")
    for catalogue in overview.catalogues:
        if catalogue.state == "ok":
            continue
        text.append(f"\ncatalogue of {catalogue.database}: ", "bold")
        text.append(catalogue.state, STATE_STYLES[catalogue.state])
        if catalogue.error:
            text.append(f" ({catalogue.error})")
    return text


def _counts(tables: Sequence[tuple[str, MirrorStatus]]) -> Table:
    """`write` is the 99th percentile of a bulk write's duration."""
    view = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    view.add_column("mirrored", overflow="fold")
    for heading in ("captured", "applied", "queue", "lag", "write", "retried", "gaps"):
        view.add_column(heading, justify="right", no_wrap=True)
    for table, mirror in tables:
        gaps = sum(mirror.gaps.values())
        view.add_row(
            Text(table),
            number(mirror.captured),
            number(mirror.applied),
            number(mirror.queued),
            _lag(mirror),
            "-" if mirror.store_write_p99 is None else duration(mirror.store_write_p99),
            number(mirror.retried),
            Text(str(gaps), "bold red" if gaps else "green"),
        )
    return view


def _lag(mirror: MirrorStatus) -> str:
    if not mirror.queued:
        return "-"
    return duration(mirror.lag_seconds) + (f" {size(mirror.lag_bytes)}" if mirror.lag_bytes else "")


def _gaps(gaps: Sequence[tuple[str, str, int]]) -> Text:
    text = Text("open gaps:", "bold red")
    for table, cause, count in gaps:
        text.append(f"\n  {table}  ", "bold").append(f"{cause}: {number(count)}", "default")
    return text.append("\n")


def number(value: int) -> str:
    """Exact to five digits, then in thousands, millions, ...: `99999`, `123k`, `4.5M`."""
    if value < 100_000:
        return str(value)
    scaled = float(value)
    for unit in ("k", "M", "G"):
        scaled /= 1000
        if scaled < 999.5:
            return f"{scaled:.1f}{unit}" if scaled < 99.95 else f"{scaled:.0f}{unit}"
    return f"{scaled / 1000:.1f}T"


def size(count: int) -> str:
    """Bytes in the largest fitting unit: `0 B`, `1.5 KiB`."""
    scaled = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if scaled < 1023.95:
            return f"{scaled:.0f} {unit}" if unit == "B" else f"{scaled:.1f} {unit}"
        scaled /= 1024
    return f"{scaled:.1f} TiB"


def duration(seconds: float) -> str:
    """Two or three digits: `0.4ms`, `12ms`, `1.5s`, `3m`, `2h`."""
    if seconds < 0.00995:
        return f"{seconds * 1000:.1f}ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 99.95:
        return f"{seconds:.1f}s"
    return f"{seconds / 60:.0f}m" if seconds < 5970 else f"{seconds / 3600:.0f}h"
