from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.documents.codec import Foreign
from proxy.documents.floats import FLOAT4, FLOAT8, float4_text, float8_text


@given(st.floats())
def test_a_double_reads_back(value: float) -> None:
    assert struct.pack(">d", float(float8_text(value))) == struct.pack(">d", value) or math.isnan(value)


@given(st.floats(width=32))
def test_a_single_reads_back(value: float) -> None:
    text = float4_text(value)
    assert FLOAT4.parse(text)[0] == value or math.isnan(value)
    assert len(text.strip("-0.").partition("e")[0].replace(".", "")) <= 9


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.34e22, "3.3400000000000002e+22"),  # 3.34e22 lies halfway between two doubles
        (0.1, "0.1"),
        (1e15, "1e+15"),
        (123456789012345.0, "123456789012345"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (-0.0, "-0"),
        (5e-324, "5e-324"),
        (math.inf, "Infinity"),
    ],
)
def test_doubles_as_postgres_writes_them(value: float, text: str) -> None:
    assert float8_text(value) == text


def test_a_double_that_somebody_else_wrote_is_rounded_to_single_precision() -> None:
    assert float4_text(0.1) == "0.1"
    with pytest.raises(Foreign):
        float4_text(1e300)


def test_keys_take_minus_zero_for_zero_and_every_nan_for_one() -> None:
    assert FLOAT8.key is not None
    identifier, token, rest = FLOAT8.key(FLOAT8.parse("-0"))
    assert (math.copysign(1, identifier), token, math.copysign(1, rest)) == (1, 0.0, -1)
    assert FLOAT8.key(FLOAT8.parse("0"))[1:] == (token, None)
    nan = struct.unpack(">d", b"\xff\xf8\0\0\0\0\0\1")[0]
    assert FLOAT8.key((nan, None, "nan"))[1] == FLOAT8.key(FLOAT8.parse("NaN"))[1]


@pytest.mark.parametrize("codec", [FLOAT4, FLOAT8])
def test_an_integer_is_no_double(codec: object) -> None:
    with pytest.raises(Foreign):
        codec.text((1, None, None))  # type: ignore[attr-defined]
