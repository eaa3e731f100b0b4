"""What values are equal and sorted by: laws over any values, and PostgreSQL's own order of the same ones."""

from __future__ import annotations

import json
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.translate import types as t
from proxy.translate.api import Inexact, SessionSettings, Unsupported
from proxy.translate.inputs import parser
from proxy.translate.types import Types
from proxy.translate.values import (
    DAY_US,
    Collation,
    Interval,
    Jsonb,
    equality_key,
    order_key,
    shown_alike,
)
from tests.translate.world import World

C = Collation("C", True, True, "c")
ICU = Collation("en-x-icu", False, True, "")
FOLDING = Collation("folding", False, False, "")
TYPES = Types({})

SAMPLES: dict[str, tuple[int, tuple[str, ...]]] = {
    "bool": (t.BOOL, ("t", "f")),
    "int2": (t.INT2, ("-32768", "-1", "0", "7", "32767")),
    "int8": (t.INT8, ("-9223372036854775808", "-1", "0", "9223372036854775807")),
    "float8": (t.FLOAT8, ("NaN", "Infinity", "-Infinity", "-0", "0", "1.5", "5e-324", "-1e308", "0.1")),
    "float4": (t.FLOAT4, ("NaN", "-Infinity", "-0", "0", "0.1", "3.4e38")),
    "numeric": (
        t.NUMERIC,
        ("NaN", "1.0", "1.00", "-0.5", "0", "0.000", "12345678901234567890.5", "Infinity"),
    ),
    "text": (t.TEXT, ("", "a", "A", "ab", "a b", "a ", "é", "z", "日", "😀", "\uffff", "~", "B")),
    "varchar": (t.VARCHAR, ("", "a", "a ", "a  ", "B")),
    "bpchar": (t.BPCHAR, ("a", "a ", "a  ", "", "  ", "ab", "a\t", "B")),
    "date": (t.DATE, ("infinity", "-infinity", "2024-02-29", "0001-01-01", "1999-12-31")),
    "time": (t.TIME, ("00:00:00", "24:00:00", "23:59:59.999999", "07:07:07")),
    "timestamp": (t.TIMESTAMP, ("infinity", "-infinity", "2024-02-29 07:07:07.5", "0001-01-01 00:00:00")),
    "timestamptz": (t.TIMESTAMPTZ, ("infinity", "2024-01-01 00:00:00+00", "2024-01-01 01:00:00+01")),
    "interval": (
        t.INTERVAL,
        (
            "1 mon",
            "30 days",
            "720:00:00",
            "1 day",
            "24:00:00",
            "23:59:59.999999",
            "-1 mons +30 days",
            "00:00:00",
        ),
    ),
    "uuid": (t.UUID, tuple(f"{digit}" * 8 + "-0000-0000-0000-00000000000" + digit for digit in "0189af")),
    "bytea": (t.BYTEA, ("\\x", "\\x00", "\\x0000", "\\x01", "\\xff", "\\x7f80")),
}


def values(name: str, random: Random | None = None) -> tuple[int, list[tuple[str, Any]]]:
    oid, texts = SAMPLES[name]
    read = parser(oid, TYPES, SessionSettings())
    found = [(text, read(text)) for text in texts]
    if random is not None:
        random.shuffle(found)
    return oid, found


@pytest.mark.integration
@pytest.mark.parametrize("name", SAMPLES)
def test_order_and_equality_are_those_of_postgres(world: World, name: str) -> None:
    """Each pair of values is compared on both sides, so that the order is total there as it is here."""
    oid, found = values(name)
    collation = ' COLLATE "C"' if oid in t.STRINGS else ""
    answer = world.oracle.ask(
        f"WITH v AS (SELECT n, x::{name}{collation} AS x FROM json_array_elements_text($1) "
        "WITH ORDINALITY AS e (x, n)) SELECT a.x < b.x, a.x = b.x FROM v a, v b ORDER BY a.n, b.n",
        [json.dumps([text for text, _ in found]).encode()],
        [],
    )
    assert not answer.sqlstate
    order, equal = order_key(oid, TYPES, C), equality_key(oid, TYPES, C)
    ours = [
        ("t" if order(one) < order(other) else "f", "t" if equal(one) == equal(other) else "f")
        for _, one in found
        for _, other in found
    ]
    assert ours == answer.rows


@pytest.mark.integration
async def test_rows_are_sorted_as_postgres_sorts_them(world: World) -> None:
    for column in (
        "b",
        "i2",
        "i8",
        "f4",
        "f8",
        "n",
        "d",
        "tm",
        "ts",
        "tz",
        "iv",
        "u",
        "y",
        "e",
        't COLLATE "C"',
    ):
        for how in ("", " DESC", " NULLS FIRST", " DESC NULLS LAST"):
            await world.same(f"SELECT id, {column} FROM vals ORDER BY {column}{how}, id")


@pytest.mark.parametrize("name", SAMPLES)
@given(seed=st.integers(0, 1 << 30))
def test_sorting_gives_the_same_from_any_order_but_for_what_is_equal(name: str, seed: int) -> None:
    oid, found = values(name, Random(seed))
    order, equal = order_key(oid, TYPES, C), equality_key(oid, TYPES, C)
    keys = [order(value) for _, value in sorted(found, key=lambda one: order(one[1]))]
    assert keys == sorted(order(value) for _, value in values(name)[1])
    for one, other in pairwise(sorted(found, key=lambda one: order(one[1]))):
        assert (order(one[1]) == order(other[1])) is (equal(one[1]) == equal(other[1]))


@pytest.mark.parametrize("name", SAMPLES)
def test_equal_values_have_equal_hashes(name: str) -> None:
    oid, found = values(name)
    equal = equality_key(oid, TYPES, C)
    for _, one in found:
        for _, other in found:
            if equal(one) == equal(other):
                assert hash(equal(one)) == hash(equal(other))


@pytest.mark.parametrize("name", SAMPLES)
def test_only_of_some_types_do_equal_values_look_otherwise(name: str) -> None:
    oid, found = values(name)
    equal = equality_key(oid, TYPES, C)
    looks: dict[Any, set[Any]] = {}
    for _, value in found:
        looks.setdefault(equal(value), set()).add(repr(value))
    if shown_alike(oid):
        assert {len(one) for one in looks.values()} == {1}


@given(st.builds(Interval, *[st.integers(-1000, 1000)] * 2, st.integers(-DAY_US * 99, DAY_US * 99)))
def test_an_interval_is_as_long_as_its_months_of_thirty_days(span: Interval) -> None:
    same = Interval(0, span.days + 30 * span.months, span.us)
    assert equality_key(t.INTERVAL, TYPES, None)(span) == equality_key(t.INTERVAL, TYPES, None)(same)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=6,
)


@given(JSON, JSON)
def test_jsonb_is_equal_by_its_value(one: Any, other: Any) -> None:
    """1 and 1.0 are equal, true and 1 are not, and an object has no order."""
    left, right = Jsonb(json.dumps(one)), Jsonb(json.dumps(other))
    assert (left == right) is (json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True))
    assert left != right or hash(left) == hash(right)


def test_jsonb_numbers_are_equal_whatever_their_scale() -> None:
    assert Jsonb("[1.50, 2]") == Jsonb("[1.5, 2.0]")
    assert Jsonb("1") != Jsonb("true")
    assert Jsonb("0") != Jsonb("false")
    assert Jsonb('"1"') != Jsonb("1")
    assert Jsonb("[]") != Jsonb("{}")


@pytest.mark.parametrize(
    ("oid", "collation", "reason"),
    [
        (t.TEXT, ICU, "order of text in a collation that is not C"),
        (t.BPCHAR, None, "order of text in a collation that is not C"),
        (t.JSON, None, "order of JSON values"),
        (t.JSONB, None, "order of JSON values"),
        (1007, None, "order of values of type _int4"),
        (869, None, "order of values of type inet"),
    ],
)
def test_what_is_not_sorted(oid: int, collation: Collation | None, reason: str) -> None:
    with pytest.raises(Unsupported, match=reason):
        order_key(oid, TYPES, collation)


@pytest.mark.parametrize(
    ("oid", "collation", "reason"),
    [
        (t.TEXT, FOLDING, "a collation that is not deterministic"),
        (t.VARCHAR, None, "a collation that is not deterministic"),
        (1009, FOLDING, "a collation that is not deterministic"),
        (t.JSON, None, "json has no equality"),
        (199, None, "values of type _json cannot be compared"),
        (869, None, "values of type inet cannot be compared"),
    ],
)
def test_what_is_not_compared(oid: int, collation: Collation | None, reason: str) -> None:
    with pytest.raises(Unsupported, match=reason):
        equality_key(oid, TYPES, collation)


def test_arrays_are_equal_by_their_elements_null_among_them() -> None:
    equal = equality_key(1231, TYPES, None)
    [one, other, third] = [
        parser(1231, TYPES, SessionSettings())(text) for text in ("{1.0,NULL}", "{1,NULL}", "{1}")
    ]
    assert equal(one) == equal(other) != equal(third)


def test_a_label_that_came_later_has_no_place() -> None:
    from tests.translate.test_types import MOOD, OWN

    order = order_key(MOOD, OWN, None)
    assert order("sad") < order("ok")
    with pytest.raises(Inexact, match="labels the catalogue does not know"):
        order("new")
