"""From text to values, as PostgreSQL's input functions read it, where that is certain.

22P02 and its like for what they refuse; Inexact for what they may take and this does not. Manual: 8.1 to 8.5, 8.12.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import Any

from proxy.documents.arrays import _read as read_array
from proxy.translate import jsons, moments, numbers
from proxy.translate import types as t
from proxy.translate.api import Inexact, ReadError, SessionSettings
from proxy.translate.types import Types
from proxy.translate.values import DAY_US, FIRST_DAY, FIRST_US, LAST_DAY, LAST_US, Interval

Parser = Callable[[str], Any]

_SPACE = " \t\n\r\f\v"
_INTEGER = re.compile(r"[+-]?[0-9]+")
_NUMERIC = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_UUID = re.compile(r"(\{)?(?:[0-9a-fA-F]{4}-?){7}[0-9a-fA-F]{4}(?(1)\})")
"""Manual, 8.12: braces, and a hyphen behind any four digits, may be there or not."""
_DATE = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})")
_CLOCK = r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6}))?)?"
_TIME = re.compile(_CLOCK)
_MOMENT = re.compile(
    rf"([0-9]{{4}})-([0-9]{{1,2}})-([0-9]{{1,2}})(?:[ T]{_CLOCK})?\s?(Z|UTC|GMT|[+-][0-9]{{1,2}}(?::?[0-9]{{2}})?)?"
)
_PART = re.compile(r"([+-]?[0-9]{1,9})\s+([a-zA-Z]+)")
_SPAN_CLOCK = re.compile(r"([+-]?)([0-9]{1,6}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6}))?)?")

_UNITS: dict[str, tuple[int, int, int]] = {}
for _names, _part in (
    ("year years yr yrs y", (12, 0, 0)),
    ("month months mon mons", (1, 0, 0)),
    ("week weeks w", (0, 7, 0)),
    ("day days d", (0, 1, 0)),
    ("hour hours hr hrs h", (0, 0, 3_600_000_000)),
    ("minute minutes min mins m", (0, 0, 60_000_000)),
    ("second seconds sec secs s", (0, 0, 1_000_000)),
    ("decade decades", (120, 0, 0)),
    ("century centuries", (1200, 0, 0)),
):
    for _name in _names.split():
        _UNITS[_name] = _part


def _invalid(name: str) -> ReadError:
    return ReadError("22P02", f"invalid input syntax for type {name}")


_TRUE = frozenset({"t", "tr", "tru", "true", "y", "ye", "yes", "on", "1"})
_FALSE = frozenset({"f", "fa", "fal", "fals", "false", "n", "no", "of", "off", "0"})


def boolean(text: str) -> bool:
    word = text.strip(_SPACE).lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise _invalid("boolean")


def _integer(oid: int, name: str) -> Parser:
    def parse(text: str) -> int:
        word = text.strip(_SPACE)
        if _INTEGER.fullmatch(word) is None:
            if "_" in word or re.match(r"[+-]?0[xXoObB]", word):
                raise Inexact("an integer with underscores or of another base")
            raise _invalid(name)
        return numbers.integer(oid, int(word))

    return parse


def numeric(text: str) -> Decimal:
    word = text.strip(_SPACE)
    if _NUMERIC.fullmatch(word) is None:
        special = {"nan": "NaN", "inf": "Infinity", "infinity": "Infinity"}
        bare = word.lstrip("+-").lower()
        if (
            bare in special
            and len(word) - len(bare) < 2
            and not (bare == "nan" and word != word.lstrip("+-"))
        ):
            return Decimal(("-" if word.startswith("-") else "") + special[bare])
        if "_" in word or re.match(r"[+-]?0[xXoObB]", word):
            raise Inexact("a number with underscores or of another base")
        raise _invalid("numeric")
    value = Decimal(word)
    if abs(value.adjusted()) > 1000:
        raise Inexact("a number of more than 1000 digits")
    return numbers.numeric(value)


def _float(oid: int, name: str) -> Parser:
    def parse(text: str) -> float:
        word = text.strip(_SPACE)
        bare = word.lstrip("+-").lower()
        if bare in ("nan", "infinity", "inf") and len(word) - len(bare) < 2:
            if bare == "nan":
                return float("nan")
            return float("-inf") if word.startswith("-") else float("inf")
        if _NUMERIC.fullmatch(word) is None:
            raise _invalid(name)
        value = float(word)
        if abs(value) == float("inf") or (value == 0 and not Decimal(word).is_zero()):
            raise ReadError(numbers.OUT_OF_RANGE, f"out of range for type {name}")
        return value if oid == t.FLOAT8 else numbers.single_of_text(word)

    return parse


def _fields(match: re.Match[str], first: int) -> int:
    """Microseconds of a clock."""
    hours, minutes, seconds = (int(match[first + place] or 0) for place in range(3))
    us = int((match[first + 3] or "").ljust(6, "0"))
    if minutes > 59 or seconds > 60 or hours > 24 or (hours == 24 and (minutes or seconds or us)):
        raise ReadError("22008", "date/time field value out of range")
    return ((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + us


def _days(match: re.Match[str]) -> int:
    year, month, day = int(match[1]), int(match[2]), int(match[3])
    if not 1 <= month <= 12 or not 1 <= day <= moments.month_length(year, month) or not year:
        raise ReadError("22008", "date/time field value out of range")
    return moments.days_of(year, month, day)


def date(text: str) -> int:
    word = text.strip(_SPACE)
    if word in ("infinity", "-infinity"):
        return LAST_DAY if word[0] == "i" else FIRST_DAY
    match = _DATE.fullmatch(word)
    if match is None:
        found = _MOMENT.fullmatch(word)
        if found is None:
            raise Inexact("a date that is not written as YYYY-MM-DD")
        _fields(found, 4)
        return _days(found)
    return _days(match)


def time(text: str) -> int:
    match = _TIME.fullmatch(text.strip(_SPACE))
    if match is None:
        raise Inexact("a time that is not written as HH:MM:SS")
    return _fields(match, 1)


def _offset(text: str) -> int:
    """Microseconds east."""
    if text in ("Z", "UTC", "GMT"):
        return 0
    digits = text[1:].replace(":", "")
    hours, minutes = int(digits[:2]), int(digits[2:] or 0)
    if hours > 15 or minutes > 59:
        raise Inexact("a time zone that is not known")
    us = (hours * 60 + minutes) * 60_000_000
    return -us if text[0] == "-" else us


def timestamp(text: str) -> int:
    return _moment(text)[0]


def timestamptz(text: str, session: SessionSettings) -> int:
    us, offset = _moment(text)
    if us in (LAST_US, FIRST_US):
        return us
    if offset is None:
        return moments.from_local(us, moments.zone(session.time_zone, setting=False))
    return moments.moment(us - offset)


def _moment(text: str) -> tuple[int, int | None]:
    word = text.strip(_SPACE)
    if word in ("infinity", "-infinity"):
        return (LAST_US if word[0] == "i" else FIRST_US), None
    match = _MOMENT.fullmatch(word)
    if match is None:
        raise Inexact("a timestamp that is not written as YYYY-MM-DD HH:MM:SS")
    return moments.moment(_days(match) * DAY_US + _fields(match, 4)), _offset(match[8]) if match[8] else None


def interval(text: str) -> Interval:
    """Whole numbers with units and a clock at the end: `1 day`, `2 years -3 hours`, `1 mon 00:00:01.5`."""
    rest = text.strip(_SPACE)
    months = days = us = 0
    found = False
    while rest:
        match = _PART.match(rest)
        if match is not None and match[2].lower() in _UNITS:
            amount = int(match[1])
            part = _UNITS[match[2].lower()]
            months, days, us = months + amount * part[0], days + amount * part[1], us + amount * part[2]
        else:
            match = _SPAN_CLOCK.fullmatch(rest)
            if match is None or int(match[3]) > 59 or int(match[4] or 0) > 59:
                raise Inexact("an interval that is written in another way")
            clock = (int(match[2]) * 60 + int(match[3])) * 60_000_000 + int(match[4] or 0) * 1_000_000
            clock += int((match[5] or "").ljust(6, "0"))
            us += -clock if match[1] == "-" else clock
        found = True
        rest = rest[match.end() :].lstrip(_SPACE)
    if not found:
        raise ReadError("22007", "invalid input syntax for type interval")
    return moments.interval(months, days, us)


def uuid(text: str) -> bytes:
    if _UUID.fullmatch(text) is None:
        raise _invalid("uuid")
    return bytes.fromhex(text.strip("{}").replace("-", ""))


def bytea(text: str) -> bytes:
    if text.startswith("\\x"):
        digits = text[2:]
        if re.fullmatch(r"(?:[0-9a-fA-F]{2})*", digits) is None:
            raise Inexact("a bytea with spaces between its digits")
        return bytes.fromhex(digits)
    if "\\" in text:
        raise Inexact("a bytea in escape format")
    return text.encode()


@lru_cache(maxsize=512)
def _plain_parser(oid: int) -> Parser | None:
    if oid in (t.TEXT, t.VARCHAR, t.BPCHAR, t.UNKNOWN, t.NAME):
        return str
    found: dict[int, Parser] = {
        t.BOOL: boolean,
        t.INT2: _integer(t.INT2, "smallint"),
        t.INT4: _integer(t.INT4, "integer"),
        t.INT8: _integer(t.INT8, "bigint"),
        t.NUMERIC: numeric,
        t.FLOAT4: _float(t.FLOAT4, "real"),
        t.FLOAT8: _float(t.FLOAT8, "double precision"),
        t.DATE: date,
        t.TIME: time,
        t.TIMESTAMP: timestamp,
        t.INTERVAL: interval,
        t.UUID: uuid,
        t.BYTEA: bytea,
        t.JSONB: jsons.parse,
    }
    return found.get(oid)


def parser(oid: int, types: Types, session: SessionSettings) -> Parser:
    """The input function of a type, in a session. Inexact for types without one here."""
    plain = _plain_parser(oid)
    if plain is not None:
        return plain
    if oid == t.TIMESTAMPTZ:
        return lambda text: timestamptz(text, session)
    labels = types.labels(oid)
    if labels is not None:

        def label(text: str) -> str:
            if text not in labels:
                raise ReadError("22P02", "invalid input value for enum")
            return text

        return label
    element = types.element(oid)
    if element and types.known(oid):
        return _array(parser(element, types, session))
    raise Inexact(f"constants of type {types.name(oid)}")


def session_dependent(oid: int, types: Types) -> bool:
    """Whether what a text means depends on the session."""
    return oid == t.TIMESTAMPTZ or types.element(oid) == t.TIMESTAMPTZ


_SIMPLE_ARRAY = re.compile(
    r'\{(?:(?:[^\s{}",\\]+|"(?:[^"\\]|\\.)*")(?:,(?:[^\s{}",\\]+|"(?:[^"\\]|\\.)*"))*)?\}'
)


def _array(one: Parser) -> Parser:
    def parse(text: str) -> tuple[Any, ...]:
        if _SIMPLE_ARRAY.fullmatch(text) is None:
            raise Inexact("an array that is written in another way")
        return tuple(None if item is None else one(item) for item in read_array(text, ",")[1])

    return parse
