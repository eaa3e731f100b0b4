"""From what came over the wire to rows of texts that can be compared, whatever format they came in. Pure.

A value in binary becomes the text that PostgreSQL would write with TimeZone UTC, DateStyle ISO, IntervalStyle
postgres; the value of the store that it is compared with is written the same way.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from proxy.catalog.model import TypeInfo
from proxy.documents.arrays import array
from proxy.documents.types import NoCodec, codec_of
from proxy.translate.api import OutputColumn, SessionSettings
from proxy.translate.types import ELEMENTS

Row = tuple[str | None, ...]

CANONICAL = SessionSettings()
"""How values that came in binary are written."""


class Unreadable(Exception):
    """A reply, or a parameter, that cannot be read; the text says why, without any value."""


@dataclass(frozen=True, slots=True)
class Described:
    """One column of a RowDescription."""

    name: str
    table_oid: int
    attnum: int
    type_oid: int
    typmod: int


def description(message: bytes) -> tuple[Described, ...]:
    """The columns of a RowDescription message."""
    try:
        (count,) = struct.unpack_from("!H", message, 5)
        position, found = 7, []
        for _ in range(count):
            end = message.index(0, position)
            name = message[position:end].decode()
            table, attnum, type_, _, typmod, _ = struct.unpack_from("!IhIhih", message, end + 1)
            found.append(Described(name, table, attnum, type_, typmod))
            position = end + 19
    except (struct.error, ValueError) as error:
        raise Unreadable("a RowDescription that cannot be read") from error
    return tuple(found)


def described_otherwise(told: Sequence[Described], columns: Sequence[OutputColumn]) -> str:
    """In what the server's description is not the plan's; empty where they are the same."""
    if len(told) != len(columns):
        return "number of columns"
    for one, other in zip(told, columns, strict=True):
        for what in ("name", "type_oid", "typmod", "table_oid", "attnum"):
            if getattr(one, what) != getattr(other, what):
                return f"{what} of column {other.name or one.name}"
    return ""


def width(rows: bytes) -> int | None:
    """The columns of the first DataRow; None where there is none."""
    return int.from_bytes(rows[5:7], "big") if rows else None


def values(rows: bytes, columns: int) -> list[tuple[bytes | None, ...]]:
    """The values of DataRow messages that stand one behind the other."""
    found: list[tuple[bytes | None, ...]] = []
    position, size = 0, len(rows)
    try:
        while position < size:
            kind, _, count = struct.unpack_from("!BIH", rows, position)
            if kind != 0x44 or count != columns:
                raise Unreadable("rows of another shape than their description")
            position += 7
            row: list[bytes | None] = []
            for _ in range(count):
                (length,) = struct.unpack_from("!i", rows, position)
                position += 4
                if length < 0:
                    row.append(None)
                else:
                    row.append(rows[position : position + length])
                    position += length
            found.append(tuple(row))
    except struct.error as error:
        raise Unreadable("rows that end too early") from error
    if position != size:
        raise Unreadable("rows that end too early")
    return found


def reader(oid: int, typmod: int, types: Mapping[int, TypeInfo]) -> Callable[[bytes], str]:
    """From a value of the type in binary to its text in CANONICAL settings."""
    element = ELEMENTS.get(oid, 0)
    try:
        if element:  # the catalogue has only those that a column is of
            codec = array(codec_of(element, typmod, types, "utf-8", within=True))
        else:
            codec = codec_of(oid, typmod, types, "utf-8", within=True)
    except NoCodec as error:
        raise Unreadable("a value in binary of a type the catalogue does not have") from error
    if not codec.binary:
        raise Unreadable("a value in binary of a type without a codec")
    return codec.out


def texts(
    rows: bytes, columns: Sequence[OutputColumn], formats: Sequence[int], types: Mapping[int, TypeInfo]
) -> list[Row]:
    """The rows of a reply. Raises Unreadable."""
    if len(formats) != len(columns):
        raise Unreadable("result formats of another number than columns")
    readers = [
        reader(column.type_oid, column.typmod, types) if code else bytes.decode
        for column, code in zip(columns, formats, strict=True)
    ]
    try:
        return [
            tuple(None if value is None else read(value) for read, value in zip(readers, row, strict=True))
            for row in values(rows, len(columns))
        ]
    except (ValueError, struct.error, IndexError) as error:  # UnicodeDecodeError is a ValueError
        raise Unreadable("a value that is not what its type says") from error


def copied(data: bytes) -> list[Row]:
    """The rows of COPY TO in text format. PostgreSQL manual, COPY, "Text Format"."""
    text = data.decode()
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    return [tuple(map(_field, line.split("\t"))) for line in lines]


_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def _field(text: str) -> str | None:
    if text == "\\N":
        return None
    if "\\" not in text:
        return text
    out: list[str] = []
    parts = iter(text.split("\\"))
    out.append(next(parts))
    for part in parts:
        if not part:  # an escaped backslash: what follows it is as it is
            out.append("\\" + next(parts, ""))
        else:
            out.append(_ESCAPES.get(part[0], part[0]) + part[1:])
    return "".join(out)


BUILT_IN: Mapping[int, TypeInfo] = {
    oid: TypeInfo(oid, "pg_catalog", name, "b", category)
    for oid, name, category in (
        (16, "bool", "B"),
        (17, "bytea", "U"),
        (20, "int8", "N"),
        (21, "int2", "N"),
        (23, "int4", "N"),
        (25, "text", "S"),
        (26, "oid", "N"),
        (114, "json", "U"),
        (700, "float4", "N"),
        (701, "float8", "N"),
        (1042, "bpchar", "S"),
        (1043, "varchar", "S"),
        (1082, "date", "D"),
        (1083, "time", "D"),
        (1114, "timestamp", "D"),
        (1184, "timestamptz", "D"),
        (1186, "interval", "T"),
        (1700, "numeric", "N"),
        (2950, "uuid", "U"),
        (3802, "jsonb", "U"),
    )
}
"""Types of results that no column of the snapshot need have: of count(*), of a cast."""
