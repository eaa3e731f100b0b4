"""The ledger of gaps as people and programs see it, with what proxies have not told it yet. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from proxy.fleet.beats import Beat
from proxy.stores.protocol import GapEntry

SHORT = 8
"""Characters of an id."""


@dataclass(frozen=True, slots=True)
class Untold:
    """Gaps that one proxy knows and the ledger does not yet: most of them close within seconds."""

    proxy: str
    database: str
    table: str
    count: int


def untold(beats: Iterable[Beat], lost: Iterable[str]) -> list[Untold]:
    """Of the processes that run."""
    gone = set(lost)
    return [
        Untold(beat.proxy, database, table, count)
        for beat in beats
        if not beat.clean and beat.proxy not in gone
        for (database, table), count in beat.gaps.items()
        if count
    ]


def describe(gaps: Sequence[GapEntry], waiting: Sequence[Untold], *, values: bool) -> dict[str, Any]:
    """As JSON has it. `values`: with the key values of gaps that have rows."""
    return {
        "gaps": [_gap(gap, values=values) for gap in gaps],
        "untold": [
            {"proxy": one.proxy, "database": one.database, "table": one.table, "count": one.count}
            for one in waiting
        ],
    }


def _gap(gap: GapEntry, *, values: bool) -> dict[str, Any]:
    rows: Mapping[str, Any] | None = gap.rows
    found: dict[str, Any] = {
        "id": gap.id,
        "database": gap.database,
        "table": gap.table,
        "cause": gap.cause,
        "scope": gap.scope,
        "columns": None if rows is None else list(rows["columns"]),
        "rows": None if rows is None else len(rows["values"]),
        "detail": gap.detail,
        "count": gap.count,
        "proxy": gap.proxy,
        "version": gap.version,
        "first_seen": gap.first_seen.isoformat(),
        "last_seen": gap.last_seen.isoformat(),
    }
    if values and rows is not None:
        found["values"] = [list(value) for value in rows["values"]]
    return found


def render(gaps: Sequence[GapEntry], waiting: Sequence[Untold]) -> RenderableType:
    if not gaps and not waiting:
        return Text("no gap is open")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("GAP", "TABLE", "CAUSE", "SCOPE", "SEEN", "FIRST", "LAST", "PROXY", "DETAIL"):
        table.add_column(title, justify="right" if title == "SEEN" else "left", overflow="fold")
    for gap in sorted(gaps, key=lambda gap: (gap.database, gap.table, gap.first_seen)):
        table.add_row(
            gap.id[:SHORT],
            Text(f"{gap.database}:{gap.table}"),
            gap.cause,
            "table" if gap.rows is None else f"{len(gap.rows['values']):,} rows",
            f"{gap.count:,}",
            f"{gap.first_seen:%Y-%m-%d %H:%M:%S}",
            f"{gap.last_seen:%Y-%m-%d %H:%M:%S}",
            gap.proxy[:SHORT],
            Text(gap.detail),
        )
    parts: list[RenderableType] = [table] if gaps else [Text("the ledger has no open gap")]
    parts += [
        Text(
            f"{one.database}:{one.table}: {one.count:,} gaps that proxy {one.proxy[:SHORT]} is about to close or tell"
        )
        for one in waiting
    ]
    return Group(*parts)
