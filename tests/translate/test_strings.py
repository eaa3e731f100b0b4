from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.translate import strings
from proxy.translate.api import Inexact, ReadError, Unsupported
from proxy.translate.values import Collation

ASCII = strings.Case(Collation("C", True, True, "c"))
UTF8 = strings.Case(Collation("default", True, True, "utf8"))


@pytest.mark.parametrize(
    ("value", "pattern", "expected"),
    [
        ("abc", "a%", True),
        ("abc", "_b_", True),
        ("a\nb", "a%b", True),
        ("a\n", "a", False),
        ("a%b", "a\\%b", True),
        ("axb", "a\\%b", False),
        ("日本", "__", True),
        ("", "%", True),
        ("a.b", "a.b", True),
        ("axb", "a.b", False),
    ],
)
def test_like(value: str, pattern: str, expected: bool) -> None:
    assert strings.like(value, pattern) is expected


_PARTS = ("a", "b", "%", "_", "\\%", "\\_", "\\\\", "*", ".", "\n", "%")


@given(st.text("ab\n*.", max_size=8), st.lists(st.sampled_from(_PARTS), max_size=8).map("".join))
def test_like_finds_a_way_where_there_is_one(value: str, pattern: str) -> None:
    regex = re.compile(strings.like_regex(pattern), re.DOTALL)
    assert strings.like(value, pattern) is (regex.fullmatch(value) is not None)


def test_like_takes_no_longer_for_many_wildcards() -> None:
    assert not strings.like("a" * 10_000, "%a" * 30 + "%b")
    assert strings.like("a" * 10_000 + "b", "%a_" * 30 + "%b")


def test_patterns_that_end_with_their_escape() -> None:
    with pytest.raises(Inexact):
        strings.like("a", "a\\")
    assert strings.like_escape("a!%b\\", "!") == "a\\%b\\\\"


def test_case() -> None:
    assert (ASCII.lower("AÉ"), ASCII.upper("aé")) == ("aÉ", "Aé")
    assert (UTF8.lower("AÉΣ"), UTF8.upper("aéσ")) == ("aéσ", "AÉΣ")
    assert UTF8.initcap("hELLO wORLD") == "Hello World"
    for odd in ("İ", "ß", "ſ"):
        with pytest.raises(Inexact):
            UTF8.upper(odd + "x") if odd != "İ" else UTF8.lower(odd)
    with pytest.raises(Unsupported):
        strings.Case(Collation("und", False, True, ""))


def test_parts_of_strings() -> None:
    assert strings.substring("hello", 0, 3) == "he"
    assert strings.substring("hello", -2, 4) == "h"
    assert strings.left("hello", -2) == "hel"
    assert strings.right("hello", -2) == "llo"
    assert strings.split_part("a,b,c", ",", 2) == "b"
    assert strings.pad("ab", 5, "xy", True) == "xyxab"
    assert strings.pad("abcdef", 3, "x", False) == "abc"
    assert strings.replace("aaa", "", "b") == "aaa"
    with pytest.raises(ReadError):
        strings.substring("x", 1, -1)
