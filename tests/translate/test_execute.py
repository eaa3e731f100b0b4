"""Steps of a query; expected is what PostgreSQL 15 and 18 say."""

from __future__ import annotations

import pytest

from tests.translate.made import V, rows

QUERIES: tuple[tuple[str, list[tuple[str | None, ...]]], ...] = (
    (f"SELECT DISTINCT t FROM {V} ORDER BY t", [("a",), ("b",), (None,)]),
    (f"SELECT DISTINCT ON (t) t, i FROM {V} ORDER BY t, i DESC", [("a", "3"), ("b", "2"), (None, "4")]),
    (f"SELECT t FROM {V} ORDER BY n NULLS FIRST", [("b",), (None,), ("a",), ("a",)]),
    (f"SELECT i FROM {V} ORDER BY t DESC, i LIMIT 2", [("4",), ("2",)]),
    (f"SELECT i FROM {V} ORDER BY t DESC NULLS LAST, i DESC OFFSET 1 LIMIT 2", [("3",), ("1",)]),
    (f"SELECT i FROM {V} ORDER BY i LIMIT 0", []),
    (f"SELECT i FROM {V} ORDER BY i LIMIT NULL OFFSET 3", [("4",)]),
    (f"SELECT t, i FROM {V} ORDER BY t FETCH FIRST 1 ROWS WITH TIES", [("a", "1"), ("a", "3")]),
    ("SELECT 1 UNION SELECT 2 UNION SELECT 1 ORDER BY 1", [("1",), ("2",)]),
    ("SELECT 1 UNION ALL SELECT 1", [("1",), ("1",)]),
    ("WITH a AS (SELECT 1 AS x), b AS (SELECT x + 1 AS x FROM a) SELECT a.x, b.x FROM a, b", [("1", "2")]),
    ("SELECT max(c) FROM (SELECT count(*) AS c FROM (VALUES (1),(1),(2)) q (z) GROUP BY z) s", [("2",)]),
)


@pytest.mark.parametrize(("query", "expected"), QUERIES, ids=[text[:60] for text, _ in QUERIES])
def test_queries_of_queries_give_what_postgres_gives(
    query: str, expected: list[tuple[str | None, ...]]
) -> None:
    assert rows(query) == expected
