from __future__ import annotations

import struct

import pytest

from bench.client import message, query, startup
from tests.translate.corpus.relay import Messages, Sent


def bind(name: str, formats: list[int], values: list[bytes | None]) -> bytes:
    body = b"\0" + name.encode() + b"\0" + struct.pack(f"!h{len(formats)}h", len(formats), *formats)
    body += struct.pack("!h", len(values))
    for value in values:
        body += struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value
    return message(b"B", body + struct.pack("!h", 0))


def parse(name: str, text: str, *types: int) -> bytes:
    given = struct.pack(f"!h{len(types)}I", len(types), *types)
    return message(b"P", name.encode() + b"\0" + text.encode() + b"\0" + given)


@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_reads_are_written_down_with_their_class_types_and_parameters(step: int) -> None:
    data = startup("app", "shop") + query("SELECT 0") + query("SET application_name = 'class 4'")
    data += query("SELECT 1;") + query("UPDATE t SET x = 1") + query("SELECT oid FROM pg_catalog.pg_type")
    data += (
        parse("s", "SELECT $1, $2", 23, 0) + bind("s", [1], [b"\0\0\0\5", None]) + bind("s", [], [b"6", b"x"])
    )
    data += query("SET application_name = 'class 7'") + bind("s", [0, 1], [b"7", b"y"])
    messages = Messages()
    for start in range(0, len(data), step):
        messages.feed(data[start : start + step])
    text, types = "SELECT $1, $2", (23, 0)
    assert messages.sent == [
        Sent("4", "SELECT 1"),
        Sent("4", text, types, (b"\0\0\0\5", None), (1, 1)),
        Sent("4", text, types, (b"6", b"x"), (0, 0)),
        Sent("7", text, types, (b"7", b"y"), (0, 1)),
    ]
