"""Conditions of partial indexes, and filters of documents."""

from __future__ import annotations

from typing import Any

import pytest
from bson import Int64
from hypothesis import given
from hypothesis import strategies as st

from proxy.backfill.index_predicates import ENUM, Untranslatable, partial_filter
from tests.backfill.made import mirrored

TYPES = {
    "id": 20, "n": 23, "big": 20, "state": 25, "code": 1043, "paid": 16, "price": 1700,
    "gone": 1184, "note": 3802, "secret": 25, "mood": ENUM, "ip": 869, "ratio": 701,
}  # fmt: skip
TABLE = mirrored(
    *((name, oid or 25) for name, oid in TYPES.items()), exclude=["secret"], rename={"gone": "goneAt"}
)


def translated(predicate: str) -> dict[str, Any]:
    return partial_filter(predicate, TABLE.mapping, TYPES)


@pytest.mark.parametrize(
    ("predicate", "wanted"),
    [
        ("(gone IS NULL)", {"goneAt": None}),
        ("(gone IS NOT NULL)", {"goneAt": {"$type": "date"}}),
        ("(state IS NOT NULL)", {"state": {"$type": "string"}}),
        ("(mood IS NOT NULL)", {"mood": {"$type": "string"}}),
        ("(ratio IS NOT NULL)", {"ratio": {"$type": "number"}}),
        ("paid", {"paid": True}),
        ("(NOT paid)", {"paid": False}),
        ("(paid IS TRUE)", {"paid": True}),
        ("(paid = false)", {"paid": False}),
        ("(state = 'open'::text)", {"state": "open"}),
        ("(state = ''::text)", {"state": ""}),
        ("((code)::text = 'x'::text)", {"code": "x"}),
        ("(mood = 'fine'::public.mood)", {"mood": "fine"}),
        ("(n > 5)", {"n": {"$gt": 5}}),
        ("(n > 0)", {"n": {"$gt": 0}}),
        ("(5 <= n)", {"n": {"$gte": 5}}),
        ("(n < '-5'::integer)", {"n": {"$lt": -5}}),
        ("(big = '8589934592'::bigint)", {"big": 8589934592}),
        ("(id >= 7)", {"_id": {"$gte": 7}}),
        ("((n >= 1) AND (n < 10) AND (gone IS NULL))", {"n": {"$gte": 1, "$lt": 10}, "goneAt": None}),
    ],
)
def test_what_the_store_can_have(predicate: str, wanted: dict[str, Any]) -> None:
    assert translated(predicate) == wanted


def test_numbers_have_the_type_that_documents_have() -> None:
    assert type(translated("(big = 5)")["big"]) is Int64
    assert str(translated("(price = 1.50)")["price"]) == "1.50"


@pytest.mark.parametrize(
    ("predicate", "reason"),
    [
        ("((n = 1) OR (n = 2))", "more than comparisons"),
        ("(state = ANY (ARRAY['a'::text, 'b'::text]))", "more than comparisons"),
        ("(n <> 5)", "operator <>"),
        ("(state ~~ 'a%'::text)", "operator ~~"),
        ("(state > 'm'::text)", "column state may compare differently"),
        ("(price > 5)", "column price may compare differently"),
        (
            "(gone > '2026-01-01 00:00:00+00'::timestamp with time zone)",
            "column gone may compare differently",
        ),
        ("(ratio = 1.5)", "column ratio may compare differently"),
        ("(ip = '10.0.0.1'::inet)", "column ip may compare differently"),
        ("(ip IS NOT NULL)", "of several types"),
        ("(secret IS NULL)", "which documents do not have"),
        ("(secret = 'x'::text)", "which documents do not have"),
        ("(lower(state) = 'a'::text)", "more than comparisons"),
        ("((n)::text = '5'::text)", "more than comparisons"),
        ("(n = big)", "more than comparisons"),
        ("(state = NULL::text)", "more than comparisons"),
        ("((n = 1) AND (n = 2))", "about one column"),
        ("((n > 1) AND (n > 2))", "about one column"),
        ("(nobody = 1)", "more than comparisons"),
        ("(n = 99999999999999999999)", "no value of its type"),
        ("(((", "cannot be read"),
        ("true; DROP TABLE x", "cannot be read"),
    ],
)
def test_what_it_cannot(predicate: str, reason: str) -> None:
    with pytest.raises(Untranslatable, match=reason):
        translated(predicate)


@given(st.text(max_size=30).filter(lambda text: "\0" not in text))
def test_a_text_keeps_every_character_and_stays_out_of_reasons(value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        return
    quoted = "'" + value.replace("'", "''") + "'::text"
    assert translated(f"(state = {quoted})") == {"state": value}
    marker = f"{value}MARKER"
    with pytest.raises(Untranslatable) as caught:
        translated("(state ~~ '" + marker.replace("'", "''") + "'::text)")
    assert "MARKER" not in str(caught.value)
