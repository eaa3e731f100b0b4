"""Going through trees, and making new ones of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from proxy.translate.tree import (
    Agg,
    AnyOf,
    ArrayOf,
    Call,
    Case,
    Coalesce,
    Column,
    Derived,
    Distinct,
    Expr,
    Extreme,
    Frame,
    IsNull,
    IsTruth,
    Join,
    Logic,
    NullIf,
    Query,
    Rows,
    Scan,
    SetOperation,
    Source,
    Sub,
    Values,
    Window,
    children,
)

Change = Callable[[Expr, int], Expr | None]
"""Given an expression and how many queries it is within, what is to stand in its place; None: look within."""


def rebuilt(expr: Expr, change: Change, depth: int = 0) -> Expr:
    """The expression with parts replaced; queries within are gone into."""
    made = change(expr, depth)
    if made is not None:
        return made

    def go(part: Expr) -> Expr:
        return rebuilt(part, change, depth)

    match expr:
        case Call(args=args) | Logic(args=args) | Coalesce(args=args) | Extreme(args=args):
            return replace(expr, args=tuple(map(go, args)))
        case IsNull(arg=arg) | IsTruth(arg=arg):
            return replace(expr, arg=go(arg))
        case Distinct(left=left, right=right):
            return replace(expr, left=go(left), right=go(right))
        case NullIf(left=left, equal=equal):
            return replace(expr, left=go(left), equal=go(equal))
        case Case(whens=whens, otherwise=otherwise):
            return replace(
                expr, whens=tuple((go(one), go(other)) for one, other in whens), otherwise=go(otherwise)
            )
        case ArrayOf(items=items):
            return replace(expr, items=tuple(map(go, items)))
        case AnyOf(left=left, array=array):
            return replace(expr, left=go(left), array=go(array))
        case Rows(pairs=pairs):
            return replace(expr, pairs=tuple((go(one), go(other)) for one, other in pairs))
        case Sub(query=query, tests=tests):
            return replace(expr, query=rebuilt_query(query, change, depth + 1), tests=tuple(map(go, tests)))
        case Agg(args=args, filter=condition, order=order):
            return replace(
                expr,
                args=tuple(map(go, args)),
                filter=None if condition is None else go(condition),
                order=tuple(replace(key, expr=go(key.expr)) for key in order),
            )
        case Window(args=args, partition=partition, order=order, filter=condition, frame=frame):
            return replace(
                expr,
                args=tuple(map(go, args)),
                partition=tuple(map(go, partition)),
                order=tuple(replace(key, expr=go(key.expr)) for key in order),
                filter=None if condition is None else go(condition),
                frame=Frame(
                    frame.mode,
                    (frame.start[0], None if frame.start[1] is None else go(frame.start[1])),
                    (frame.end[0], None if frame.end[1] is None else go(frame.end[1])),
                ),
            )
    return expr


def rebuilt_source(
    source: Source | Values | SetOperation, change: Change, depth: int
) -> Source | Values | SetOperation:
    match source:
        case Derived(query=query):
            return replace(source, query=rebuilt_query(query, change, depth + 1))
        case Join(left=left, right=right, condition=condition):
            one, other = rebuilt_source(left, change, depth), rebuilt_source(right, change, depth)
            assert not isinstance(one, Values | SetOperation)
            assert not isinstance(other, Values | SetOperation)
            return replace(
                source,
                left=one,
                right=other,
                condition=None if condition is None else rebuilt(condition, change, depth),
            )
        case Values(rows=rows):
            return Values(tuple(tuple(rebuilt(item, change, depth) for item in row) for row in rows))
        case SetOperation(left=one_query, right=other_query):
            return replace(
                source,
                left=rebuilt_query(one_query, change, depth + 1),
                right=rebuilt_query(other_query, change, depth + 1),
            )
    return source


def rebuilt_query(query: Query, change: Change, depth: int) -> Query:
    def go(expr: Expr) -> Expr:
        return rebuilt(expr, change, depth)

    def maybe(expr: Expr | None) -> Expr | None:
        return None if expr is None else go(expr)

    aggregates = tuple(go(agg) for agg in query.aggregates)
    windows = tuple(go(window) for window in query.windows)
    return replace(
        query,
        source=rebuilt_source(query.source, change, depth),
        targets=tuple(replace(target, expr=go(target.expr)) for target in query.targets),
        where=maybe(query.where),
        group=tuple(map(go, query.group)),
        carried=tuple(map(go, query.carried)),
        aggregates=tuple(agg for agg in aggregates if isinstance(agg, Agg)),
        having=maybe(query.having),
        windows=tuple(window for window in windows if isinstance(window, Window)),
        limit=maybe(query.limit),
        offset=maybe(query.offset),
        shared=tuple((number, rebuilt_query(shared, change, depth)) for number, shared in query.shared),
    )


def walk(expr: Expr) -> Iterator[Expr]:
    """The expression and all within it; queries are not gone into."""
    yield expr
    for part in children(expr):
        yield from walk(part)


def expressions(query: Query) -> Iterator[Expr]:
    """Of one query, at its own level: conditions of joins among them."""
    yield from (target.expr for target in query.targets)
    yield from query.group
    yield from query.carried
    yield from query.aggregates
    yield from query.windows
    for one in (query.where, query.having, query.limit, query.offset):
        if one is not None:
            yield one
    yield from _conditions(query.source)


def _conditions(source: Source | Values | SetOperation) -> Iterator[Expr]:
    if isinstance(source, Join):
        if source.condition is not None:
            yield source.condition
        yield from _conditions(source.left)
        yield from _conditions(source.right)
    elif isinstance(source, Values):
        for row in source.rows:
            yield from row


def within(query: Query) -> Iterator[Query]:
    """Queries directly within: derived, shared, operands, those in expressions."""
    yield from (shared for _, shared in query.shared)
    yield from _derived(query.source)
    for expr in expressions(query):
        for part in walk(expr):
            if isinstance(part, Sub):
                yield part.query


def _derived(source: Source | Values | SetOperation) -> Iterator[Query]:
    match source:
        case Derived(query=query):
            yield query
        case Join(left=left, right=right):
            yield from _derived(left)
            yield from _derived(right)
        case SetOperation(left=one, right=other):
            yield one
            yield other


def queries(query: Query) -> Iterator[Query]:
    """The query and all within it."""
    yield query
    for one in within(query):
        yield from queries(one)


def outer_columns(query: Query, depth: int = 1) -> Iterator[Column]:
    """Columns of queries around `query` that it names, with `level` as seen from `query` itself."""
    for expr in expressions(query):
        for part in walk(expr):
            if isinstance(part, Column) and part.level >= depth:
                yield replace(part, level=part.level - depth + 1)
    for one in within(query):
        yield from outer_columns(one, depth + 1)


def scans(source: Source | Values | SetOperation) -> Iterator[Scan]:
    """Of one query's own FROM."""
    if isinstance(source, Scan):
        yield source
    elif isinstance(source, Join):
        yield from scans(source.left)
        yield from scans(source.right)


def has_domain(expr: Expr) -> bool:
    """Whether its value may be one of a domain, to which functions of any type are not blind."""
    for part in walk(expr):
        if isinstance(part, Column) and part.domain:
            return True
        if isinstance(part, Sub) and any(has_domain(target.expr) for target in part.query.targets[:1]):
            return True
    return False


def deepened(query: Query) -> Query:
    """As seen from one query further in."""

    def change(part: Expr, depth: int) -> Expr | None:
        if isinstance(part, Column):
            return replace(part, level=part.level + 1) if part.level > depth else part
        return None

    return rebuilt_query(query, change, 0)
