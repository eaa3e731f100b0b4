"""Casts, common types and types of literals, as PostgreSQL's parse_coerce.c finds them. Manual: 10.2 to 10.5."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from proxy.sql.parse import Node
from proxy.translate import casts, inputs
from proxy.translate import types as t
from proxy.translate.api import ReadError
from proxy.translate.context import CANONICAL, Context
from proxy.translate.literals import Literal
from proxy.translate.resolve import ASSIGNMENT, EXPLICIT, IMPLICIT, can_coerce, pathway
from proxy.translate.tree import ArrayOf, Call, Column, Const, Expr, Param, Shape
from proxy.translate.values import Collation


def _identity(value: Any) -> Any:
    return value


def merged(context: Context, exprs: Sequence[Expr], node: Node | None = None) -> Collation | None:
    """The collation of what is made of several values. None: conflicting, or none of them has one.

    Of two that COLLATE names PostgreSQL makes an error at once, whether the collation matters or not.
    """
    found: Collation | None = None
    for expr in exprs:
        collation = expr.shape.collation
        if collation is None:
            if context.collatable(expr.type):
                return None
            continue
        if found is None or found == collation:
            found = collation
        elif collation.explicit != found.explicit:
            found = collation if collation.explicit else found
        elif found.explicit:
            context.refuse("two collations that were asked for", node)
        elif found.name == "default":
            found = collation
        elif collation.name != "default":
            return None
    return found


def shape(context: Context, oid: int, typmod: int = -1, given: Sequence[Expr] = ()) -> Shape:
    """Of something made of `given`."""
    if not context.collatable(oid):
        return Shape(oid, typmod)
    collatable = [expr for expr in given if context.collatable(expr.type)]
    return Shape(oid, typmod, merged(context, collatable) if collatable else context.default_collation)


def outside(shape: Shape) -> Shape:
    """Of a query's column, as what is around sees it: what COLLATE asked for within is no more than implied there."""
    if shape.collation is None:
        return shape
    return shape._replace(collation=shape.collation._replace(explicit=False))


def coerce(context: Context, expr: Expr, target: int, how: str = IMPLICIT, node: Node | None = None) -> Expr:
    """The expression as a value of another type, its modifier left aside. Unsupported where that cannot be."""
    if expr.type == target or target == t.ANY:
        if expr.type == t.UNKNOWN and target == t.ANY:
            return (
                _bad(context, node) if isinstance(expr, Param) else coerce(context, expr, t.TEXT, how, node)
            )
        return expr
    if isinstance(expr, Const | Literal) and expr.type == t.UNKNOWN:
        return _literal(context, expr, target, node)
    if isinstance(expr, Param) and expr.type == t.UNKNOWN:
        context.deduce(expr.number, target, node)
        if not context.types.known(target):
            context.refuse(f"a parameter of type {context.types.name(target)}", node)
        return Param(shape(context, target), expr.number)
    if expr.type == t.UNKNOWN:
        context.refuse("an expression whose type is not known", node)
    found = pathway(context.types, expr.type, target, how)
    if found and isinstance(expr, Const) and expr.value is None:
        return Const(shape(context, target), None)
    made = shape(context, target, -1, [expr])
    name = f"cast:{expr.type}:{target}"
    if found == "b":
        return Call(made, name, (expr,), _identity)
    if found == "f":
        impl = casts.function(expr.type, target)
        if impl is None:
            context.refuse(f"cast {context.types.name(expr.type)} to {context.types.name(target)}", node)
        if impl.session:
            context.uses.add("timezone")
        return Call(made, name, (expr,), impl.run, True, impl.session)
    if found == "i":
        impl = casts.through_text(expr.type, target, context.types)
        return Call(made, name, (expr,), impl.run, True, impl.session)
    if found == "a":
        return _array(context, expr, target, how, node)
    context.refuse(f"no cast {context.types.name(expr.type)} to {context.types.name(target)}", node)


def _bad(context: Context, node: Node | None) -> Expr:
    context.refuse("a parameter whose type is not known", node)


def _literal(context: Context, expr: Const | Literal, target: int, node: Node | None) -> Expr:
    made = shape(context, target)
    if isinstance(expr, Const) and expr.value is None:
        return Const(made, None)
    if not context.types.known(target):
        context.refuse(f"a constant of type {context.types.name(target)}", node)
    if inputs.session_dependent(target, context.types):
        context.uses.add("timezone")
        text = replace(expr, shape=Shape(t.TEXT, -1, context.default_collation))
        return Call(made, f"input:{target}", (text,), lambda run, value: run.parse(target, value), True, True)
    parse = inputs.parser(target, context.types, CANONICAL)
    try:
        if isinstance(expr, Literal):
            return expr.own.typed(expr, made, parse)
        return Const(made, parse(expr.value))
    except ReadError:
        context.refuse("a constant that PostgreSQL refuses", node)


def _array(context: Context, expr: Expr, target: int, how: str, node: Node | None) -> Expr:
    element = context.types.element(target)
    if isinstance(expr, ArrayOf):
        items = tuple(coerce(context, item, element, how, node) for item in expr.items)
        return ArrayOf(shape(context, target, -1, items), items)
    found = pathway(context.types, context.types.element(expr.type), element, how)
    if found == "b":
        return Call(shape(context, target, -1, [expr]), f"cast:{expr.type}:{target}", (expr,), _identity)
    context.refuse("a cast of an array", node)


def with_typmod(
    context: Context, expr: Expr, typmod: int, *, explicit: bool, node: Node | None = None
) -> Expr:
    """The expression fitted to a type modifier (`coerce_type_typmod`)."""
    if typmod == expr.shape.typmod:
        return expr
    made = expr.shape._replace(typmod=typmod)
    if isinstance(expr, Const) and expr.value is None:
        return replace(expr, shape=made)
    if typmod < 0:
        return Call(made, "relabel", (expr,), _identity)
    fit = casts.modifier(expr.type, typmod, explicit=explicit)
    if fit is None:
        context.refuse("a type modifier", node)
    return Call(made, f"modifier:{expr.type}:{typmod}:{explicit}", (expr,), fit)


def cast(context: Context, expr: Expr, target: int, typmod: int, node: Node | None = None) -> Expr:
    """CAST (expr AS target(typmod))."""
    return with_typmod(
        context, coerce(context, expr, target, EXPLICIT, node), typmod, explicit=True, node=node
    )


def common_type(context: Context, exprs: Sequence[Expr]) -> int:
    """`select_common_type`; 0 where there is none."""
    found = exprs[0].type
    if found != t.UNKNOWN and all(expr.type == found for expr in exprs):
        return found
    types = context.types
    for expr in exprs[1:]:
        this = expr.type
        if this in (t.UNKNOWN, found):
            continue
        if found == t.UNKNOWN:
            found = this
        elif types.category(this) != types.category(found):
            return 0
        elif (
            not types.preferred(found)
            and can_coerce(types, found, this)
            and not can_coerce(types, this, found)
        ):
            found = this
    return t.TEXT if found == t.UNKNOWN else found


def common_typmod(exprs: Sequence[Expr], oid: int) -> int:
    first = exprs[0].shape
    if first.type != oid or any(expr.shape[:2] != first[:2] for expr in exprs):
        return -1
    return first.typmod


def to_common(
    context: Context, exprs: Sequence[Expr], first: int | None = None, node: Node | None = None
) -> tuple[list[Expr], int]:
    """All as values of their common type, and the type. `first`: the place of the one that is asked first."""
    ordered = list(exprs) if first is None else [exprs[first], *exprs[:first], *exprs[first + 1 :]]
    oid = common_type(context, ordered)
    if not oid:
        context.refuse("values that have no common type", node)
    return [coerce(context, expr, oid, IMPLICIT, node) for expr in exprs], oid


def boolean(context: Context, expr: Expr, node: Node | None = None) -> Expr:
    """A condition."""
    if expr.type == t.UNKNOWN:
        return coerce(context, expr, t.BOOL, ASSIGNMENT, node)
    if expr.type != t.BOOL:
        context.refuse("a condition that is not boolean", node)
    return expr


def resolved(context: Context, expr: Expr) -> Expr:
    """What has no type yet as text."""
    return coerce(context, expr, t.TEXT) if expr.type == t.UNKNOWN else expr


def origin_of(expr: Expr) -> Any:
    return expr.source if isinstance(expr, Column) else None
