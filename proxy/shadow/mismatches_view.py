"""Entries of the ledger as a person reads them, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from proxy.shadow.ledger import DifferingKey, Mismatch

SHOWN_KEYS = 3

KINDS = {
    "rows": "other values",
    "missing": "rows the store lacks",
    "extra": "rows only the store has",
    "order": "another order",
    "description": "another row description",
    "document": "a foreign document",
}


def describe(entry: Mismatch) -> dict[str, Any]:
    """As JSON; times in ISO 8601."""
    found = {"id": entry.id, **entry.document()}
    for name in ("first_seen", "last_seen"):
        found[name] = found[name].isoformat()
    return found


def render(entries: Sequence[Mismatch], unkept: int) -> Group:
    parts: list[RenderableType] = []
    if entries:
        view = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for heading in ("entry", "tables", "differs"):
            view.add_column(heading, overflow="fold")
        view.add_column("count", justify="right", no_wrap=True)
        view.add_column("last seen", no_wrap=True)
        view.add_column("keys", overflow="fold")
        for entry in entries:
            columns = ", ".join(entry.columns)
            view.add_row(
                Text(entry.id[:8], "bold"),
                Text(", ".join(entry.tables)),
                Text(f"{KINDS.get(entry.kind, entry.kind)}{': ' if columns else ''}{columns}", "red"),
                f"{entry.count:,}",
                _time(entry.last_seen),
                Text(_keys(entry.keys)),
            )
        parts.append(view)
    else:
        parts.append(Text("no mismatches", "green"))
    if unkept:
        parts.append(Text(f"{unkept:,} more had no room in the ledger", "yellow"))
    return Group(*parts)


def render_one(entry: Mismatch) -> Group:
    view = Table(box=None, show_header=False, pad_edge=False)
    view.add_column(style="dim", no_wrap=True)
    view.add_column(overflow="fold")
    for label, text in (
        ("entry", entry.id),
        ("database", entry.database),
        ("tables", ", ".join(entry.tables)),
        ("fingerprint", entry.fingerprint),
        ("statement", entry.statement),
        ("differs", KINDS.get(entry.kind, entry.kind)),
        ("columns", ", ".join(entry.columns) or "-"),
        ("rows", f"{entry.rows:,} without their like, when it was first seen"),
        ("seen", f"{entry.count:,} times, {_time(entry.first_seen)} to {_time(entry.last_seen)}"),
        ("note", entry.note or "-"),
    ):
        view.add_row(label, Text(text))
    parts: list[RenderableType] = [view]
    if entry.keys:
        keys = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for heading in ("table", "key", "document", "columns"):
            keys.add_column(heading, overflow="fold")
        for key in entry.keys:
            keys.add_row(
                Text(key.table), Text(", ".join(key.key)), Text(key.kind), Text(", ".join(key.columns) or "-")
            )
        parts.append(keys)
    if entry.values:
        values = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=f"values: {entry.redaction}")
        for heading in ("column", "PostgreSQL", "store"):
            values.add_column(heading, overflow="fold")
        for value in entry.values:
            values.add_row(Text(value.column), _value(value.postgres), _value(value.store))
        parts.append(values)
    return Group(*parts)


def _value(value: str | None) -> Text:
    return Text("NULL", "dim") if value is None else Text(value)


def _keys(keys: Sequence[DifferingKey]) -> str:
    shown = "; ".join(", ".join(one.key) for one in keys[:SHOWN_KEYS])
    return shown + (f"; {len(keys) - SHOWN_KEYS} more" if len(keys) > SHOWN_KEYS else "")


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
