"""What is asked of the store: for each scan of a read one question, with everything that may be left to it.

The proxy checks every condition again, so a filter may find more than is wanted, but never less: the TRUE set of a
condition is within it. Only where a limit or a count is left to the store must the filter be exact.

A scan that is joined to another by an equation is asked for the values the other has, once these are known (`edges`):
rows without a partner are of no interest on the side of a join that is not kept whole, nor in a query that is looked
up from a row around it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from proxy.translate import ordering
from proxy.translate.api import Inexact
from proxy.translate.evaluate import Compiler
from proxy.translate.fetch import Decoder
from proxy.translate.filter_rules import ALWAYS, NEVER, Condition, Rule, comparable, transparent
from proxy.translate.filters import Filters, Found, joined, safely
from proxy.translate.relational import Placed, equation, placed, used
from proxy.translate.rewrite import outer_columns, walk, within
from proxy.translate.runtime import Run
from proxy.translate.tree import (
    Agg,
    Call,
    Column,
    Derived,
    Expr,
    Join,
    Query,
    Scan,
    Sub,
    conjuncts,
)
from proxy.translate.types import Types

MAX_VALUES = 5000
"""How many values of another scan a question may list."""


@dataclass(frozen=True, slots=True)
class Question:
    """One find, aggregation or count."""

    condition: Condition
    projection: Mapping[str, Any]
    sort: Sequence[tuple[str, int]] = ()
    limit: int = 0
    pipeline: Sequence[Mapping[str, Any]] | None = None
    count: bool = False


@dataclass(frozen=True, slots=True)
class Edge:
    """Rows of interest have in a field one of the values another scan has in a column."""

    source: int
    """Number of the other scan."""
    column: int
    """Its attribute."""
    rule: Rule


@dataclass(frozen=True, slots=True)
class Fetch:
    """How the rows of one scan are fetched."""

    scan: Scan
    decoder: Decoder
    filter: Found | None = None
    complete: bool = False
    """Whether the filter stands for all conditions on the scan."""
    edges: tuple[Edge, ...] = ()
    top: ordering.Top | None = None
    count: bool = False

    def question(self, run: Run) -> Question | None:
        """None where no row can be wanted."""
        condition, exact = (ALWAYS, True) if self.filter is None else safely(self.filter, run)
        parts = [condition] if condition else []
        for edge in self.edges:
            values = _values(edge, run)
            if values is not None:
                parts.append({edge.rule.name: {"$in": values}})
        if NEVER in parts or any(part == {"_id": {"$in": []}} for part in parts):
            return None
        whole: Condition = parts[0] if len(parts) == 1 else {"$and": parts} if parts else {}
        exact = exact and self.complete
        projection = self.decoder.projection()
        if self.count and exact:
            return Question(whole, projection, count=True)
        if self.top is None or not exact:
            return Question(whole, projection)
        limit = self.top.count(run)
        if not limit:
            return Question(whole, projection)
        if self.top.ranks:
            steps = ordering.pipeline(whole, self.top, projection, limit)
            return Question(whole, projection, self.top.sort, limit, steps)
        return Question(whole, projection, self.top.sort, limit)


def _values(edge: Edge, run: Run) -> list[Any] | None:
    """What the other scan has, as the store holds it; None where it is too much."""
    found = {row[edge.column] for row in run.rows[edge.source]}
    found.discard(None)
    if len(found) > MAX_VALUES:
        return None
    convert = edge.rule.value
    assert convert is not None
    try:
        return [convert(value) for value in found]
    except Inexact:
        return None


@dataclass(slots=True)
class _Leaf:
    scan: Scan
    start: int
    query: Query
    conditions: list[Expr]


def fetches(query: Query, scans: Sequence[Scan], types: Types, *, push_down: bool) -> tuple[Fetch, ...]:
    """In the order in which they are to be asked."""
    planner = _Planner(types)
    planner.query(query, ())
    needed: dict[int, set[int]] = {}
    for leaf in planner.leaves.values():
        columns = _columns(leaf.query)
        own = columns & set(range(leaf.start, leaf.start + leaf.scan.width))
        needed.setdefault(leaf.scan.number, set()).update(place - leaf.start for place in own)
    made = {}
    for leaf in planner.leaves.values():
        decoder = Decoder(leaf.scan.table, needed[leaf.scan.number], types)
        made[leaf.scan.number] = planner.fetch(leaf, decoder) if push_down else Fetch(leaf.scan, decoder)
    if not push_down:
        return tuple(made[scan.number] for scan in scans)
    return _in_order(made, planner.edges)


def _in_order(made: Mapping[int, Fetch], edges: Sequence[tuple[int, Edge]]) -> tuple[Fetch, ...]:
    """Those with filters of their own first, then those that can be asked for values of the ones before."""
    left = dict(made)
    done: list[Fetch] = []
    known: set[int] = set()
    while left:
        reach = {target for target, edge in edges if edge.source in known and target in left}
        number = min(
            left,
            key=lambda one: (
                left[one].filter is None and left[one].top is None and one not in reach,
                one not in reach,
                one,
            ),
        )
        fetch = left.pop(number)
        own = tuple(edge for target, edge in edges if target == number and edge.source in known)
        counted = fetch.count and not own
        done.append(Fetch(fetch.scan, fetch.decoder, fetch.filter, fetch.complete, own, fetch.top, counted))
        known.add(number)
    return tuple(done)


class _Planner:
    """Goes through the queries of a read."""

    def __init__(self, types: Types) -> None:
        self.types = types
        self.compiler = Compiler(_no_queries)
        self.leaves: dict[int, _Leaf] = {}
        self.edges: list[tuple[int, Edge]] = []
        """(scan that is restricted, by what)."""

    def query(self, query: Query, around: tuple[tuple[Query, Placed], ...]) -> None:
        for _, shared in query.shared:
            self.query(shared, ())
        part = placed(query.source, 0, conjuncts(query.where))
        self._part(part, query)
        self._joined(part, query, part, around)
        here = ((query, part), *around)
        shared_queries = {id(shared) for _, shared in query.shared}
        for inner in within(query):
            if id(inner) not in shared_queries:
                self.query(inner, here)

    def _part(self, part: Placed, query: Query) -> None:
        if part.left is not None and part.right is not None:
            self._part(part.left, query)
            self._part(part.right, query)
        elif isinstance(part.source, Scan):
            leaf = _Leaf(part.source, part.start, query, part.conditions)
            self.leaves[part.source.number] = leaf

    def fetch(self, leaf: _Leaf, decoder: Decoder) -> Fetch:
        filters = Filters(leaf.scan.table, leaf.start, leaf.scan.width, self.compiler, self.types)
        made = [filters.condition(condition) for condition in leaf.conditions]
        found = [one for one in made if one is not None]
        complete = len(found) == len(made)
        whole = joined("$and", found, exact=complete) if found else None
        top = ordering.top(leaf.query, leaf.scan, self.compiler, self.types)
        return Fetch(leaf.scan, decoder, whole, complete, (), top, _counts(leaf.query, leaf.scan))

    def _joined(
        self, part: Placed, query: Query, root: Placed, around: tuple[tuple[Query, Placed], ...]
    ) -> None:
        """Edges of the equations of joins, and of conditions on queries around."""
        if part.left is not None and part.right is not None:
            assert isinstance(part.source, Join)
            kind = part.source.kind
            for condition in part.on:
                sides = equation(condition)
                if sides is None:
                    continue
                for one, other in (sides, sides[::-1]):
                    target = self._origin(one, root, query)
                    source = self._origin(other, root, query)
                    if target is None or source is None:
                        continue
                    on_left = used(one) <= set(range(part.left.start, part.right.start))
                    if kind == "inner" or kind == ("right" if on_left else "left"):
                        self._edge(one, target, other, source, query)
            self._joined(part.left, query, root, around)
            self._joined(part.right, query, root, around)
            return
        for condition in part.conditions:
            if isinstance(condition, Sub):
                self._wanted(condition, query, root)
            sides = equation(condition)
            if sides is None or not isinstance(part.source, Scan):
                continue
            for one, other in (sides, sides[::-1]):
                outer = self._outer(other, around)
                target = self._origin(one, root, query)
                if outer is not None and target is not None:
                    self._edge(one, target, other, outer, query)

    def _wanted(self, sub: Sub, query: Query, root: Placed) -> None:
        """Edges of `x IN (SELECT y ...)` and `EXISTS (SELECT ... WHERE y = x)`: true only where x is one of y's values.

        That of an EXISTS over groups is not: there may be one without a row."""
        inner = sub.query
        if inner.grouped or inner.windows:
            return
        inside = placed(inner.source, 0, ())
        if sub.kind == "any" and len(sub.tests) == 1 and sub.compare is not None:
            sides = equation(sub.compare)
            if sides is not None and all(map(_plain, sides)):
                self._sided(sub.tests[0], query, root, inner.targets[0].expr, inner, inside)
        elif sub.kind == "exists":
            for condition in conjuncts(inner.where):
                sides = equation(condition)
                if sides is None or not all(map(_plain, sides)):
                    continue
                columns = [next(part for part in walk(side) if isinstance(part, Column)) for side in sides]
                for own, other in (columns, columns[::-1]):
                    if (own.level, other.level) == (0, 1):
                        self._sided(replace(other, level=0), query, root, own, inner, inside)

    def _sided(
        self, one: Expr, query: Query, root: Placed, other: Expr, inner: Query, inside: Placed
    ) -> None:
        target, source = self._origin(one, root, query), self._origin(other, inside, inner)
        if target is not None and source is not None:
            self._edge(one, target, other, source, query)

    def _outer(self, expr: Expr, around: tuple[tuple[Query, Placed], ...]) -> tuple[int, int] | None:
        """The scan of a query around whose column it is. Of a grouped query rows are not those of FROM: no."""
        columns = [part for part in walk(expr) if isinstance(part, Column)]
        if len(columns) != 1 or not 1 <= columns[0].level <= len(around):
            return None
        query, root = around[columns[0].level - 1]
        if query.grouped or query.windows:
            return None
        return self._origin(replace(columns[0], level=0), root, query) if _plain(expr) else None

    def _origin(self, expr: Expr, root: Placed, query: Query) -> tuple[int, int] | None:
        """(scan, attribute) whose values include all that a plain column can have."""
        if not _plain(expr):
            return None
        column = next((part for part in walk(expr) if isinstance(part, Column)), None)
        if column is None or column.level:
            return None
        for leaf in _leaves(root):
            if not leaf.start <= column.index < leaf.start + leaf.width:
                continue
            place = column.index - leaf.start
            if isinstance(leaf.source, Scan):
                return leaf.source.number, place
            if isinstance(leaf.source, Derived):
                inner = leaf.source.query
                if inner.grouped or inner.windows:
                    return None
                return self._origin(inner.targets[place].expr, placed(inner.source, 0, ()), inner)
        return None

    def _edge(
        self, one: Expr, target: tuple[int, int], other: Expr, source: tuple[int, int], query: Query
    ) -> None:
        leaf = self.leaves.get(target[0])
        if leaf is None or leaf.query is not query or target[0] == source[0]:
            return
        filters = Filters(leaf.scan.table, leaf.start, leaf.scan.width, self.compiler, self.types)
        found = filters.field(one)
        if found is None:
            return
        column, oid, single = found
        rule = Rule(column, oid, single, self.types)
        plain = next(part for part in walk(other) if isinstance(part, Column))
        if not rule.listed or not comparable(oid, plain.type):
            return
        self.edges.append((target[0], Edge(source[0], source[1], rule)))


def _plain(expr: Expr) -> bool:
    """A column, or one that is cast without being changed."""
    while isinstance(expr, Call) and len(expr.args) == 1 and transparent(expr):
        expr = expr.args[0]
    return isinstance(expr, Column)


def _counts(query: Query, scan: Scan) -> bool:
    """Whether a query asks only how many rows a scan has."""
    return (
        query.source is scan
        and query.grouped
        and not query.group
        and not query.carried
        and query.having is None
        and all(_counted(agg) for agg in query.aggregates)
    )


def _counted(agg: Agg) -> bool:
    return agg.name == "count" and agg.star and agg.filter is None


def _no_queries(query: Query) -> Any:
    raise AssertionError("a constant has no queries in it")


def _leaves(part: Placed) -> Iterator[Placed]:
    if part.left is not None and part.right is not None:
        yield from _leaves(part.left)
        yield from _leaves(part.right)
    else:
        yield part


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
