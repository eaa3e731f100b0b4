"""Whether an error that only PostgreSQL has may come of the order in which it looks at rows and conditions.

It may if one of the read's expressions fails in the same way for values its columns have, in some row that PostgreSQL's
plan comes by and this proxy does not. If none does, the proxy has no check where PostgreSQL has one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice, product
from typing import Any

from proxy.translate.api import Inexact, Reader, ReadError, SessionSettings, TooMuch
from proxy.translate.compiler import CompiledPlan
from proxy.translate.evaluate import Compiler
from proxy.translate.rewrite import expressions, walk
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
    SetOperation,
    Shared,
    Sub,
    Values,
    Window,
)

MOST = 20_000
"""Combinations of values an expression is tried with."""


class Unknown(Exception):
    """The values of a column cannot be told without running the read."""


class Explainer:
    """Of one plan that was made without push-down, so that all rows are fetched."""

    def __init__(self, plan: CompiledPlan, values: tuple[Any, ...], session: SessionSettings) -> None:
        self.plan = plan
        self.run = Run(session, plan.types, values, MOST, plan.literals)
        self.shared: dict[int, Query] = {}

    async def explains(self, sqlstate: str, reader: Reader) -> bool:
        """Whether some expression fails with it, or can only be tried by running the read as PostgreSQL does."""
        for fetch in self.plan.fetches:
            question = fetch.question(self.run)
            self.run.rows[fetch.scan.number] = []
            if question is not None:
                namespace = fetch.scan.table.mapping.namespace
                found = reader.find(namespace, question.condition, question.projection, (), 0)
                self.run.rows[fetch.scan.number] = [fetch.decoder.row(raw) async for raw in found]
        return any(self._fails(expr, around, sqlstate) for expr, around in self._calls(self.plan.query, ()))

    def _calls(self, query: Query, around: tuple[Query, ...]) -> Iterator[tuple[Expr, tuple[Query, ...]]]:
        of_rows = (replace(query, grouped=False), *around)
        of_groups = (query, *around)
        self.shared.update(dict(query.shared))
        for _, shared in query.shared:
            yield from self._calls(shared, of_groups)
        for one in _derived(query.source):
            yield from self._calls(one, of_rows)
        late = [target.expr for target in query.targets] + [*query.windows]
        late += [one for one in (query.having, query.limit, query.offset) if one is not None]
        for expr in expressions(query):
            here = of_groups if any(expr is one for one in late) else of_rows
            for part in walk(expr):
                if isinstance(part, Sub):
                    yield from self._calls(part.query, here)
                elif isinstance(part, Call):
                    yield part, here

    def _fails(self, expr: Expr, around: tuple[Query, ...], sqlstate: str) -> bool:
        try:
            for value in self._values(expr, around):
                if isinstance(value, ReadError) and value.sqlstate == sqlstate:
                    return True
        except Unknown:
            return False
        return False

    def _values(self, expr: Expr, around: tuple[Query, ...]) -> Iterator[Any]:
        """What an expression gives for any values of its columns; errors as such."""
        parts = list(walk(expr))
        if any(isinstance(part, Sub | Agg | Window) for part in parts):
            raise Unknown
        columns = list(dict.fromkeys((part.level, part.index) for part in parts if isinstance(part, Column)))
        pools = [self._column(level, index, around) for level, index in columns]
        evaluate = Compiler(_no_queries)(expr)
        depth = max((level for level, _ in columns), default=0)
        for values in islice(product(*pools), MOST):
            rows: list[Any] = [{} for _ in range(depth + 1)]
            for (level, index), value in zip(columns, values, strict=True):
                rows[level][index] = value
            self.run.outers = rows[:0:-1]
            try:
                yield evaluate(rows[0], self.run)
            except ReadError as error:
                yield error
            except (Inexact, TooMuch):
                continue

    def _column(self, level: int, index: int, around: tuple[Query, ...]) -> list[Any]:
        """The values a column can have, NULL among them."""
        if level >= len(around):
            raise Unknown
        query, outer = around[level], around[level:]
        if query.grouped:
            known = (*query.group, *query.carried)
            if index >= len(known):
                raise Unknown
            return self._distinct(self._values(known[index], (replace(query, grouped=False), *outer[1:])))
        return self._of_source(query.source, index, outer)

    def _of_source(self, source: Any, index: int, around: tuple[Query, ...]) -> list[Any]:
        match source:
            case Join(left=left, right=right):
                if index < left.width:
                    return self._of_source(left, index, around)
                return self._of_source(right, index - left.width, around)
            case Scan():
                if index >= source.width:
                    raise Unknown
                return self._distinct(row[index] for row in self.run.rows[source.number])
            case Derived(query=query):
                return self._of_target(query, index, around)
            case Shared(number=number):
                return self._of_target(self.shared[number], index, around)
            case SetOperation(left=left, right=right):
                return self._of_target(left, index, around) + self._of_target(right, index, around)
            case Values(rows=rows):
                return self._distinct(value for row in rows for value in self._values(row[index], around))
        raise Unknown

    def _of_target(self, query: Query, index: int, around: tuple[Query, ...]) -> list[Any]:
        if index >= query.visible:
            raise Unknown
        expr = query.targets[index].expr
        return self._distinct(self._values(expr, (query, *around)))

    @staticmethod
    def _distinct(values: Any) -> list[Any]:
        found = {repr(value): value for value in values if not isinstance(value, ReadError)}
        return [None, *found.values()]


def _derived(source: object) -> Iterator[Query]:
    match source:
        case Derived(query=query):
            yield query
        case Join(left=left, right=right):
            yield from _derived(left)
            yield from _derived(right)
        case SetOperation(left=one, right=other):
            yield one
            yield other


def _no_queries(query: object) -> Any:
    raise AssertionError("an expression that is tried has no queries in it")
