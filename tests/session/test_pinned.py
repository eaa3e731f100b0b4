"""Bound values as text, where that is certain."""

from __future__ import annotations

import struct
import uuid

import pytest

from proxy.session.pinned import parameter_text


def types(*oids: int) -> bytes:
    return struct.pack(f"!h{len(oids)}I", len(oids), *oids)


@pytest.mark.parametrize(
    ("oid", "value", "text"),
    [
        (23, struct.pack("!i", -7), "-7"),
        (20, struct.pack("!q", 1 << 60), str(1 << 60)),
        (21, struct.pack("!h", 3), "3"),
        (25, "né".encode(), "né"),
        (2950, uuid.UUID(int=5).bytes, str(uuid.UUID(int=5))),
        (23, struct.pack("!q", 1), None),
        (1700, b"\x00\x00", None),
        (0, struct.pack("!i", 1), None),
    ],
)
def test_binary_values(oid: int, value: bytes, text: str | None) -> None:
    assert parameter_text([(1, value)], 1, types(oid)) == text


def test_text_values_need_no_type() -> None:
    assert parameter_text([(0, b"x"), (0, b"12")], 2, types()) == "12"
    assert parameter_text([(0, b"\xff")], 1, types()) is None


def test_a_parameter_without_a_type_has_the_columns() -> None:
    value = [(1, struct.pack("!i", 5))]
    assert parameter_text(value, 1, types(), 23) == "5"
    assert parameter_text(value, 1, types(0), 1082, lambda raw: f"day {len(raw)}") == "day 4"
    assert parameter_text(value, 1, types(23), 1082, lambda raw: "wrong") == "5"

    def unreadable(raw: bytes) -> str:
        raise ValueError("no value of the type")

    assert parameter_text(value, 1, types(), 1082, unreadable) is None


def test_what_is_not_there() -> None:
    assert parameter_text([(0, None)], 1, types(23)) is None
    assert parameter_text([], 1, types(23)) is None
    assert parameter_text([(1, struct.pack("!i", 1))], 1, types()) is None
