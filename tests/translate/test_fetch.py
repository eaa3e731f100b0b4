"""Values of documents, read without the driver's help, are what the driver makes of them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from bson.decimal128 import Decimal128, create_decimal128_context
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.documents.codec import Foreign
from proxy.translate import numbers
from proxy.translate.fetch import _numeric

CONTEXT = create_decimal128_context()


@given(
    st.integers(0, 10**34 - 1) | st.integers(0, 1000),
    st.integers(-6176, 6111) | st.integers(-40, 5),
    st.booleans(),
)
@example(0, 0, True)
@example(0, -5, True)
@example(10**34 - 1, -6176, False)
@example(1, 0, False)
def test_every_decimal_is_read_as_the_driver_reads_it(digits: int, exponent: int, negative: bool) -> None:
    value = Decimal128(CONTEXT.create_decimal(Decimal((negative, tuple(map(int, str(digits))), exponent))))
    found, expected = _numeric(value, None, None), numbers.numeric(value.to_decimal())
    assert (found, found.as_tuple()) == (expected, expected.as_tuple())


@given(st.binary(min_size=16, max_size=16))
def test_any_bits_are_read_as_the_driver_reads_them(bits: bytes) -> None:
    value = Decimal128.from_bid(bits)
    found, expected = _numeric(value, None, None), numbers.numeric(value.to_decimal())
    assert found.as_tuple() == expected.as_tuple()


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_special_values(value: str) -> None:
    assert _numeric(Decimal128(value), None, None).as_tuple() == Decimal(value).as_tuple()


def test_what_is_no_decimal() -> None:
    with pytest.raises(Foreign):
        _numeric(1.5, None, None)
