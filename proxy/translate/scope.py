"""Names of columns, and what they stand for. Manual: 7.2."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from proxy.sql.parse import Node
from proxy.translate.context import Context
from proxy.translate.rewrite import rebuilt
from proxy.translate.tree import Column, Expr, Query


@dataclass(slots=True)
class Name:
    """One column that can be named without its table."""

    name: str
    expr: Expr | None
    """None: the column exists, but documents do not have it."""


@dataclass(slots=True)
class Entry:
    """One table, or what stands for one, in FROM."""

    alias: str
    columns: list[Name]
    schema: str = ""
    table: str = ""
    """Of a table without an alias: how it can be named in full."""
    lateral_only: bool = False
    visible: bool = True


@dataclass(slots=True)
class Shared:
    """A query of WITH."""

    number: int
    query: Query
    names: list[str]


@dataclass(slots=True)
class Scope:
    """The names of one query."""

    outer: Scope | None = None
    entries: list[Entry] = field(default_factory=list)
    names: list[Name] = field(default_factory=list)
    """Columns that can be named alone, in the order of `*`."""
    shared: dict[str, Shared] = field(default_factory=dict)
    lateral: bool = True
    """Whether queries within may see the columns: FROM without LATERAL may not."""


def deeper(expr: Expr, levels: int) -> Expr:
    """The expression as seen from a query `levels` further in."""
    if not levels:
        return expr

    def change(part: Expr, depth: int) -> Expr | None:
        if isinstance(part, Column):
            return replace(part, level=part.level + levels) if part.level >= depth else part
        return None

    return rebuilt(expr, change)


def lookup(context: Context, scope: Scope, node: Node) -> Expr:
    """What a ColumnRef stands for. Unsupported for what is not known, ambiguous or not in documents."""
    fields = [part.get("String", {}).get("sval") for part in node["fields"]]
    if any(part is None for part in fields):
        context.refuse("* here", node)
    level = 0
    at: Scope | None = scope
    while at is not None:
        found = _in(context, at, fields, node)
        if found is not None:
            return deeper(found, level)
        at = at.outer
        level += 1
    context.refuse("a column that is not known", node)


def _in(context: Context, scope: Scope, fields: list[Any], node: Node) -> Expr | None:
    if not scope.lateral:
        return None
    if len(fields) == 1:
        matching = [name for name in scope.names if name.name == fields[0]]
        if not matching:
            if any(entry.alias == fields[0] for entry in scope.entries):
                context.refuse("a whole row", node)
            return None
    else:
        entry = find_entry(context, scope, fields[:-1], node)
        if entry is None:
            return None
        matching = [name for name in entry.columns if name.name == fields[-1]]
        if not matching:
            context.refuse("a column that is not known", node)
    if len(matching) > 1:
        context.refuse("an ambiguous column", node)
    expr = matching[0].expr
    if expr is None:
        context.refuse("a column that documents do not have", node)
    return expr


def find_entry(context: Context, scope: Scope, path: list[Any], node: Node) -> Entry | None:
    """The table a qualified name names."""
    if len(path) == 1:
        found = [entry for entry in scope.entries if entry.alias == path[0]]
    elif len(path) == 2:
        found = [entry for entry in scope.entries if (entry.schema, entry.table) == tuple(path)]
    else:
        context.refuse("a column of another database", node)
    if len(found) > 1:
        context.refuse("an ambiguous table", node)
    return found[0] if found else None


def star(context: Context, scope: Scope, node: Node) -> Iterable[Name]:
    """What `*` or `t.*` stands for. Unsupported where documents do not have all of it."""
    path = [part.get("String", {}).get("sval") for part in node["fields"][:-1]]
    if not path:
        names = list(scope.names)
    else:
        at: Scope | None = scope
        level = 0
        names = []
        while at is not None:
            entry = find_entry(context, at, path, node)
            if entry is not None:
                names = [
                    Name(name.name, None if name.expr is None else deeper(name.expr, level))
                    for name in entry.columns
                ]
                break
            at = at.outer
            level += 1
        else:
            context.refuse("a table that is not in FROM", node)
    if not names:
        context.refuse("* of nothing", node)
    if any(name.expr is None for name in names):
        context.refuse("a column that documents do not have", node)
    return names
