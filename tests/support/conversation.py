"""What a client says, message by message; `tests.support.transcript` has the start-up and the simple query."""

from __future__ import annotations

import struct

from proxy.wire.messages import frame


def text(value: str) -> bytes:
    return value.encode() + b"\x00"


def parse(sql: str, name: str = "", types: tuple[int, ...] = ()) -> bytes:
    return frame(ord("P"), text(name) + text(sql) + struct.pack(f"!h{len(types)}i", len(types), *types))


def bind(
    values: tuple[bytes | None, ...] = (),
    *,
    portal: str = "",
    statement: str = "",
    formats: tuple[int, ...] = (),
    results: tuple[int, ...] = (),
) -> bytes:
    encoded = b"".join(struct.pack("!i", -1) if v is None else struct.pack("!i", len(v)) + v for v in values)
    return frame(
        ord("B"),
        text(portal)
        + text(statement)
        + struct.pack(f"!h{len(formats)}h", len(formats), *formats)
        + struct.pack("!h", len(values))
        + encoded
        + struct.pack(f"!h{len(results)}h", len(results), *results),
    )


def describe(kind: str, name: str = "") -> bytes:
    return frame(ord("D"), kind.encode() + text(name))


def execute(portal: str = "", limit: int = 0) -> bytes:
    return frame(ord("E"), text(portal) + struct.pack("!i", limit))


def close(kind: str, name: str = "") -> bytes:
    return frame(ord("C"), kind.encode() + text(name))


def function_call(oid: int, *arguments: bytes) -> bytes:
    body = struct.pack("!ihhh", oid, 1, 1, len(arguments))
    return frame(
        ord("F"), body + b"".join(struct.pack("!i", len(a)) + a for a in arguments) + struct.pack("!h", 1)
    )


def copy_data(rows: str | bytes) -> bytes:
    return frame(ord("d"), rows.encode() if isinstance(rows, str) else rows)


SYNC = frame(ord("S"), b"")
FLUSH = frame(ord("H"), b"")
COPY_DONE = frame(ord("c"), b"")
COPY_FAIL = frame(ord("f"), text("given up"))
