from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from proxy.translate import inputs
from proxy.translate import types as t
from proxy.translate.api import Inexact, ReadError, SessionSettings
from proxy.translate.outputs import writer
from proxy.translate.types import Types
from proxy.translate.values import Interval

TYPES = Types({})
UTC = SessionSettings()
UUIDS = (
    "00010203-0405-0607-0809-0a0b0c0d0e0f",
    "000102030405060708090A0B0C0D0E0F",  # as psycopg 3 writes it
    "{00010203-0405-0607-0809-0a0b0c0d0e0f}",
    "0001-0203-0405-0607-0809-0a0b-0c0d-0e0f",
    "00010203-04050607-08090a0b-0c0d0e0f",
)
NO_UUIDS = (
    "{00010203-0405-0607-0809-0a0b0c0d0e0f",
    "00010203-0405-0607-0809-0a0b0c0d0e0f}",
    "00010203--0405-0607-0809-0a0b0c0d0e0f",
    "000102-030405060708090a0b0c0d0e0f",
    "000102030405060708090a0b0c0d0e0f-",
    " 000102030405060708090a0b0c0d0e0f",
)
"""To PostgreSQL."""


@pytest.mark.parametrize(
    ("oid", "text", "value", "shown"),
    [
        (t.BOOL, " yes ", True, "t"),
        (t.INT4, " +12 ", 12, "12"),
        (t.NUMERIC, "1.50e1", Decimal("15.0"), "15.0"),
        (t.NUMERIC, "-infinity", Decimal("-Infinity"), "-Infinity"),
        (t.FLOAT8, "1e21", 1e21, "1e+21"),
        (t.FLOAT4, "0.1", 0.10000000149011612, "0.1"),
        (t.DATE, "2000-01-02", 1, "2000-01-02"),
        (t.TIME, "01:02:03.5", 3_723_500_000, "01:02:03.5"),
        (t.TIMESTAMP, "2000-01-01 00:00:01", 1_000_000, "2000-01-01 00:00:01"),
        (t.TIMESTAMPTZ, "2000-01-01T02:00:00+02:00", 0, "2000-01-01 00:00:00+00"),
        (t.INTERVAL, "1 year -2 days 03:00", Interval(12, -2, 10_800_000_000), "1 year -2 days +03:00:00"),
        (t.BYTEA, "\\x0aff", b"\x0a\xff", "\\x0aff"),
        *((t.UUID, text, bytes(range(16)), "00010203-0405-0607-0809-0a0b0c0d0e0f") for text in UUIDS),
        (1007, "{1,NULL,3}", (1, None, 3), "{1,NULL,3}"),
        (1009, '{a,"b c"}', ("a", "b c"), '{a,"b c"}'),
    ],
)
def test_a_text_is_read_and_written(oid: int, text: str, value: Any, shown: str) -> None:
    assert inputs.parser(oid, TYPES, UTC)(text) == value
    assert writer(oid, TYPES, UTC)(value) == shown


@pytest.mark.parametrize(
    ("oid", "text", "sqlstate"),
    [
        (t.INT4, "x", "22P02"),
        (t.INT2, "40000", "22003"),
        (t.NUMERIC, "1,5", "22P02"),
        (t.BOOL, "maybe", "22P02"),
        (t.UUID, "x", "22P02"),
        *((t.UUID, text, "22P02") for text in NO_UUIDS),
        (t.DATE, "2001-02-29", "22008"),
        (t.FLOAT8, "1e999", "22003"),
    ],
)
def test_what_postgres_refuses(oid: int, text: str, sqlstate: str) -> None:
    with pytest.raises(ReadError) as caught:
        inputs.parser(oid, TYPES, UTC)(text)
    assert caught.value.sqlstate == sqlstate


@pytest.mark.parametrize(
    ("oid", "text"),
    [
        (t.INT4, "0x10"),
        (t.DATE, "yesterday"),
        (t.TIMESTAMP, "Jan 1 2020"),
        (t.TIMESTAMPTZ, "2020-01-01 EST"),
        (t.INTERVAL, "P1D"),
        (1007, "[0:1]={1,2}"),
        (t.JSONB, "1e5"),
    ],
)
def test_what_is_left_to_postgres(oid: int, text: str) -> None:
    with pytest.raises(Inexact):
        inputs.parser(oid, TYPES, UTC)(text)


def test_a_zone_of_the_session() -> None:
    session = SessionSettings(time_zone="America/New_York")
    parse = inputs.parser(t.TIMESTAMPTZ, TYPES, session)
    write = writer(t.TIMESTAMPTZ, TYPES, session)
    assert write(parse("2021-07-01 12:00")) == "2021-07-01 12:00:00-04"
    assert write(parse("2021-03-14 02:30")) == "2021-03-14 03:30:00-04"
    assert write(parse("2021-11-07 01:30")) == "2021-11-07 01:30:00-05"
    with pytest.raises(Inexact):
        parse("1900-01-01 00:00")
