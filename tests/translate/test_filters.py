"""Conditions as filters of the store: what is asked, and that it is no narrower than the condition."""

from __future__ import annotations

from typing import Any

import pytest
from bson.decimal128 import Decimal128
from bson.regex import Regex

from proxy.translate.filter_rules import NEVER
from tests.translate.made import question

FILTERS: tuple[tuple[str, Any], ...] = (
    ("age = 5", {"age": {"$in": [5]}}),
    ("5 = age", {"age": {"$in": [5]}}),
    ("age < 5", {"age": {"$lt": 5}}),
    ("5 < age", {"age": {"$gt": 5}}),
    ("NOT (age < 5)", {"age": {"$gte": 5}}),
    ("age <> 5", {"age": {"$nin": [5, None]}}),
    ("NOT (age = 5)", {"age": {"$nin": [5, None]}}),
    ("age IN (5, 6)", {"age": {"$in": [5, 6]}}),
    ("age NOT IN (5, 6)", {"age": {"$nin": [5, 6, None]}}),
    ("age NOT IN (5, NULL)", NEVER),
    ("age = NULL", NEVER),
    ("age IS NULL", {"age": {"$eq": None}}),
    ("age IS NOT NULL", {"age": {"$ne": None}}),
    ("id IS NULL", NEVER),
    ("id = 5", {"_id": {"$in": [5]}}),
    ("age > 1 AND nick = 'x'", {"$and": [{"age": {"$gt": 1}}, {"nick": {"$in": ["x"]}}]}),
    ("age > 1 OR nick = 'x'", {"$or": [{"age": {"$gt": 1}}, {"nick": {"$in": ["x"]}}]}),
    ("NOT (age > 1 AND nick = 'x')", {"$or": [{"age": {"$lte": 1}}, {"nick": {"$nin": ["x", None]}}]}),
    ("age BETWEEN 1 AND 3", {"$and": [{"age": {"$gte": 1}}, {"age": {"$lte": 3}}]}),
    ("name LIKE 'a.b%'", {"name": Regex(r"^a\.b", "s")}),
    ("name LIKE '_$'", {"name": Regex(r"^.\$\z", "s")}),
    ("paid = 1.50", {"paid": {"$gte": Decimal128("1.50"), "$lte": Decimal128("1.50")}}),  # NaN is beside
)


@pytest.mark.parametrize(("condition", "expected"), FILTERS, ids=[text for text, _ in FILTERS])
def test_exact_filters(condition: str, expected: Any) -> None:
    asked = question(f"SELECT id FROM people WHERE {condition}")
    assert asked["filter"] == expected
    assert asked["filter is exact"]


@pytest.mark.parametrize(
    "condition",
    [
        "name ILIKE 'A%'",
        "upper(name) LIKE 'A%'",
        "(age, id) > (5, 6)",
        "age = 5 AND length(name) = 3",
    ],
)
def test_wider_filters_are_not_said_to_be_exact(condition: str) -> None:
    asked = question(f"SELECT id FROM people WHERE {condition}")
    assert asked["filter"]
    assert not asked["filter is exact"]


@pytest.mark.parametrize(
    "condition",
    ["length(name) = 3", "age = id", "age + 1 = 5", "age = 5 OR length(name) = 3", "name NOT LIKE 'a%'"],
)
def test_what_has_no_filter_fetches_all(condition: str) -> None:
    assert "filter" not in question(f"SELECT id FROM people WHERE {condition}")


def test_parameters_are_put_in_when_they_are_known() -> None:
    assert question("SELECT id FROM people WHERE age = $1", 7)["filter"] == {"age": {"$in": [7]}}
    assert question("SELECT id FROM people WHERE age = $1", None)["filter"] == NEVER
    assert question("SELECT id FROM people WHERE age = ANY($1)", "{1,NULL}")["filter"] == {
        "age": {"$in": [1]}
    }
