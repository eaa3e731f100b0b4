from __future__ import annotations

from decimal import Decimal

import pytest

from proxy.sql.shapes import pieces_of
from proxy.translate import types as t
from proxy.translate.api import ReadError
from proxy.translate.inputs import date
from proxy.translate.literals import Literals, kind, string, values
from proxy.translate.tree import Const, Shape


def literals(text: str) -> Literals:
    return Literals(text, pieces_of(text))


@pytest.mark.parametrize(
    ("constant", "expected"),
    [
        *(("'x'", "'"), ("''", "'"), ("/* x */", "/"), ("0", "i"), ("007", "i"), ("2147483647", "i")),
        *(("2147483648", "i+"), ("2147483649", "b"), ("9223372036854775807", "b")),
        *(("9223372036854775808", "b+"), ("9223372036854775809", "n"), ("1.0", "n")),
    ],
)
def test_what_decides_over_the_type(constant: str, expected: str) -> None:
    assert kind(constant) == expected


def test_a_very_long_number_is_its_own_kind() -> None:
    assert kind("1" * 400) == "1" * 400


def test_values_are_read_from_other_constants() -> None:
    text = "SELECT 5, - 7, 1.50, 'it''s', '2020-01-01'"
    made = literals(text)
    assert made.number(text.index("5,"), 5, t.INT4) is not None
    assert made.number(text.index("- 7"), -7, t.INT4) is not None
    assert made.number(text.index("1.50"), Decimal("1.50"), t.NUMERIC) is not None
    assert made.text_at(text.index("'it"), "it's") is not None
    day = made.text_at(text.index("'2020"), "2020-01-01")
    assert day is not None
    made.typed(day, Shape(t.DATE), date)
    assert made.pins() == frozenset()
    assert values(made.slots, ["6", "8", "2.5", "'a''b'", "'2000-01-02'"]) == (
        6, -8, Decimal("2.5"), "a'b", "2000-01-02", 1,
    )  # fmt: skip
    with pytest.raises(ReadError):
        values(made.slots, ["6", "8", "2.5", "'x'", "'2000-02-31'"])


def test_what_is_not_where_it_is_said_stays_as_it_is() -> None:
    text = "SELECT 5 + x, 'a'"
    made = literals(text)
    assert made.number(text.index("x"), 5, t.INT4) is None
    assert made.number(text.index("5"), 6, t.INT4) is None
    assert made.text_at(text.index("'a'"), "b") is None
    assert made.pins() == {0, 1}


def test_comparing_values_pins_them() -> None:
    text = "SELECT 5, 5, 6"
    made = literals(text)
    one, same, other = (made.number(place, value, t.INT4) for place, value in ((7, 5), (10, 5), (13, 6)))
    assert one == same
    assert made.pins() == {0, 1}
    assert one != other
    assert made.pins() == {0, 1, 2}
    assert one != Const(Shape(t.INT4), 5)


def test_the_same_constant_is_equal_without_being_looked_at() -> None:
    made = literals("SELECT 5")
    assert made.number(7, 5, t.INT4) == made.number(7, 5, t.INT4)
    assert made.pins() == frozenset()


def test_comments_are_never_pinned_and_what_was_read_by_others_is() -> None:
    text = "SELECT /* why */ 5 ORDER BY 1"
    made = literals(text)
    made.number(text.index("5"), 5, t.INT4)
    assert made.pins() == {2}
    made.pin_at(text.index("5"))
    assert made.pins() == {1, 2}


def test_quotes() -> None:
    assert string("'it''s'") == "it's"
