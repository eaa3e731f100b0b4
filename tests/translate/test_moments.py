from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.translate import moments
from proxy.translate.api import Inexact, ReadError
from proxy.translate.to_char import moment as to_char
from proxy.translate.values import DAY_US, LAST_US, Interval

EPOCH = date(2000, 1, 1)


@given(st.dates())
def test_the_calendar(day: date) -> None:
    days = (day - EPOCH) // timedelta(days=1)
    assert moments.civil(days) == (day.year, day.month, day.day)
    assert moments.days_of(day.year, day.month, day.day) == days
    assert moments.iso_week(days) == day.isocalendar()[:2]


def test_intervals_are_added() -> None:
    start = moments.days_of(2024, 1, 31) * DAY_US
    assert moments.add_interval(start, Interval(1, 0, 0)) == moments.days_of(2024, 2, 29) * DAY_US
    assert moments.difference(start, start - DAY_US - 1) == Interval(0, 1, 1)
    assert moments.difference(start - DAY_US - 1, start) == Interval(0, -1, -1)
    assert moments.add_interval(LAST_US, Interval(1, 0, 0)) == LAST_US
    with pytest.raises(ReadError):
        moments.add_interval(start, Interval(12 * 300_000, 0, 0))


def test_truncation() -> None:
    at = moments.days_of(2024, 5, 16) * DAY_US + 3_723_456_789
    assert to_char(moments.truncated("week", at), "YYYY-MM-DD HH24:MI:SS") == "2024-05-13 00:00:00"
    assert to_char(moments.truncated("quarter", at), "YYYY-MM-DD") == "2024-04-01"
    assert to_char(moments.truncated("minute", at), "HH24:MI:SS.US") == "01:02:00.000000"
    with pytest.raises(Inexact):
        moments.unit_of("fortnight")
    with pytest.raises(Inexact):
        to_char(at, "FMDD")


def test_zones() -> None:
    berlin = moments.zone("Europe/Berlin", setting=False)
    at = moments.days_of(2021, 7, 1) * DAY_US
    assert moments.to_local(at, berlin) == at + 7_200_000_000
    assert moments.from_local(at, berlin) == at - 7_200_000_000
    for name in ("EST", "../etc/passwd", "Nowhere/Land", "posix/Europe/Berlin"):
        with pytest.raises(Inexact):
            moments.zone(name, setting=False)
