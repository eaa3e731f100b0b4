"""Arithmetic of dates and times as PostgreSQL does it. Units as `types.py` says: days or microseconds since 2000-01-01.

Manual: 8.5, 9.9. Wall clock times that a zone has twice are the later one, those it does not have are taken as before
the change (`DetermineTimeZoneOffset`).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from proxy.translate.api import Inexact, ReadError
from proxy.translate.values import DAY_US, FIRST_DAY, FIRST_US, LAST_DAY, LAST_US, Interval

EPOCH_DAYS: Final = 10_957
"""From 1970-01-01 to 2000-01-01."""
_MIN_DAYS: Final = -2_451_545
"""4713-11-24 BC."""
_END_DATE: Final = 2_145_031_949
"""One day behind the last date."""
_MIN_US: Final = -211_813_488_000_000_000
_END_US: Final = 9_223_371_331_200_000_000
"""Range of finite timestamps: first, and one behind the last."""
_EPOCH: Final = datetime(2000, 1, 1)
_FIRST_SURE: Final = -30 * 365 * DAY_US
_LAST_SURE: Final = 37 * 365 * DAY_US
"""1970 to 2036: years in which all editions of the time zone database agree."""

OUT_OF_RANGE: Final = "22008"


def civil(days: int) -> tuple[int, int, int]:
    """Year (0 is 1 BC), month, day of days since 2000-01-01."""
    days += EPOCH_DAYS + 719_468
    era, of_era = divmod(days, 146_097)
    year_of_era = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * of_year + 2) // 153
    day = of_year - (153 * shifted + 2) // 5 + 1
    month = shifted + 3 if shifted < 10 else shifted - 9
    return year_of_era + era * 400 + (month <= 2), month, day


def days_of(year: int, month: int, day: int) -> int:
    """Days since 2000-01-01 of a day of the proleptic Gregorian calendar."""
    year -= month <= 2
    era, of_era = divmod(year, 400)
    of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468 - EPOCH_DAYS


def month_length(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def moment(us: int) -> int:
    """22008 where it is beyond the range of timestamps."""
    if _MIN_US <= us < _END_US:
        return us
    raise ReadError(OUT_OF_RANGE, "timestamp out of range")


def day(days: int) -> int:
    if _MIN_DAYS <= days < _END_DATE:
        return days
    raise ReadError(OUT_OF_RANGE, "date out of range")


def infinite(us: int) -> bool:
    return us in (LAST_US, FIRST_US)


def date_to_timestamp(days: int) -> int:
    if days == LAST_DAY:
        return LAST_US
    if days == FIRST_DAY:
        return FIRST_US
    return moment(days * DAY_US)


def timestamp_to_date(us: int) -> int:
    if us == LAST_US:
        return LAST_DAY
    if us == FIRST_US:
        return FIRST_DAY
    return us // DAY_US


_FIXED = re.compile(r"([+-])(\d{1,2})(?::?(\d{2}))?")


@lru_cache(maxsize=256)
def zone(name: str, *, setting: bool) -> tzinfo:
    """By its name. Inexact for anything but UTC and names of the time zone database: abbreviations and POSIX zones have
    rules of their own."""
    if name.upper() in ("UTC", "GMT", "ETC/UTC", "ZULU", "Z"):
        return UTC
    match = _FIXED.fullmatch(name)
    if match is not None and setting:
        offset = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
        return timezone(offset if match[1] == "+" else -offset)
    if "/" in name and not name.startswith(("/", ".")) and "posix" not in name.lower():
        try:
            found = ZoneInfo(name)
        except (ValueError, OSError, KeyError):
            raise Inexact("a time zone that is not known") from None
        return found
    raise Inexact("a time zone that is not known")


def _sure(us: int, where: tzinfo) -> None:
    if where is not UTC and not isinstance(where, timezone) and not _FIRST_SURE <= us <= _LAST_SURE:
        raise Inexact("a time in a zone before 1970 or after 2036")


def to_local(us: int, where: tzinfo) -> int:
    """Wall clock of a moment."""
    if where is UTC or infinite(us):
        return us
    _sure(us, where)
    at = (_EPOCH + timedelta(microseconds=us)).replace(tzinfo=UTC).astimezone(where)
    offset = at.utcoffset() or timedelta()
    return moment(us + _micro(offset))


def from_local(us: int, where: tzinfo) -> int:
    """The moment of a wall clock time."""
    if where is UTC or infinite(us):
        return us
    _sure(us, where)
    at = _EPOCH + timedelta(microseconds=us)
    before = at.replace(tzinfo=where).utcoffset() or timedelta()
    after = at.replace(tzinfo=where, fold=1).utcoffset() or timedelta()
    return moment(us - _micro(after if before > after else before))


def offset_of(us: int, where: tzinfo) -> int:
    """Seconds east of UTC at a moment."""
    return 0 if where is UTC else (to_local(us, where) - us) // 1_000_000


def _micro(delta: timedelta) -> int:
    return (delta.days * 86_400 + delta.seconds) * 1_000_000


def add_months(us: int, months: int) -> int:
    days, clock = divmod(us, DAY_US)
    year, month, of_month = civil(days)
    year, month = divmod(year * 12 + month - 1 + months, 12)
    month += 1
    return days_of(year, month, min(of_month, month_length(year, month))) * DAY_US + clock


def add_interval(us: int, span: Interval, where: tzinfo | None = None) -> int:
    """timestamp + interval; of timestamptz months and days are added to the wall clock of `where`."""
    _finite(span)
    if infinite(us):
        return us
    if span.months or span.days:
        local = us if where is None else to_local(us, where)
        if span.months:
            local = moment(add_months(local, span.months))
            if where is not None and span.days:
                local = to_local(from_local(local, where), where)
        local = moment(local + span.days * DAY_US)
        us = local if where is None else from_local(local, where)
    return moment(us + span.us)


def _finite(span: Interval) -> None:
    if abs(span.months) >= LAST_DAY or abs(span.days) >= LAST_DAY:
        raise Inexact("an interval as large as infinity")


def negated(span: Interval) -> Interval:
    _finite(span)
    return interval(-span.months, -span.days, -span.us)


def interval(months: int, days: int, us: int) -> Interval:
    """22008 where a part does not fit."""
    if abs(months) > LAST_DAY or abs(days) > LAST_DAY or abs(us) > LAST_US:
        raise ReadError(OUT_OF_RANGE, "interval out of range")
    return Interval(months, days, us)


def add_intervals(one: Interval, other: Interval) -> Interval:
    _finite(one)
    _finite(other)
    return interval(one.months + other.months, one.days + other.days, one.us + other.us)


def difference(one: int, other: int) -> Interval:
    """timestamp - timestamp: days of 24 hours and the rest, both of one sign."""
    if infinite(one) or infinite(other):
        raise Inexact("subtraction of infinite timestamps")
    us = one - other
    days = abs(us) // DAY_US * (-1 if us < 0 else 1)
    return interval(0, days, us - days * DAY_US)


def age(one: int, other: int) -> Interval:
    """`timestamp_age`: years, months and days between two wall clock times."""
    if infinite(one) or infinite(other):
        raise Inexact("subtraction of infinite timestamps")
    sign = 1
    if one < other:
        one, other, sign = other, one, -1
    (one_days, one_us), (other_days, other_us) = divmod(one, DAY_US), divmod(other, DAY_US)
    first, second = civil(one_days), civil(other_days)
    months = (first[0] - second[0]) * 12 + first[1] - second[1]
    days = first[2] - second[2]
    us = one_us - other_us
    if us < 0:
        us += DAY_US
        days -= 1
    while days < 0:
        days += month_length(second[0], second[1])
        months -= 1
    return interval(sign * months, sign * days, sign * us)


def truncated(unit: str, us: int) -> int:
    """`date_trunc` of a wall clock time. Inexact for units that are not known."""
    if infinite(us):
        return us
    days, clock = divmod(us, DAY_US)
    year, month, _ = civil(days)
    steps = {
        "microseconds": 1,
        "milliseconds": 1000,
        "second": 10**6,
        "minute": 60 * 10**6,
        "hour": 3600 * 10**6,
    }
    if unit in steps:
        return days * DAY_US + clock // steps[unit] * steps[unit]
    if unit == "day":
        return days * DAY_US
    if unit == "week":
        return (days - (days + 5) % 7) * DAY_US
    if year <= 0:
        raise Inexact("truncation of dates before Christ")
    if unit == "month":
        return days_of(year, month, 1) * DAY_US
    if unit == "quarter":
        return days_of(year, (month - 1) // 3 * 3 + 1, 1) * DAY_US
    if unit == "year":
        return days_of(year, 1, 1) * DAY_US
    if unit == "decade":
        return moment(days_of(year // 10 * 10, 1, 1) * DAY_US)
    if unit in ("century", "millennium"):
        years = 100 if unit == "century" else 1000
        return moment(days_of((year - 1) // years * years + 1, 1, 1) * DAY_US)
    raise Inexact("a unit of time that is not known")


UNITS: Final = {
    **{unit: unit for unit in ("microseconds", "milliseconds", "second", "minute", "hour", "day", "week")},
    **{unit: unit for unit in ("month", "quarter", "year", "decade", "century", "millennium")},
    **{"seconds": "second", "minutes": "minute", "hours": "hour", "days": "day", "weeks": "week"},
    **{"months": "month", "years": "year", "decades": "decade", "centuries": "century"},
}
"""What is written to the unit that is meant, in lower case."""


def unit_of(given: str) -> str:
    try:
        return UNITS[given.lower()]
    except KeyError:
        raise Inexact("a unit of time that is not known") from None


def iso_week(days: int) -> tuple[int, int]:
    """(year, week) by ISO 8601."""
    thursday = days - (days + 5) % 7 + 3
    year = civil(thursday)[0]
    return year, (thursday - days_of(year, 1, 1)) // 7 + 1
