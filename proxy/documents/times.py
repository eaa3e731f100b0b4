"""Dates and times.

timestamp and timestamptz become a Date floored to the millisecond, with the microseconds left over beside it; date a
Date at midnight UTC; time a string; interval a sub-document that compares by `cmp`.
Binary: microseconds or days since 2000-01-01, the extremes of the integers for infinity. Manual: 8.5, 55.8.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from struct import Struct
from typing import Any

from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.int64 import Int64

from proxy.documents.codec import Codec, Foreign, KeyParts, Marked, text_codec
from proxy.documents.numbers import decimal_text, parse_decimal128

_INT4 = Struct(">i").unpack
_INT8 = Struct(">q").unpack
_TIMETZ = Struct(">qi").unpack
_INTERVAL = Struct(">qii").unpack

EPOCH_MS = 946_684_800_000
"""2000-01-01 UTC."""
DAY_MS = 86_400_000
DAY_US = 86_400_000_000
END_OF_TIME_MS = 8_640_000_000_000_000
"""What stands for infinity, with a flag: the last Date of JavaScript."""

_LAST_US = 2**63 - 1
_FIRST_US = -(2**63)
_LAST_DAY = 2**31 - 1
_FIRST_DAY = -(2**31)
_INFINITE = {
    "infinity": (DatetimeMS(END_OF_TIME_MS), "inf"),
    "-infinity": (DatetimeMS(-END_OF_TIME_MS), "-inf"),
}
_WORDS = {"inf": "infinity", "-inf": "-infinity"}

_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def milliseconds(value: Any) -> int:
    """Of a Date however pymongo has decoded it. Foreign for anything else."""
    if isinstance(value, DatetimeMS):
        return int(value)
    if isinstance(value, datetime):
        since = (value if value.tzinfo else value.replace(tzinfo=UTC)) - _UNIX_EPOCH
        return since.days * DAY_MS + since.seconds * 1000 + since.microseconds // 1000
    raise Foreign("not a date")


def _calendar(days: int) -> str:
    """`YYYY-MM-DD` of days since 1970-01-01 in the proleptic Gregorian calendar, and whether it is BC in front: a
    minus sign."""
    days += 719468
    era, of_era = divmod(days, 146097)
    year_of_era = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * of_year + 2) // 153
    day = of_year - (153 * shifted + 2) // 5 + 1
    month = shifted + 3 if shifted < 10 else shifted - 9
    year = year_of_era + era * 400 + (month <= 2)
    return f"{year:04d}-{month:02d}-{day:02d}" if year > 0 else f"-{1 - year:04d}-{month:02d}-{day:02d}"


def _days(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01; year 0 is 1 BC."""
    year -= month <= 2
    era, of_era = divmod(year, 400)
    of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


def _clock(us: int) -> str:
    """`HH:MM:SS.ffffff`."""
    seconds, us = divmod(us, 1_000_000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{us:06d}"


def _trimmed(clock: str) -> str:
    return clock.rstrip("0").removesuffix(".") if "." in clock else clock


_DATE = re.compile(r"(\d{4,})-(\d\d)-(\d\d)(?: (\d+):(\d\d):(\d\d)(?:\.(\d{1,6}))?(\+00)?)?( BC)?")


def _parse_moment(text: str) -> int:
    """Microseconds since 1970."""
    match = _DATE.fullmatch(text)
    if match is None:
        raise ValueError("not a date or time in ISO style, UTC")
    year, month, day, hours, minutes, seconds = (int(part or 0) for part in match.groups()[:6])
    us = int((match[7] or "").ljust(6, "0"))
    days = _days(1 - year if match[9] else year, month, day)
    return days * DAY_US + ((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + us


def _moment_text(ms: int, us: int, zone: str) -> str:
    days, rest = divmod(ms, DAY_MS)
    date = _calendar(days)
    clock = _trimmed(_clock(rest * 1000 + us))
    return f"{date} {clock}{zone}" if date[0] != "-" else f"{date[1:]} {clock}{zone} BC"


@lru_cache(maxsize=16)
def timestamp(precision: int | None, *, zone: bool) -> Codec:
    """`precision` is that of timestamp(p); up to 3 there are no microseconds beside the Date."""
    exact = precision is not None and precision <= 3
    suffix = "+00" if zone else ""

    def decode(raw: bytes) -> Marked:
        us = _INT8(raw)[0]
        if us in (_LAST_US, _FIRST_US):
            return infinite("infinity" if us > 0 else "-infinity")
        ms, us = divmod(us, 1000)
        return DatetimeMS(ms + EPOCH_MS), None if exact else us, None

    def infinite(word: str) -> Marked:
        value, flag = _INFINITE[word]
        return value, None if exact else 0, flag

    def parse(given: str) -> Marked:
        if given in _INFINITE:
            return infinite(given)
        ms, us = divmod(_parse_moment(given), 1000)
        return DatetimeMS(ms), None if exact else us, None

    def text(marked: Marked) -> str:
        value, us, flag = marked
        ms = milliseconds(value)
        if flag is not None:
            return _word(flag)
        if us is None:
            us = 0
        elif not isinstance(us, int) or not 0 <= us < 1000:
            raise Foreign("not 0 to 999 microseconds")
        return _moment_text(ms, us, suffix)

    def out(raw: bytes) -> str:
        value, us, flag = decode(raw)
        return _WORDS[flag] if flag else _moment_text(int(value), us or 0, suffix)

    return Codec(
        decode,
        out,
        parse,
        text,
        marked=True,
        timed=not exact,
        key=_moment_key,
        from_id=_moment_from_id,
        native="timestamp3" if exact else "timestamp",
    )


def _word(flag: Any) -> str:
    word = _WORDS.get(flag) if isinstance(flag, str) else None
    if word is None:
        raise Foreign("not a flag of a date")
    return word


def _moment_key(marked: Marked) -> KeyParts:
    """`{t: Date, us: Int32}`, the words for infinity: no two moments have one key."""
    value, us, flag = marked
    if flag is not None:
        return _WORDS[flag], _WORDS[flag], None
    ms = int(value)
    return {"t": value, "us": us or 0}, ms * 1000 + (us or 0), None


def _moment_from_id(value: Any) -> Marked:
    if isinstance(value, str) and value in _INFINITE:
        infinite, flag = _INFINITE[value]
        return infinite, 0, flag
    if isinstance(value, Mapping) and set(value) == {"t", "us"}:
        return value["t"], value["us"], None
    raise Foreign("not the key of a timestamp")


def _date(raw: bytes) -> Marked:
    days = _INT4(raw)[0]
    if days in (_LAST_DAY, _FIRST_DAY):
        value, flag = _INFINITE["infinity" if days > 0 else "-infinity"]
        return value, None, flag
    return DatetimeMS(days * DAY_MS + EPOCH_MS), None, None


def _date_out(raw: bytes) -> str:
    return _date_text(_date(raw))


def _date_text(marked: Marked) -> str:
    value, _, flag = marked
    ms = milliseconds(value)
    if flag is not None:
        return _word(flag)
    days, rest = divmod(ms, DAY_MS)
    if rest:
        raise Foreign("not midnight")
    date = _calendar(days)
    return date if date[0] != "-" else f"{date[1:]} BC"


def _parse_date(text: str) -> Marked:
    if text in _INFINITE:
        value, flag = _INFINITE[text]
        return value, None, flag
    days, rest = divmod(_parse_moment(text), DAY_US)
    if rest:
        raise ValueError("not a date")
    return DatetimeMS(days * DAY_MS), None, None


def _date_key(marked: Marked) -> KeyParts:
    value, _, flag = marked
    if flag is not None:
        return _WORDS[flag], _WORDS[flag], None
    return value, int(value), None


def _date_from_id(value: Any) -> Marked:
    if isinstance(value, str) and value in _INFINITE:
        infinite, flag = _INFINITE[value]
        return infinite, None, flag
    return value, None, None


DATE = Codec(
    _date,
    _date_out,
    _parse_date,
    _date_text,
    marked=True,
    key=_date_key,
    from_id=_date_from_id,
    native="date",
)


def _time(raw: bytes) -> str:
    return _clock(_INT8(raw)[0])


def _parse_time(text: str) -> str:
    clock, _, fraction = text.partition(".")
    return f"{clock}.{fraction:0<6}"


def _time_text(value: Any) -> str:
    if isinstance(value, str):
        return _trimmed(value)
    raise Foreign("not a string")


TIME = Codec(_time, lambda raw: _trimmed(_time(raw)), _parse_time, _time_text, native="time")
"""Always with six digits behind the point, so that strings compare as times do."""


def _timetz(raw: bytes) -> str:
    us, west = _TIMETZ(raw)
    return _trimmed(_clock(us)) + _zone(-west)


def _zone(east: int) -> str:
    sign, east = ("-", -east) if east < 0 else ("+", east)
    hours, rest = divmod(east, 3600)
    minutes, seconds = divmod(rest, 60)
    return (
        f"{sign}{hours:02d}"
        + (f":{minutes:02d}" if minutes or seconds else "")
        + (f":{seconds:02d}" if seconds else "")
    )


TIMETZ = text_codec(_timetz)


def _interval(raw: bytes) -> dict[str, Any]:
    us, days, months = _INTERVAL(raw)
    return _interval_document(months, days, us)


def _interval_document(months: int, days: int, us: int) -> dict[str, Any]:
    compared = us + (days + months * 30) * DAY_US
    return {"cmp": parse_decimal128(str(compared)), "m": months, "d": days, "us": Int64(us)}


def _interval_out(raw: bytes) -> str:
    us, days, months = _INTERVAL(raw)
    return _interval_words(months, days, us)


def _interval_text(value: Any) -> str:
    if isinstance(value, Mapping):
        parts = value.get("m"), value.get("d"), value.get("us")
        if all(isinstance(part, int) for part in parts):
            return _interval_words(*parts)  # type: ignore[arg-type]
    raise Foreign("not an interval")


def _interval_words(months: int, days: int, us: int) -> str:
    if months == _LAST_DAY and days == _LAST_DAY and us == _LAST_US:
        return "infinity"
    if months == _FIRST_DAY and days == _FIRST_DAY and us == _FIRST_US:
        return "-infinity"
    years = abs(months) // 12 * (-1 if months < 0 else 1)
    words: list[str] = []
    before = False
    for amount, unit in ((years, "year"), (months - years * 12, "mon"), (days, "day")):
        if amount:
            words.append(f"{'+' if before and amount > 0 else ''}{amount} {unit}{'' if amount == 1 else 's'}")
            before = amount < 0
    if us or not words:
        words.append(("-" if us < 0 else "+" if before else "") + _trimmed(_clock(abs(us))))
    return " ".join(words)


_INTERVAL_TEXT = re.compile(
    r"(?:([+-]?\d+) years? ?)?(?:([+-]?\d+) mons? ?)?(?:([+-]?\d+) days? ?)?"
    r"(?:([+-]?)(\d+):(\d\d):(\d\d)(?:\.(\d{1,6}))?)?"
)


def _parse_interval(text: str) -> dict[str, Any]:
    if text == "infinity":
        return _interval_document(_LAST_DAY, _LAST_DAY, _LAST_US)
    if text == "-infinity":
        return _interval_document(_FIRST_DAY, _FIRST_DAY, _FIRST_US)
    match = _INTERVAL_TEXT.fullmatch(text)
    if match is None or not text:
        raise ValueError("not an interval in postgres style")
    years, months, days = (int(part or 0) for part in match.groups()[:3])
    hours, minutes, seconds = (int(part or 0) for part in match.groups()[4:7])
    us = ((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + int((match[8] or "").ljust(6, "0"))
    return _interval_document(years * 12 + months, days, -us if match[4] == "-" else us)


def _interval_key(value: dict[str, Any]) -> KeyParts:
    """What it compares by; the parts are kept beside it."""
    compared = value["cmp"]
    return compared, compared.bid, value


def _interval_from_id(value: Any) -> dict[str, Any]:
    if not isinstance(value, Decimal128):
        raise Foreign("not the key of an interval")
    days, us = divmod(int(decimal_text(value)), DAY_US)
    return _interval_document(0, days, us)


INTERVAL = Codec(
    _interval,
    _interval_out,
    _parse_interval,
    _interval_text,
    key=_interval_key,
    from_id=_interval_from_id,
)
