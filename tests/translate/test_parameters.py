"""Parameters in both forms; what PostgreSQL would refuse is refused."""

from __future__ import annotations

import struct
from decimal import Decimal
from typing import Any

import pytest

from proxy.translate import types as t
from proxy.translate.api import Inexact, ReadError, SessionSettings
from proxy.translate.parameters import values
from proxy.translate.types import Types
from proxy.translate.values import LAST_DAY, LAST_US

TYPES = Types({})
SESSION = SessionSettings(time_zone="UTC")


def value(oid: int, raw: bytes | None, code: int) -> Any:
    return values([oid], [raw], [code], SESSION, TYPES)[0]


@pytest.mark.parametrize(
    ("oid", "text", "binary", "expected"),
    [
        (t.INT2, b"-5", struct.pack(">h", -5), -5),
        (t.INT4, b" 7 ", struct.pack(">i", 7), 7),
        (t.INT8, b"9223372036854775807", struct.pack(">q", 2**63 - 1), 2**63 - 1),
        (t.BOOL, b"yes", b"\1", True),
        (t.BOOL, b"off", b"\0", False),
        (t.BOOL, b"t", b"\7", True),
        (t.FLOAT8, b"1.5", struct.pack(">d", 1.5), 1.5),
        (t.FLOAT4, b"0.1", struct.pack(">f", 0.1), struct.unpack(">f", struct.pack(">f", 0.1))[0]),
        (t.NUMERIC, b"12.5000", struct.pack(">hhHHhh", 2, 0, 0, 4, 12, 5000), Decimal("12.5000")),
        (t.TEXT, "é".encode(), "é".encode(), "é"),
        (t.BYTEA, b"\\x00ff", b"\x00\xff", b"\x00\xff"),
        (t.UUID, b"00000000-0000-0000-0000-000000000001", bytes(15) + b"\1", bytes(15) + b"\1"),
        (t.DATE, b"2000-01-02", struct.pack(">i", 1), 1),
        (t.DATE, b"infinity", struct.pack(">i", LAST_DAY), LAST_DAY),
        (t.TIMESTAMP, b"2000-01-01 00:00:01", struct.pack(">q", 1_000_000), 1_000_000),
        (t.TIMESTAMPTZ, b"2000-01-01 01:00:00+01", struct.pack(">q", 0), 0),
        (t.TIMESTAMPTZ, b"infinity", struct.pack(">q", LAST_US), LAST_US),
    ],
)
def test_both_forms_say_the_same(oid: int, text: bytes, binary: bytes, expected: Any) -> None:
    assert value(oid, text, 0) == expected
    assert value(oid, binary, 1) == expected
    assert value(oid, None, 0) is None
    assert value(oid, None, 1) is None


@pytest.mark.parametrize(
    ("oid", "raw", "code", "sqlstate"),
    [
        *((oid, b"x", 0, "22P02") for oid in (t.INT4, t.BOOL, t.FLOAT8, t.NUMERIC, t.UUID)),
        *((oid, b"12345", 1, "22P03") for oid in (t.INT2, t.INT4, t.INT8, t.FLOAT8, t.UUID, t.DATE)),
        *((oid, b"", 1, "22P03") for oid in (t.BOOL, t.TIMESTAMP)),
        (t.INT2, b"40000", 0, "22003"),
        (t.TEXT, b"\xff", 0, "22P03"),
        (t.DATE, b"2001-02-29", 0, "22008"),
        (t.DATE, struct.pack(">i", 2**31 - 2), 1, "22008"),
        (t.TIMESTAMP, struct.pack(">q", 2**63 - 2), 1, "22008"),
    ],
)
def test_what_is_no_value_is_refused(oid: int, raw: bytes, code: int, sqlstate: str) -> None:
    with pytest.raises(ReadError) as caught:
        value(oid, raw, code)
    assert caught.value.sqlstate == sqlstate


def test_formats_are_none_one_for_all_or_one_each() -> None:
    oids, given = [t.INT4, t.INT4], [b"5", b"6"]
    assert values(oids, given, [], SESSION, TYPES) == (5, 6)
    assert values(oids, given, [0], SESSION, TYPES) == (5, 6)
    assert values(oids, [b"5", struct.pack(">i", 6)], [0, 1], SESSION, TYPES) == (5, 6)
    for wrong in ([0, 0, 0], [0, 1, 1]):
        with pytest.raises(ReadError):
            values(oids, given, wrong, SESSION, TYPES)
    with pytest.raises(ReadError):
        values(oids, given[:1], [], SESSION, TYPES)


def test_what_is_written_in_another_way_is_left_to_postgres() -> None:
    for oid, raw in (
        (t.DATE, b"January 5"),
        (t.TIMESTAMP, b"yesterday"),
        (t.INT4, b"0x10"),
        (t.BYTEA, b"\\000"),
    ):
        with pytest.raises(Inexact):
            value(oid, raw, 0)
