"""Arithmetic of numeric and the integers as PostgreSQL does it. Values are Decimal, the exponent is the scale.

Manual: 8.1, 9.3. `select_div_scale` and rounding are those of PostgreSQL's numeric.c.
"""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal
from struct import Struct
from typing import Any, Final

from proxy.translate import types as t
from proxy.translate.api import Inexact, ReadError

_EXACT: Final = Context(prec=20_000, Emax=999_999, Emin=-999_999, traps=[])
_MAX_SCALE: Final = 1000
_MAX_DSCALE: Final = 0x3FFF
_LIMITS: Final = {t.INT2: ("smallint", 1 << 15), t.INT4: ("integer", 1 << 31), t.INT8: ("bigint", 1 << 63)}
_FLOAT4: Final = Struct(">f")

OUT_OF_RANGE: Final = "22003"
DIVISION_BY_ZERO: Final = "22012"


def integer(oid: int, value: int) -> int:
    """`value` as a value of an integer type. 22003 where it is none."""
    name, limit = _LIMITS[oid]
    if -limit <= value < limit:
        return value
    raise ReadError(OUT_OF_RANGE, f"{name} out of range")


def divided_by_zero() -> ReadError:
    return ReadError(DIVISION_BY_ZERO, "division by zero")


def int_divide(oid: int, one: int, other: int) -> int:
    """Towards zero."""
    if other == 0:
        raise divided_by_zero()
    quotient = abs(one) // abs(other)
    return integer(oid, quotient if (one < 0) == (other < 0) else -quotient)


def int_modulo(one: int, other: int) -> int:
    """With the sign of the dividend."""
    if other == 0:
        raise divided_by_zero()
    rest = abs(one) % abs(other)
    return -rest if one < 0 else rest


def float_checked(value: float, *operands: float) -> float:
    """22003 where finite operands have given an infinity."""
    if math.isinf(value) and not any(math.isinf(operand) for operand in operands):
        raise ReadError(OUT_OF_RANGE, "value out of range: overflow")
    return value


def single(value: float, *, underflow: bool = True) -> float:
    """Rounded to single precision. 22003 where it is too large, or becomes zero."""
    if value != value or math.isinf(value):
        return value
    try:
        rounded: float = _FLOAT4.unpack(_FLOAT4.pack(value))[0]
    except OverflowError:
        raise ReadError(OUT_OF_RANGE, "value out of range: overflow") from None
    if underflow and rounded == 0 and value != 0:
        raise ReadError(OUT_OF_RANGE, "value out of range: underflow")
    return rounded


def scale_of(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


def numeric(value: Decimal) -> Decimal:
    """The form values have: no negative zero, no exponent above 0."""
    if not value.is_finite():
        return Decimal("NaN") if value.is_nan() else value
    if value.as_tuple().exponent > 0:  # type: ignore[operator]
        value = value.quantize(Decimal(1), context=_EXACT)
    if value.is_zero() and value.is_signed():
        value = value.copy_abs()
    return value


def rounded(value: Decimal, scale: int, mode: str = ROUND_HALF_UP) -> Decimal:
    """To `scale` digits behind the point, which may be negative; half away from zero."""
    if not value.is_finite():
        return value
    if scale < 0:
        whole = value.quantize(Decimal(1).scaleb(-scale), rounding=mode, context=_EXACT)
        return numeric(whole)
    return numeric(value.quantize(Decimal(1).scaleb(-scale), rounding=mode, context=_EXACT))


def add(one: Decimal, other: Decimal) -> Decimal:
    return _checked(numeric(_EXACT.add(one, other)))


def subtract(one: Decimal, other: Decimal) -> Decimal:
    return _checked(numeric(_EXACT.subtract(one, other)))


def multiply(one: Decimal, other: Decimal) -> Decimal:
    product = _EXACT.multiply(one, other)
    if product.is_finite() and scale_of(product) > _MAX_DSCALE:
        product = rounded(product, _MAX_DSCALE)
    return _checked(numeric(product))


def _checked(value: Decimal) -> Decimal:
    if value.is_finite() and value.adjusted() > 10_000:
        raise Inexact("a number of more than 10000 digits")
    return value


def _first_digit(value: Decimal) -> tuple[int, int]:
    """Weight and value of the first digit that is not 0, in base 10000."""
    if value.is_zero():
        return 0, 0
    weight = value.adjusted() // 4
    shifted = value.copy_abs().scaleb(-4 * weight, context=_EXACT)
    return weight, int(shifted)


def division_scale(one: Decimal, other: Decimal) -> int:
    """`select_div_scale`: at least 16 significant digits."""
    weight, digit = _first_digit(one)
    other_weight, other_digit = _first_digit(other)
    quotient_weight = weight - other_weight
    if digit <= other_digit:
        quotient_weight -= 1
    scale = max(16 - quotient_weight * 4, scale_of(one), scale_of(other), 0)
    return min(scale, _MAX_SCALE)


def divide(one: Decimal, other: Decimal) -> Decimal:
    if one.is_nan() or other.is_nan():
        return Decimal("NaN")
    if other.is_zero():
        raise divided_by_zero()
    if one.is_infinite():
        return Decimal("NaN") if other.is_infinite() else _EXACT.divide(one, other.copy_sign(other))
    if other.is_infinite():
        return Decimal(0)
    return divide_to(one, other, division_scale(one, other))


def divide_to(one: Decimal, other: Decimal, scale: int) -> Decimal:
    """Rounded half away from zero at `scale`."""
    up, down = scale_of(one), scale_of(other)
    top = abs(int(one.scaleb(up, context=_EXACT))) * 10 ** (scale + down)
    bottom = abs(int(other.scaleb(down, context=_EXACT))) * 10**up
    quotient, rest = divmod(top, bottom)
    if rest * 2 >= bottom:
        quotient += 1
    negative = one.is_signed() != other.is_signed()
    return numeric(Decimal(-quotient if negative else quotient).scaleb(-scale, context=_EXACT))


def modulo(one: Decimal, other: Decimal) -> Decimal:
    """With the sign of the dividend, and the larger scale."""
    if one.is_nan() or other.is_nan():
        return Decimal("NaN")
    if other.is_zero():
        raise divided_by_zero()
    if one.is_infinite():
        return Decimal("NaN")
    scale = max(scale_of(one), scale_of(other))
    if other.is_infinite():
        return one
    return rounded(numeric(_EXACT.remainder(one, other)), scale)


def whole(value: Decimal, up: bool) -> Decimal:
    """ceil or floor."""
    return rounded(value, 0, ROUND_CEILING if up else ROUND_FLOOR)


def truncated(value: Decimal, scale: int = 0) -> Decimal:
    return rounded(value, scale, ROUND_DOWN)


def root(value: Decimal, scale: int) -> Decimal:
    """The square root, rounded half away from zero at `scale`."""
    places = scale_of(value)
    shifted = int(value.scaleb(places, context=_EXACT)) * 10 ** (2 * scale + 2)
    if places % 2:
        shifted *= 10
        places += 1
    found = math.isqrt(shifted // 10**places if places else shifted)
    return rounded(Decimal(found).scaleb(-scale - 1, context=_EXACT), scale)


def fitted(value: Decimal, typmod: int) -> Decimal:
    """As numeric(p, s) takes it: rounded to s. 22003 where the digits before the point are too many."""
    if typmod < 4 or value.is_nan():
        return value
    precision, scale = typmod_parts(typmod)
    if value.is_infinite():
        raise ReadError(OUT_OF_RANGE, "numeric field overflow")
    result = rounded(value, scale)
    if not result.is_zero() and result.adjusted() >= precision - scale:
        raise ReadError(OUT_OF_RANGE, "numeric field overflow")
    return result


def typmod_parts(typmod: int) -> tuple[int, int]:
    """(precision, scale) of numeric(p, s)."""
    scale = (typmod - 4) & 0x7FF
    return (typmod - 4) >> 16 & 0xFFFF, scale - 0x800 if scale & 0x400 else scale


def float_to_int(oid: int, value: float) -> int:
    """Half to even."""
    if value != value or math.isinf(value):
        raise ReadError(OUT_OF_RANGE, f"{_LIMITS[oid][0]} out of range")
    return integer(oid, int(round_half_even(value)))


def round_half_even(value: float) -> float:
    if value != value or math.isinf(value) or abs(value) >= 2.0**53:
        return value
    return math.copysign(float(round(value)), value)


def numeric_to_int(oid: int, value: Decimal) -> int:
    """Half away from zero."""
    if not value.is_finite():
        if value.is_nan():
            raise ReadError("0A000", f"cannot convert NaN to {_LIMITS[oid][0]}")
        raise ReadError("0A000", f"cannot convert infinity to {_LIMITS[oid][0]}")
    return integer(oid, int(rounded(value, 0)))


def float_to_numeric(oid: int, value: float) -> Decimal:
    """15 significant digits of float8, 6 of float4: `%.15g`."""
    if value != value:
        return Decimal("NaN")
    if math.isinf(value):
        return Decimal("Infinity") if value > 0 else Decimal("-Infinity")
    return numeric(Decimal(f"{value:.{15 if oid == t.FLOAT8 else 6}g}"))


def numeric_to_float(oid: int, value: Decimal) -> float:
    found = float(value)
    if math.isinf(found) and value.is_finite():
        raise ReadError(OUT_OF_RANGE, "out of range for type double precision")
    if found == 0 and not value.is_zero():
        raise ReadError(OUT_OF_RANGE, "out of range for type double precision")
    return found if oid == t.FLOAT8 else single_of_text(value)


def single_of_text(value: Any) -> float:
    """Single precision of a decimal: rounded once. Inexact where rounding twice could differ."""
    exact = Decimal(value)
    found = single(float(exact))
    if math.isinf(found) or found != found:
        return found
    bits = int.from_bytes(_FLOAT4.pack(found))
    for near in (bits - 1, bits + 1):
        other = _FLOAT4.unpack((near & 0xFFFFFFFF).to_bytes(4))[0] if near >= 0 else found
        if math.isfinite(other) and abs(Decimal(other) - exact) < abs(Decimal(found) - exact):
            raise Inexact("rounding to single precision")
    return found
