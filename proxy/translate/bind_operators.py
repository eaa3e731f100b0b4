"""Operators: which one is meant, and what it does. Manual: 4.2.5, 9.1, 9.24, 9.25, 10.2."""

from __future__ import annotations

from collections.abc import Sequence

from proxy.sql.parse import Node
from proxy.translate import operators
from proxy.translate import types as t
from proxy.translate.coerce import coerce, common_type, merged, shape, to_common
from proxy.translate.context import Context
from proxy.translate.resolve import EXPLICIT, can_coerce, operator
from proxy.translate.tree import AnyOf, ArrayOf, Call, Const, Distinct, Expr, Logic, NullIf, Rows, boolean

_POLYMORPHIC = (t.ANYARRAY, t.ANYENUM)


def _chosen(context: Context, name: str, left: int, right: int, node: Node) -> tuple[int, int, int]:
    """Of PostgreSQL's own operators, where no other could be meant."""
    exact = any(
        row[:2] == (left if left != t.UNKNOWN else right, right if right != t.UNKNOWN else left)
        for row in operators_of(name)
    )
    if not exact and _own_operator(context, name):
        context.refuse("an operator that the database has of its own, too", node)
    found = operator(context.types, name, left, right)
    if found is None:
        shown = " ".join(context.types.name(oid) for oid in (left, right) if oid)
        context.refuse(f"operator {name} of {shown}", node)
    return found


def operators_of(name: str) -> tuple[tuple[int, int, int], ...]:
    return t.operators().get(name, ())


def _own_operator(context: Context, name: str) -> bool:
    """Whether an operator the database has added could be taken for operands of built-in types."""
    language = context.snapshot.language
    if any(source < 16384 for source, _ in language.casts):
        return True
    return any(
        left < 16384 and right < 16384 and (left or right) for left, right in language.operators.get(name, ())
    )


def apply(context: Context, name: str, left: Expr | None, right: Expr, node: Node) -> Expr:
    """`left name right`, or `name right`. Unsupported where it is not known, or not what it does."""
    one = 0 if left is None else left.type
    found = _chosen(context, name, one, right.type, node)
    given = [right] if left is None else [left, right]
    declared = found[1:2] if left is None else found[:2]
    if t.ANYNONARRAY in declared:
        # anytextcat, textanycat: `$1 || $2::text`
        first, second = (coerce(context, expr, t.TEXT, EXPLICIT, node) for expr in given)
        return apply(context, name, first, second, node)
    if any(oid in (t.ANYELEMENT, t.ANYCOMPATIBLE, t.ANY) for oid in declared) or 5077 <= declared[0] <= 5080:
        context.refuse(f"operator {name} of any type", node)
    actual = _actual(context, declared, given, node)
    made = [coerce(context, expr, oid, node=node) for expr, oid in zip(given, actual, strict=True)]
    collation = merged(context, [expr for expr in made if context.collatable(expr.type)], node)
    impl = operators.implement(name, 0 if left is None else actual[0], actual[-1], context.types, collation)
    if impl.session:
        context.uses.add("timezone")
    push: tuple[object, ...] = ()
    if name in operators.COMPARISONS:
        push = ("compare", name)
    elif name.endswith(("~~", "~~*")):
        push = ("like", name)
    result = found[2] if found[2] not in _POLYMORPHIC else actual[0]
    return Call(
        shape(context, result, -1, made),
        f"{name}:{','.join(map(str, actual))}",
        tuple(made),
        impl.run,
        impl.strict,
        impl.session,
        push,
    )


def _actual(context: Context, declared: Sequence[int], given: Sequence[Expr], node: Node) -> list[int]:
    """The types operands must have, polymorphic ones told from what is given."""
    if not any(oid in _POLYMORPHIC for oid in declared):
        return list(declared)
    known = {
        expr.type
        for expr, oid in zip(given, declared, strict=True)
        if oid in _POLYMORPHIC and expr.type != t.UNKNOWN
    }
    if len(known) != 1:
        context.refuse("an operator of values of different types", node)
    (one,) = known
    return [one if oid in _POLYMORPHIC else oid for oid in declared]


def distinct(context: Context, left: Expr, right: Expr, negated: bool, node: Node) -> Expr:
    """IS [NOT] DISTINCT FROM."""
    equal = apply(context, "=", left, right, node)
    assert isinstance(equal, Call)
    first, second = equal.args
    collation = merged(context, [expr for expr in equal.args if context.collatable(expr.type)])
    key = operators.comparison_key("=", first.type, second.type, context.types, collation)
    return Distinct(boolean(), first, second, negated, key)


def null_if(context: Context, left: Expr, right: Expr, node: Node) -> Expr:
    equal = apply(context, "=", left, right, node)
    assert isinstance(equal, Call)
    first = equal.args[0]
    return NullIf(first.shape, first, equal)


def any_of(
    context: Context, name: str, left: Expr, array: Expr, every: bool, node: Node, has_columns: bool = True
) -> Expr:
    """`left name ANY|ALL (array)` (`make_scalar_array_op`)."""
    element = t.UNKNOWN if array.type == t.UNKNOWN else context.types.element(array.type)
    if not element:
        context.refuse("ANY of a value that is not an array", node)
    found = _chosen(context, name, left.type, element, node)
    if found[2] != t.BOOL:
        context.refuse("ANY with an operator that is not a comparison", node)
    stand_in = (
        Const(shape(context, element), None) if element != t.UNKNOWN else Const(shape(context, element), "")
    )
    if element == t.UNKNOWN and found[1] in _POLYMORPHIC:
        actual = [left.type, left.type]
    else:
        actual = _actual(context, found[:2], [left, stand_in], node)
    made = coerce(context, left, actual[0], node=node)
    wanted = context.types.array(actual[1])
    if not wanted:
        context.refuse("an array type", node)
    array = coerce(context, array, wanted, node=node)
    collation = merged(context, [expr for expr in (made, array) if context.collatable(expr.type)], node)
    impl = operators.implement(name, actual[0], actual[1], context.types, collation)
    if impl.session:
        context.refuse("ANY with an operator that depends on the session", node)
    key = None
    if name == ("<>" if every else "=") and operators.comparable(*actual):
        key = operators.comparison_key("=", actual[0], actual[1], context.types, collation)
    return AnyOf(
        boolean(),
        made,
        array,
        every,
        f"{name}:{actual[0]},{actual[1]}",
        impl.run,
        key,
        (name,) if name in operators.COMPARISONS else (),
    )


def in_list(context: Context, left: Expr, items: list[tuple[Expr, bool]], negated: bool, node: Node) -> Expr:
    """`left [NOT] IN (items)`; with each item whether it has columns (`transformAExprIn`)."""
    name = "<>" if negated else "="
    plain = [expr for expr, has_columns in items if not has_columns]
    others = [expr for expr, has_columns in items if has_columns]
    parts: list[Expr] = []
    if len(plain) > 1:
        oid = common_type(context, [left, *plain])
        array = context.types.array(oid) if oid else 0
        if oid and array and all(_fits(context, expr, oid) for expr in [left, *plain]):
            made = tuple(coerce(context, expr, oid, node=node) for expr in plain)
            whole = ArrayOf(shape(context, array, -1, made), made)
            parts.append(any_of(context, name, left, whole, negated, node))
        else:
            others = plain + others
    else:
        others = plain + others
    parts.extend(apply(context, name, left, expr, node) for expr in others)
    if len(parts) == 1:
        return parts[0]
    return Logic(boolean(), "and" if negated else "or", tuple(parts))


def _fits(context: Context, expr: Expr, oid: int) -> bool:
    return can_coerce(context.types, expr.type, oid)


def rows(context: Context, name: str, left: Sequence[Expr], right: Sequence[Expr], node: Node) -> Expr:
    """`(a, b) name (c, d)` (`make_row_comparison_op`)."""
    if len(left) != len(right) or not left:
        context.refuse("rows of different lengths", node)
    if len(left) == 1:
        return apply(context, name, left[0], right[0], node)
    pairs = list(zip(left, right, strict=True))
    if name in ("=", "<>"):
        made = tuple(apply(context, name, one, other, node) for one, other in pairs)
        return Logic(boolean(), "and" if name == "=" else "or", made)
    if name not in operators.COMPARISONS:
        context.refuse("rows with an operator that is not a comparison", node)
    strictly = name.rstrip("=")
    compared = []
    for place, (one, other) in enumerate(pairs):
        before = apply(context, name if place == len(pairs) - 1 else strictly, one, other, node)
        assert isinstance(before, Call)
        compared.append((apply(context, "=", before.args[0], before.args[1], node), before))
    return Rows(boolean(), name, tuple(compared))


def between(
    context: Context, left: Expr, low: Expr, high: Expr, negated: bool, symmetric: bool, node: Node
) -> Expr:
    def one(first: Expr, second: Expr) -> Expr:
        ends = (("<", first), (">", second)) if negated else ((">=", first), ("<=", second))
        made = tuple(apply(context, name, left, end, node) for name, end in ends)
        return Logic(boolean(), "or" if negated else "and", made)

    if not symmetric:
        return one(low, high)
    return Logic(boolean(), "and" if negated else "or", (one(low, high), one(high, low)))


def common(context: Context, exprs: Sequence[Expr], node: Node) -> tuple[list[Expr], int]:
    return to_common(context, exprs, None, node)
