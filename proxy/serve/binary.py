"""From values to PostgreSQL's binary output, as the send functions write it. Values: see `proxy.translate.types`.

`src/backend/utils/adt`; the layouts are documented nowhere, so tests compare with a server's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from struct import Struct
from types import MappingProxyType
from typing import Any, Final

from proxy.translate import types as t
from proxy.translate.types import Types
from proxy.translate.values import Interval, Jsonb

Send = Callable[[Any], bytes]
"""From a value that is not NULL."""

FIXED: Final[Mapping[int, str]] = MappingProxyType(
    {
        t.BOOL: "?",
        t.INT2: "h",
        t.INT4: "i",
        t.INT8: "q",
        t.FLOAT4: "f",
        t.FLOAT8: "d",
        t.DATE: "i",
        t.TIME: "q",
        t.TIMESTAMP: "q",
        t.TIMESTAMPTZ: "q",
    }
)
"""Types whose binary form is one number, as `struct` names it."""

_DIGIT: Final = 10_000
_NAN: Final = 0xC000
_INFINITY: Final = 0xD000
_MINUS_INFINITY: Final = 0xF000
_MINUS: Final = 0x4000
_SPECIAL_SCALE: Final = 0x20
"""What `numeric_send` makes of the header of an infinity as its scale."""
_NUMERIC = Struct(">HhHH").pack
_INTERVAL = Struct(">qii").pack
_ARRAY = Struct(">iiIii").pack
_EMPTY = Struct(">iiI").pack
_LENGTH = Struct(">i").pack
_OID = Struct(">I").pack
_NULL: Final = b"\xff\xff\xff\xff"


class Unencodable(Exception):
    """Values of a type, or in a format, that are left to PostgreSQL. The reason is stable and without any value."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def binary(oid: int, types: Types) -> Send:
    """The send function of a type. Unencodable where there is none here."""
    if oid in FIXED:
        return Struct(f">{FIXED[oid]}").pack
    if oid in _SENDS:
        return _SENDS[oid]
    if types.is_enum(oid):
        return str.encode
    element = types.element(oid)
    if element and types.known(oid):
        return _array(element, binary(element, types))
    raise Unencodable(f"type {types.name(oid)} in binary")


def numeric(value: Decimal) -> bytes:
    """Groups of four digits, the scale beside them. `numeric_send`."""
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        if value.is_nan():
            return _NUMERIC(0, 0, _NAN, 0)
        return _NUMERIC(0, 0, _MINUS_INFINITY if sign else _INFINITY, _SPECIAL_SCALE)
    if exponent > 0:
        raise ValueError("a numeric has no scale below 0")
    scale = -exponent
    text = "".join(map(str, digits))
    # Groups are counted from the decimal point: fill the last of the fraction, and the first of the whole part.
    text += "0" * (-scale % 4)
    text = text.rjust(len(text) + -len(text) % 4, "0")
    weight = (len(text) - (scale + -scale % 4)) // 4 - 1
    groups = [int(text[place : place + 4]) for place in range(0, len(text), 4)]
    first = next((place for place, group in enumerate(groups) if group), len(groups))
    weight -= first
    groups = groups[first:]
    while groups and not groups[-1]:
        groups.pop()
    if not groups:
        return _NUMERIC(0, 0, 0, scale)
    head = _NUMERIC(len(groups), weight, _MINUS if sign else 0, scale)
    return head + b"".join(group.to_bytes(2, "big") for group in groups)


def interval(value: Interval) -> bytes:
    return _INTERVAL(value.us, value.days, value.months)


def _jsonb(value: Jsonb) -> bytes:
    return b"\x01" + value.text.encode()


def _oid(value: Any) -> bytes:
    """A constant is a number, a column its text."""
    return _OID(int(value))


_SENDS: Final[Mapping[int, Send]] = MappingProxyType(
    {
        t.NUMERIC: numeric,
        t.INTERVAL: interval,
        t.TEXT: str.encode,
        t.VARCHAR: str.encode,
        t.BPCHAR: str.encode,
        t.JSON: str.encode,
        t.JSONB: _jsonb,
        t.UUID: bytes,
        t.BYTEA: bytes,
        t.OID: _oid,
    }
)


def _array(element: int, send: Send) -> Send:
    """`array_send` of arrays of one dimension that begin at 1."""
    empty = _EMPTY(0, 0, element)

    def array(value: tuple[Any, ...]) -> bytes:
        if not value:
            return empty
        parts = [b""]
        nulls = 0
        for item in value:
            if item is None:
                nulls = 1
                parts.append(_NULL)
            else:
                raw = send(item)
                parts += (_LENGTH(len(raw)), raw)
        parts[0] = _ARRAY(1, nulls, element, len(value), 1)
        return b"".join(parts)

    return array
