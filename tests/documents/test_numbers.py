from __future__ import annotations

from decimal import Decimal

import pytest
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from hypothesis import given
from hypothesis import strategies as st

from proxy.documents.codec import Codec, Foreign, Unfit
from proxy.documents.numbers import BOOL, INT4, INT8, NUMERIC, decimal_text, normalised, parse_decimal128
from tests.documents.made import int4

NUMBERS = st.builds(
    lambda sign, whole, fraction: f"{sign}{whole or '0'}" + (f".{fraction}" if fraction else ""),
    st.sampled_from(["", "-"]),
    st.text("0123456789", max_size=17).map(lambda text: text.lstrip("0")),
    st.text("0123456789", max_size=14),
)


@given(NUMBERS)
def test_a_number_keeps_value_and_scale(text: str) -> None:
    shown = decimal_text(parse_decimal128(text))
    assert shown == (text if Decimal(text) else text.removeprefix("-"))
    assert parse_decimal128(text).to_decimal() == Decimal(text)


@given(NUMBERS, NUMBERS)
def test_equal_numbers_have_one_normal_form(one: str, other: str) -> None:
    first, second = normalised(parse_decimal128(one)), normalised(parse_decimal128(other))
    assert (first.bid == second.bid) is (Decimal(one) == Decimal(other))
    assert normalised(first).bid == first.bid


@given(NUMBERS, st.integers(0, 3))
def test_zeros_at_the_end_change_the_value_but_not_the_key(text: str, zeros: int) -> None:
    longer = text + ("0" * zeros if "." in text else "")
    one, other = (NUMERIC.parse(number) for number in (text, longer))
    assert NUMERIC.key is not None
    assert NUMERIC.key(one)[1] == NUMERIC.key(other)[1]
    assert NUMERIC.text(other) == (longer if Decimal(text) else longer.removeprefix("-"))


def test_1_0_and_1_00_are_one_key() -> None:
    assert NUMERIC.key is not None
    one, two = NUMERIC.key(NUMERIC.parse("1.0")), NUMERIC.key(NUMERIC.parse("1.00"))
    assert one[:2] == two[:2]
    assert str(one[0]) == "1"
    assert (str(one[2]), str(two[2])) == ("1.0", "1.00")


@pytest.mark.parametrize("text", ["1" * 35, "1" + "0" * 34 + ".0", "0." + "1" * 35, "1" * 200])
def test_more_than_34_digits_are_unfit(text: str) -> None:
    with pytest.raises(Unfit, match="34"):
        parse_decimal128(text)


@pytest.mark.parametrize("text", ["1" + "0" * 60, "0." + "0" * 60, "0." + "0" * 60 + "1"])
def test_zeros_take_no_digits(text: str) -> None:
    assert decimal_text(parse_decimal128(text)) == text


@pytest.mark.parametrize(("text", "flag"), [("NaN", "nan"), ("Infinity", "inf"), ("-Infinity", "-inf")])
def test_what_is_no_number_is_flagged(text: str, flag: str) -> None:
    value, _, found = NUMERIC.parse(text)
    assert (str(value), found) == (text, flag)
    assert NUMERIC.text((value, None, found)) == text


def test_int8_is_int64_always() -> None:
    assert type(INT8.decode(bytes(8))) is Int64
    assert type(INT8.parse("1")) is Int64
    assert type(INT4.decode(int4(1))) is int


@pytest.mark.parametrize(
    ("codec", "value"), [(BOOL, 1), (INT4, True), (INT4, 1.0), (INT8, "1"), (NUMERIC, (1.5, None, None))]
)
def test_values_of_other_types_are_foreign(codec: object, value: object) -> None:
    with pytest.raises(Foreign):
        codec.text(value)  # type: ignore[attr-defined]


def test_a_foreign_decimal_without_a_canonical_form_is_zero() -> None:
    assert Decimal(decimal_text(Decimal128.from_bid(b"\1" + bytes(14) + b"\x6c"))) == 0


@pytest.mark.parametrize(
    ("codec", "text"), [(INT4, "2147483648"), (INT8, "-9223372036854775809"), (INT8, "9" * 40)]
)
def test_integers_that_no_column_can_have_are_refused(codec: Codec, text: str) -> None:
    with pytest.raises(ValueError, match="bits"):
        codec.parse(text)
