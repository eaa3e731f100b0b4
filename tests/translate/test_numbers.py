from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.translate import numbers
from proxy.translate import types as t
from proxy.translate.api import Inexact, ReadError

DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**9), max_value=10**9)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("1", "3", "0.33333333333333333333"),
        ("10", "4", "2.5000000000000000"),
        ("100000", "7.00", "14285.714285714286"),
        ("-7", "2", "-3.5000000000000000"),
        ("0", "5", "0.00000000000000000000"),
    ],
)
def test_division_has_the_scale_of_postgres(one: str, other: str, expected: str) -> None:
    assert f"{numbers.divide(Decimal(one), Decimal(other)):f}" == expected


@given(DECIMALS, DECIMALS)
def test_sums_and_products_keep_their_scale(one: Decimal, other: Decimal) -> None:
    assert numbers.scale_of(numbers.add(one, other)) == 4
    assert numbers.scale_of(numbers.multiply(one, other)) == 8
    assert numbers.subtract(one, other) == one - other


@pytest.mark.parametrize(
    ("compute", "sqlstate"),
    [
        (lambda: numbers.integer(t.INT4, 2**31), "22003"),
        (lambda: numbers.int_divide(t.INT4, 1, 0), "22012"),
        (lambda: numbers.int_modulo(1, 0), "22012"),
        (lambda: numbers.divide(Decimal(1), Decimal(0)), "22012"),
        (lambda: numbers.fitted(Decimal("1000"), (5 << 16 | 2) + 4), "22003"),
        (lambda: numbers.single(1e39), "22003"),
        (lambda: numbers.float_to_int(t.INT2, 40000.0), "22003"),
    ],
)
def test_errors(compute: Any, sqlstate: str) -> None:
    with pytest.raises(ReadError) as caught:
        compute()
    assert caught.value.sqlstate == sqlstate


def test_integers_are_divided_towards_zero() -> None:
    assert [numbers.int_divide(t.INT4, one, 2) for one in (7, -7)] == [3, -3]
    assert [numbers.int_modulo(one, 3) for one in (7, -7)] == [1, -1]


def test_rounding() -> None:
    assert [str(numbers.rounded(Decimal(text), 0)) for text in ("0.5", "1.5", "-2.5")] == ["1", "2", "-3"]
    assert [numbers.round_half_even(value) for value in (0.5, 1.5, 2.5)] == [0.0, 2.0, 2.0]
    assert str(numbers.rounded(Decimal("1250"), -2)) == "1300"
    assert str(numbers.fitted(Decimal("12.345"), (5 << 16 | 2) + 4)) == "12.35"
    assert str(numbers.root(Decimal(2), 20)) == "1.41421356237309504880"
    assert str(numbers.float_to_numeric(t.FLOAT8, 0.1 + 0.2)) == "0.3"


def test_numbers_that_are_too_long() -> None:
    with pytest.raises(Inexact):
        numbers.multiply(Decimal("1e9000"), Decimal("1e9000"))
