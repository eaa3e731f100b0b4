"""What is asked of the store: for each scan of a read one question, with everything that may be left to it.

The proxy checks every condition again, so a filter may find more than is wanted, but never less: the TRUE set of a
condition must be within it. Only where a limit is left to the store must the filter be exact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proxy.translate.api import Explanation, OutputColumn
from proxy.translate.fetch import Decoder
from proxy.translate.relational import Placed, placed, used
from proxy.translate.rewrite import outer_columns, queries
from proxy.translate.runtime import Run
from proxy.translate.tree import Derived, Expr, Join, Query, Scan, conjuncts
from proxy.translate.types import Types


@dataclass(frozen=True, slots=True)
class Question:
    """One find."""

    condition: Mapping[str, Any]
    projection: Mapping[str, Any]
    sort: Sequence[tuple[str, int]] = ()
    limit: int = 0


@dataclass(frozen=True, slots=True)
class Fetch:
    """How the rows of one scan are fetched."""

    scan: Scan
    decoder: Decoder

    def question(self, run: Run) -> Question | None:
        """None where no row can be wanted."""
        return Question({}, self.decoder.projection())


def fetches(query: Query, scans: Sequence[Scan], types: Types, *, push_down: bool) -> tuple[Fetch, ...]:
    """In the order in which they are to be asked."""
    needed: dict[int, set[int]] = {scan.number: set() for scan in scans}
    for one in queries(query):
        columns = _columns(one)
        for part in _leaves(placed(one.source, 0, ())):
            if isinstance(part.source, Scan):
                own = range(part.start, part.start + part.source.width)
                needed[part.source.number].update(place - part.start for place in columns & set(own))
    return tuple(Fetch(scan, Decoder(scan.table, needed[scan.number], types)) for scan in scans)


def _leaves(part: Placed) -> list[Placed]:
    if part.left is not None and part.right is not None:
        return [*_leaves(part.left), *_leaves(part.right)]
    return [part]


def _columns(query: Query) -> set[int]:
    """Columns of the rows of FROM that a query needs."""
    exprs: list[Expr] = [*conjuncts(query.where), *query.group, *query.carried, *query.aggregates]
    if not query.grouped:
        exprs += [target.expr for target in query.targets]
        exprs += query.windows
    exprs += _conditions(query.source)
    found: set[int] = set()
    for expr in exprs:
        found |= used(expr)
    for inner in _lateral(query.source):
        found.update(column.index for column in outer_columns(inner) if column.level == 1)
    return found


def _conditions(source: object) -> list[Expr]:
    if isinstance(source, Join):
        own = [] if source.condition is None else [source.condition]
        return [*own, *_conditions(source.left), *_conditions(source.right)]
    return []


def _lateral(source: object) -> list[Query]:
    if isinstance(source, Join):
        return [*_lateral(source.left), *_lateral(source.right)]
    return [source.query] if isinstance(source, Derived) and source.lateral else []


def explanation(query: Query, fetches: Sequence[Fetch], columns: tuple[OutputColumn, ...]) -> Explanation:
    questions = tuple(
        {"table": fetch.scan.table.mapping.table, "collection": str(fetch.scan.table.mapping.namespace)}
        for fetch in fetches
    )
    return Explanation(questions, (), (), columns)
