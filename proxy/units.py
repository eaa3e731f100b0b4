"""Durations, shares and sizes as people write them (`500ms`, `1h30m`, `5%`, `64MiB`) and back again.

`parse_*` raises ValueError whose text says what was read and what would be right. `format_*` gives a text
that parses to exactly the same number. The `*_PATTERN`s are ECMA-262 regular expressions for JSON Schema;
every text with a unit that a parser accepts matches its pattern.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction

MAX_DURATION = 100 * 365 * 86400.0
"""Seconds. Longer than anything meant, short enough that a deadline computed from it is still a date."""
MAX_SIZE = 1 << 50
"""Bytes (1 PiB)."""
MAX_TEXT = 40
"""Characters looked at; nothing a person writes for a number is longer."""

_DURATION_UNITS: dict[str, Fraction] = {
    "w": Fraction(7 * 86400),
    "d": Fraction(86400),
    "h": Fraction(3600),
    "min": Fraction(60),
    "m": Fraction(60),
    "s": Fraction(1),
    "ms": Fraction(1, 1000),
    "us": Fraction(1, 1_000_000),
    "µs": Fraction(1, 1_000_000),
}
_SIZE_UNITS: dict[str, int] = {
    "B": 1,
    "kB": 1000,
    "KB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "TB": 1000**4,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
    "TiB": 1 << 40,
}

_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
_DURATION_PART = rf"{_NUMBER} ?(?:w|d|h|min|ms|m|us|µs|s)"
DURATION_PATTERN = rf"^{_DURATION_PART}(?: ?{_DURATION_PART})*$"
PERCENT_PATTERN = rf"^{_NUMBER} ?%$"
SIZE_PATTERN = rf"^{_NUMBER} ?(?:[kK]B|[MGT]B|[KMGT]iB|B)$"

_BARE = re.compile(_NUMBER)
_PART = re.compile(rf"({_NUMBER}) ?([^\W\d]+) ?")
_WHOLE_SIZE = re.compile(rf"({_NUMBER}) ?([^\W\d]*)")


def parse_duration(value: str | int | float) -> float:
    """Seconds. A bare number is seconds; parts go from larger to smaller units, each unit once (`1h30m`)."""
    text = _text(value, "a duration", "500ms, 30s or 1h30m")
    if _BARE.fullmatch(text):
        return _duration_in_range(Fraction(text), text)
    total, position, last = Fraction(0), 0, Fraction(MAX_DURATION) * 2
    while position < len(text):
        part = _PART.match(text, position)
        if part is None:
            raise ValueError(_not_a_duration(text))
        unit = _DURATION_UNITS.get(part[2])
        if unit is None:
            raise ValueError(f"{text!r}: {part[2]!r} is not a unit of time; use w, d, h, m, s, ms or us")
        if unit >= last:
            raise ValueError(f"{text!r}: units go from larger to smaller, each once, as in 1h30m")
        total, position, last = total + Fraction(part[1]) * unit, part.end(), unit
    if not text or text.endswith(" "):
        raise ValueError(_not_a_duration(text))
    return _duration_in_range(total, text)


def _not_a_duration(text: str) -> str:
    if re.fullmatch(r"[0-9]+(:[0-9]{2})+", text):
        return f"{text!r} is a clock time, not a duration; write for example 90s or 1m30s"
    if text.startswith("-"):
        return f"{text!r} is negative; a duration is 0s or more"
    return f"{text!r} is not a duration; write a number and a unit, such as 500ms, 30s, 24h or 1h30m"


def _duration_in_range(seconds: Fraction, text: str) -> float:
    if seconds > MAX_DURATION:
        raise ValueError(f"{text!r} is longer than {format_duration(MAX_DURATION)}, the longest there is")
    return float(seconds)


def format_duration(seconds: float) -> str:
    """The shortest text in one unit: `90s`, `24h` is `1d`, `0.5` is `500ms`."""
    exact = _exact(seconds)
    for unit in ("d", "h", "m", "s", "ms", "us"):
        count = exact / _DURATION_UNITS[unit]
        if count.denominator == 1 and (count or unit == "s"):
            return f"{count.numerator}{unit}"
    return f"{_decimal(exact)}s"


def parse_percent(value: str) -> float:
    """A share between 0 and 1, from a text between `0%` and `100%`."""
    text = _text(value, "a share", "5% or 0.01%")
    if _BARE.fullmatch(text):
        share = Fraction(text)
        meant = f"{_decimal(share)}%" if share >= 1 or not share else f"{_decimal(share * 100)}%"
        raise ValueError(f"{text!r} has no percent sign; write {meant}")
    if not text.endswith("%") or not _BARE.fullmatch(text[:-1].removesuffix(" ")):
        raise ValueError(f"{text!r} is not a share; write a percentage such as 5% or 0.01%")
    share = Fraction(text[:-1].removesuffix(" ")) / 100
    if share > 1:
        raise ValueError(f"{text!r} is more than everything; a share lies between 0% and 100%")
    return float(share)


def format_percent(share: float) -> str:
    return f"{_decimal(_exact(share) * 100)}%"


def parse_size(value: str | int) -> int:
    """Bytes. A bare number is bytes; kB, MB, ... are powers of 1000, KiB, MiB, ... powers of 1024."""
    text = _text(value, "a size", "64MiB or 10000")
    parts = _WHOLE_SIZE.fullmatch(text)
    if parts is None or (text != text.rstrip()):
        raise ValueError(f"{text!r} is not a size; write a number and a unit, such as 64MiB")
    unit = _SIZE_UNITS.get(parts[2] or "B")
    if unit is None:
        letters = parts[2].casefold()
        binary = (f"{prefix}iB" for prefix in "KMGT")
        spellings = {name.casefold(): name for name in _SIZE_UNITS}
        spellings |= {short: name for name in binary for short in (name[0].casefold(), name[:2].casefold())}
        meant = spellings.get(letters)
        advice = f"write {parts[1]}{meant}" if meant else "use B, KiB, MiB, GiB, TiB or kB, MB, GB, TB"
        raise ValueError(f"{text!r}: {parts[2]!r} is not a unit of size; {advice}")
    size = Fraction(parts[1]) * unit
    if size.denominator != 1:
        raise ValueError(f"{text!r} is not a whole number of bytes")
    if size > MAX_SIZE:
        raise ValueError(f"{text!r} is more than {format_size(MAX_SIZE)}, the largest size there is")
    return size.numerator


def format_size(size: int) -> str:
    """In the largest binary unit that divides it: `64MiB`, `1000B`."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if size and size % _SIZE_UNITS[unit] == 0:
            return f"{size // _SIZE_UNITS[unit]}{unit}"
    return f"{size}B"


def _text(value: object, what: str, examples: str) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError(f"{value!r} is not {what}; write for example {examples}")
    if isinstance(value, str):
        text = value.strip()
    elif not math.isfinite(value) or value < 0:
        raise ValueError(f"{value!r} is not {what}; write for example {examples}")
    else:
        whole = isinstance(value, int) and value < 10**MAX_TEXT
        text = str(value) if whole else _decimal(_exact(float(value)))
    if len(text) > MAX_TEXT:
        raise ValueError(f"{text[:20] + '...'!r} is too long for {what}; write for example {examples}")
    if not text.isascii() and not set(text) <= set("0123456789. µs"):
        raise ValueError(f"{text!r} is not {what}; write for example {examples}")
    return text


def _exact(value: float) -> Fraction:
    """The number that `repr` shows: 0.1 is one tenth, not the binary fraction nearest to it."""
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{value!r} cannot be written as a duration or share")
    return Fraction(repr(float(value)))


def _decimal(value: Fraction) -> str:
    """Decimal notation without exponent; `value` has a finite decimal expansion."""
    digits = 0
    while (value * 10**digits).denominator != 1:
        digits += 1
    whole = str((value * 10**digits).numerator).rjust(digits + 1, "0")
    return f"{whole[:-digits]}.{whole[-digits:]}" if digits else whole
