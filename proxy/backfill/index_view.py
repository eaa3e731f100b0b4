"""The indexes of a table and its collection as a person reads them, and as JSON."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from proxy.backfill.indexes import Plan, Proposal, Standing
from proxy.stores.protocol import Index

STYLES = {
    Standing.THERE: "green",
    Standing.CREATED: "bold green",
    Standing.MISSING: "yellow",
    Standing.BY_ID: "green",
    Standing.DIFFERENT: "bold yellow",
    Standing.NOT_TRANSLATED: "dim",
    Standing.FAILED: "bold red",
}


def render(plan: Plan) -> RenderableType:
    """One line for each index of PostgreSQL, then what else the collection has."""
    parts: list[RenderableType] = [Text.assemble((plan.table, "bold"), f" → {plan.collection}")]
    view = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("index", "on PostgreSQL", "on documents", "is", "remarks"):
        view.add_column(heading, overflow="fold")
    for one in plan.proposals:
        view.add_row(
            Text(one.source.name),
            Text(_of_source(one)),
            Text("" if one.index is None else keys(one.index)),
            Text(one.standing.value, STYLES[one.standing]),
            Text("; ".join(one.notes)),
        )
    parts.append(view if plan.proposals else Text("PostgreSQL has no index on it.\n"))
    for other in plan.others:
        parts.append(Text(f"also there: {other.name} on {keys(other)}{' unique' if other.unique else ''}"))
    parts += [Text(f"warning: {warning}", "bold yellow") for warning in plan.warnings]
    if plan.missing:
        names = len({one.index.name for one in plan.missing if one.index is not None})
        parts.append(Text(f"{names} to be made: --apply makes them.", "bold"))
    return Group(*parts)


def keys(index: Index) -> str:
    """`a, b desc`, with the filter of a partial one."""
    shown = ", ".join(
        name if kind == 1 else f"{name} desc" if kind == -1 else f"{name} ({kind})"
        for name, kind in index.keys
    )
    return shown if index.partial is None else f"{shown} where {_filter(dict(index.partial))}"


def describe(plan: Plan) -> dict[str, Any]:
    """As JSON can have it."""
    return {
        "table": plan.table,
        "collection": plan.collection,
        "indexes": [
            {
                "name": one.source.name,
                "definition": one.source.definition,
                "unique": one.source.unique,
                "standing": one.standing.value,
                "index": None if one.index is None else _index(one.index),
                "notes": list(one.notes),
            }
            for one in plan.proposals
        ],
        "others": [_index(other) for other in plan.others],
        "warnings": list(plan.warnings),
    }


def _index(index: Index) -> dict[str, Any]:
    partial = None if index.partial is None else _filter(dict(index.partial))
    return {
        "name": index.name,
        "keys": [list(key) for key in index.keys],
        "unique": index.unique,
        "partial": partial,
    }


def _filter(partial: dict[str, Any]) -> str:
    from bson import json_util

    return json_util.dumps(partial, json_options=json_util.RELAXED_JSON_OPTIONS)


def _of_source(one: Proposal) -> str:
    parts = ", ".join(
        (part.column or part.definition) + (" desc" if part.descending else "") for part in one.source.parts
    )
    kind = "" if one.source.method == "btree" else f"{one.source.method} "
    unique = "unique " if one.source.unique else ""
    where = f" where {one.source.predicate}" if one.source.predicate else ""
    return f"{unique}{kind}{parts}{where}"
