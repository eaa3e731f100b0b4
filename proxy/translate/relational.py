"""FROM and WHERE in the proxy: scans of fetched rows, joins by hash where there is an equation, filters.

Conditions are put as far inside as their columns allow, never through the side of an outer join that is filled with
NULLs. Manual: 7.2.1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from proxy.translate.evaluate import Compiler
from proxy.translate.logic import conjunction
from proxy.translate.rewrite import outer_columns, walk
from proxy.translate.runtime import Evaluate, Row, Run
from proxy.translate.tree import (
    Call,
    Column,
    Derived,
    Expr,
    Join,
    Query,
    Scan,
    SetOperation,
    Shared,
    Source,
    Sub,
    Values,
    conjuncts,
)
from proxy.translate.types import Types
from proxy.translate.values import Collation, Key, equality_key

Rows = Callable[[Run], list[Row]]
"""The rows of a part of FROM."""

_ANY = Collation("", True, True, "")


def used(expr: Expr) -> set[int]:
    """Columns of the query's own row that an expression names, also from queries within it."""
    found = set()
    for part in walk(expr):
        if isinstance(part, Column) and part.level == 0:
            found.add(part.index)
        elif isinstance(part, Sub):
            found.update(column.index for column in outer_columns(part.query) if column.level == 1)
    return found


def has_query(expr: Expr) -> bool:
    return any(isinstance(part, Sub) for part in walk(expr))


def shared_key(left: Expr, right: Expr, types: Types) -> Key:
    """What values of both sides of an equation that was bound are equal by."""
    return equality_key(left.type, types, _ANY)


def equation(expr: Expr) -> tuple[Expr, Expr] | None:
    """The sides of `a = b` where values are compared as they are: a session has no part in it."""
    if isinstance(expr, Call) and expr.push == ("compare", "=") and not expr.session:
        return expr.args[0], expr.args[1]
    return None


@dataclass(slots=True)
class Placed:
    """A part of FROM with the conditions that are checked there, and where its columns begin."""

    source: Source | Values | SetOperation
    start: int
    conditions: list[Expr]
    left: Placed | None = None
    right: Placed | None = None
    on: tuple[Expr, ...] = ()

    @property
    def width(self) -> int:
        return 0 if isinstance(self.source, Values | SetOperation) else self.source.width


def placed(source: Source | Values | SetOperation, start: int, conditions: Sequence[Expr]) -> Placed:
    """Conditions where they can be checked first."""
    if not isinstance(source, Join):
        return Placed(source, start, list(conditions))
    middle = start + source.left.width
    end = start + source.width
    lefts, rights, here = [], [], []
    for condition in conditions:
        columns = used(condition)
        if columns and columns <= set(range(start, middle)) and source.kind in ("inner", "left"):
            lefts.append(condition)
        elif columns and columns <= set(range(middle, end)) and source.kind in ("inner", "right"):
            rights.append(condition)
        else:
            here.append(condition)
    on = []
    for condition in conjuncts(source.condition):
        columns = used(condition)
        if columns and columns <= set(range(middle, end)) and source.kind in ("inner", "left"):
            rights.append(condition)
        elif columns and columns <= set(range(start, middle)) and source.kind in ("inner", "right"):
            lefts.append(condition)
        else:
            on.append(condition)
    if source.kind == "inner":
        on += here
        here = []
    return Placed(
        source,
        start,
        here,
        placed(source.left, start, lefts),
        placed(source.right, middle, rights),
        tuple(on),
    )


class Sources:
    """Makes functions of parts of FROM."""

    def __init__(self, compiler: Compiler, program: Callable[[Query], Any], types: Types) -> None:
        self.compiler = compiler
        self.program = program
        self.types = types

    def rows(self, part: Placed) -> Rows:
        if part.left is not None and part.right is not None:
            return self._filtered(self._join(part, part.left, part.right), part)
        source = part.source
        if isinstance(source, Scan):
            return self._scan(source, part)
        if isinstance(source, Shared):
            number = source.number
            return self._filtered(lambda run: run.shared[number], part)
        if isinstance(source, Derived):
            return self._filtered(self._within(source.query), part)
        if isinstance(source, Values):
            made = [[self.compiler(item) for item in row] for row in source.rows]
            return self._filtered(lambda run: [tuple(item((), run) for item in row) for row in made], part)
        raise AssertionError("not a part of FROM")

    def _within(self, query: Query) -> Rows:
        program = self.program(query)

        def rows(run: Run) -> list[Row]:
            run.outers.append(())
            try:
                found: list[Row] = program.rows(run, None)
            finally:
                run.outers.pop()
            return found

        return rows

    def _filtered(self, rows: Rows, part: Placed) -> Rows:
        if not part.conditions:
            return rows
        compiler = self.compiler.shifted(part.start)
        test = conjunction([compiler(condition) for condition in part.conditions])

        def kept(run: Run) -> list[Row]:
            found = rows(run)
            run.spend(len(found))
            return [row for row in found if test(row, run)]

        return kept

    def _scan(self, scan: Scan, part: Placed) -> Rows:
        """A scan within a query that is run again and again finds its rows by an index made once."""
        compiler = self.compiler.shifted(part.start)
        rest = []
        lookups: list[tuple[Evaluate, Evaluate, Key]] = []
        fixed = []
        for condition in part.conditions:
            sides = equation(condition)
            made = None if sides is None else self._lookup(sides, compiler)
            if made is not None:
                lookups.append(made)
            elif _fixed(condition):
                fixed.append(compiler(condition))
            else:
                rest.append(compiler(condition))
        test = conjunction(rest) if rest else None
        before = conjunction(fixed) if fixed else None
        number = scan.number
        marker = object()

        def all_rows(run: Run) -> list[Row]:
            if before is None:
                return run.rows[number]
            if (marker, 0) not in run.cache:
                run.spend(len(run.rows[number]))
                run.cache[marker, 0] = [row for row in run.rows[number] if before(row, run)]
            found: list[Row] = run.cache[marker, 0]
            return found

        def rows(run: Run) -> list[Row]:
            found = all_rows(run)
            if lookups:
                found = _found(run, found, lookups, marker)
            run.spend(len(found))
            return found if test is None else [row for row in found if test(row, run)]

        return rows

    def _lookup(self, sides: tuple[Expr, Expr], compiler: Compiler) -> tuple[Evaluate, Evaluate, Key] | None:
        """(inner side, outer side, key) of an equation between this row and a query around."""
        for inner, outer in (sides, sides[::-1]):
            if used(inner) and not used(outer) and not has_query(inner) and not has_query(outer):
                levels = {part.level for part in walk(outer) if isinstance(part, Column)}
                own = {part.level for part in walk(inner) if isinstance(part, Column)}
                if levels and 0 not in levels and own == {0}:
                    return compiler(inner), compiler(outer), shared_key(inner, outer, self.types)
        return None

    def _join(self, part: Placed, left: Placed, right: Placed) -> Rows:
        assert isinstance(part.source, Join)
        kind = part.source.kind
        if isinstance(right.source, Derived) and right.source.lateral:
            return self._lateral(part, left, right, kind)
        one, other = self.rows(left), self.rows(right)
        keys: list[tuple[Evaluate, Evaluate, Key]] = []
        rest = []
        middle, end = right.start, right.start + right.width
        for condition in part.on:
            sides = equation(condition)
            made = None
            if sides is not None and not has_query(condition):
                made = self._sides(sides, range(left.start, middle), range(middle, end))
            if made is None:
                rest.append(self.compiler.shifted(part.start)(condition))
            else:
                keys.append(made)
        test = conjunction(rest) if rest else None
        return lambda run: joined(
            run, kind, one(run), other(run), keys, test, (None,) * left.width, (None,) * right.width
        )

    def _sides(
        self, sides: tuple[Expr, Expr], lefts: range, rights: range
    ) -> tuple[Evaluate, Evaluate, Key] | None:
        for first, second in (sides, sides[::-1]):
            one, other = used(first), used(second)
            if one and other and one <= set(lefts) and other <= set(rights):
                return (
                    self.compiler.shifted(lefts.start)(first),
                    self.compiler.shifted(rights.start)(second),
                    shared_key(first, second, self.types),
                )
        return None

    def _lateral(self, part: Placed, left: Placed, right: Placed, kind: str) -> Rows:
        assert isinstance(right.source, Derived)
        one = self.rows(left)
        program = self.program(right.source.query)
        conditions = [*right.conditions, *part.on]
        compiler = self.compiler.shifted(part.start)
        test = conjunction([compiler(condition) for condition in conditions])
        nulls = (None,) * right.width
        start = left.start

        def rows(run: Run) -> list[Row]:
            made: list[Row] = []
            for row in one(run):
                run.outers.append((None,) * start + row)
                try:
                    inner = program.rows(run, None)
                finally:
                    run.outers.pop()
                run.spend(len(inner) + 1)
                found = [row + other for other in inner if test(row + other, run)]
                if not found and kind == "left":
                    found = [row + nulls]
                made += found
                run.full(len(made))
            return made

        return rows


def _fixed(condition: Expr) -> bool:
    """Whether a condition is the same in every run of a query within another: nothing of the outside, no query."""
    return not any(
        isinstance(part, Sub) or (isinstance(part, Column) and part.level) for part in walk(condition)
    )


def _found(
    run: Run, rows: list[Row], lookups: Sequence[tuple[Evaluate, Evaluate, Key]], marker: object
) -> list[Row]:
    if (marker, 1) not in run.cache:
        index: dict[Any, list[Row]] = {}
        run.spend(len(rows))
        for row in rows:
            values = [inner(row, run) for inner, _, _ in lookups]
            if all(value is not None for value in values):
                name = tuple(key(value) for value, (_, _, key) in zip(values, lookups, strict=True))
                index.setdefault(name, []).append(row)
        run.cache[marker, 1] = index
    wanted = [outer((), run) for _, outer, _ in lookups]
    if any(value is None for value in wanted):
        return []
    name = tuple(key(value) for value, (_, _, key) in zip(wanted, lookups, strict=True))
    found: list[Row] = run.cache[marker, 1].get(name, [])
    return found


def joined(
    run: Run,
    kind: str,
    lefts: list[Row],
    rights: list[Row],
    keys: Sequence[tuple[Evaluate, Evaluate, Key]],
    test: Evaluate | None,
    left_nulls: Row,
    right_nulls: Row,
) -> list[Row]:
    """Of equations (`keys`) and whatever else must hold (`test`)."""
    index: dict[Any, list[int]] = {}
    everything = range(len(rights))
    if keys:
        for place, row in enumerate(rights):
            name = _name(row, run, [(side, key) for _, side, key in keys])
            if name is not None:
                index.setdefault(name, []).append(place)
    run.spend(len(lefts) + len(rights))
    made: list[Row] = []
    matched: set[int] = set()
    sides = [(side, key) for side, _, key in keys]
    for row in lefts:
        places: Sequence[int] = everything
        if keys:
            name = _name(row, run, sides)
            places = () if name is None else index.get(name, ())
        run.spend(len(places))
        any_match = False
        for place in places:
            pair = row + rights[place]
            if test is None or test(pair, run):
                any_match = True
                matched.add(place)
                made.append(pair)
        if not any_match and kind in ("left", "full"):
            made.append(row + right_nulls)
        run.full(len(made))
    if kind in ("right", "full"):
        made += [left_nulls + row for place, row in enumerate(rights) if place not in matched]
    return made


def _name(row: Row, run: Run, sides: Sequence[tuple[Evaluate, Key]]) -> Any:
    """What a row is found by; None where a part is NULL."""
    values = []
    for side, key in sides:
        value = side(row, run)
        if value is None:
            return None
        values.append(key(value))
    return tuple(values)
