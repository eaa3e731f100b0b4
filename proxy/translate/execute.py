"""Queries in the proxy: grouping, windows, DISTINCT, set operations, order, limits. Manual: SELECT.

A `Program` is made once of a `Query` and never changes; what it learns while it runs is in the `Run`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from proxy.translate import aggregates, windows
from proxy.translate.api import ReadError
from proxy.translate.evaluate import Compiler
from proxy.translate.relational import Sources, placed
from proxy.translate.runtime import Evaluate, Row, Run
from proxy.translate.tree import Agg, Query, Scan, SetOperation, SortKey, Values, conjuncts
from proxy.translate.types import Types
from proxy.translate.values import Key, shown_alike


@dataclass(slots=True)
class Outcome:
    """The rows of a query, and how far their order is fixed."""

    rows: list[Row]
    ties: list[int]
    """Sizes of runs of rows that may come in any order."""
    loose_head: bool = False
    loose_tail: bool = False


class Program:
    """One query, ready to run."""

    def __init__(self, query: Query, types: Types) -> None:
        self.query = query
        self.types = types
        self._made: dict[int, Program] = {}
        self._compiler = Compiler(self._program)
        self.shared = [(number, self._program(shared)) for number, shared in query.shared]
        self.source = self._source()
        self.groups = _Groups(query, self._compiler, types) if query.grouped else None
        self.windows = windows.Windows(query.windows, self._compiler, types) if query.windows else None
        self.targets = [self._compiler(target.expr) for target in query.targets]
        self.limit = None if query.limit is None else self._compiler(query.limit)
        self.offset = None if query.offset is None else self._compiler(query.offset)
        self.visible = query.visible

    def _program(self, query: Query) -> Program:
        if id(query) not in self._made:
            self._made[id(query)] = Program(query, self.types)
        return self._made[id(query)]

    def _source(self) -> Callable[[Run], list[Row]]:
        source = self.query.source
        if isinstance(source, SetOperation):
            return self._operation(source)
        sources = Sources(self._compiler, self._program, self.types)
        if isinstance(source, Values) and source.rows == ((),):
            # no FROM: one row, and WHERE may have queries in it
            tests = [self._compiler(condition) for condition in conjuncts(self.query.where)]
            return lambda run: [()] if all(test((), run) for test in tests) else []
        return sources.rows(placed(source, 0, conjuncts(self.query.where)))

    def rows(self, run: Run, wanted: int | None) -> list[Row]:
        """The visible columns. `wanted`: how many rows are of interest, None for all; if 1, any will do."""
        outcome = self.outcome(run)
        if wanted == 1:
            return outcome.rows
        if outcome.loose_head or outcome.loose_tail:
            run.doubt("a LIMIT within the query whose order is not total")
        return outcome.rows

    def outcome(self, run: Run) -> Outcome:
        for number, program in self.shared:
            run.outers.append(())
            try:
                run.shared[number] = program.rows(run, None)
            finally:
                run.outers.pop()
        source = self.query.source
        if isinstance(source, Scan) and source.number in run.counts:
            rows: list[Row] = [(run.counts[source.number],) * len(self.query.aggregates)]
        else:
            rows = self.source(run)
            run.full(len(rows))
            if self.groups is not None:
                rows = self.groups.rows(rows, run)
        if self.windows is not None:
            rows = self.windows.rows(rows, run)
        run.spend(len(rows))
        shown = [tuple(target(row, run) for target in self.targets) for row in rows]
        query = self.query
        ties: list[int] | None = None
        if query.distinct is not None and not query.distinct_on:
            shown = self._distinct(shown, run)
        if query.order or query.distinct_on:
            shown, ties = self._sorted(shown)
        if query.distinct_on:
            shown, ties = self._first_of_each(shown, ties or [], run)
        outcome = Outcome(shown, ties if ties is not None else ([len(shown)] if shown else []))
        if self.limit is not None or self.offset is not None:
            outcome = self._cut(outcome, run)
        if self.visible < len(self.targets):
            outcome.rows = [row[: self.visible] for row in outcome.rows]
        return outcome

    def _distinct(self, rows: list[Row], run: Run) -> list[Row]:
        seen: dict[Any, Row] = {}
        places = list(zip(self.query.distinct or (), self.query.distinct_keys, strict=True))
        oids = [self.query.targets[place].expr.type for place, _ in places]
        watched = [place for (place, _), oid in zip(places, oids, strict=True) if not shown_alike(oid)]
        for row in rows:
            name = tuple(None if row[place] is None else key(row[place]) for place, key in places)
            first = seen.setdefault(name, row)
            if watched and first is not row:
                _alike(first, row, watched, run)
        return list(seen.values())

    def _sorted(self, rows: list[Row]) -> tuple[list[Row], list[int]]:
        order = list(self.query.order)
        if self.query.distinct_on:
            order += self._implied(order)
        for place, key in reversed(order):
            rows = aggregates.by_key(rows, key, lambda row, place=place: row[place])  # type: ignore[misc]
        return rows, _runs(rows, order)

    def _implied(self, order: Sequence[tuple[int, SortKey]]) -> list[tuple[int, SortKey]]:
        """DISTINCT ON without, or with a shorter, ORDER BY is sorted by what is left."""
        sorted_by = {place for place, _ in order}
        return [
            (
                place,
                SortKey(self.query.targets[place].expr, False, False, _stable(key), key),
            )
            for place, key in zip(self.query.distinct or (), self.query.distinct_keys, strict=True)
            if place not in sorted_by
        ]

    def _first_of_each(self, rows: list[Row], ties: list[int], run: Run) -> tuple[list[Row], list[int]]:
        kept: dict[Any, Row] = {}
        places = list(zip(self.query.distinct or (), self.query.distinct_keys, strict=True))
        position = 0
        for size in ties:
            firsts: dict[Any, Row] = {}
            for row in rows[position : position + size]:
                name = tuple(None if row[place] is None else key(row[place]) for place, key in places)
                if firsts.setdefault(name, row) != row:
                    run.doubt("DISTINCT ON whose order is not total")
                kept.setdefault(name, row)
            position += size
        found = list(kept.values())
        return found, _runs(found, self.query.order)

    def _cut(self, outcome: Outcome, run: Run) -> Outcome:
        limit = _count(self.limit, run, "LIMIT", "2201W")
        offset = _count(self.offset, run, "OFFSET", "2201X") or 0
        total = len(outcome.rows)
        first = min(offset, total)
        last = total if limit is None else min(first + limit, total)
        starts = [0]
        for size in outcome.ties:
            starts.append(starts[-1] + size)
        if self.query.with_ties and limit:
            last = next((start for start in starts if start >= last), total)
        loose_head = first not in starts and first < last
        loose_tail = last not in starts and first < last
        ties = [
            min(end, last) - max(start, first)
            for start, end in pairwise(starts)
            if min(end, last) > max(start, first)
        ]
        return Outcome(outcome.rows[first:last], ties, loose_head, loose_tail)

    def _operation(self, source: SetOperation) -> Callable[[Run], list[Row]]:
        left, right = self._program(source.left), self._program(source.right)
        keys, kind, every = source.keys, source.kind, source.every
        oids = [target.expr.type for target in source.left.targets[: source.left.visible]]
        watched = [place for place, oid in enumerate(oids) if not shown_alike(oid)]

        def name(row: Row) -> Any:
            return tuple(None if value is None else key(value) for value, key in zip(row, keys, strict=True))

        def rows(run: Run) -> list[Row]:
            run.outers.append(())
            try:
                one, other = left.rows(run, None), right.rows(run, None)
            finally:
                run.outers.pop()
            run.spend(len(one) + len(other))
            if kind == "union" and every:
                return one + other
            if watched:
                firsts: dict[Any, Row] = {}
                for row in one + other:
                    _alike(firsts.setdefault(name(row), row), row, watched, run)
            if kind == "union":
                return list({name(row): row for row in reversed(one + other)}.values())
            return combined(kind, every, one, other, name)

        return rows


def combined(
    kind: str, every: bool, one: list[Row], other: list[Row], name: Callable[[Row], Any]
) -> list[Row]:
    """INTERSECT and EXCEPT."""
    counts = Counter(map(name, other))
    made: list[Row] = []
    seen: set[Any] = set()
    for row in one:
        key = name(row)
        if every:
            there = counts[key] > 0
            counts[key] -= there
        else:
            there = counts[key] > 0
            if key in seen:
                continue
            seen.add(key)
        if there is (kind == "intersect"):
            made.append(row)
    return made


def _stable(key: Key) -> Key:
    """An order for values that are only known to be equal or not: any will do."""
    return lambda value: repr(key(value))


def _alike(first: Row, row: Row, watched: Sequence[int], run: Run) -> None:
    """Rows that are equal but not written alike: which one stands for both is not fixed."""
    if any(str(first[place]) != str(row[place]) for place in watched):
        run.doubt("one of values that are equal but not written alike")


def _runs(rows: list[Row], order: Sequence[tuple[int, SortKey]]) -> list[int]:
    """Sizes of runs of rows with equal keys."""
    sizes: list[int] = []
    last: Any = None
    for row in rows:
        name = tuple(None if row[place] is None else key.equal(row[place]) for place, key in order)
        if sizes and name == last:
            sizes[-1] += 1
        else:
            sizes.append(1)
            last = name
    return sizes


def _count(expr: Evaluate | None, run: Run, what: str, sqlstate: str) -> int | None:
    if expr is None:
        return None
    value: int | None = expr((), run)
    if value is not None and value < 0:
        raise ReadError(sqlstate, f"{what} must not be negative")
    return value


class _Groups:
    """GROUP BY, aggregates and HAVING."""

    def __init__(self, query: Query, compiler: Compiler, types: Types) -> None:
        self.keys = [(compiler(expr), key) for expr, key in zip(query.group, query.group_keys, strict=True)]
        self.carried = [compiler(expr) for expr in query.carried]
        self.calls = [_Aggregate(call, compiler, types) for call in query.aggregates]
        self.having = None if query.having is None else compiler(query.having)
        self.watched = [place for place, expr in enumerate(query.group) if not shown_alike(expr.type)]

    def rows(self, rows: list[Row], run: Run) -> list[Row]:
        groups: dict[Any, list[Row]] = {}
        shown: dict[Any, Row] = {}
        run.spend(len(rows))
        for row in rows:
            values = tuple(expr(row, run) for expr, _ in self.keys)
            name = tuple(
                None if value is None else key(value)
                for value, (_, key) in zip(values, self.keys, strict=True)
            )
            groups.setdefault(name, []).append(row)
            first = shown.setdefault(name, values)
            if self.watched and first is not values:
                _alike(first, values, self.watched, run)
        if not self.keys and not groups:
            groups[()] = []
            shown[()] = ()
        made = []
        for name, members in groups.items():
            row = (
                *shown[name],
                *(expr(members[0], run) for expr in self.carried),
                *(call.result(members, run) for call in self.calls),
            )
            if self.having is None or self.having(row, run):
                made.append(row)
        return made


class _Aggregate:
    """One aggregate call."""

    def __init__(self, call: Agg, compiler: Compiler, types: Types) -> None:
        self.args = [compiler(arg) for arg in call.args]
        self.filter = None if call.filter is None else compiler(call.filter)
        self.order = [(compiler(key.expr), key) for key in call.order]
        self.final = aggregates.final(call, types)
        self.distinct = aggregates.distinct_key(call, types)
        self.order_matters = aggregates.order_matters(call.name)

    def result(self, rows: list[Row], run: Run) -> Any:
        run.spend(len(rows))
        if self.filter is not None:
            rows = [row for row in rows if self.filter(row, run)]
        values = [tuple(arg(row, run) for arg in self.args) for row in rows]
        if self.distinct is not None:
            values = self._distinct(self.distinct, values, run)
        if self.order:
            values = self._sorted(rows, values, run)
        elif self.order_matters and len({repr(value) for value in values if value[0] is not None}) > 1:
            run.doubt("an aggregate that depends on the order of the rows")
        return self.final(values, run)

    @staticmethod
    def _distinct(key: Key, values: list[Row], run: Run) -> list[Row]:
        kept: dict[Any, Row] = {}
        for value in values:
            first = kept.setdefault(None if value[0] is None else (key(value[0]),), value)
            if first is not value and str(first[0]) != str(value[0]):
                run.doubt("one of values that are equal but not written alike")
        return list(kept.values())

    def _sorted(self, rows: list[Row], values: list[Row], run: Run) -> list[Row]:
        pairs = [
            (tuple(expr(row, run) for expr, _ in self.order), value)
            for row, value in zip(rows, values, strict=True)
        ]
        pairs = aggregates.sorted_rows(pairs, [key for _, key in self.order])
        if self.order_matters:
            for (one, value), (other, following) in pairwise(pairs):
                same = all(
                    (a is None and b is None)
                    or (a is not None and b is not None and key.equal(a) == key.equal(b))
                    for a, b, (_, key) in zip(one, other, self.order, strict=True)
                )
                if same and value != following:
                    run.doubt("an aggregate that depends on the order of the rows")
        return [value for _, value in pairs]
