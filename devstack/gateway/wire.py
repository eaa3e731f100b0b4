"""MongoDB's wire protocol: OP_MSG, and the OP_QUERY that old clients say hello with. Bytes only.

https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from devstack.gateway.limits import MAX_MESSAGE_SIZE

OP_REPLY: Final = 1
OP_QUERY: Final = 2004
OP_MSG: Final = 2013

_CHECKSUM_PRESENT: Final = 1 << 0
_MORE_TO_COME: Final = 1 << 1
_REQUIRED_BITS: Final = 0xFFFF
_KNOWN_BITS: Final = _CHECKSUM_PRESENT | _MORE_TO_COME
_HEADER = struct.Struct("<iiii")
_INT32 = struct.Struct("<i")


class ProtocolError(Exception):
    """Bytes that are no message: the connection cannot go on."""


@dataclass(frozen=True)
class Message:
    """One request."""

    request_id: int
    op_code: int
    body: bytes
    """The command document."""
    sequences: Mapping[str, bytes] = field(default_factory=dict)
    """Document sequences by field name: the documents one after another."""
    more_to_come: bool = False
    """The client expects no reply (write concern 0)."""


class Reader:
    """Cuts a byte stream into messages."""

    def __init__(self, max_size: int = MAX_MESSAGE_SIZE) -> None:
        self._max_size = max_size
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that `data` completes."""
        self._buffer += data
        while len(self._buffer) >= _HEADER.size:
            length, request_id, _, op_code = _HEADER.unpack_from(self._buffer)
            if not _HEADER.size < length <= self._max_size:
                raise ProtocolError(f"message of {length} bytes; between 17 and {self._max_size} are allowed")
            if len(self._buffer) < length:
                return
            message = bytes(memoryview(self._buffer)[_HEADER.size : length])
            del self._buffer[:length]
            yield parse(request_id, op_code, message)


def parse(request_id: int, op_code: int, payload: bytes) -> Message:
    """One message from what follows its header."""
    try:
        if op_code == OP_MSG:
            return _parse_msg(request_id, payload)
        if op_code == OP_QUERY:
            return _parse_query(request_id, payload)
    except (struct.error, ValueError, IndexError) as error:
        raise ProtocolError(f"malformed message: {error}") from error
    raise ProtocolError(f"operation code {op_code} is not supported")


def _parse_msg(request_id: int, payload: bytes) -> Message:
    (flags,) = struct.unpack_from("<I", payload)
    if flags & _REQUIRED_BITS & ~_KNOWN_BITS:
        raise ProtocolError(f"unknown required flag bits {flags & _REQUIRED_BITS:#x}")
    end = len(payload) - (4 if flags & _CHECKSUM_PRESENT else 0)
    offset = 4
    body: bytes | None = None
    sequences: dict[str, bytes] = {}
    while offset < end:
        kind = payload[offset]
        offset += 1
        (size,) = _INT32.unpack_from(payload, offset)
        if size < 5 or offset + size > end:
            raise ProtocolError(f"a section of {size} bytes does not fit its message")
        section = payload[offset : offset + size]
        offset += size
        if kind == 0 and body is None:
            body = section
        elif kind == 1:
            name_end = section.index(b"\0", 4)
            name = section[4:name_end].decode()
            if name in sequences:
                raise ProtocolError(f"document sequence {name!r} appears twice")
            sequences[name] = section[name_end + 1 :]
        else:
            raise ProtocolError(f"section of kind {kind} where none is allowed")
    if body is None:
        raise ProtocolError("a message without a command document")
    return Message(request_id, OP_MSG, body, sequences, bool(flags & _MORE_TO_COME))


def _parse_query(request_id: int, payload: bytes) -> Message:
    name_end = payload.index(b"\0", 4)
    offset = name_end + 1 + 8
    (size,) = _INT32.unpack_from(payload, offset)
    if size < 5 or offset + size > len(payload):
        raise ProtocolError(f"a query document of {size} bytes does not fit its message")
    return Message(request_id, OP_QUERY, payload[offset : offset + size])


def documents(sequence: bytes) -> Iterator[bytes]:
    """The documents of a sequence."""
    offset = 0
    while offset < len(sequence):
        if len(sequence) - offset < 5:
            raise ProtocolError("a document sequence that ends inside a document")
        (size,) = _INT32.unpack_from(sequence, offset)
        if size < 5 or offset + size > len(sequence):
            raise ProtocolError(f"a document of {size} bytes does not fit its sequence")
        yield sequence[offset : offset + size]
        offset += size


def reply(message: Message, request_id: int, document: bytes) -> bytes:
    """The answer to `message`."""
    if message.op_code == OP_QUERY:
        head = struct.pack("<iqii", 8, 0, 0, 1)
        op_code = OP_REPLY
    else:
        head = struct.pack("<IB", 0, 0)
        op_code = OP_MSG
    size = _HEADER.size + len(head) + len(document)
    return _HEADER.pack(size, request_id, message.request_id, op_code) + head + document
