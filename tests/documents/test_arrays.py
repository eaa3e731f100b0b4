from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.documents.arrays import array
from proxy.documents.codec import Foreign
from proxy.documents.floats import FLOAT8
from proxy.documents.json_values import jsonb
from proxy.documents.numbers import INT4
from proxy.documents.strings import text_like
from proxy.documents.times import timestamp

INTS = array(INT4)
TEXTS = array(text_like("utf-8"))
TIMES = array(timestamp(None, zone=False))


@st.composite
def shaped(draw: st.DrawFn) -> tuple[Any, dict[str, Any] | None]:
    """A value and its flag."""
    size = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    lower = draw(st.lists(st.integers(-3, 3), min_size=len(size), max_size=len(size)))
    element = st.none() | st.text(st.sampled_from('a {},"\\;NUL') | st.characters(codec="utf-8"), max_size=5)

    def level(depth: int) -> Any:
        if depth == len(size):
            return draw(element)
        return [level(depth + 1) for _ in range(size[depth])]

    return level(0), None if lower == [1] else {"lower": lower, "size": size}


@given(shaped())
def test_an_array_reads_back(case: tuple[Any, dict[str, Any] | None]) -> None:
    value, flag = case
    assert TEXTS.parse(TEXTS.text((value, None, flag))) == (value, None, flag)


def test_an_ordinary_array_has_no_flag() -> None:
    assert INTS.parse("{1,NULL,3}") == ([1, None, 3], None, None)
    assert INTS.parse("{}") == ([], None, None)


def test_bounds_and_dimensions_are_flagged() -> None:
    assert INTS.parse("[0:1]={5,6}") == ([5, 6], None, {"lower": [0], "size": [2]})
    assert INTS.parse("{{1,2},{3,4}}") == ([[1, 2], [3, 4]], None, {"lower": [1, 1], "size": [2, 2]})


def test_an_array_in_json_is_no_dimension() -> None:
    codec = array(jsonb("utf-8"))
    marked = codec.parse('{"[1, 2]","null",NULL}')
    assert marked == ([[1, 2], None, None], None, {"items": {"1": "null"}})
    assert codec.text(marked) == '{"[1, 2]","null",NULL}'


def test_microseconds_stand_beside_the_array() -> None:
    value, beside, flag = TIMES.parse('{"2000-01-01 00:00:00.000007",NULL,infinity}')
    assert (beside, flag) == ([7, None, 0], {"items": {"2": "inf"}})
    assert value[1] is None
    assert TIMES.text((value, beside, flag)) == '{"2000-01-01 00:00:00.000007",NULL,infinity}'


def test_no_array_is_a_key() -> None:
    assert INTS.key is None


@pytest.mark.parametrize(
    "marked",
    [
        ("{1}", None, None),
        ([1], None, {"lower": [1, 1], "size": [1, 1]}),
        ([[1]], None, {"lower": [1], "size": [1, 1]}),
        ([1, 2], None, {"lower": [0], "size": [3]}),
        ([1], None, "nan"),
        (["1"], None, None),
    ],
)
def test_what_no_array_becomes_is_foreign(marked: Any) -> None:
    with pytest.raises(Foreign):
        INTS.text(marked)


def test_a_remainder_too_many_is_foreign() -> None:
    value, beside, _ = TIMES.parse('{"2000-01-01 00:00:00.000007"}')
    with pytest.raises(Foreign):
        TIMES.text((value, [*beside, 1], None))


@pytest.mark.parametrize("text", ["{{1},{2,3}}", "[0:1][0:1]={1,2}"])
def test_what_is_no_array_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an array"):
        INTS.parse(text)


def test_nan_within_is_flagged() -> None:
    assert array(FLOAT8).parse("{1,NaN}")[2] == {"items": {"1": "nan"}}
