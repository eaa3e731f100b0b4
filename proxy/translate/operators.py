"""What operators do, by their names and the types of their operands. Manual: 9.1 to 9.9."""

from __future__ import annotations

import math
import operator as py
from collections.abc import Callable
from typing import Any

from proxy.translate import jsons, moments, numbers, regexes, strings
from proxy.translate import types as t
from proxy.translate.api import Inexact, ReadError, Unsupported
from proxy.translate.casts import Impl, _zone
from proxy.translate.runtime import Run
from proxy.translate.types import Types
from proxy.translate.values import Collation, Interval, Key, equality_key, order_key

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": py.eq,
    "<>": py.ne,
    "<": py.lt,
    "<=": py.le,
    ">": py.gt,
    ">=": py.ge,
}
NEGATED = {"=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
SWAPPED = {"=": "=", "<>": "<>", "<": ">", ">": "<", "<=": ">=", ">=": "<="}

_MOMENTS = (t.DATE, t.TIMESTAMP, t.TIMESTAMPTZ)


def comparable(left: int, right: int) -> bool:
    """Whether values of two types are compared as they are."""
    return (
        left == right
        or (left in t.INTEGERS and right in t.INTEGERS)
        or (left in t.FLOATS and right in t.FLOATS)
    )


def comparison_key(name: str, left: int, right: int, types: Types, collation: Collation | None) -> Key:
    """What both sides of a comparison are compared by. Unsupported where they are not compared as they are."""
    if not comparable(left, right):
        raise Unsupported(f"comparison of {types.name(left)} with {types.name(right)}")
    if name in ("=", "<>"):
        return equality_key(left, types, collation)
    return order_key(left, types, collation)


def comparison(name: str, left: int, right: int, types: Types, collation: Collation | None) -> Impl:
    compare = COMPARISONS[name]
    if left != right and left in _MOMENTS and right in _MOMENTS:
        return Impl(
            lambda run, one, other: (
                compare(_common(run, left, one), _common(run, right, other))
                if t.TIMESTAMPTZ in (left, right)
                else compare(_wall(left, one), _wall(right, other))
            ),
            session=True,
        )
    key = comparison_key(name, left, right, types, collation)
    if left in t.INTEGERS or left in (t.BOOL, t.TEXT, t.VARCHAR, *_MOMENTS):
        return Impl(compare)
    return Impl(lambda one, other: compare(key(one), key(other)))


def _wall(oid: int, value: int) -> int:
    return moments.date_to_timestamp(value) if oid == t.DATE else value


def _common(run: Run, oid: int, value: int) -> int:
    if oid == t.TIMESTAMPTZ:
        return value
    return moments.from_local(_wall(oid, value), _zone(run))


def implement(name: str, left: int, right: int, types: Types, collation: Collation | None) -> Impl:
    """`left` 0 for an operator before its operand. Unsupported where what it does is not known here."""
    if name in COMPARISONS:
        return comparison(name, left, right, types, collation)
    if name in ("~~", "!~~", "~~*", "!~~*"):
        return _like(name, left, collation)
    if name in ("~", "!~", "~*", "!~*") and left == right == t.TEXT:
        return _regex(name, collation)
    if name in _OF_ARRAYS and types.element(left) and left == right:
        return _of_arrays(name, types.element(left), types, collation)
    found = _arithmetic(name, left, right) or _TABLE.get((name, left, right))
    if found is None:
        raise Unsupported(f"operator {name} of {types.name(left) if left else ''} {types.name(right)}")
    return found


def _regex(name: str, collation: Collation | None) -> Impl:
    if collation is None or not collation.deterministic:
        raise Unsupported("a regular expression in a collation that is not deterministic")
    wanted, ignore_case = not name.startswith("!"), name.endswith("*")
    return Impl(lambda value, pattern: regexes.matches(value, pattern, ignore_case=ignore_case) is wanted)


_OF_ARRAYS = ("@>", "<@", "&&")


def _of_arrays(name: str, element: int, types: Types, collation: Collation | None) -> Impl:
    """Elements that are equal; NULL is in no array (`array_contain_compare`)."""
    key = equality_key(element, types, collation)

    def keys(array: tuple[Any, ...]) -> set[Any]:
        return {key(item) for item in array if item is not None}

    def within(some: tuple[Any, ...], others: tuple[Any, ...]) -> bool:
        return None not in some and keys(some) <= keys(others)

    if name == "&&":
        return Impl(lambda one, other: not keys(one).isdisjoint(keys(other)))
    return Impl(within if name == "<@" else lambda one, other: within(other, one))


def _like(name: str, left: int, collation: Collation | None) -> Impl:
    if left not in (t.TEXT, t.VARCHAR):
        raise Unsupported("LIKE on a type that is not text")
    if collation is None or not collation.deterministic:
        raise Unsupported("LIKE in a collation that is not deterministic")
    wanted = not name.startswith("!")
    if not name.endswith("*"):
        return Impl(lambda value, pattern: strings.like(value, pattern) is wanted)
    case = strings.Case(collation)
    return Impl(lambda value, pattern: strings.like(case.lower(value), case.lower(pattern)) is wanted)


def _arithmetic(name: str, left: int, right: int) -> Impl | None:
    if left in t.INTEGERS and right in t.INTEGERS:
        return _integers(name, left if _width(left) >= _width(right) else right)
    if left in t.FLOATS and right in t.FLOATS:
        return _floats(name, t.FLOAT4 if left == right == t.FLOAT4 else t.FLOAT8)
    if left == right == t.NUMERIC:
        made = {
            "+": numbers.add,
            "-": numbers.subtract,
            "*": numbers.multiply,
            "/": numbers.divide,
            "%": numbers.modulo,
        }.get(name)
        return None if made is None else Impl(made)
    return None


def _width(oid: int) -> int:
    return {t.INT2: 2, t.INT4: 4, t.INT8: 8}[oid]


def _integers(name: str, result: int) -> Impl | None:
    match name:
        case "+":
            return Impl(lambda one, other: numbers.integer(result, one + other))
        case "-":
            return Impl(lambda one, other: numbers.integer(result, one - other))
        case "*":
            return Impl(lambda one, other: numbers.integer(result, one * other))
        case "/":
            return Impl(lambda one, other: numbers.int_divide(result, one, other))
        case "%":
            return Impl(numbers.int_modulo)
        case "&":
            return Impl(py.and_)
        case "|":
            return Impl(py.or_)
        case "#":
            return Impl(py.xor)
    return None


def _floats(name: str, result: int) -> Impl | None:
    def checked(compute: Callable[[float, float], float]) -> Impl:
        def run(one: float, other: float) -> float:
            value = compute(one, other)
            if result == t.FLOAT4:
                value = numbers.single(value, underflow=name in "*/")
            return numbers.float_checked(value, one, other)

        return Impl(run)

    match name:
        case "+":
            return checked(py.add)
        case "-":
            return checked(py.sub)
        case "*":
            return checked(_times)
        case "/":
            return checked(_over)
    return None


def _times(one: float, other: float) -> float:
    product = one * other
    if product == 0 and one != 0 and other != 0:
        raise ReadError(numbers.OUT_OF_RANGE, "value out of range: underflow")
    return product


def _over(one: float, other: float) -> float:
    if other == 0 and one == one:
        raise numbers.divided_by_zero()
    if other == 0:
        return one
    quotient = one / other
    if quotient == 0 and one != 0 and not math.isinf(other):
        raise ReadError(numbers.OUT_OF_RANGE, "value out of range: underflow")
    return quotient


def _date_plus(days: int, more: int) -> int:
    if abs(days) >= 2**31 - 1:
        return days
    return moments.day(days + more)


def _date_minus_date(one: int, other: int) -> int:
    if abs(one) >= 2**31 - 1 or abs(other) >= 2**31 - 1:
        raise Inexact("subtraction of infinite dates")
    return numbers.integer(t.INT4, one - other)


def _plus(us: int, span: Interval) -> int:
    return moments.add_interval(us, span)


def _minus(us: int, span: Interval) -> int:
    return moments.add_interval(us, moments.negated(span))


def _date_span(sign: int) -> Callable[[int, Interval], int]:
    compute = _plus if sign > 0 else _minus
    return lambda days, span: compute(moments.date_to_timestamp(days), span)


def _times_float(span: Interval, factor: float) -> Interval:
    whole = int(factor) if math.isfinite(factor) else 0
    if whole != factor or abs(whole) > 2**31:
        raise Inexact("an interval times a fraction")
    return moments.interval(span.months * whole, span.days * whole, span.us * whole)


def _tz(compute: Callable[[int, Interval, Any], int], sign: int) -> Impl:
    def run(state: Run, us: int, span: Interval) -> int:
        return compute(us, span if sign > 0 else moments.negated(span), _zone(state))

    return Impl(run, session=True)


def _of_json(found: Callable[[Any, Any], Any], told: Callable[[Any], Any]) -> Impl:
    return Impl(lambda value, key: told(found(value.value, key)))


_TABLE: dict[tuple[str, int, int], Impl] = {
    ("||", t.TEXT, t.TEXT): Impl(py.add),
    ("+", t.DATE, t.INT4): Impl(_date_plus),
    ("+", t.INT4, t.DATE): Impl(lambda more, days: _date_plus(days, more)),
    ("-", t.DATE, t.INT4): Impl(lambda days, less: _date_plus(days, -less)),
    ("-", t.DATE, t.DATE): Impl(_date_minus_date),
    ("+", t.DATE, t.INTERVAL): Impl(_date_span(1)),
    ("-", t.DATE, t.INTERVAL): Impl(_date_span(-1)),
    ("+", t.TIMESTAMP, t.INTERVAL): Impl(_plus),
    ("-", t.TIMESTAMP, t.INTERVAL): Impl(_minus),
    ("+", t.INTERVAL, t.TIMESTAMP): Impl(lambda span, us: _plus(us, span)),
    ("+", t.TIMESTAMPTZ, t.INTERVAL): _tz(moments.add_interval, 1),
    ("-", t.TIMESTAMPTZ, t.INTERVAL): _tz(moments.add_interval, -1),
    ("-", t.TIMESTAMP, t.TIMESTAMP): Impl(moments.difference),
    ("-", t.TIMESTAMPTZ, t.TIMESTAMPTZ): Impl(moments.difference),
    ("-", t.TIME, t.TIME): Impl(lambda one, other: Interval(0, 0, one - other)),
    ("+", t.INTERVAL, t.INTERVAL): Impl(moments.add_intervals),
    ("-", t.INTERVAL, t.INTERVAL): Impl(
        lambda one, other: moments.add_intervals(one, moments.negated(other))
    ),
    ("*", t.INTERVAL, t.FLOAT8): Impl(_times_float),
    ("*", t.FLOAT8, t.INTERVAL): Impl(lambda factor, span: _times_float(span, factor)),
    ("-", 0, t.INTERVAL): Impl(moments.negated),
    ("-", 0, t.NUMERIC): Impl(lambda value: numbers.numeric(value.copy_negate())),
    ("-", 0, t.FLOAT8): Impl(py.neg),
    ("-", 0, t.FLOAT4): Impl(py.neg),
    ("->", t.JSONB, t.TEXT): _of_json(jsons.field, jsons.shown),
    ("->", t.JSONB, t.INT4): _of_json(jsons.element, jsons.shown),
    ("#>", t.JSONB, t.TEXTS): _of_json(jsons.at, jsons.shown),
    ("->>", t.JSONB, t.TEXT): _of_json(jsons.field, jsons.text),
    ("->>", t.JSONB, t.INT4): _of_json(jsons.element, jsons.text),
    ("#>>", t.JSONB, t.TEXTS): _of_json(jsons.at, jsons.text),
    ("@>", t.JSONB, t.JSONB): Impl(jsons.contains),
    ("<@", t.JSONB, t.JSONB): Impl(lambda one, other: jsons.contains(other, one)),
    ("?", t.JSONB, t.TEXT): Impl(jsons.has),
    ("?|", t.JSONB, t.TEXTS): Impl(jsons.has_any),
    ("?&", t.JSONB, t.TEXTS): Impl(jsons.has_all),
    **{("+", 0, oid): Impl(lambda value: value) for oid in (*t.INTEGERS, *t.FLOATS, t.NUMERIC)},
    **{("-", 0, oid): Impl(lambda value, oid=oid: numbers.integer(oid, -value)) for oid in t.INTEGERS},
}
