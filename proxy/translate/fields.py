"""Fields of dates, times and intervals: EXTRACT and `date_part`. Manual: 9.9.1."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from proxy.translate import moments, numbers
from proxy.translate.api import Inexact, ReadError
from proxy.translate.casts import _zone as zone_of
from proxy.translate.runtime import Run
from proxy.translate.values import DAY_US, Interval

_ENDLESS = frozenset({"year", "decade", "century", "millennium", "isoyear", "epoch"})
_CYCLES = frozenset(
    {
        *(
            "microseconds",
            "milliseconds",
            "second",
            "minute",
            "hour",
            "day",
            "month",
            "quarter",
            "week",
            "dow",
        ),
        *("isodow", "doy"),
    }
)


def _of_infinite(word: str, us: int) -> Decimal | None:
    """`NonFiniteTimestampTzPart`: what never ends is infinite, what comes round again is nothing."""
    if word in _ENDLESS:
        return Decimal("Infinity") if us > 0 else Decimal("-Infinity")
    if word in _CYCLES:
        return None
    raise Inexact("a field of an infinite timestamp")


def of_moment(unit: str, us: int) -> Decimal | None:
    """Of a wall clock time, as `extract` gives it."""
    word = unit.lower()
    if moments.infinite(us):
        return _of_infinite(word, us)
    days, clock = divmod(us, DAY_US)
    year, month, day = moments.civil(days)
    if word == "epoch":
        return Decimal(us + moments.EPOCH_DAYS * DAY_US).scaleb(-6)
    if word in ("dow", "isodow", "doy", "isoyear", "week"):
        if word == "dow":
            return Decimal((days + 6) % 7)
        if word == "isodow":
            return Decimal((days + 5) % 7 + 1)
        if word == "doy":
            return Decimal(days - moments.days_of(year, 1, 1) + 1)
        return Decimal(moments.iso_week(days)[0 if word == "isoyear" else 1])
    unit_name = moments.unit_of(unit)
    if year <= 0:
        raise Inexact("a field of a date before Christ")
    minute_us = clock % 60_000_000
    match unit_name:
        case "year":
            return Decimal(year)
        case "month":
            return Decimal(month)
        case "day":
            return Decimal(day)
        case "hour":
            return Decimal(clock // 3_600_000_000)
        case "minute":
            return Decimal(clock // 60_000_000 % 60)
        case "second":
            return Decimal(minute_us).scaleb(-6)
        case "milliseconds":
            return Decimal(minute_us).scaleb(-3)
        case "microseconds":
            return Decimal(minute_us)
        case "quarter":
            return Decimal((month - 1) // 3 + 1)
        case "decade":
            return Decimal(year // 10)
        case "century":
            return Decimal((year + 99) // 100)
        case "millennium":
            return Decimal((year + 999) // 1000)
        case "week":
            return Decimal(moments.iso_week(days)[1])
    raise Inexact("a field of a time that is not known")


def of_date(unit: str, days: int) -> Decimal | None:
    if unit.lower() in ("hour", "minute", "second", "milliseconds", "microseconds"):
        raise ReadError("0A000", "unit not supported for type date")
    found = of_moment(unit, moments.date_to_timestamp(days))
    return found.to_integral_value() if found is not None and unit.lower() == "epoch" else found


def of_time(unit: str, us: int) -> Decimal | None:
    if unit.lower() == "epoch":
        return Decimal(us).scaleb(-6)
    if moments.unit_of(unit) not in ("hour", "minute", "second", "milliseconds", "microseconds"):
        raise Inexact("a field of a time that is not known")
    return of_moment(unit, us)


def of_interval(unit: str, value: Interval) -> Decimal:
    word = unit.lower()
    sign = -1 if value.us < 0 else 1
    clock = abs(value.us)
    years = abs(value.months) // 12 * (-1 if value.months < 0 else 1)
    match word:
        case "epoch":
            days = years * 1461 * DAY_US // 4 + ((value.months - years * 12) * 30 + value.days) * DAY_US
            return Decimal(days + value.us).scaleb(-6)
        case "hour":
            return Decimal(sign * (clock // 3_600_000_000))
        case "minute":
            return Decimal(sign * (clock // 60_000_000 % 60))
        case "second":
            return numbers.numeric(Decimal(sign * (clock % 60_000_000)).scaleb(-6))
        case "day":
            return Decimal(value.days)
        case "month":
            return Decimal(value.months - years * 12)
        case "year":
            return Decimal(years)
    raise Inexact("a field of an interval that is not known")


def of_moment_in_zone(run: Run, unit: str, us: int) -> Decimal | None:
    if unit.lower() == "epoch":
        return of_moment(unit, us)
    return of_moment(unit, moments.to_local(us, zone_of(run)))


def as_float(compute: Callable[..., Decimal | None]) -> Callable[..., float | None]:
    """`date_part`: parts of a second are added up as floats."""

    def run(*args: Any) -> float | None:
        word = args[-2].lower()
        found = compute(*args)
        if found is None:
            return None
        if isinstance(args[-1], Interval) and word == "epoch":
            return _epoch(args[-1])
        if word in ("second", "seconds", "milliseconds"):
            seconds, us = divmod(int(found.scaleb(6 if word.startswith("second") else 3)), 1_000_000)
            if found < 0:
                raise Inexact("seconds of a negative interval as a float")
            return seconds + us / 1_000_000.0 if word[0] == "s" else seconds * 1000.0 + us / 1000.0
        return float(found)

    return run


def _epoch(value: Interval) -> float:
    years = abs(value.months) // 12 * (-1 if value.months < 0 else 1)
    found = value.us / 1_000_000.0
    found += 365.25 * 86_400 * years
    found += 30.0 * 86_400 * (value.months - years * 12)
    return found + 86_400.0 * value.days
