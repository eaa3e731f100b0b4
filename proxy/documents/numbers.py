"""Booleans, integers, oids and numeric.

numeric becomes Decimal128, which has 34 digits and keeps the scale: 1.50 and 1.5 are two values with one key.
Binary numeric: int16 count of digits, weight of the first, sign, display scale, then digits in base 10,000.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from struct import Struct
from typing import Any

from bson.decimal128 import Decimal128
from bson.int64 import Int64

from proxy.documents.codec import Codec, Foreign, KeyParts, Marked, Unfit, text_codec

MAX_DIGITS = 34
MAX_EXPONENT = 6111
MIN_EXPONENT = -6176
"""Of Decimal128."""

_INT2 = Struct(">h").unpack
_INT4 = Struct(">i").unpack
_INT8 = Struct(">q").unpack
_OID = Struct(">I").unpack
_OID8 = Struct(">Q").unpack
_TID = Struct(">IH").unpack
_NUMERIC = Struct(">hhHH").unpack_from
_HALVES = Struct("<QQ")

_NEGATIVE = 0x4000
_NAN = 0xC000
_INFINITY = 0xD000
_MINUS_INFINITY = 0xF000
_SPECIAL = {
    _NAN: ("nan", Decimal128("NaN")),
    _INFINITY: ("inf", Decimal128("Infinity")),
    _MINUS_INFINITY: ("-inf", Decimal128("-Infinity")),
}
_SPECIAL_TEXT = {"NaN": _NAN, "Infinity": _INFINITY, "-Infinity": _MINUS_INFINITY}
_POWERS = tuple(10**n for n in range(MAX_DIGITS + 1))
_SHORT = tuple(Struct(f">{n}H") for n in range(10))
_DECIMAL = re.compile(r"(-?)0*(\d*?)(?:\.(\d*))?")


def _int2(raw: bytes) -> int:
    return int(_INT2(raw)[0])


def _int4(raw: bytes) -> int:
    return int(_INT4(raw)[0])


def _int8(raw: bytes) -> Int64:
    return Int64(_INT8(raw)[0])


def _bool(raw: bytes) -> bool:
    return raw != b"\0"


def _bool_text(value: Any) -> str:
    if value is True:
        return "t"
    if value is False:
        return "f"
    raise Foreign("not a boolean")


def _parse_bool(text: str) -> bool:
    if text in ("t", "true"):
        return True
    if text in ("f", "false"):
        return False
    raise ValueError("not a boolean")


def _int_text(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return int.__repr__(value)
    raise Foreign("not an integer")


def _parse_int(bits: int, of: Callable[[int], int]) -> Callable[[str], int]:
    limit = 1 << bits - 1

    def parse(text: str) -> int:
        value = int(text)
        if not -limit <= value < limit:
            raise ValueError(f"not an integer of {bits} bits")
        return of(value)

    return parse


BOOL = Codec(_bool, lambda raw: "f" if raw == b"\0" else "t", _parse_bool, _bool_text, native="bool")
INT2 = Codec(_int2, lambda raw: str(_INT2(raw)[0]), _parse_int(16, int), _int_text, native="int2")
INT4 = Codec(_int4, lambda raw: str(_INT4(raw)[0]), _parse_int(32, int), _int_text, native="int4")
INT8 = Codec(_int8, lambda raw: str(_INT8(raw)[0]), _parse_int(64, Int64), _int_text, native="int8")
OID = text_codec(lambda raw: str(_OID(raw)[0]))
OID8 = text_codec(lambda raw: str(_OID8(raw)[0]))


def _tid(raw: bytes) -> str:
    block, offset = _TID(raw)
    return f"({block},{offset})"


TID = text_codec(_tid)


def _lsn(raw: bytes) -> str:
    (value,) = _OID8(raw)
    return f"{value >> 32:X}/{value & 0xFFFFFFFF:X}"


PG_LSN = text_codec(_lsn)


def _make(negative: bool, coefficient: int, exponent: int) -> Decimal128:
    high = exponent + 6176 << 49 | coefficient >> 64
    if negative:
        high |= 1 << 63
    halves: Any = (high, coefficient & 0xFFFFFFFFFFFFFFFF)  # which it takes, whatever its types say
    return Decimal128(halves)


def decimal128(negative: bool, digits: str, scale: int) -> Decimal128:
    """`digits` without leading zeros, `scale` of them behind the point (more than there are: zeros in front).

    Unfit where 34 digits do not hold it, zeros before the point at the end left out.
    """
    exponent = -scale
    if len(digits) > MAX_DIGITS and scale == 0 and not digits[MAX_DIGITS:].strip("0"):
        digits, exponent = digits[:MAX_DIGITS], len(digits) - MAX_DIGITS
    if len(digits) > MAX_DIGITS:
        raise Unfit(f"the number has {len(digits)} digits, a document holds {MAX_DIGITS}")
    if not MIN_EXPONENT <= exponent <= MAX_EXPONENT:
        raise Unfit("the number is too large, or has too many zeros behind its point, for Decimal128")
    return _make(negative and digits != "", int(digits or "0"), exponent)


def parse_decimal128(text: str) -> Decimal128:
    """A plain decimal number, as numeric's output function and jsonb write it."""
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise ValueError("not a decimal number")
    sign, whole, fraction = match.groups()
    fraction = fraction or ""
    return decimal128(sign == "-", (whole + fraction).lstrip("0"), len(fraction))


def decimal_parts(value: Decimal128) -> tuple[bool, int, int] | None:
    """(negative, coefficient, exponent); None for NaN and infinities."""
    low, high = _HALVES.unpack(value.bid)
    if high & 0x7800000000000000 == 0x7800000000000000:
        return None
    if high & 0x6000000000000000 == 0x6000000000000000:
        return bool(high >> 63), 0, (high >> 47 & 0x3FFF) - 6176
    return bool(high >> 63), (high & 0x1FFFFFFFFFFFF) << 64 | low, (high >> 49 & 0x3FFF) - 6176


def decimal_text(value: Decimal128) -> str:
    """As PostgreSQL writes the numeric."""
    parts = decimal_parts(value)
    if parts is None:
        shown = str(value)
        return shown if shown in _SPECIAL_TEXT else "NaN"
    negative, coefficient, exponent = parts
    return _point(negative and coefficient != 0, str(coefficient), -exponent)


def _point(negative: bool, digits: str, scale: int) -> str:
    sign = "-" if negative else ""
    if scale <= 0:
        return sign + (digits + "0" * -scale if digits != "0" else "0")
    digits = digits.rjust(scale + 1, "0")
    return f"{sign}{digits[:-scale]}.{digits[-scale:]}"


def _numeric(raw: bytes) -> Marked:
    count, weight, sign, scale = _NUMERIC(raw)
    if sign & _NAN == _NAN:
        flag, special = _SPECIAL[sign]
        return special, None, flag
    if count < len(_SHORT):
        coefficient = 0
        for digit in _SHORT[count].unpack_from(raw, 8):
            coefficient = coefficient * 10000 + digit
        shift = (weight - count + 1) * 4 + scale
        if -len(_POWERS) < shift < len(_POWERS):
            coefficient = coefficient * _POWERS[shift] if shift >= 0 else coefficient // _POWERS[-shift]
            if coefficient < _POWERS[MAX_DIGITS] and scale <= -MIN_EXPONENT:
                return _make(sign == _NEGATIVE, coefficient, -scale), None, None
    negative, digits, scale = _digits(raw)
    return decimal128(negative, digits.lstrip("0"), scale), None, None


def _digits(raw: bytes) -> tuple[bool, str, int]:
    """(negative, all digits down to the display scale, display scale)."""
    count, weight, sign, scale = _NUMERIC(raw)
    groups = "".join(map("{:04d}".format, Struct(f">{count}H").unpack_from(raw, 8)))
    whole = (weight + 1) * 4
    if whole < 0:
        groups = "0" * -whole + groups
        whole = 0
    digits = groups.ljust(whole + scale, "0")[: whole + scale]
    return sign == _NEGATIVE, digits, scale


def _numeric_out(raw: bytes) -> str:
    sign = _NUMERIC(raw)[2]
    if sign & _NAN == _NAN:
        return str(_SPECIAL[sign][1])
    negative, digits, scale = _digits(raw)
    return _point(negative, digits.lstrip("0") or "0", scale)


def _parse_numeric(text: str) -> Marked:
    if text in _SPECIAL_TEXT:
        flag, special = _SPECIAL[_SPECIAL_TEXT[text]]
        return special, None, flag
    return parse_decimal128(text), None, None


def _numeric_text(marked: Marked) -> str:
    value = marked[0]
    if isinstance(value, Decimal128):
        return decimal_text(value)
    raise Foreign("not a decimal")


def normalised(value: Decimal128) -> Decimal128:
    """The one of all equal decimals that has no zeros at the end behind its point, and none before it left out."""
    parts = decimal_parts(value)
    if parts is None:
        return value
    negative, coefficient, exponent = parts
    if coefficient == 0:
        return _make(False, 0, 0)
    while exponent < 0 and coefficient % 10 == 0:
        coefficient //= 10
        exponent += 1
    while exponent > 0 and coefficient < _POWERS[MAX_DIGITS - 1]:
        coefficient *= 10
        exponent -= 1
    return _make(negative, coefficient, exponent)


def _numeric_key(marked: Marked) -> KeyParts:
    value = marked[0]
    key = normalised(value)
    token: Hashable = key.bid
    return key, token, None if key.bid == value.bid else value


NUMERIC = Codec(
    _numeric,
    _numeric_out,
    _parse_numeric,
    _numeric_text,
    marked=True,
    key=_numeric_key,
    from_id=lambda value: (value, None, None),
    native="numeric",
)
