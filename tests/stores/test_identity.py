from __future__ import annotations

import math
import uuid
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import bson
import pytest
from bson import Binary, CodecOptions, Decimal128, Int64, MaxKey, MinKey, ObjectId
from bson.binary import UuidRepresentation
from bson.codec_options import DatetimeConversion
from bson.datetime_ms import DatetimeMS
from hypothesis import given
from hypothesis import strategies as st

from proxy.stores.identity import identity

OPTIONS: CodecOptions[dict[str, Any]] = CodecOptions(
    uuid_representation=UuidRepresentation.STANDARD, datetime_conversion=DatetimeConversion.DATETIME_AUTO
)
NOON = datetime(2026, 1, 2, 12, 0, 0, 5000)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, Int64(1)),
        (1, 1.0),
        (1, Decimal128("1.000")),
        (0.5, Decimal128("0.50")),
        (0.0, -0.0),
        (10**6, Decimal128("1E+6")),
        (math.nan, Decimal128("NaN")),
        (math.inf, Decimal128("Infinity")),
        (b"a", Binary(b"a", 0)),
        (uuid.UUID(int=1), Binary.from_uuid(uuid.UUID(int=1))),
        (NOON, NOON.replace(tzinfo=UTC)),
        (NOON, NOON.replace(tzinfo=UTC).astimezone(timezone(timedelta(hours=5)))),
        (NOON, NOON.replace(microsecond=5999)),
        (NOON, DatetimeMS(1767355200005)),
        (datetime(1960, 1, 1, 0, 0, 0, 1000), DatetimeMS(-315619199999)),
        ({"a": 1, "b": 2.0}, {"a": Int64(1), "b": Decimal128("2.0")}),
        ([1, {"a": None}], [1.0, {"a": None}]),
        (MinKey(), MinKey()),
    ],
    ids=repr,
)
def test_what_is_one_key(one: Any, other: Any) -> None:
    assert identity(one) == identity(other)
    assert hash(identity(one)) == hash(identity(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (0, False),
        (1, "1"),
        (0, None),
        ("", None),
        ("a", b"a"),
        ("\u00e9", "e\u0301"),
        (b"a", Binary(b"a", 5)),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"a": 1}, {"a": 1, "b": None}),
        ([1], [[1]]),
        ((2**53) + 1, float(2**53)),
        (NOON, 1767355200005),
        (NOON, NOON.replace(microsecond=6000)),
        (MinKey(), MaxKey()),
        ("nan", math.nan),
        (ObjectId("0" * 24), "0" * 24),
    ],
    ids=repr,
)
def test_what_are_two_keys(one: Any, other: Any) -> None:
    assert identity(one) != identity(other)


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])),
    st.binary(),
    st.uuids(),
    st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)),
    st.decimals(-(10**20), 10**20, places=4).map(Decimal128),
)
names = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=5)


@given(st.one_of(scalars, st.dictionaries(names, scalars)))
def test_a_key_comes_back_from_the_store_as_itself(value: Any) -> None:
    returned = bson.decode(bson.encode({"_id": value}, codec_options=OPTIONS), OPTIONS)["_id"]
    assert identity(returned) == identity(value)
