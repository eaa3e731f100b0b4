"""Changes to single messages of the extended and simple protocol. Formats: PostgreSQL manual, "Message Formats".

The proxy adds exactly one column, the last, to the results of a statement it captures, and takes it out of the
messages a client sees. Every function is given whole messages, header included, and raises `MalformedMessage` where
one does not hold what its length says.
"""

from __future__ import annotations

import struct
from binascii import unhexlify
from collections.abc import Callable, Sequence

from proxy.wire import messages

_INT16 = struct.Struct("!h")
_INT32 = struct.Struct("!i")
_HEADER = struct.Struct("!Bi")

FLUSH = b"H\x00\x00\x00\x04"
SYNC = b"S\x00\x00\x00\x04"
NO_DATA = b"n\x00\x00\x00\x04"
_EXECUTE_ALL = b"E\x00\x00\x00\x09\x00\x00\x00\x00\x00"
"""Of the unnamed portal: what most drivers send."""


class MalformedMessage(Exception):
    """A message is shorter than what it says it holds."""


def _text_end(message: bytes, start: int) -> int:
    end = message.find(b"\x00", start)
    if end < 0:
        raise MalformedMessage(f"a {chr(message[0])} message without the end of its text")
    return end


def query(text: bytes) -> bytes:
    return _HEADER.pack(messages.QUERY, len(text) + 5) + text + b"\x00"


def parse(name: bytes, text: bytes, rest: bytes = b"\x00\x00") -> bytes:
    """A Parse message; `rest` is the number of parameter types and the types."""
    return (
        _HEADER.pack(messages.PARSE, len(name) + len(text) + len(rest) + 6)
        + name
        + b"\x00"
        + text
        + b"\x00"
        + rest
    )


def split_parse(message: bytes) -> tuple[bytes, bytes, bytes]:
    """(name, text, rest): the rest holds the parameter types."""
    name_end = _text_end(message, 5)
    text_end = _text_end(message, name_end + 1)
    return message[5:name_end], message[name_end + 1 : text_end], message[text_end + 1 :]


def bind(portal: bytes, statement: bytes, *, binary: bool) -> bytes:
    """A Bind without parameters; all results in one format."""
    codes = b"\x00\x01\x00\x01" if binary else b"\x00\x00"
    body = portal + b"\x00" + statement + b"\x00" + b"\x00\x00\x00\x00" + codes
    return _HEADER.pack(messages.BIND, len(body) + 4) + body


def bind_names(message: bytes) -> tuple[bytes, bytes]:
    """(portal, statement)."""
    portal_end = _text_end(message, 5)
    statement_end = _text_end(message, portal_end + 1)
    return message[5:portal_end], message[portal_end + 1 : statement_end]


def bind_with(message: bytes, *, statement: bytes | None = None, extra_binary: bool = False) -> bytes:
    """The Bind with another statement's name; with one more result in binary, where formats are listed one by one."""
    portal, own = bind_names(message)
    start = 5 + len(portal) + len(own) + 2
    rest = message[start:]
    if extra_binary:
        tail = _formats_start(message, start) - start
        count = _INT16.unpack_from(rest, tail)[0]
        if count > 1:
            rest = rest[:tail] + _INT16.pack(count + 1) + rest[tail + 2 :] + b"\x00\x01"
    name = own if statement is None else statement
    body = portal + b"\x00" + name + b"\x00" + rest
    return _HEADER.pack(messages.BIND, len(body) + 4) + body


def _formats_start(message: bytes, start: int) -> int:
    """Where the result-format codes of a Bind begin, their count included."""
    try:
        (n_formats,) = _INT16.unpack_from(message, start)
        position: int = start + 2 + 2 * n_formats
        (count,) = _INT16.unpack_from(message, position)
        position += 2
        for _ in range(count & 0xFFFF):
            (size,) = _INT32.unpack_from(message, position)
            position += 4 + max(size, 0)
    except struct.error as error:
        raise MalformedMessage("a Bind message shorter than its parameters") from error
    if position + 2 > len(message):
        raise MalformedMessage("a Bind message without result formats")
    return position


def bind_parameters(message: bytes) -> list[tuple[int, bytes | None]]:
    """(format, value) of every parameter of a Bind; None is NULL."""
    portal, statement = bind_names(message)
    position = 5 + len(portal) + len(statement) + 2
    try:
        (n_formats,) = _INT16.unpack_from(message, position)
        formats = struct.unpack_from(f"!{n_formats}h", message, position + 2)
        position += 2 + 2 * n_formats
        (count,) = _INT16.unpack_from(message, position)
        position += 2
        found: list[tuple[int, bytes | None]] = []
        for index in range(count & 0xFFFF):
            (size,) = _INT32.unpack_from(message, position)
            position += 4
            code = formats[index] if n_formats > 1 else formats[0] if n_formats else 0
            if size < 0:
                found.append((code, None))
            else:
                found.append((code, message[position : position + size]))
                position += size
    except (struct.error, IndexError) as error:
        raise MalformedMessage("a Bind message shorter than its parameters") from error
    return found


def bind_results(message: bytes) -> tuple[int, ...]:
    """The result formats of a Bind: none (all text), one for all, or one each."""
    portal, statement = bind_names(message)
    position = _formats_start(message, 5 + len(portal) + len(statement) + 2)
    (count,) = _INT16.unpack_from(message, position)
    try:
        return struct.unpack_from(f"!{count}h", message, position + 2)
    except struct.error as error:
        raise MalformedMessage("a Bind message shorter than its result formats") from error


def describe(kind: bytes, name: bytes) -> bytes:
    """`kind` is `S` for a statement, `P` for a portal."""
    return _HEADER.pack(messages.DESCRIBE, len(name) + 6) + kind + name + b"\x00"


def close(kind: bytes, name: bytes) -> bytes:
    return _HEADER.pack(messages.CLOSE, len(name) + 6) + kind + name + b"\x00"


def target(message: bytes) -> tuple[bytes, bytes]:
    """(`S` or `P`, name) of a Describe or Close."""
    if message[5:] == b"P\x00":
        return b"P", b""
    return message[5:6], message[6 : _text_end(message, 6)]


def execute(portal: bytes, max_rows: int = 0) -> bytes:
    return _HEADER.pack(messages.EXECUTE, len(portal) + 9) + portal + b"\x00" + _INT32.pack(max_rows)


def split_execute(message: bytes) -> tuple[bytes, int]:
    """(portal, largest number of rows; 0: all)."""
    if message == _EXECUTE_ALL:
        return b"", 0
    end = _text_end(message, 5)
    try:
        return message[5:end], _INT32.unpack_from(message, end + 1)[0]
    except struct.error as error:
        raise MalformedMessage("an Execute message without a row limit") from error


def without_last_field(message: bytes) -> bytes:
    """A RowDescription without its last column; NoData where that was the only one."""
    (count,) = _INT16.unpack_from(message, 5)
    if count == 1:
        return NO_DATA
    position = 7
    for _ in range(count - 1):
        position = _text_end(message, position) + 19
    return _HEADER.pack(messages.ROW_DESCRIPTION, position - 1) + _INT16.pack(count - 1) + message[7:position]


def cut_last_column(row: bytes) -> tuple[bytes, bytes]:
    """A DataRow without its last column, and that column's value."""
    (count,) = _INT16.unpack_from(row, 5)
    position = 7
    for _ in range(count - 1):
        (size,) = _INT32.unpack_from(row, position)
        position += 4 + size if size > 0 else 4
    value = row[position + 4 :]
    return _HEADER.pack(messages.DATA_ROW, position - 1) + _INT16.pack(count - 1) + row[7:position], value


def only_column(row: bytes) -> bytes:
    """The value of a DataRow's single column."""
    return row[11:]


def bytea(value: bytes) -> bytes:
    """What a bytea in any output format means: binary, or text with bytea_output hex or escape.

    Only for values whose binary form begins with a zero byte, which no text form can.
    """
    if value[:1] != b"\\":
        return value
    if value[:2] == b"\\x":
        return unhexlify(value[2:])
    out = bytearray()
    position, size = 0, len(value)
    while position < size:
        byte = value[position]
        if byte != 0x5C:
            out.append(byte)
            position += 1
        elif value[position + 1] == 0x5C:
            out.append(0x5C)
            position += 2
        else:
            out.append(int(value[position + 1 : position + 4], 8))
            position += 4
    return bytes(out)


def moved_position(error: bytes, characters: int) -> bytes:
    """An ErrorResponse or NoticeResponse whose position (field `P`) lies so many characters further on."""
    return _repositioned(error, lambda position: position + characters)


def unshifted_position(error: bytes, shifts: Sequence[tuple[int, int]]) -> bytes:
    """One whose position counts in a text into which something was spliced, for the text without.

    `shifts` are (place in the text without, length), both in characters, in order.
    """

    def unshifted(position: int) -> int:
        for place, length in shifts:
            if position <= place:
                break
            position = max(position - length, place)
        return position

    return _repositioned(error, unshifted)


def _repositioned(error: bytes, moved: Callable[[int], int]) -> bytes:
    fields: list[bytes] = []
    position = 5
    while position < len(error) and error[position]:
        end = _text_end(error, position)
        part = error[position:end]
        if part[:1] == b"P" and part[1:].isdigit():
            part = b"P%d" % moved(int(part[1:]))
        fields.append(part + b"\x00")
        position = end + 1
    body = b"".join(fields) + b"\x00"
    return _HEADER.pack(error[0], len(body) + 4) + body


def values_of(row: bytes) -> Sequence[bytes | None]:
    """The columns of a DataRow."""
    (count,) = _INT16.unpack_from(row, 5)
    position = 7
    found: list[bytes | None] = []
    for _ in range(count):
        (size,) = _INT32.unpack_from(row, position)
        position += 4
        found.append(None if size < 0 else row[position : position + size])
        position += max(size, 0)
    return found
