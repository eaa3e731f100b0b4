"""From a query whose expressions have aggregates and windows in them to one with steps. Manual: 7.2.3 to 7.2.5."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from proxy.sql.parse import Node
from proxy.translate.context import Context
from proxy.translate.rewrite import has_domain, rebuilt, walk
from proxy.translate.tree import Agg, Column, Expr, Join, Scan, SetOperation, Source, Values, Window
from proxy.translate.values import Key, equality_key


class Grouping:
    """What the rows of a grouped query are made of, and how its expressions are found in them."""

    def __init__(
        self,
        context: Context,
        source: Source | Values | SetOperation,
        group: Sequence[Expr],
        node: Node,
    ) -> None:
        self.context = context
        self.node = node
        self.group = tuple(group)
        self.aggregates: list[Agg] = []
        self.carried: list[Column] = []
        self._dependent = self._determined(source)

    def keys(self) -> tuple[Key, ...]:
        return tuple(equality_key(expr.type, self.context.types, expr.shape.collation) for expr in self.group)

    def _determined(self, source: Source | Values | SetOperation) -> set[int]:
        """Columns that are determined by the grouping columns: those of tables whose primary key is among these."""
        grouped = {expr.index for expr in self.group if isinstance(expr, Column) and expr.level == 0}
        found: set[int] = set()
        for scan, start in _placed(source, 0):
            relation = scan.table.relation
            numbers = {attribute.name: place for place, attribute in enumerate(relation.attributes)}
            key = [numbers[name] + start for name in relation.primary_key if name in numbers]
            if key and len(key) == len(relation.primary_key) and grouped.issuperset(key):
                found.update(range(start, start + scan.width))
        return found

    def collect(self, expr: Expr) -> None:
        for part in walk(expr):
            if isinstance(part, Agg) and part not in self.aggregates:
                self.aggregates.append(part)

    def _shape(self, place: int, expr: Expr) -> Column:
        source = expr.source if isinstance(expr, Column) else None
        return Column(expr.shape, 0, place, False, source, has_domain(expr))

    def over_groups(self, expr: Expr) -> Expr:
        """The expression over grouped rows. Unsupported where it needs what groups do not have."""

        def change(part: Expr, depth: int) -> Expr | None:
            if depth == 0:
                if part in self.group:
                    return self._shape(self.group.index(part), part)
                if isinstance(part, Agg):
                    return Column(part.shape, 0, self._aggregate_place(part))
            if isinstance(part, Column) and part.level == depth:
                bare = replace(part, level=0)
                if bare in self.group:
                    return replace(self._shape(self.group.index(bare), bare), level=depth)
                if part.index not in self._dependent:
                    self.context.refuse("a column that is not grouped", self.node)
                if bare not in self.carried:
                    self.carried.append(bare)
                place = _CARRIED + self.carried.index(bare)
                return replace(self._shape(place, bare), level=depth)
            return None

        return rebuilt(expr, change)

    def _aggregate_place(self, agg: Agg) -> int:
        return _AGGREGATES + self.aggregates.index(agg)

    def settled(self, expr: Expr) -> Expr:
        """With the places of carried columns and aggregates, once all are known."""
        carried, aggregates = len(self.group), len(self.group) + len(self.carried)

        def change(part: Expr, depth: int) -> Expr | None:
            if isinstance(part, Column) and part.level == depth and part.index >= _CARRIED:
                if part.index >= _AGGREGATES:
                    return replace(part, index=part.index - _AGGREGATES + aggregates)
                return replace(part, index=part.index - _CARRIED + carried)
            return None

        return rebuilt(expr, change)

    @property
    def width(self) -> int:
        return len(self.group) + len(self.carried) + len(self.aggregates)


_CARRIED = 1_000_000
_AGGREGATES = 2_000_000
"""Where places are counted from until all are known."""


def _placed(source: Source | Values | SetOperation, start: int) -> list[tuple[Scan, int]]:
    """Scans of a FROM, and where their columns begin."""
    found: list[tuple[Scan, int]] = []
    place = start
    for part in _leaves(source):
        if isinstance(part, Scan):
            found.append((part, place))
        place += 0 if isinstance(part, Values | SetOperation) else part.width
    return found


def _leaves(source: Source | Values | SetOperation) -> list[Source | Values | SetOperation]:
    if isinstance(source, Join):
        return [*_leaves(source.left), *_leaves(source.right)]
    return [source]


def windowed(exprs: Sequence[Expr], width: int) -> tuple[list[Expr], tuple[Window, ...]]:
    """Expressions with window functions as columns behind a row of `width`, and the window functions."""
    found: list[Window] = []

    def change(part: Expr, depth: int) -> Expr | None:
        if depth == 0 and isinstance(part, Window):
            if part not in found:
                found.append(part)
            return Column(part.shape, 0, width + found.index(part))
        return None

    return [rebuilt(expr, change) for expr in exprs], tuple(found)
