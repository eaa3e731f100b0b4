"""Window functions; expected is what PostgreSQL 15 and 18 say."""

from __future__ import annotations

import pytest

from tests.translate.made import V, rows

QUERIES: tuple[tuple[str, list[tuple[str | None, ...]]], ...] = (
    (
        f"SELECT i, row_number() OVER (ORDER BY i DESC) FROM {V} ORDER BY i",
        [("1", "4"), ("2", "3"), ("3", "2"), ("4", "1")],
    ),
    (
        f"SELECT i, rank() OVER (ORDER BY t), dense_rank() OVER (ORDER BY t) FROM {V} ORDER BY i",
        [("1", "1", "1"), ("2", "3", "2"), ("3", "1", "1"), ("4", "4", "3")],
    ),
    (
        f"SELECT i, percent_rank() OVER (ORDER BY t), cume_dist() OVER (ORDER BY t) FROM {V} ORDER BY i",
        [("1", "0", "0.5"), ("2", "0.6666666666666666", "0.75"), ("3", "0", "0.5"), ("4", "1", "1")],
    ),
    (
        f"SELECT i, ntile(3) OVER (ORDER BY i) FROM {V} ORDER BY i",
        [("1", "1"), ("2", "1"), ("3", "2"), ("4", "3")],
    ),
    (
        f"SELECT i, lag(i) OVER (ORDER BY i), lead(i, 2, 0) OVER (ORDER BY i) FROM {V} ORDER BY i",
        [("1", None, "3"), ("2", "1", "4"), ("3", "2", "0"), ("4", "3", "0")],
    ),
    (
        f"SELECT last_value(i) OVER w FROM {V} WINDOW w AS (PARTITION BY t ORDER BY i) ORDER BY i",
        [("1",), ("2",), ("3",), ("4",)],
    ),
    (
        f"SELECT i, nth_value(i, 2) OVER (ORDER BY i) FROM {V} ORDER BY i",
        [("1", None), ("2", "2"), ("3", "2"), ("4", "2")],
    ),
    (
        f"SELECT i, sum(n) OVER (ORDER BY i), count(n) OVER (PARTITION BY t) FROM {V} ORDER BY i",
        [("1", "10", "2"), ("2", "10", "0"), ("3", "40", "2"), ("4", "45", "1")],
    ),
    (
        f"SELECT i, sum(i) OVER (ORDER BY t) FROM {V} ORDER BY i",
        [("1", "4"), ("2", "6"), ("3", "4"), ("4", "10")],
    ),
    (
        f"SELECT i, sum(i) OVER (ORDER BY i ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM {V} ORDER BY i",
        [("1", "3"), ("2", "6"), ("3", "9"), ("4", "7")],
    ),
    (
        f"SELECT i, sum(i) OVER (ORDER BY i ROWS BETWEEN 2 FOLLOWING AND 3 FOLLOWING) FROM {V} ORDER BY i",
        [("1", "7"), ("2", "4"), ("3", None), ("4", None)],
    ),
    (
        f"SELECT i, avg(i) OVER (), max(n) FILTER (WHERE i > 1) OVER (ORDER BY i) FROM {V} ORDER BY i",
        [
            ("1", "2.5000000000000000", None),
            ("2", "2.5000000000000000", None),
            ("3", "2.5000000000000000", "30"),
            ("4", "2.5000000000000000", "30"),
        ],
    ),
    (
        f"SELECT i, sum(i) OVER b FROM {V} WINDOW a AS (PARTITION BY t), b AS (a ORDER BY i) ORDER BY i",
        [("1", "1"), ("2", "2"), ("3", "4"), ("4", "4")],
    ),
)


@pytest.mark.parametrize(("query", "expected"), QUERIES, ids=[text[:60] for text, _ in QUERIES])
def test_queries_of_windows_give_what_postgres_gives(
    query: str, expected: list[tuple[str | None, ...]]
) -> None:
    assert rows(query) == expected
