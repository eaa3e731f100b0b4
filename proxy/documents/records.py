"""The binary form of rows: what `record_send` writes, and the header that capture puts before a row.

`record_send`: int32 number of fields, then for each field its type (oid), int32 length (-1 for NULL) and value.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from struct import error as struct_error
from typing import NamedTuple

from proxy.mirror.versions import pack

HEADER_FIELDS = 7
"""tableoid, WAL position, WAL file, transaction, action of MERGE, text of the row, old row."""

_COUNT = Struct(">i").unpack_from
_FIELD = Struct(">Ii").unpack_from
_OID = Struct(">I").unpack
_LONG = Struct(">Q").unpack
_WALFILE = 24
_PLAIN = Struct(f">i IiI IiQ Ii{_WALFILE}s IiQ Ii Ii Ii")
"""The header of nearly every image: four values, then three NULLs."""
_PLAIN_HEADER = _PLAIN.unpack_from
_PLAIN_SIZE = _PLAIN.size
_READ = Struct(">i IiI Ii Ii Ii Ii Ii Ii")
"""The header of nearly every row that was read: its table, then NULLs."""
_READ_HEADER = _READ.unpack_from
_READ_SIZE = _READ.size

Fields = Sequence[bytes | None]
"""The values of a row in the order of its attributes; None is NULL."""


class MalformedRecord(ValueError):
    """Bytes that `record_send` did not write."""


class ImageHeader(NamedTuple):
    """What stands before a captured row."""

    relation: int
    """tableoid: the oid of the table the row is really in."""
    lsn: int | None
    """None in rows that were read again."""
    timeline: int | None
    xid: int | None
    """64 bits, epoch included."""
    action: str | None
    """Of MERGE: INSERT, UPDATE or DELETE."""
    text: bytes | None
    """The row's text output, where a column's type has no decoder."""
    old: bytes | None
    """The old row, as `record_send` wrote it, without a header."""

    @property
    def version(self) -> int | None:
        """See `proxy.mirror.versions`; None where the header has no position."""
        if self.lsn is None or self.timeline is None:
            return None
        return pack(self.timeline, self.lsn)


def parse_record(data: bytes) -> tuple[tuple[int, ...], list[bytes | None]]:
    """Type oids and values of every field."""
    try:
        return _fields(data, 4, _COUNT(data)[0])
    except struct_error:
        raise MalformedRecord(f"a record of {len(data)} bytes ends within a field") from None


def _fields(data: bytes, position: int, count: int) -> tuple[tuple[int, ...], list[bytes | None]]:
    """`count` fields from `position` to the end of the record."""
    oids: list[int] = []
    fields: list[bytes | None] = []
    add_oid = oids.append
    add_field = fields.append
    for _ in range(count):
        oid, length = _FIELD(data, position)
        position += 8
        add_oid(oid)
        if length < 0:
            add_field(None)
        else:
            end = position + length
            add_field(data[position:end])
            position = end
    if position != len(data):
        raise MalformedRecord(f"a record of {len(data)} bytes has its last field end at {position}")
    return tuple(oids), fields


def parse_image(data: bytes) -> tuple[ImageHeader, tuple[int, ...], list[bytes | None]]:
    """Header, type oids and values of the row behind it."""
    try:
        (
            count, _, relation_length, relation, _, lsn_length, lsn, _, walfile_length, walfile,
            _, xid_length, xid, _, action_length, _, text_length, _, old_length,
        ) = _PLAIN_HEADER(data)  # fmt: skip
    except struct_error:
        return parse_read(data)
    if not (
        relation_length == 4
        and lsn_length == xid_length == 8
        and walfile_length == _WALFILE
        and action_length == text_length == old_length == -1
    ):
        return parse_read(data)
    try:
        oids, fields = _fields(data, _PLAIN_SIZE, count - HEADER_FIELDS)
        timeline = int(walfile[:8], 16)
    except (struct_error, ValueError):
        raise MalformedRecord(f"an image of {len(data)} bytes cannot be read") from None
    return ImageHeader(relation, lsn, timeline, xid, None, None, None), oids, fields


def parse_read(data: bytes) -> tuple[ImageHeader, tuple[int, ...], list[bytes | None]]:
    """As `parse_image`, sooner of a row that a query has given, with nothing but its table before it."""
    try:
        (
            count, _, relation_length, relation, _, lsn_length, _, walfile_length, _, xid_length,
            _, action_length, _, text_length, _, old_length,
        ) = _READ_HEADER(data)  # fmt: skip
        if (
            count >= HEADER_FIELDS
            and relation_length == 4
            and (
                lsn_length == walfile_length == xid_length == action_length == text_length == old_length == -1
            )
        ):
            oids, fields = _fields(data, _READ_SIZE, count - HEADER_FIELDS)
            return ImageHeader(relation, None, None, None, None, None, None), oids, fields
    except struct_error:
        pass  # it ends within a field, or is of another kind: the long way tells
    return _any_image(data)


def _any_image(data: bytes) -> tuple[ImageHeader, tuple[int, ...], list[bytes | None]]:
    """An image whose header is not the usual one: of MERGE, with the row's text or its old state, read again."""
    oids, fields = parse_record(data)
    if len(fields) < HEADER_FIELDS or (tableoid := fields[0]) is None:
        raise MalformedRecord(f"an image has {len(fields)} fields and no table")
    lsn, walfile, xid, action = fields[1:5]
    try:
        header = ImageHeader(
            _OID(tableoid)[0],
            None if lsn is None else _LONG(lsn)[0],
            None if walfile is None else int(walfile[:8], 16),
            None if xid is None else _LONG(xid)[0],
            None if action is None else action.decode("ascii"),
            fields[5],
            fields[6],
        )
    except (struct_error, ValueError):
        raise MalformedRecord("the header of an image has fields of other types") from None
    return header, oids[HEADER_FIELDS:], fields[HEADER_FIELDS:]


def parse_row_text(text: str) -> list[str | None]:
    """The columns of a row's text output, quoted ones unquoted: `(1,"a b",,x)`. Manual: 8.16.6."""
    if len(text) < 2 or text[0] != "(" or text[-1] != ")":
        raise MalformedRecord("a row's text has no parentheses around it")
    if text == "()":
        return []
    values: list[str | None] = []
    part: list[str] = []
    quoted = seen_quotes = False
    position, last = 1, len(text) - 1
    while position < last:
        char = text[position]
        if char == "\\":
            position += 1
            part.append(text[position])
        elif char == '"':
            if quoted and text[position + 1] == '"':
                position += 1
                part.append('"')
            else:
                quoted = not quoted
                seen_quotes = True
        elif char == "," and not quoted:
            values.append("".join(part) if part or seen_quotes else None)
            part = []
            seen_quotes = False
        else:
            part.append(char)
        position += 1
    if quoted:
        raise MalformedRecord("a row's text ends within quotes")
    values.append("".join(part) if part or seen_quotes else None)
    return values
