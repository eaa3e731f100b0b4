"""The tree: every part of an expression is seen, so that nothing that is asked of all parts misses one."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from proxy.sql.parse import Source
from proxy.translate import types as t
from proxy.translate.bind import QueryBinder
from proxy.translate.context import Context
from proxy.translate.rewrite import rebuilt, walk
from proxy.translate.tree import Column, Const, Expr, Logic, Param, Query, Shape, boolean, children, conjuncts
from tests.translate.made import BOOK

EXPRESSIONS = (
    "-age", "age > 1 AND id = 2 OR NOT id = 3", "age IS NULL", "(age > 1) IS TRUE", "age IS DISTINCT FROM id",
    "nullif(age, id)", "CASE WHEN age > 1 THEN id ELSE boss END", "coalesce(age, id)", "greatest(age, id)",
    "ARRAY[age, id]", "age = ANY (ARRAY[id, 5])", "(age, id) < (boss, 5)", "age IN (SELECT id FROM visits)",
    "sum(age) FILTER (WHERE id > 1)", "string_agg(name, nick ORDER BY age)",
    "sum(age) FILTER (WHERE id > 1) OVER (PARTITION BY boss ORDER BY seen ROWS 7 + 1 PRECEDING)",
    "lag(age, 1, id) OVER (ORDER BY boss ROWS BETWEEN CURRENT ROW AND 7 + 1 FOLLOWING)",
)  # fmt: skip


def bound(text: str) -> Expr:
    """An expression as it is bound, before groups and windows are told from it."""
    found: list[Expr] = []

    class Listening(QueryBinder):
        def _targets(self, binder: Any, nodes: Any) -> Any:
            made = super()._targets(binder, nodes)
            found.append(made[0].expr)
            return made

    context = Context(Source(f"SELECT {text} FROM people"), BOOK, "shop", ("public",), ())
    Listening(context).query(context.source.statements[0].node)
    return found[-1]


def held(value: Any) -> list[Expr]:
    """Expressions directly within the fields of one, whatever they are wrapped in; queries are not gone into."""
    if isinstance(value, Expr):
        return [value]
    if isinstance(value, tuple | list):
        return [one for item in value for one in held(item)]
    if isinstance(value, Query) or not hasattr(value, "__dataclass_fields__"):
        return []
    return [one for field in fields(value) for one in held(getattr(value, field.name))]


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_children_are_all_there_are(text: str) -> None:
    for part in walk(bound(text)):
        names = [
            field.name for field in fields(part) if field.name != "compare"
        ]  # of rows that are not this query's
        inside = [one for name in names for one in held(getattr(part, name))]
        assert sorted(map(repr, children(part))) == sorted(map(repr, inside))


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_every_part_is_given_a_chance_to_be_another_and_the_rest_stays_equal(text: str) -> None:
    expr = bound(text)
    seen: list[Expr] = []

    def look(part: Expr, depth: int) -> None:
        if not depth:
            seen.append(part)

    assert rebuilt(expr, look) == expr
    assert sorted(map(repr, seen)) == sorted(map(repr, walk(expr)))
    other = Const(Shape(t.INT4), 99)
    made = rebuilt(expr, lambda part, depth: other if isinstance(part, Column) else None)
    assert not [part for part in walk(made) if isinstance(part, Column)]


def test_expressions_are_equal_wherever_they_stand() -> None:
    """As PostgreSQL's `equal()`: that is how ORDER BY and GROUP BY find what is selected."""
    assert bound("age + 1") == bound("people.age  + 1")
    assert bound("age + 1") != bound("age + 2")
    assert bound("lower(name)") != bound("upper(name)")
    assert bound("age::int4") != bound("age::int2")


def test_what_and_joins() -> None:
    one, other, third = (Param(boolean(), number) for number in (1, 2, 3))
    inner = Logic(boolean(), "and", (other, third))
    assert list(conjuncts(Logic(boolean(), "and", (one, inner)))) == [one, other, third]
    either = Logic(boolean(), "or", (one, other))
    assert list(conjuncts(either)) == [either]
    assert list(conjuncts(None)) == []
