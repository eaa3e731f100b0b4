"""The fields of a BSON document as bytes: two values are equal if they are, type included. Pure.

https://bsonspec.org/spec.html. Nothing is decoded: what others have put into a document need not be anything that the
driver would read back.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from struct import error as struct_error

_INT32 = Struct("<i").unpack_from

_FIXED = {
    0x01: 8, 0x06: 0, 0x07: 12, 0x08: 1, 0x09: 8, 0x0A: 0, 0x10: 4, 0x11: 8, 0x12: 8, 0x13: 16, 0x7F: 0, 0xFF: 0,
}  # fmt: skip
"""Double, undefined, ObjectId, bool, date, null, int32, timestamp, int64, decimal, MaxKey, MinKey: bytes of a value."""
_COUNTED = {0x02: 4, 0x03: 0, 0x04: 0, 0x05: 5, 0x0C: 16, 0x0D: 4, 0x0E: 4, 0x0F: 0}
"""String, document, array, binary, DBPointer, code, symbol, code with scope: bytes beside those the length counts."""
_REGEX = 0x0B

DOCUMENT = 0x03


class MalformedDocument(ValueError):
    """Bytes that are no BSON document."""


def fields(raw: bytes) -> dict[str, bytes]:
    """Name -> type and value. A name that stands several times has all its values behind one another."""
    found: dict[str, bytes] = {}
    for name, value in _elements(raw):
        found[name] = found[name] + value if name in found else value
    return found


def subfields(value: bytes) -> dict[str, bytes] | None:
    """The fields of a field's value; None where it is no document."""
    if not value or value[0] != DOCUMENT:
        return None
    try:
        return fields(value[1:])
    except MalformedDocument:
        return None


def first(raw: bytes) -> bytes:
    """The first field as it stands: type, name and value."""
    try:
        start = raw.index(0, 5) + 1
        end = _end(raw, raw[4], start)
    except (struct_error, IndexError, ValueError) as error:
        if isinstance(error, MalformedDocument):
            raise
        raise MalformedDocument("a document without fields") from None
    if end >= len(raw):
        raise MalformedDocument("a field ends behind its document")
    return raw[4:end]


def _elements(raw: bytes) -> Iterator[tuple[str, bytes]]:
    try:
        if _INT32(raw)[0] != len(raw) or raw[-1] != 0:
            raise MalformedDocument(f"{len(raw)} bytes are not one document")
        position, last = 4, len(raw) - 1
        while position < last:
            kind = raw[position]
            end_of_name = raw.index(0, position + 1)
            name = raw[position + 1 : end_of_name].decode("utf-8", "backslashreplace")
            start = end_of_name + 1
            end = _end(raw, kind, start)
            if end > last:
                raise MalformedDocument("a field ends behind its document")
            yield name, raw[position : position + 1] + raw[start:end]
            position = end
    except (struct_error, IndexError, ValueError) as error:
        if isinstance(error, MalformedDocument):
            raise
        raise MalformedDocument("a document ends within a field") from None


def _end(raw: bytes, kind: int, start: int) -> int:
    if (size := _FIXED.get(kind)) is not None:
        return start + size
    if (beside := _COUNTED.get(kind)) is not None:
        length = int(_INT32(raw, start)[0])
        if length < 0:
            raise MalformedDocument("a length below zero")
        return start + length + beside
    if kind == _REGEX:
        return raw.index(0, raw.index(0, start) + 1) + 1
    raise MalformedDocument(f"a field of unknown type 0x{kind:02x}")
