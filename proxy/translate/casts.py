"""What casts do, by source and target type, and what type modifiers do. Manual: 4.2.9, 8.1 to 8.5."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

from proxy.translate import moments, numbers
from proxy.translate import types as t
from proxy.translate.api import Inexact, ReadError, Unsupported
from proxy.translate.runtime import Run
from proxy.translate.types import Types
from proxy.translate.values import DAY_US, Interval


class Impl(NamedTuple):
    """What a function does with values."""

    run: Callable[..., Any]
    strict: bool = True
    session: bool = False
    """Takes the Run first."""


def _zone(run: Run) -> Any:
    return moments.zone(run.session.time_zone, setting=False)


def _date_to_tz(run: Run, days: int) -> int:
    return moments.from_local(moments.date_to_timestamp(days), _zone(run))


def _tz_to_date(run: Run, us: int) -> int:
    return moments.timestamp_to_date(moments.to_local(us, _zone(run)))


def _clock(us: int) -> int:
    if moments.infinite(us):
        raise Inexact("time of an infinite timestamp")
    return us % DAY_US


def _interval_clock(value: Interval) -> int:
    return value.us % DAY_US


def _finite_numeric(value: Decimal) -> Decimal:
    return value


def function(source: int, target: int) -> Impl | None:
    """What a cast with a function does; None where that is not known here."""
    if source in t.INTEGERS and target in t.INTEGERS:
        return Impl(lambda value: numbers.integer(target, value))
    if source in t.INTEGERS and target in t.FLOATS:
        return Impl(float) if target == t.FLOAT8 else Impl(lambda value: numbers.single_of_text(str(value)))
    if source in t.INTEGERS and target == t.NUMERIC:
        return Impl(Decimal)
    if source in t.FLOATS and target in t.INTEGERS:
        return Impl(lambda value: numbers.float_to_int(target, value))
    if source in t.FLOATS and target in t.FLOATS:
        return Impl(numbers.single if target == t.FLOAT4 else float)
    if source in t.FLOATS and target == t.NUMERIC:
        return Impl(lambda value: numbers.float_to_numeric(source, value))
    if source == t.NUMERIC and target in t.INTEGERS:
        return Impl(lambda value: numbers.numeric_to_int(target, value))
    if source == t.NUMERIC and target in t.FLOATS:
        return Impl(lambda value: numbers.numeric_to_float(target, value))
    return _OTHERS.get((source, target))


_OTHERS: dict[tuple[int, int], Impl] = {
    (t.BOOL, t.INT4): Impl(int),
    (t.INT4, t.BOOL): Impl(bool),
    (t.BOOL, t.TEXT): Impl(lambda value: "true" if value else "false"),
    (t.BOOL, t.VARCHAR): Impl(lambda value: "true" if value else "false"),
    (t.BOOL, t.BPCHAR): Impl(lambda value: "true" if value else "false"),
    (t.BPCHAR, t.TEXT): Impl(lambda value: value.rstrip(" ")),
    (t.BPCHAR, t.VARCHAR): Impl(lambda value: value.rstrip(" ")),
    (t.DATE, t.TIMESTAMP): Impl(moments.date_to_timestamp),
    (t.DATE, t.TIMESTAMPTZ): Impl(_date_to_tz, session=True),
    (t.TIMESTAMP, t.DATE): Impl(moments.timestamp_to_date),
    (t.TIMESTAMP, t.TIME): Impl(_clock),
    (t.TIMESTAMP, t.TIMESTAMPTZ): Impl(lambda run, us: moments.from_local(us, _zone(run)), session=True),
    (t.TIMESTAMPTZ, t.TIMESTAMP): Impl(lambda run, us: moments.to_local(us, _zone(run)), session=True),
    (t.TIMESTAMPTZ, t.DATE): Impl(_tz_to_date, session=True),
    (t.TIMESTAMPTZ, t.TIME): Impl(lambda run, us: _clock(moments.to_local(us, _zone(run))), session=True),
    (t.TIME, t.INTERVAL): Impl(lambda us: Interval(0, 0, us)),
    (t.INTERVAL, t.TIME): Impl(_interval_clock),
}


def through_text(source: int, target: int, types: Types) -> Impl:
    """By the output function of one type and the input function of the other."""
    if not types.known(source) and types.category(target) != "S":
        raise Unsupported(f"cast from type {types.name(source)}")
    if source == t.BPCHAR:
        raise Unsupported("cast of char(n) through its text")
    if types.category(target) == "S" and target in t.STRINGS:
        if not types.known(source):
            return Impl(str)
        return Impl(lambda run, value: run.write(source, value), session=True)
    if not types.known(target) or types.element(target):
        raise Unsupported(f"cast to type {types.name(target)}")
    return Impl(lambda run, value: run.parse(target, run.write(source, value)), session=True)


def _cut(length: int, explicit: bool) -> Callable[[str], str]:
    def cut(value: str) -> str:
        if len(value) <= length:
            return value
        if not explicit and value[length:].strip(" "):
            raise ReadError("22001", f"value too long for type character varying({length})")
        return value[:length]

    return cut


def _padded(length: int, explicit: bool) -> Callable[[str], str]:
    def pad(value: str) -> str:
        if len(value) > length:
            if not explicit and value[length:].strip(" "):
                raise ReadError("22001", f"value too long for type character({length})")
            return value[:length]
        return value.ljust(length)

    return pad


def _to_precision(digits: int) -> Callable[[int], int]:
    step = 10 ** (6 - digits)

    def cut(us: int) -> int:
        if moments.infinite(us) or step == 1:
            return us
        half = step // 2
        return moments.moment((us + half) // step * step if us >= 0 else -((-us + half) // step * step))

    return cut


def modifier(oid: int, typmod: int, *, explicit: bool) -> Callable[[Any], Any] | None:
    """What fits a value of a type to its modifier; None where it need not be."""
    if typmod < 0:
        return None
    if oid == t.NUMERIC:
        return lambda value: numbers.fitted(value, typmod)
    if oid == t.VARCHAR:
        return _cut(typmod - 4, explicit)
    if oid == t.BPCHAR:
        return _padded(typmod - 4, explicit)
    if oid in (t.TIMESTAMP, t.TIMESTAMPTZ):
        return _to_precision(typmod)
    raise Unsupported("a type modifier")
