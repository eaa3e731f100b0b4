"""Rows as the messages of PostgreSQL's protocol: RowDescription and DataRow, in text and binary. Manual: 55.7.

An encoder is made once for a plan's columns, the formats asked for and the session's settings, and used for every row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from struct import Struct
from types import MappingProxyType
from typing import Any, Final

from proxy.serve.binary import FIXED, Unencodable, binary
from proxy.translate import types as t
from proxy.translate.api import OutputColumn, SessionSettings
from proxy.translate.outputs import writer
from proxy.translate.types import Types

TEXT: Final = 0
BINARY: Final = 1
"""Format codes. Manual: 55.1.3."""

Field = Callable[[Any], bytes]
"""From a value that is not NULL to the field of a DataRow, its length before it."""

LENGTHS: Final[Mapping[int, int]] = MappingProxyType(
    {
        t.BOOL: 1,
        t.INT2: 2,
        t.INT4: 4,
        t.INT8: 8,
        t.OID: 4,
        t.FLOAT4: 4,
        t.FLOAT8: 8,
        t.DATE: 4,
        t.TIME: 8,
        t.TIMESTAMP: 8,
        t.TIMESTAMPTZ: 8,
        t.INTERVAL: 16,
        t.UUID: 16,
        **dict.fromkeys((t.NUMERIC, t.TEXT, t.VARCHAR, t.BPCHAR, t.BYTEA, t.JSON, t.JSONB), -1),
    }
)
"""typlen of types whose values the proxy knows; enums have 4, arrays -1."""

SHOWN: Final[Mapping[int, int]] = MappingProxyType(
    {
        18: 1,  # "char"
        19: 64,  # name
        27: 6,  # tid
        28: 4,  # xid
        199: -1,  # json[]
        650: -1,  # cidr
        774: 8,  # macaddr8
        829: 6,  # macaddr
        869: -1,  # inet
        1266: 12,  # timetz
        1560: -1,  # bit
        1562: -1,  # varbit
        3220: 8,  # pg_lsn
        3614: -1,  # tsvector
        3807: -1,  # jsonb[]
        3904: -1,  # int4range
        3906: -1,  # numrange
        3926: -1,  # int8range
        5069: 8,  # xid8
    }
)
"""typlen of types of which only the text is known, and whose text no setting changes."""

_NULL: Final = b"\xff\xff\xff\xff"
_LENGTH = Struct(">i").pack
_ROW = Struct(">cIH").pack
_COLUMN = Struct(">IhIhih").pack
_DESCRIPTION = Struct(">cIH").pack


def formats_of(given: Sequence[int], columns: int) -> tuple[int, ...]:
    """Of each column, from those of a Bind message: none (all text), one for all, or one each.

    Unencodable where PostgreSQL would refuse them.
    """
    if not given:
        return (TEXT,) * columns
    if len(given) == 1:
        given = tuple(given) * columns
    if len(given) != columns or any(code not in (TEXT, BINARY) for code in given):
        raise Unencodable("result formats that do not fit")
    return tuple(given)


def length_of(oid: int, types: Types) -> int:
    """typlen. Unencodable for types that are left to PostgreSQL."""
    if oid in LENGTHS:
        return LENGTHS[oid]
    if oid in SHOWN:
        return SHOWN[oid]
    if types.is_enum(oid):
        return 4
    if types.element(oid) and types.known(oid):
        return -1
    raise Unencodable(f"type {types.name(oid)}")


def row_description(columns: Sequence[OutputColumn], formats: Sequence[int], types: Types) -> bytes:
    """The whole message. Unencodable where a column's type is left to PostgreSQL."""
    parts = [b""]
    for column, code in zip(columns, formats, strict=True):
        length = length_of(column.type_oid, types)
        parts.append(column.name.encode() + b"\x00")
        parts.append(_COLUMN(column.table_oid, column.attnum, column.type_oid, length, column.typmod, code))
    body = b"".join(parts)
    return _DESCRIPTION(b"T", len(body) + 6, len(columns)) + body


class RowEncoder:
    """The rows of one plan in certain formats and settings."""

    __slots__ = ("_fields", "description", "formats")

    def __init__(
        self,
        columns: Sequence[OutputColumn],
        formats: Sequence[int],
        types: Types,
        session: SessionSettings,
    ) -> None:
        """Unencodable where a type is left to PostgreSQL, Inexact where a setting is."""
        self.formats = tuple(formats)
        self.description = row_description(columns, formats, types)
        """The whole RowDescription message."""
        self._fields = tuple(
            field(column.type_oid, code, types, session)
            for column, code in zip(columns, formats, strict=True)
        )

    def rows(self, rows: Sequence[Sequence[Any]]) -> bytes:
        """A DataRow message for each row, one behind the other."""
        fields, width = self._fields, len(self._fields)
        parts: list[bytes] = []
        for row in rows:
            body = b"".join(
                [_NULL if value is None else one(value) for one, value in zip(fields, row, strict=True)]
            )
            parts += (_ROW(b"D", len(body) + 6, width), body)
        return b"".join(parts)


def field(oid: int, code: int, types: Types, session: SessionSettings) -> Field:
    """One column's."""
    if code == BINARY:
        form = FIXED.get(oid)
        if form is not None:
            whole = Struct(f">i{form}")
            pack, length = whole.pack, whole.size - 4
            return lambda value: pack(length, value)
        return _sized(binary(oid, types))
    if oid in t.INTEGERS:
        return _integer
    if oid in t.STRINGS or oid == t.JSON or types.is_enum(oid) or oid in SHOWN:
        return _sized(str.encode)
    if oid == t.BOOL:
        return lambda value: b"\x00\x00\x00\x01t" if value else b"\x00\x00\x00\x01f"
    write = writer(oid, types, session)
    return _sized(lambda value: write(value).encode())


def _integer(value: int) -> bytes:
    raw = b"%d" % value
    return _LENGTH(len(raw)) + raw


def _sized(send: Callable[[Any], bytes]) -> Field:
    def sized(value: Any) -> bytes:
        raw = send(value)
        return _LENGTH(len(raw)) + raw

    return sized
