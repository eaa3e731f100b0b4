"""Random expressions of one kind each: numbers, text, dates."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.translate.fuzz.values import DECIMALS, FLOATS, INTEGERS, MOMENTS, TEXTS, quoted

if TYPE_CHECKING:
    from tests.translate.fuzz.expressions import Maker

ZONES = ("UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata")
UNITS = ("year", "month", "day", "hour", "minute", "second", "week", "quarter", "decade", "milliseconds")
FIELDS = (
    "year",
    "month",
    "day",
    "hour",
    "minute",
    "second",
    "dow",
    "doy",
    "week",
    "quarter",
    "epoch",
    "isodow",
)


def _int(make: Maker, depth: int) -> str:
    if depth <= 0 or make.maybe(0.35):
        return make.column(*INTEGERS) or make.constant("int4")
    one, other = make.scalar("int", depth - 1), make.scalar("int", depth - 1)
    match make.random.randrange(11):
        case 0 | 1 | 2:
            return f"({one} {make.random.choice('+-*')} {other})"
        case 3:
            return f"({one} {make.random.choice('/%')} {other})"
        case 4:
            return f"({one} {make.random.choice('+*/%-')} {make.random.choice(('1', '2', '7', '3', '-2'))})"
        case 5:
            return f"(- {one})"
        case 6:
            return f"abs({one})"
        case 7:
            return f"{make.random.choice(('length', 'char_length', 'octet_length'))}({make.scalar('text', depth - 1)})"
        case 8:
            return f"strpos({make.scalar('text', depth - 1)}, {make.scalar('text', 0)})"
        case 9:
            return f"({make.scalar('numeric', depth - 1)})::{make.random.choice(INTEGERS)}"
    return f"({make.scalar('float', depth - 1)})::{make.random.choice(INTEGERS)}"


def _numeric(make: Maker, depth: int) -> str:
    if depth <= 0 or make.maybe(0.35):
        return make.column(*DECIMALS) or make.typed("numeric")
    one, other = make.scalar("numeric", depth - 1), make.scalar("numeric", depth - 1)
    match make.random.randrange(9):
        case 0 | 1:
            return f"({one} {make.random.choice('+-*')} {other})"
        case 2:
            return f"({one} {make.random.choice('/%')} {other})"
        case 3:
            return f"({one} {make.random.choice('+*/')} {make.scalar('int', 0)})"
        case 4:
            return f"round({one}, {make.random.choice(('0', '1', '2', '-1', '5'))})"
        case 5:
            return f"{make.random.choice(('round', 'trunc', 'ceil', 'floor', 'abs', 'sign'))}({one})"
        case 6:
            return f"({one})::numeric({make.random.choice(('10,2', '12,4', '20', '30,10'))})"
        case 7:
            return f"({make.scalar('int', depth - 1)})::numeric"
    return f"({one} {make.random.choice('*/')} {make.random.choice(('1.10', '0.5', '3', '100', '-0.001'))})"


def _float(make: Maker, depth: int) -> str:
    if depth <= 0 or make.maybe(0.35):
        return make.column(*FLOATS) or make.typed("float8")
    one, other = make.scalar("float", depth - 1), make.scalar("float", depth - 1)
    match make.random.randrange(7):
        case 0 | 1:
            return f"({one} {make.random.choice('+-*/')} {other})"
        case 2:
            return f"({one} {make.random.choice('+*/')} {make.scalar('int', 0)})"
        case 3:
            return f"{make.random.choice(('round', 'trunc', 'ceil', 'floor', 'abs', 'sign'))}({one})"
        case 4:
            return f"({make.scalar('numeric', depth - 1)})::float8"
        case 5:
            return f"({make.scalar('int', depth - 1)})::{make.random.choice(FLOATS)}"
    return f"({one})::{make.random.choice(FLOATS)}"


_AS_TEXT = (
    *(
        "int2",
        "int4",
        "int8",
        "numeric",
        "bool",
        "date",
        "time",
        "uuid",
        "timestamp",
        "timestamptz",
        "interval",
    ),
    *("varchar(12)", "fuzz_mood", "float8", "float4", "bytea", "numeric(10,2)", "char(5)"),
)


def _text(make: Maker, depth: int) -> str:
    if depth <= 0 or make.maybe(0.35):
        return make.column(*TEXTS) or make.typed("text")
    one, other = make.scalar("text", depth - 1), make.scalar("text", depth - 1)
    few = make.random.choice(("0", "1", "2", "3", "-1", "10"))
    match make.random.randrange(14):
        case 0:
            return f"({one} || {other})"
        case 1:
            return f"{make.random.choice(('lower', 'upper'))}({one})"
        case 2:
            return f"substring({one} FROM {few} FOR {make.random.choice('0123')})"
        case 3:
            return f"{make.random.choice(('left', 'right'))}({one}, {few})"
        case 4:
            return f"{make.random.choice(('trim', 'ltrim', 'rtrim', 'reverse', 'md5'))}({one})"
        case 5:
            return f"replace({one}, {other}, {make.scalar('text', 0)})"
        case 6:
            fill = quoted(make.random.choice(("x", "ab", "")))
            return f"{make.random.choice(('lpad', 'rpad'))}({one}, {few}, {fill})"
        case 7:
            kind = make.random.choice(_AS_TEXT)
            return f"({make.scalar(kind, 0)})::text"
        case 8:
            return f"concat({one}, {make.any_column()[0]}, {other})"
        case 9:
            return f"split_part({one}, {quoted(make.random.choice((',', ' ', 'a')))}, {make.random.choice('123')})"
        case 10:
            form = make.random.choice(
                ("YYYY-MM-DD", "YYYY-MM", "HH24:MI:SS", "DD/MM/YYYY HH12", "Mon", "Day", "IYYY-IW")
            )
            return f"to_char({make.scalar('moment', 0)}, {quoted(form)})"
        case 11:
            return f"concat_ws('-', {one}, {other}, {make.scalar('int', 0)})"
        case 12:
            return f"({one})::varchar({make.random.choice('135')})"
    return f"({one} || {make.column(*INTEGERS, 'date', 'bool') or other})"


def _bool(make: Maker, depth: int) -> str:
    if depth <= 0 or make.maybe(0.5):
        return make.column("bool") or make.constant("bool")
    return f"({make.condition(depth - 1)})"


def _date(make: Maker, depth: int) -> str:
    if depth <= 0 or make.maybe(0.4):
        return make.column("date") or make.typed("date")
    one = make.scalar("date", depth - 1)
    match make.random.randrange(3):
        case 0:
            return f"({one} {make.random.choice('+-')} {make.random.choice(('1', '30', '365'))})"
        case 1:
            return f"({make.scalar('moment', depth - 1)})::date"
    return f"date({make.scalar('moment', depth - 1)})"


def _moment(make: Maker, depth: int) -> str:
    if depth <= 0 or make.maybe(0.4):
        return make.column(*MOMENTS) or make.typed(make.random.choice(("timestamp", "timestamptz")))
    one = make.scalar("moment", depth - 1)
    match make.random.randrange(4):
        case 0:
            return f"date_trunc({quoted(make.random.choice(UNITS))}, {one})"
        case 1:
            step = make.random.choice(("1 day", "1 month", "-1 year", "36 hours", "1 mon 2 days 00:00:00.5"))
            return f"({one} {make.random.choice('+-')} interval {quoted(step)})"
        case 2:
            one = make.column("timestamptz") or make.typed("timestamptz")
            return f"({one} AT TIME ZONE {quoted(make.random.choice(ZONES))})"
    one = make.column("timestamp", "timestamp(3)") or make.typed("timestamp")
    return f"({one} AT TIME ZONE {quoted(make.random.choice(ZONES))})"


def _interval(make: Maker, depth: int) -> str:
    if depth <= 0 or make.maybe(0.5):
        return make.column("interval") or make.typed("interval")
    if make.maybe(0.5):
        return f"({make.typed('timestamp')} - {make.column('timestamp', 'timestamp(3)') or make.typed('timestamp')})"
    return f"({make.scalar('interval', 0)} {make.random.choice('+-')} interval '1 mon -2 days 3:00')"


def _extract(make: Maker, depth: int) -> str:
    of = make.random.choice(("moment", "moment", "date"))
    return f"EXTRACT({make.random.choice(FIELDS)} FROM {make.scalar(of, min(depth, 1))})"


KINDS: dict[str, Callable[[Maker, int], str]] = {
    "int": _int,
    "numeric": _numeric,
    "float": _float,
    "text": _text,
    "bool": _bool,
    "date": _date,
    "moment": _moment,
    "interval": _interval,
    "extract": _extract,
}
