"""From expressions to functions of (row, run), in three-valued logic. Manual: 9.1, 9.18, 9.23 to 9.25."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from proxy.translate.api import ReadError
from proxy.translate.literals import Literal
from proxy.translate.logic import decided
from proxy.translate.rewrite import outer_columns, walk
from proxy.translate.runtime import Evaluate, Row, Run
from proxy.translate.tree import (
    AnyOf,
    ArrayOf,
    Call,
    Case,
    Coalesce,
    Column,
    Const,
    Distinct,
    Expr,
    Extreme,
    IsNull,
    IsTruth,
    Logic,
    NullIf,
    Param,
    Rows,
    Sub,
)

if TYPE_CHECKING:
    from proxy.translate.execute import Program


class Compiler:
    """Makes functions of expressions. `shift`: how far the rows given begin behind the rows of the query."""

    def __init__(self, program: Callable[[Any], Program], shift: int = 0) -> None:
        self._program = program
        self._shift = shift

    def shifted(self, shift: int) -> Compiler:
        return Compiler(self._program, shift) if shift else self

    def __call__(self, expr: Expr) -> Evaluate:
        match expr:
            case Column():
                return self._column(expr)
            case Const() | Literal() | Param():
                return _given(expr)
            case Call():
                return self._call(expr)
            case Logic():
                return self._logic(expr)
            case IsNull(arg=arg, negated=negated):
                inner = self(arg)
                return lambda row, run: (inner(row, run) is None) is not negated
            case IsTruth(arg=arg, wanted=wanted, negated=negated):
                inner = self(arg)
                return lambda row, run: (inner(row, run) is wanted) is not negated
            case Distinct():
                return self._distinct(expr)
            case Case():
                return self._case(expr)
            case Coalesce(args=args):
                return self._coalesce([self(arg) for arg in args])
            case NullIf(left=left, equal=equal):
                first, same = self(left), self(equal)
                return lambda row, run: None if same(row, run) else first(row, run)
            case Extreme():
                return self._extreme(expr)
            case ArrayOf(items=items):
                made = [self(item) for item in items]
                return lambda row, run: tuple(item(row, run) for item in made)
            case AnyOf():
                return self._any_of(expr)
            case Rows(pairs=pairs):
                return self._rows([(self(same), self(before)) for same, before in pairs])
            case Sub():
                return self._sub(expr)
        raise AssertionError(f"no rule for {type(expr).__name__}")

    def _column(self, expr: Column) -> Evaluate:
        index, level = expr.index, expr.level
        if level:
            return lambda row, run: run.outers[-level][index]
        place = index - self._shift
        return lambda row, run: row[place]

    def _call(self, expr: Call) -> Evaluate:
        function = expr.run
        args = [self(arg) for arg in expr.args]
        if not expr.strict:
            if expr.session:
                return lambda row, run: function(run, *[arg(row, run) for arg in args])
            return lambda row, run: function(*[arg(row, run) for arg in args])
        if expr.session:
            return _in_session(args, function)
        if len(args) == 1:
            (only,) = args

            def one(row: Row, run: Run) -> Any:
                value = only(row, run)
                return None if value is None else function(value)

            return one
        if len(args) == 2:
            first, second = args

            def two(row: Row, run: Run) -> Any:
                value = first(row, run)
                if value is None:
                    second(row, run)
                    return None
                other = second(row, run)
                return None if other is None else function(value, other)

            return two

        def many(row: Row, run: Run) -> Any:
            values = [arg(row, run) for arg in args]
            if any(value is None for value in values):
                return None
            return function(*values)

        return many

    def _logic(self, expr: Logic) -> Evaluate:
        parts = [self(arg) for arg in expr.args]
        if expr.kind == "not":
            (inner,) = parts

            def negated(row: Row, run: Run) -> Any:
                value = inner(row, run)
                return None if value is None else not value

            return negated
        return decided(parts, expr.kind == "or")

    def _distinct(self, expr: Distinct) -> Evaluate:
        first, second, key, negated = self(expr.left), self(expr.right), expr.key, expr.negated

        def differ(row: Row, run: Run) -> bool:
            one, other = first(row, run), second(row, run)
            if one is None or other is None:
                different = one is not other
            else:
                different = key(one) != key(other)
            return different is not negated

        return differ

    def _case(self, expr: Case) -> Evaluate:
        whens = [(self(condition), self(result)) for condition, result in expr.whens]
        otherwise = self(expr.otherwise)

        def choose(row: Row, run: Run) -> Any:
            for condition, result in whens:
                if condition(row, run):
                    return result(row, run)
            return otherwise(row, run)

        return choose

    @staticmethod
    def _coalesce(args: Sequence[Evaluate]) -> Evaluate:
        def first(row: Row, run: Run) -> Any:
            for arg in args:
                value = arg(row, run)
                if value is not None:
                    return value
            return None

        return first

    def _extreme(self, expr: Extreme) -> Evaluate:
        args = [self(arg) for arg in expr.args]
        key, greatest = expr.key, expr.greatest

        def extreme(row: Row, run: Run) -> Any:
            best: Any = None
            for arg in args:
                value = arg(row, run)
                if value is None:
                    continue
                if best is None or (key(value) > key(best) if greatest else key(value) < key(best)):
                    best = value
            return best

        return extreme

    def _any_of(self, expr: AnyOf) -> Evaluate:
        left, array, compare, every, key = self(expr.left), self(expr.array), expr.one, expr.every, expr.key
        if key is not None:
            return _member(left, array, key, every, constant=_constant(expr.array))

        def test(row: Row, run: Run) -> Any:
            items = array(row, run)
            if items is None:
                return None
            if not items:
                return every
            value = left(row, run)
            if value is None:
                return None
            unknown = False
            for item in items:
                found = None if item is None else compare(value, item)
                if found is None:
                    unknown = True
                elif found is not every:
                    return not every
            return None if unknown else every

        return test

    @staticmethod
    def _rows(pairs: Sequence[tuple[Evaluate, Evaluate]]) -> Evaluate:
        last = len(pairs) - 1

        def compare(row: Row, run: Run) -> Any:
            for place, (same, before) in enumerate(pairs):
                if place == last:
                    return before(row, run)
                equal = same(row, run)
                if equal is None:
                    return None
                if not equal:
                    return before(row, run)
            return None

        return compare

    def _sub(self, expr: Sub) -> Evaluate:
        program = self._program(expr.query)
        shift = self._shift
        correlated = any(True for _ in outer_columns(expr.query))
        marker = object()

        def rows(row: Row, run: Run, wanted: int | None) -> list[Row]:
            if not correlated and marker in run.cache:
                found: list[Row] = run.cache[marker]
                return found
            run.outers.append((None,) * shift + row if shift else row)
            try:
                found = program.rows(run, wanted)
            finally:
                run.outers.pop()
            if not correlated:
                run.cache[marker] = found
            return found

        match expr.kind:
            case "exists":
                return lambda row, run: bool(rows(row, run, 1))
            case "scalar":
                return lambda row, run: _single(rows(row, run, 2))
            case "array":
                return lambda row, run: tuple(found[0] for found in rows(row, run, None))
        return self._quantified(expr, rows, correlated)

    def _quantified(
        self, expr: Sub, rows: Callable[[Row, Run, int | None], list[Row]], correlated: bool
    ) -> Evaluate:
        tests = [self(test) for test in expr.tests]
        assert expr.compare is not None
        compare = Compiler(self._program)(expr.compare)
        every = expr.kind == "all"
        equal = expr.compare
        quick = (
            not every
            and len(tests) == 1
            and not correlated
            and isinstance(equal, Call)
            and equal.push == ("compare", "=")
            and all(isinstance(arg, Column) for arg in equal.args)
        )
        marker = object()

        def test(row: Row, run: Run) -> Any:
            found = rows(row, run, None)
            left = tuple(one(row, run) for one in tests)
            if quick and len(found) > 8 and left[0] is not None:
                if marker not in run.cache:
                    run.cache[marker] = ({one[0] for one in found}, any(one[0] is None for one in found))
                seen, with_null = run.cache[marker]
                if left[0] in seen:
                    return True if _exact_member(left[0]) else _slowly(left, found, run)
                if _exact_member(left[0]):
                    return None if with_null else False
            return _slowly(left, found, run)

        def _slowly(left: Row, found: list[Row], run: Run) -> Any:
            run.spend(len(found))
            unknown = False
            for one in found:
                value = compare(left + one, run)
                if value is None:
                    unknown = True
                elif bool(value) is not every:
                    return not every
            return None if unknown else every

        return test


def _given(expr: Const | Literal | Param) -> Evaluate:
    match expr:
        case Const(value=value):
            return lambda row, run: value
        case Literal(slot=slot):
            return lambda row, run: run.literals[slot]
        case Param(number=number):
            return lambda row, run: run.parameters[number - 1]


def _constant(expr: Expr) -> bool:
    """Whether it is the same for every row."""
    return all(isinstance(part, ArrayOf | Param | Const | Literal) for part in walk(expr))


def _exact_member(value: Any) -> bool:
    """Whether Python's equality is PostgreSQL's for such values."""
    return type(value) is int


def _in_session(args: Sequence[Evaluate], function: Callable[..., Any]) -> Evaluate:
    def call(row: Row, run: Run) -> Any:
        values = [arg(row, run) for arg in args]
        if any(value is None for value in values):
            return None
        return function(run, *values)

    return call


def _member(
    left: Evaluate, array: Evaluate, key: Callable[[Any], Any], every: bool, *, constant: bool
) -> Evaluate:
    """`left = ANY (array)`, or `left <> ALL (array)`, by a set."""
    marker = object()

    def members(row: Row, run: Run) -> tuple[frozenset[Any], bool, bool] | None:
        if constant and marker in run.cache:
            found: tuple[frozenset[Any], bool, bool] | None = run.cache[marker]
            return found
        items = array(row, run)
        made = None
        if items is not None:
            values = frozenset(key(item) for item in items if item is not None)
            made = values, any(item is None for item in items), not items
        if constant:
            run.cache[marker] = made
        return made

    def test(row: Row, run: Run) -> Any:
        found = members(row, run)
        if found is None:
            return None
        values, with_null, empty = found
        if empty:
            return every
        value = left(row, run)
        if value is None:
            return None
        if key(value) in values:
            return not every
        return None if with_null else every

    return test


def _single(rows: list[Row]) -> Any:
    if len(rows) > 1:
        raise ReadError("21000", "more than one row returned by a subquery used as an expression")
    return rows[0][0] if rows else None
