"""What functions do, by their names and the types of their arguments. Manual: 9.3, 9.4, 9.9."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from proxy.translate import fields, jsons, moments, numbers, strings, to_char
from proxy.translate import types as t
from proxy.translate.api import Inexact, ReadError, Unsupported
from proxy.translate.casts import Impl, _zone
from proxy.translate.runtime import Run
from proxy.translate.types import Types
from proxy.translate.values import Collation, Jsonb

_T = t.TEXT


def implement(name: str, given: tuple[int, ...], types: Types, collation: Collation | None) -> Impl:
    """Unsupported where what the function does is not known here."""
    if name in ("lower", "upper", "initcap") and given == (_T,):
        case = strings.Case(collation)
        return Impl({"lower": case.lower, "upper": case.upper, "initcap": case.initcap}[name])
    if name == "concat":
        return Impl(lambda run, *args: _concat(run, given, "", args), strict=False, session=True)
    if name == "concat_ws":
        return Impl(
            lambda run, *args: None if args[0] is None else _concat(run, given[1:], args[0], args[1:]),
            strict=False,
            session=True,
        )
    if name in ("num_nulls", "num_nonnulls"):
        wanted = name == "num_nulls"
        return Impl(lambda *args: sum((arg is None) is wanted for arg in args), strict=False)
    if name in ("array_length", "cardinality", "array_upper", "array_lower") and types.known(given[0]):
        return Impl(_array_functions[name])
    found = _numeric(name, given) or _TABLE.get((name, given))
    if found is None:
        shown = ", ".join(types.name(oid) for oid in given)
        raise Unsupported(f"function {name}({shown})")
    return found


def _concat(run: Run, oids: tuple[int, ...], separator: str, args: tuple[Any, ...]) -> str:
    return separator.join(run.write(oid, arg) for oid, arg in zip(oids, args, strict=True) if arg is not None)


def _array_length(value: tuple[Any, ...], dimension: int) -> int | None:
    return len(value) if dimension == 1 and value else None


_array_functions: dict[str, Callable[..., Any]] = {
    "array_length": _array_length,
    "array_upper": _array_length,
    "array_lower": lambda value, dimension: 1 if dimension == 1 and value else None,
    "cardinality": len,
}


def _numeric(name: str, given: tuple[int, ...]) -> Impl | None:
    first = given[0] if given else 0
    if first in t.INTEGERS:
        if name == "abs":
            return Impl(lambda value: numbers.integer(first, abs(value)))
        if name == "mod" and len(given) == 2:
            return Impl(numbers.int_modulo)
        if name in ("gcd", "lcm"):
            compute = math.gcd if name == "gcd" else math.lcm
            return Impl(lambda one, other: numbers.integer(first, compute(one, other)))
    if first == t.NUMERIC:
        return _decimals.get((name, len(given)))
    if first in t.FLOATS:
        return _floats.get((name, len(given)))
    return None


def _sign(value: Decimal) -> Decimal:
    if value.is_nan():
        return value
    return Decimal((value > 0) - (value < 0))


def _div(one: Decimal, other: Decimal) -> Decimal:
    if one.is_nan() or other.is_nan() or not one.is_finite() or not other.is_finite():
        raise Inexact("division of what is not finite")
    if other.is_zero():
        raise numbers.divided_by_zero()
    top, bottom = numbers.scale_of(one), numbers.scale_of(other)
    quotient = abs(int(one.scaleb(top))) * 10**bottom // (abs(int(other.scaleb(bottom))) * 10**top)
    return Decimal(quotient if one.is_signed() == other.is_signed() else -quotient)


_decimals: dict[tuple[str, int], Impl] = {
    ("abs", 1): Impl(lambda value: value.copy_abs()),
    ("ceil", 1): Impl(lambda value: numbers.whole(value, True)),
    ("ceiling", 1): Impl(lambda value: numbers.whole(value, True)),
    ("floor", 1): Impl(lambda value: numbers.whole(value, False)),
    ("round", 1): Impl(lambda value: numbers.rounded(value, 0)),
    ("round", 2): Impl(lambda value, scale: numbers.rounded(value, max(min(scale, 2000), -2000))),
    ("trunc", 1): Impl(numbers.truncated),
    ("trunc", 2): Impl(lambda value, scale: numbers.truncated(value, max(min(scale, 2000), -2000))),
    ("sign", 1): Impl(_sign),
    ("mod", 2): Impl(numbers.modulo),
    ("div", 2): Impl(_div),
}


def _float_whole(compute: Callable[[float], float]) -> Callable[[float], float]:
    def run(value: float) -> float:
        if value != value or math.isinf(value) or abs(value) >= 2.0**53:
            return value
        return math.copysign(float(compute(value)), value)

    return run


def _float_sqrt(value: float) -> float:
    if value < 0:
        raise ReadError("2201F", "cannot take square root of a negative number")
    return math.sqrt(value)


_floats: dict[tuple[str, int], Impl] = {
    ("abs", 1): Impl(abs),
    ("ceil", 1): Impl(_float_whole(math.ceil)),
    ("ceiling", 1): Impl(_float_whole(math.ceil)),
    ("floor", 1): Impl(_float_whole(math.floor)),
    ("trunc", 1): Impl(_float_whole(math.trunc)),
    ("round", 1): Impl(numbers.round_half_even),
    ("sign", 1): Impl(lambda value: float((value > 0) - (value < 0))),
    ("sqrt", 1): Impl(_float_sqrt),
}


def _trunc(unit: str, us: int) -> int:
    return moments.truncated(moments.unit_of(unit), us)


def _trunc_tz(run: Run, unit: str, us: int, name: str | None = None) -> int:
    where = _zone(run) if name is None else moments.zone(name, setting=False)
    word = moments.unit_of(unit)
    if word in ("microseconds", "milliseconds", "second", "minute") or moments.infinite(us):
        return moments.truncated(word, us)
    if word == "hour":
        local = moments.to_local(us, where)
        return us - (local - moments.truncated("hour", local))
    return moments.from_local(moments.truncated(word, moments.to_local(us, where)), where)


def _at_zone(name: str, us: int) -> int:
    return moments.from_local(us, moments.zone(name, setting=False))


def _in_zone(name: str, us: int) -> int:
    return moments.to_local(us, moments.zone(name, setting=False))


def _make_date(year: int, month: int, day: int) -> int:
    if year <= 0 or not 1 <= month <= 12 or not 1 <= day <= moments.month_length(year, month):
        if year < 0:
            raise Inexact("a date before Christ")
        raise ReadError("22008", "date field value out of range")
    return moments.day(moments.days_of(year, month, day))


def _json_length(value: Jsonb) -> int:
    if not isinstance(value.value, list):
        raise ReadError("22023", "cannot get array length of a non-array")
    return len(value.value)


def _hex(bits: int) -> Callable[[int], str]:
    return lambda value: f"{value & (1 << bits) - 1:x}"


_S = t.TIMESTAMP
_Z = t.TIMESTAMPTZ

_TABLE: dict[tuple[str, tuple[int, ...]], Impl] = {
    **{
        (name, (oid,)): Impl(len)
        for name in ("length", "char_length", "character_length")
        for oid in (_T, t.BYTEA)
        if oid == _T or name == "length"
    },
    **{
        (name, (t.BPCHAR,)): Impl(lambda value: len(value.rstrip(" ")))
        for name in ("length", "char_length", "character_length")
    },
    ("octet_length", (_T,)): Impl(lambda value: len(value.encode())),
    ("octet_length", (t.BYTEA,)): Impl(len),
    **{
        (name, (_T, t.INT4, *more)): Impl(strings.substring)
        for name in ("substring", "substr")
        for more in ((), (t.INT4,))
    },
    ("left", (_T, t.INT4)): Impl(strings.left),
    ("right", (_T, t.INT4)): Impl(strings.right),
    **{
        (name, (_T,)): Impl(lambda value, where=where: strings.trim(value, " ", where))
        for name, where in (("btrim", "both"), ("ltrim", "left"), ("rtrim", "right"))
    },
    **{
        (name, (_T, _T)): Impl(lambda value, chars, where=where: strings.trim(value, chars, where))
        for name, where in (("btrim", "both"), ("ltrim", "left"), ("rtrim", "right"))
    },
    ("replace", (_T, _T, _T)): Impl(strings.replace),
    ("translate", (_T, _T, _T)): Impl(strings.translate),
    ("strpos", (_T, _T)): Impl(lambda value, part: value.find(part) + 1),
    ("position", (_T, _T)): Impl(lambda value, part: value.find(part) + 1),
    ("lpad", (_T, t.INT4)): Impl(lambda value, length: strings.pad(value, length, " ", True)),
    ("lpad", (_T, t.INT4, _T)): Impl(lambda value, length, fill: strings.pad(value, length, fill, True)),
    ("rpad", (_T, t.INT4)): Impl(lambda value, length: strings.pad(value, length, " ", False)),
    ("rpad", (_T, t.INT4, _T)): Impl(lambda value, length, fill: strings.pad(value, length, fill, False)),
    ("repeat", (_T, t.INT4)): Impl(strings.repeat),
    ("reverse", (_T,)): Impl(lambda value: value[::-1]),
    ("split_part", (_T, _T, t.INT4)): Impl(strings.split_part),
    ("starts_with", (_T, _T)): Impl(lambda value, part: value.startswith(part)),
    ("ascii", (_T,)): Impl(strings.ascii_code),
    ("chr", (t.INT4,)): Impl(strings.character),
    ("md5", (_T,)): Impl(lambda value: hashlib.md5(value.encode(), usedforsecurity=False).hexdigest()),
    ("md5", (t.BYTEA,)): Impl(lambda value: hashlib.md5(value, usedforsecurity=False).hexdigest()),
    ("to_hex", (t.INT4,)): Impl(_hex(32)),
    ("to_hex", (t.INT8,)): Impl(_hex(64)),
    ("like_escape", (_T, _T)): Impl(strings.like_escape),
    ("now", ()): Impl(lambda run: run.now(), session=True),
    ("transaction_timestamp", ()): Impl(lambda run: run.now(), session=True),
    ("date_trunc", (_T, _S)): Impl(_trunc),
    ("date_trunc", (_T, _Z)): Impl(_trunc_tz, session=True),
    ("date_trunc", (_T, _Z, _T)): Impl(_trunc_tz, session=True),
    ("timezone", (_T, _S)): Impl(_at_zone),
    ("timezone", (_T, _Z)): Impl(_in_zone),
    ("extract", (_T, t.DATE)): Impl(fields.of_date),
    ("extract", (_T, t.TIME)): Impl(fields.of_time),
    ("extract", (_T, _S)): Impl(fields.of_moment),
    ("extract", (_T, _Z)): Impl(fields.of_moment_in_zone, session=True),
    ("extract", (_T, t.INTERVAL)): Impl(fields.of_interval),
    ("date_part", (_T, t.DATE)): Impl(fields.as_float(fields.of_date)),
    ("date_part", (_T, t.TIME)): Impl(fields.as_float(fields.of_time)),
    ("date_part", (_T, _S)): Impl(fields.as_float(fields.of_moment)),
    ("date_part", (_T, _Z)): Impl(fields.as_float(fields.of_moment_in_zone), session=True),
    ("date_part", (_T, t.INTERVAL)): Impl(fields.as_float(fields.of_interval)),
    ("age", (_S, _S)): Impl(moments.age),
    ("isfinite", (_S,)): Impl(lambda us: not moments.infinite(us)),
    ("isfinite", (_Z,)): Impl(lambda us: not moments.infinite(us)),
    ("isfinite", (t.DATE,)): Impl(lambda days: abs(days) < 2**31 - 1),
    ("date", (_S,)): Impl(moments.timestamp_to_date),
    ("date", (_Z,)): Impl(
        lambda run, us: moments.timestamp_to_date(moments.to_local(us, _zone(run))), session=True
    ),
    ("make_date", (t.INT4, t.INT4, t.INT4)): Impl(_make_date),
    ("to_char", (_S, _T)): Impl(to_char.moment),
    ("to_char", (_Z, _T)): Impl(
        lambda run, us, form: to_char.moment(moments.to_local(us, _zone(run)), form), session=True
    ),
    ("jsonb_array_length", (t.JSONB,)): Impl(_json_length),
    ("jsonb_typeof", (t.JSONB,)): Impl(jsons.kind),
}
