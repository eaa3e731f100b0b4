from __future__ import annotations

import json

import pytest
from bson.decimal128 import Decimal128
from hypothesis import given
from hypothesis import strategies as st

from proxy.documents.codec import Foreign, Unfit
from proxy.documents.json_values import MAX_DEPTH, escape, jsonb, jsonb_text, parse_jsonb, unescape

NAMES = st.text(st.sampled_from("$.%0245Eab") | st.characters(codec="utf-8"), max_size=12)


@given(NAMES)
def test_a_name_comes_back(name: str) -> None:
    field = escape(name)
    assert unescape(field) == name
    assert field
    assert not field.startswith("$")
    assert "." not in field


@given(NAMES, NAMES)
def test_no_two_names_become_one_field(one: str, other: str) -> None:
    assert (escape(one) == escape(other)) is (one == other)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("plain", "plain"),
        ("", "%00"),
        ("$ref", "%24ref"),
        ("a$", "a$"),
        ("a.b", "a%2Eb"),
        ("50%", "50%"),
        ("%24", "%2524"),
        ("%00", "%2500"),
    ],
)
def test_names_people_will_see(name: str, field: str) -> None:
    assert escape(name) == field


def test_numbers_keep_size_and_scale() -> None:
    value, us, flag = parse_jsonb("[1, 2147483648, 9223372036854775808, 1.50, -0.0]")
    assert value == [
        1,
        2147483648,
        Decimal128("9223372036854775808"),
        Decimal128("1.50"),
        Decimal128("0.0"),
    ]
    assert (us, flag) == (None, None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | NAMES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_what_jsonb_writes_comes_back(value: object) -> None:
    text = json.dumps(value, ensure_ascii=False)
    parsed = parse_jsonb(text)
    assert jsonb_text(parsed) == text
    fields: list[object] = [parsed[0]]
    for item in fields:
        if isinstance(item, dict):
            assert not any(field.startswith("$") or "." in field or not field for field in item)
            fields.extend(item.values())
        elif isinstance(item, list):
            fields.extend(item)


def test_the_null_of_json_is_flagged() -> None:
    assert parse_jsonb("null") == (None, None, "null")
    assert jsonb_text((None, None, "null")) == "null"
    with pytest.raises(Foreign):
        jsonb_text((None, None, None))


@pytest.mark.parametrize(
    "text", ["1" * 35, "0." + "1" * 35, "[1e1]".replace("1e1", "1" * 4400), "1." + "0" * 34]
)
def test_numbers_beyond_34_digits_are_unfit(text: str) -> None:
    with pytest.raises(Unfit, match="digits"):
        parse_jsonb(text)


def test_too_many_levels_are_unfit_but_not_in_strings() -> None:
    parse_jsonb("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    parse_jsonb(json.dumps(["[{" * 200 + '\\"', [], {}]))
    parse_jsonb(json.dumps([[]] * 500))
    with pytest.raises(Unfit, match="levels"):
        parse_jsonb("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))
    with pytest.raises(Unfit, match="levels"):
        parse_jsonb('{"a":' * 100_000 + "1" + "}" * 100_000)


def test_another_version_of_the_binary_form_is_refused() -> None:
    with pytest.raises(Unfit):
        jsonb("utf-8").decode(b"\2{}")


def test_what_is_no_json_is_foreign() -> None:
    with pytest.raises(Foreign):
        jsonb_text(([b"bytes"], None, None))
