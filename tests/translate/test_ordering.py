"""Sorting and cutting that is left to the store: only where it sorts as PostgreSQL does."""

from __future__ import annotations

import pytest

from tests.translate.made import question


@pytest.mark.parametrize(
    ("order", "sort"),
    [
        ("id", ["_id asc"]),
        ("id DESC", ["_id desc"]),
        ("name", ["name asc"]),
        # NULL is first in the store, and last in PostgreSQL
        ("age NULLS FIRST", ["age asc"]),
        ("age DESC NULLS LAST", ["age desc"]),
        ("age", ["_cw_rank0 asc", "age asc"]),
        ("age DESC", ["_cw_rank0 desc", "age desc"]),
        ("paid, id", ["_cw_rank0 asc", "paid asc", "_id asc"]),
        ("seen NULLS FIRST", ["seen asc", "_cw.us.seen asc"]),
        ("name, id, name DESC", ["name asc", "_id asc"]),
    ],
)
def test_the_first_rows_are_sorted_by_the_store(order: str, sort: list[str]) -> None:
    asked = question(f"SELECT id FROM people ORDER BY {order} LIMIT 3")
    assert asked["sort"] == sort
    assert asked["limit"]


@pytest.mark.parametrize(
    "read",
    [
        "SELECT id FROM people ORDER BY id",
        "SELECT id FROM people ORDER BY length(name) LIMIT 3",
        "SELECT DISTINCT age FROM people ORDER BY age LIMIT 3",
        "SELECT age, count(*) FROM people GROUP BY age ORDER BY age LIMIT 3",
        "SELECT id FROM people ORDER BY age FETCH FIRST 3 ROWS WITH TIES",
        "SELECT id, rank() OVER (ORDER BY age) FROM people ORDER BY id LIMIT 3",
        "SELECT id FROM people ORDER BY id LIMIT (SELECT 3)",
    ],
)
def test_other_reads_are_sorted_and_cut_by_the_proxy(read: str) -> None:
    assert "sort" not in question(read)
