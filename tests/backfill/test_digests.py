"""Digests of both sides of a chunk: equal exactly where every row has its document."""

from __future__ import annotations

import random
from typing import Any

import bson
from bson import Decimal128, Int64
from hypothesis import given
from hypothesis import strategies as st

from proxy.backfill.digests import Expected, aligned, aligned_with, canonical, digest, identifier_of, same
from proxy.stores.identity import identity
from proxy.stores.protocol import Key


def expected(value: Any, document: dict[str, Any]) -> Expected:
    return Expected(Key(value, value), canonical({"_id": value, **document}, {}))


ROWS = st.dictionaries(st.integers(-5, 5), st.integers(0, 3), max_size=6)


@given(ROWS, ROWS, st.randoms(use_true_random=False))
def test_equal_digests_are_equal_sides(
    rows: dict[int, int], documents: dict[int, int], order: random.Random
) -> None:
    wanted = [expected(key, {"n": value}) for key, value in rows.items()]
    found = [
        canonical({"_id": key, "n": documents[key]}, {}) for key in rows if key in documents
    ]  # what is asked for
    order.shuffle(found)
    there = aligned([one.key.value for one in wanted], found)
    assert there == aligned_with(wanted, found)
    assert same(wanted, there) == all(documents.get(key) == value for key, value in rows.items())


def test_where_one_document_ends_and_the_next_begins_counts() -> None:
    one, other = canonical({"_id": 1}, {}), canonical({"_id": 2}, {})
    assert digest([one, other]) != digest([other, one])
    assert digest([one]) != digest([one, one])
    assert digest([]) == digest([])


def test_a_row_that_no_document_can_hold_is_not_equal_to_nothing() -> None:
    assert not same([Expected(Key(1, 1), None, "why")], [None])


def test_documents_find_their_rows_whatever_type_their_number_has() -> None:
    documents = [canonical({"_id": value}, {}) for value in (Decimal128("3"), Int64(1), 2, "1")]
    assert aligned([1, 2, 3, 4, "1"], documents) == [
        documents[1],
        documents[2],
        documents[0],
        None,
        documents[3],
    ]


@given(st.one_of(st.integers(-(2**63), 2**63 - 1), st.text(), st.binary(), st.booleans(), st.none()))
def test_the_id_of_a_document(value: Any) -> None:
    assert identity(identifier_of(canonical({"_id": value, "a": [1]}, {}))) == identity(value)


def test_the_form_is_that_of_the_store() -> None:
    assert bson.decode(canonical({"_id": 1, "a": "x"}, {"us": {"t": 1}})) == {
        "_id": 1,
        "a": "x",
        "_cw": {"us": {"t": 1}},
    }
