"""BSON as its bytes: every type has its length, and nonsense is told from documents."""

from __future__ import annotations

import re
from typing import Any

import bson
import pytest
from bson import Binary, Code, DatetimeMS, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Timestamp
from hypothesis import given
from hypothesis import strategies as st

from proxy.backfill.elements import MalformedDocument, fields, first, subfields

VALUES: list[Any] = [
    1.5,
    "text",
    {"a": 1, "b": {"c": []}},
    [1, "x", None],
    Binary(b"123", 5),
    b"",
    ObjectId("0" * 24),
    True,
    DatetimeMS(5),
    None,
    re.compile("a.b", re.IGNORECASE),
    DBRef("c", 1),
    Code("f()"),
    Code("f()", {"x": 1}),
    7,
    Timestamp(1, 2),
    Int64(7),
    Decimal128("1.50"),
    MinKey(),
    MaxKey(),
]


def test_values_of_every_type_are_found() -> None:
    document = {f"f{number}": value for number, value in enumerate(VALUES)}
    found = fields(bson.encode(document))
    assert list(found) == list(document)
    for name, value in document.items():
        assert found[name] == fields(bson.encode({name: value}))[name]


def test_the_type_is_part_of_the_value() -> None:
    alike = [7, Int64(7), 7.0, Decimal128("7"), "7", True]
    assert len({fields(bson.encode({"a": value}))["a"] for value in alike}) == len(alike)


def test_types_that_drivers_do_not_write_any_more() -> None:
    body = b"\x06old\0" + b"\x0cptr\0\x02\0\0\0a\0" + bytes(12) + b"\x0esym\0\x02\0\0\0a\0"
    raw = (len(body) + 5).to_bytes(4, "little") + body + b"\0"
    assert list(fields(raw)) == ["old", "ptr", "sym"]


def test_a_name_that_stands_twice_is_like_neither_of_them() -> None:
    body = b"\x10a\0\x01\0\0\0" + b"\x10a\0\x02\0\0\0"
    raw = (len(body) + 5).to_bytes(4, "little") + body + b"\0"
    assert fields(raw)["a"] not in [fields(bson.encode({"a": value}))["a"] for value in (1, 2)]


def test_fields_of_a_field() -> None:
    found = fields(bson.encode({"_cw": {"us": {"t": 7}}, "a": [1]}))
    assert list(subfields(found["_cw"]) or {}) == ["us"]
    assert subfields(found["a"]) is None
    assert subfields(b"") is None


def test_the_first_field() -> None:
    assert first(bson.encode({"_id": 1, "a": 2})) == b"\x10_id\0\x01\0\0\0"
    for nothing in (bson.encode({}), b"", b"\x05\0\0\0\x10a\0\0", b"\x0a\0\0\0\x02a\0\xff\0\0"):
        with pytest.raises(MalformedDocument):
            first(nothing)


@given(st.binary(max_size=60))
def test_nonsense_is_no_document(raw: bytes) -> None:
    try:
        fields(raw)
    except MalformedDocument:
        return
    assert int.from_bytes(raw[:4], "little") == len(raw)


@given(st.integers(0, 200), st.integers(0, 255))
def test_a_document_with_a_wrong_byte_is_read_or_refused(place: int, byte: int) -> None:
    raw = bytearray(bson.encode({f"f{number}": value for number, value in enumerate(VALUES)}))
    raw[place] = byte
    try:
        fields(bytes(raw))
    except MalformedDocument:
        return
