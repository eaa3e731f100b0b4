"""The typed tree of a read: every column, operator, function and cast resolved. Immutable; equal where equal to
PostgreSQL's `equal()`, positions left aside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from proxy.mirror.tables import MirroredTable
from proxy.translate.types import BOOL
from proxy.translate.values import Collation, Key


class Shape(NamedTuple):
    """What an expression gives."""

    type: int
    typmod: int = -1
    collation: Collation | None = None


@dataclass(frozen=True, slots=True)
class Expr:
    shape: Shape

    @property
    def type(self) -> int:
        return self.shape.type


@dataclass(frozen=True, slots=True)
class Const(Expr):
    value: Any
    """None is NULL. Of type unknown: the text."""


@dataclass(frozen=True, slots=True)
class Param(Expr):
    number: int
    """From 1."""


@dataclass(frozen=True, slots=True)
class Column(Expr):
    level: int
    """Queries out from here; 0 is the query it stands in."""
    index: int
    """In the row of that query."""
    not_null: bool = field(default=False, compare=False)
    source: Origin | None = field(default=None, compare=False)
    domain: bool = field(default=False, compare=False)
    """Whether its type is a domain, of which `shape` has the base type."""


class Origin(NamedTuple):
    """The table's column a column of a result is."""

    table_oid: int
    attnum: int


@dataclass(frozen=True, slots=True)
class Call(Expr):
    """A function, operator or cast of its arguments."""

    name: str
    """Tells it from all others, argument types included."""
    args: tuple[Expr, ...]
    run: Callable[..., Any] = field(compare=False)
    strict: bool = True
    """NULL where an argument is, without being called."""
    session: bool = False
    """Takes the `Run` before its arguments."""
    push: tuple[Any, ...] = ()
    """What a filter of the store may make of it: ('compare', operator) or ('like', ignore case)."""


@dataclass(frozen=True, slots=True)
class Logic(Expr):
    """AND, OR, NOT."""

    kind: str
    args: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class IsNull(Expr):
    arg: Expr
    negated: bool


@dataclass(frozen=True, slots=True)
class IsTruth(Expr):
    """IS [NOT] TRUE, FALSE, UNKNOWN."""

    arg: Expr
    wanted: bool | None
    negated: bool


@dataclass(frozen=True, slots=True)
class Distinct(Expr):
    """IS [NOT] DISTINCT FROM, by the key both sides have."""

    left: Expr
    right: Expr
    negated: bool
    key: Key = field(compare=False)


@dataclass(frozen=True, slots=True)
class Case(Expr):
    whens: tuple[tuple[Expr, Expr], ...]
    otherwise: Expr


@dataclass(frozen=True, slots=True)
class Coalesce(Expr):
    args: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class NullIf(Expr):
    """The left side unless both are equal."""

    left: Expr
    equal: Expr


@dataclass(frozen=True, slots=True)
class Extreme(Expr):
    """GREATEST, LEAST: NULLs are passed over."""

    args: tuple[Expr, ...]
    greatest: bool
    key: Key = field(compare=False)


@dataclass(frozen=True, slots=True)
class ArrayOf(Expr):
    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class AnyOf(Expr):
    """`left operator ANY|ALL (array)`; `one` is the operator's function of two values."""

    left: Expr
    array: Expr
    every: bool
    name: str
    one: Callable[[Any, Any], Any] = field(compare=False)
    key: Key | None = field(compare=False, default=None)
    """Of `=`: from values to what is equal."""
    push: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Rows(Expr):
    """`(a, b) < (c, d)`: pairs of (equal, before) on each place; the last has only `before` to decide."""

    name: str
    pairs: tuple[tuple[Expr, Expr], ...]
    """(a = c, a < c): whether both are equal, and whether the first decides."""


@dataclass(frozen=True, slots=True)
class Sub(Expr):
    """A query within an expression: exists | scalar | any | all | array."""

    kind: str
    query: Query
    tests: tuple[Expr, ...] = ()
    """Of any and all: comparisons of Column(0, n) of the row `outer + result` are made of these left sides."""
    compare: Expr | None = None
    """Of any and all: over the row made of the values of `tests`, then of the query's columns."""


@dataclass(frozen=True, slots=True)
class Agg(Expr):
    """An aggregate call; `filter` and `order` are over the rows that are grouped."""

    name: str
    args: tuple[Expr, ...]
    star: bool = False
    distinct: bool = False
    filter: Expr | None = None
    order: tuple[SortKey, ...] = ()
    push: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Window(Expr):
    name: str
    args: tuple[Expr, ...]
    partition: tuple[Expr, ...]
    order: tuple[SortKey, ...]
    frame: Frame
    star: bool = False
    filter: Expr | None = None
    aggregate: bool = False


class Frame(NamedTuple):
    """Of a window: rows | range | groups; bounds are ('unbounded' | 'preceding' | 'current' | 'following', rows)."""

    mode: str
    start: tuple[str, Expr | None]
    end: tuple[str, Expr | None]


@dataclass(frozen=True, slots=True)
class SortKey:
    expr: Expr
    descending: bool
    nulls_first: bool
    key: Key = field(compare=False)
    equal: Key = field(compare=False)


@dataclass(frozen=True, slots=True)
class Target:
    """One column of a query's result."""

    expr: Expr
    name: str
    origin: Origin | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """A table; its row has a place for every attribute."""

    table: MirroredTable
    number: int
    """Among all scans of the read."""
    width: int
    columns: tuple[Expr, ...]
    """By attribute; shapes as Column(0, n)."""


@dataclass(frozen=True, slots=True)
class Derived:
    """A query in FROM; lateral ones see the columns before them."""

    query: Query
    width: int
    lateral: bool = False


@dataclass(frozen=True, slots=True)
class Shared:
    """A query of WITH, by its number."""

    number: int
    width: int


@dataclass(frozen=True, slots=True)
class Join:
    kind: str
    """inner | left | right | full"""
    left: Source
    right: Source
    condition: Expr | None
    width: int


Source = Scan | Derived | Shared | Join


@dataclass(frozen=True, slots=True)
class Values:
    """VALUES, or SELECT without FROM as one row of nothing."""

    rows: tuple[tuple[Expr, ...], ...]


@dataclass(frozen=True, slots=True)
class SetOperation:
    """union | intersect | except of two queries."""

    kind: str
    every: bool
    left: Query
    right: Query
    keys: tuple[Key, ...] = field(compare=False)


@dataclass(frozen=True, slots=True)
class Query:
    """One SELECT. Steps in order: source, where, group, having, windows, targets, distinct, order, limit.

    Grouped rows are `group`, then `carried`, then `aggregates`; windows are put behind the row. `order` and `distinct`
    are places among the targets, of which the first `visible` are shown.
    """

    source: Source | Values | SetOperation
    targets: tuple[Target, ...]
    visible: int
    where: Expr | None = None
    grouped: bool = False
    group: tuple[Expr, ...] = ()
    group_keys: tuple[Key, ...] = field(default=(), compare=False)
    carried: tuple[Expr, ...] = ()
    aggregates: tuple[Agg, ...] = ()
    having: Expr | None = None
    windows: tuple[Window, ...] = ()
    distinct: tuple[int, ...] | None = None
    """Places that must differ; None: no DISTINCT."""
    distinct_on: bool = False
    distinct_keys: tuple[Key, ...] = field(default=(), compare=False)
    order: tuple[tuple[int, SortKey], ...] = ()
    limit: Expr | None = None
    offset: Expr | None = None
    with_ties: bool = False
    shared: tuple[tuple[int, Query], ...] = ()
    """Queries of WITH that are made before this one."""


def boolean() -> Shape:
    return Shape(BOOL)


def children(expr: Expr) -> tuple[Expr, ...]:
    """The expressions within; queries left out."""
    match expr:
        case Call(args=args) | Logic(args=args) | Coalesce(args=args) | Extreme(args=args):
            return args
        case IsNull(arg=arg) | IsTruth(arg=arg):
            return (arg,)
        case Distinct(left=left, right=right):
            return (left, right)
        case NullIf(left=left, equal=equal):
            return (left, equal)
        case Case(whens=whens, otherwise=otherwise):
            return (*(part for when in whens for part in when), otherwise)
        case ArrayOf(items=items):
            return items
        case AnyOf(left=left, array=array):
            return (left, array)
        case Rows(pairs=pairs):
            return tuple(part for pair in pairs for part in pair)
        case Sub(tests=tests):
            return tests
        case Agg(args=args, filter=condition, order=order):
            return (*args, *((condition,) if condition else ()), *(key.expr for key in order))
        case Window(args=args, partition=partition, order=order, filter=condition, frame=frame):
            given = (condition, frame.start[1], frame.end[1])
            return (
                *args,
                *partition,
                *(key.expr for key in order),
                *(one for one in given if one is not None),
            )
    return ()


def conjuncts(expr: Expr | None) -> Sequence[Expr]:
    """What AND joins."""
    if expr is None:
        return ()
    if isinstance(expr, Logic) and expr.kind == "and":
        return [part for arg in expr.args for part in conjuncts(arg)]
    return (expr,)
