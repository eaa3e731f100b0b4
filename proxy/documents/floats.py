"""float4 and float8: both become Double. Their text is the shortest that reads back as the same number.

PostgreSQL's shortest text lies strictly between the halfway points to the neighbouring numbers; Python's `repr` also
takes a halfway point itself, so the two differ now and then. Manual: 8.1.3.
"""

from __future__ import annotations

import math
from fractions import Fraction
from struct import Struct
from typing import Any

from proxy.documents.codec import Codec, Foreign, KeyParts, Marked

_FLOAT4 = Struct(">f")
_FLOAT8 = Struct(">d")
_UINT4 = Struct(">I")

_SINGLE_DIGITS = 9
_DOUBLE_DIGITS = 17
"""Enough to tell any two numbers apart."""
_SINGLE_FIXED = 6
_DOUBLE_FIXED = 15
"""Decimal exponent from which the text is in scientific notation."""


def float8_text(value: float) -> str:
    special = _special(value)
    if special is not None:
        return special
    sign, digits, exponent = _split(repr(value))
    fraction, _ = math.frexp(value)
    mantissa = int(abs(fraction) * (1 << 53))
    if mantissa % 2 == 0:  # only then does repr take a halfway point
        ulp = Fraction(math.ulp(value))
        below = ulp / 4 if mantissa == 1 << 52 and abs(value) > 2.0**-1021 else ulp / 2
        digits, exponent = _strictly(abs(value), below, ulp / 2, digits, exponent, _DOUBLE_DIGITS)
    return _layout(sign, digits, exponent, _DOUBLE_FIXED)


def float4_text(value: float) -> str:
    """`value` is a single precision number; a foreign Double is rounded to one."""
    special = _special(value)
    if special is not None:
        return special
    try:
        raw = _FLOAT4.pack(value)
    except OverflowError:
        raise Foreign("beyond single precision") from None
    (value,) = _FLOAT4.unpack(raw)
    special = _special(value)
    if special is not None:
        return special
    sign = "-" if value < 0 else ""
    bits = _UINT4.unpack(raw)[0] & 0x7FFFFFFF
    ulp = Fraction(2) ** (max(bits >> 23, 1) - 150)
    below = ulp / 4 if bits & 0x7FFFFF == 0 and bits >> 23 > 1 else ulp / 2
    digits, exponent = _strictly(abs(value), below, ulp / 2, "", 0, _SINGLE_DIGITS)
    return _layout(sign, digits, exponent, _SINGLE_FIXED)


def _special(value: float) -> str | None:
    if value != value:
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "-0" if math.copysign(1.0, value) < 0 else "0"
    return None


def _split(text: str) -> tuple[str, str, int]:
    """(sign, significant digits, decimal exponent of the first) of a number's repr."""
    sign, text = ("-", text[1:]) if text[0] == "-" else ("", text)
    mantissa, _, power = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = whole + fraction
    exponent = len(whole) - 1 + int(power or 0)
    stripped = digits.lstrip("0")
    exponent -= len(digits) - len(stripped)
    return sign, stripped.rstrip("0"), exponent


def _strictly(
    value: float, below: Fraction, above: Fraction, digits: str, exponent: int, most: int
) -> tuple[str, int]:
    """The shortest digits strictly between value - below and value + above, the nearest of these.

    `digits` of `exponent` is what to try first; empty to begin with one digit.
    """
    exact = Fraction(value)
    low, high = exact - below, exact + above
    if digits and low < Fraction(int(digits)) * Fraction(10) ** (exponent - len(digits) + 1) < high:
        return digits, exponent
    first = int(f"{value:.0e}".partition("e")[2]) - 1
    if exact >= Fraction(10) ** (first + 1):
        first += 1
    for count in range(max(len(digits), 1), most + 1):
        unit = Fraction(10) ** (first - count + 1)
        floor = exact // unit
        candidates = sorted((floor, floor + 1), key=lambda n: (abs(n * unit - exact), n % 2))
        for candidate in candidates:
            if low < candidate * unit < high:
                text = str(candidate)
                return text.rstrip("0"), first + len(text) - count
    raise AssertionError("no number of digits tells the value from its neighbours")


def _layout(sign: str, digits: str, exponent: int, fixed: int) -> str:
    if not -4 <= exponent < fixed:
        point = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{point}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    whole = digits[: exponent + 1].ljust(exponent + 1, "0")
    fraction = digits[exponent + 1 :]
    return f"{sign}{whole}.{fraction}" if fraction else sign + whole


def _flagged(value: float) -> Marked:
    if value - value == 0:
        return value, None, None
    return value, None, "nan" if value != value else "inf" if value > 0 else "-inf"


def _number(marked: Marked) -> float:
    value = marked[0]
    if isinstance(value, float):
        return value
    raise Foreign("not a double")


def _key(marked: Marked) -> KeyParts:
    """-0 is kept as 0, and NaN equals itself, as in PostgreSQL."""
    value = marked[0]
    if value != value:
        return value, "nan", None
    if value == 0:
        return 0.0, 0.0, value if math.copysign(1.0, value) < 0 else None
    return value, value, None


def _from_id(value: Any) -> Marked:
    return value, None, None


def _decode4(raw: bytes) -> Marked:
    return _flagged(_FLOAT4.unpack(raw)[0])


def _decode8(raw: bytes) -> Marked:
    return _flagged(_FLOAT8.unpack(raw)[0])


def _parse4(text: str) -> Marked:
    return _flagged(_FLOAT4.unpack(_FLOAT4.pack(float(text)))[0])


FLOAT4 = Codec(
    _decode4,
    lambda raw: float4_text(_FLOAT4.unpack(raw)[0]),
    _parse4,
    lambda marked: float4_text(_number(marked)),
    marked=True,
    key=_key,
    from_id=_from_id,
    native="float4",
)
FLOAT8 = Codec(
    _decode8,
    lambda raw: float8_text(_FLOAT8.unpack(raw)[0]),
    lambda text: _flagged(float(text)),
    lambda marked: float8_text(_number(marked)),
    marked=True,
    key=_key,
    from_id=_from_id,
    native="float8",
)
