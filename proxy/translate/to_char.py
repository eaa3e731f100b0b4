"""to_char of timestamps, for the patterns that are certain. Manual: 9.8."""

from __future__ import annotations

import re
from functools import lru_cache

from proxy.translate import moments
from proxy.translate.api import Inexact
from proxy.translate.values import DAY_US

_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_TOKENS = re.compile(
    r"YYYY|IYYY|IW|MM|DDD|DD|HH24|HH12|HH|MI|SS|MS|US|Mon|MON|mon|Dy|DY|dy|Q|D|WW|W|[-/:., ]|T(?![A-Za-z])"
)
_UNCERTAIN = re.compile(r"FM|TM|TH|th|SP|FX|\"|\\", re.IGNORECASE)


@lru_cache(maxsize=256)
def _parts(form: str) -> tuple[str, ...]:
    """Inexact for patterns with anything else than the plainest fields."""
    if _UNCERTAIN.search(form):
        raise Inexact("a to_char pattern with modifiers")
    parts = []
    position = 0
    while position < len(form):
        match = _TOKENS.match(form, position)
        if match is None:
            raise Inexact("a to_char pattern that is not known")
        parts.append(match[0])
        position = match.end()
    return tuple(parts)


def moment(us: int, form: str) -> str:
    """Of a wall clock time."""
    parts = _parts(form)
    if moments.infinite(us):
        raise Inexact("to_char of an infinite timestamp")
    days, clock = divmod(us, DAY_US)
    year, month, day = moments.civil(days)
    if not 1 <= year <= 9999:
        raise Inexact("to_char of a year that has not four digits")
    of_year = days - moments.days_of(year, 1, 1) + 1
    week_year, week = moments.iso_week(days)
    hour = clock // 3_600_000_000
    weekday = (days + 5) % 7
    values = {
        "YYYY": f"{year:04d}",
        "IYYY": f"{week_year:04d}",
        "IW": f"{week:02d}",
        "MM": f"{month:02d}",
        "DDD": f"{of_year:03d}",
        "DD": f"{day:02d}",
        "D": str((weekday + 1) % 7 + 1),
        "HH24": f"{hour:02d}",
        "HH12": f"{(hour + 11) % 12 + 1:02d}",
        "HH": f"{(hour + 11) % 12 + 1:02d}",
        "MI": f"{clock // 60_000_000 % 60:02d}",
        "SS": f"{clock // 1_000_000 % 60:02d}",
        "MS": f"{clock % 1_000_000 // 1000:03d}",
        "US": f"{clock % 1_000_000:06d}",
        "Mon": _MONTHS[month - 1][:3],
        "MON": _MONTHS[month - 1][:3].upper(),
        "mon": _MONTHS[month - 1][:3].lower(),
        "Dy": _DAYS[weekday][:3],
        "DY": _DAYS[weekday][:3].upper(),
        "dy": _DAYS[weekday][:3].lower(),
        "Q": str((month - 1) // 3 + 1),
        "WW": f"{(of_year - 1) // 7 + 1:02d}",
        "W": str((day - 1) // 7 + 1),
    }
    return "".join(values.get(part, part) for part in parts)
