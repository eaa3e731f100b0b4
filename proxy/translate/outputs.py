"""From values to PostgreSQL's text output, in a session's settings. Manual: 8.5.2, 8.14.4, 19.11."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from proxy.documents.arrays import quoted
from proxy.documents.floats import float4_text, float8_text
from proxy.translate import moments
from proxy.translate import types as t
from proxy.translate.api import Inexact, SessionSettings
from proxy.translate.types import Types
from proxy.translate.values import DAY_US, FIRST_DAY, FIRST_US, LAST_DAY, LAST_US, Interval

Writer = Callable[[Any], str]


def _clock(us: int) -> str:
    seconds, us = divmod(us, 1_000_000)
    text = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{text}.{us:06d}".rstrip("0") if us else text


def _day(days: int) -> tuple[str, str]:
    year, month, day = moments.civil(days)
    return (
        (f"{year:04d}-{month:02d}-{day:02d}", "")
        if year > 0
        else (f"{1 - year:04d}-{month:02d}-{day:02d}", " BC")
    )


def date_text(days: int) -> str:
    if days in (LAST_DAY, FIRST_DAY):
        return "infinity" if days > 0 else "-infinity"
    return "".join(_day(days))


def timestamp_text(us: int, offset: int | None = None) -> str:
    """`offset`: seconds east of UTC, of timestamptz; `us` is UTC."""
    if us in (LAST_US, FIRST_US):
        return "infinity" if us > 0 else "-infinity"
    days, clock = divmod(us + (offset or 0) * 1_000_000, DAY_US)
    date, era = _day(days)
    return f"{date} {_clock(clock)}{'' if offset is None else _zone(offset)}{era}"


def _zone(east: int) -> str:
    sign, east = ("-", -east) if east < 0 else ("+", east)
    hours, rest = divmod(east, 3600)
    minutes, seconds = divmod(rest, 60)
    text = f"{sign}{hours:02d}"
    if minutes or seconds:
        text += f":{minutes:02d}"
    return f"{text}:{seconds:02d}" if seconds else text


def interval_text(value: Interval) -> str:
    """IntervalStyle postgres."""
    if abs(value.months) >= LAST_DAY and abs(value.days) >= LAST_DAY:
        raise Inexact("an interval as large as infinity")
    years = abs(value.months) // 12 * (-1 if value.months < 0 else 1)
    words: list[str] = []
    before = False
    for amount, unit in ((years, "year"), (value.months - years * 12, "mon"), (value.days, "day")):
        if amount:
            words.append(f"{'+' if before and amount > 0 else ''}{amount} {unit}{'' if amount == 1 else 's'}")
            before = amount < 0
    if value.us or not words:
        words.append(("-" if value.us < 0 else "+" if before else "") + _clock(abs(value.us)))
    return " ".join(words)


def numeric_text(value: Decimal) -> str:
    if value.is_nan():
        return "NaN"
    if value.is_infinite():
        return "Infinity" if value > 0 else "-Infinity"
    return f"{value:f}"


def uuid_text(value: bytes) -> str:
    digits = value.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _escaped(value: bytes) -> str:
    return "".join(
        "\\\\" if byte == 0x5C else chr(byte) if 0x20 <= byte < 0x7F else f"\\{byte:03o}" for byte in value
    )


def writer(oid: int, types: Types, session: SessionSettings) -> Writer:
    """The output function of a type. Inexact where the session's settings cannot be followed."""
    if oid == t.BOOL:
        return lambda value: "t" if value else "f"
    if oid in t.INTEGERS or oid == t.OID:
        return int.__repr__
    if oid == t.NUMERIC:
        return numeric_text
    if oid in t.FLOATS:
        if session.extra_float_digits < 1:
            raise Inexact("extra_float_digits below 1")
        return float8_text if oid == t.FLOAT8 else float4_text
    if oid in (t.DATE, t.TIMESTAMP, t.TIMESTAMPTZ):
        if session.date_style.partition(",")[0].strip().upper() != "ISO":
            raise Inexact("a DateStyle that is not ISO")
        if oid == t.DATE:
            return date_text
        if oid == t.TIMESTAMP:
            return timestamp_text
        where = moments.zone(session.time_zone, setting=False)
        return lambda us: timestamp_text(us, moments.offset_of(us, where))
    if oid == t.TIME:
        return _clock
    if oid == t.INTERVAL:
        if session.interval_style != "postgres":
            raise Inexact("an IntervalStyle that is not postgres")
        return interval_text
    if oid == t.UUID:
        return uuid_text
    if oid == t.BYTEA:
        return (lambda value: "\\x" + value.hex()) if session.bytea_output == "hex" else _escaped
    if oid == t.JSONB:
        return lambda value: str(value.text)
    element = types.element(oid)
    if element and types.known(oid):
        return _array_writer(writer(element, types, session))
    return str


def _array_writer(one: Writer) -> Writer:
    def text(value: tuple[Any, ...]) -> str:
        special = '"\\{}, \t\n\v\f\r'
        return "{" + ",".join("NULL" if item is None else quoted(one(item), special) for item in value) + "}"

    return text
