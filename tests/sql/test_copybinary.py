from __future__ import annotations

import struct
import uuid

import pytest

from tests.sql.copying import layout, read


def field(data: bytes | None) -> bytes:
    return b"\xff\xff\xff\xff" if data is None else struct.pack("!i", len(data)) + data


def binary(*rows: tuple[bytes | None, ...], extension: bytes = b"", trailer: bytes = b"\xff\xff") -> bytes:
    body = b"".join(struct.pack("!h", len(row)) + b"".join(map(field, row)) for row in rows)
    return b"PGCOPY\n\xff\r\n\0" + struct.pack("!II", 0, len(extension)) + extension + body + trailer


def test_binary_data() -> None:
    name = uuid.UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")
    row = (b"\xff\xfe", b"\0\0\0\7", None, b"\x80" + b"\0" * 7, "é".encode(), b"", name.bytes)
    data = binary(row, row, extension=b"xyz")
    positions, types = (0, 1, 3, 4, 5, 6), (21, 23, 20, 25, 1043, 2950)
    key = ("-2", "7", str(-(2**63)), "é", "", str(name))
    for payloads in ([data], [bytes([byte]) for byte in data], [data, b"more"]):
        assert read(layout("BINARY"), payloads, positions, types=types) == [key, key]


@pytest.mark.parametrize(
    ("data", "types", "reason"),
    [
        (binary((b"\0\0\0\1",)), (1700,), "another type"),
        (binary((b"\0\0\0\1",)), (), "another type"),
        (binary((None,)), (23,), "NULL"),
        (binary((b"\0\1",)), (23,), "length"),
        (binary((b"\0\1",)), (2950,), "length"),
        (b"PGCOPY\n\xff\r\n\1" + b"\0" * 20, (23,), "signature"),
        (b"PGCOPY\n\xff\r\n\0" + struct.pack("!II", 1 << 16, 0), (23,), "oids"),
        (binary((b"\0\0\0\1",), trailer=b"\0"), (23,), "stops"),
    ],
)
def test_binary_data_that_is_given_up(data: bytes, types: tuple[int, ...], reason: str) -> None:
    assert reason in read(layout("BINARY"), [data], types=types)
