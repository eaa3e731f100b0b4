"""GROUP BY and HAVING; expected is what PostgreSQL 15 and 18 say."""

from __future__ import annotations

import pytest

from tests.translate.made import V, rows

QUERIES: tuple[tuple[str, list[tuple[str | None, ...]]], ...] = (
    (
        f"SELECT t, count(*), sum(n) FROM {V} GROUP BY t ORDER BY t",
        [("a", "2", "40"), ("b", "1", None), (None, "1", "5")],
    ),
    (f"SELECT t IS NULL, count(*) FROM {V} GROUP BY 1 ORDER BY 1", [("f", "3"), ("t", "1")]),
    (f"SELECT i % 2 AS m, max(n) FROM {V} GROUP BY m HAVING count(n) > 1 ORDER BY m", [("1", "30")]),
    (f"SELECT i % 2 + 1, count(*) FROM {V} GROUP BY i % 2 ORDER BY i % 2", [("1", "2"), ("2", "2")]),
    (
        f"SELECT t || '!', sum(i) + count(*) FROM {V} GROUP BY t ORDER BY max(i)",
        [("b!", "3"), ("a!", "6"), (None, "5")],
    ),
    (f"SELECT count(*) FROM {V} HAVING sum(i) > 100", []),
    (f"SELECT 'x' FROM {V} HAVING true", [("x",)]),
    (
        f"SELECT t, sum(sum(i)) OVER (ORDER BY t) FROM {V} GROUP BY t ORDER BY t",
        [("a", "4"), ("b", "6"), (None, "10")],
    ),
)


@pytest.mark.parametrize(("query", "expected"), QUERIES, ids=[text[:60] for text, _ in QUERIES])
def test_queries_of_groups_give_what_postgres_gives(
    query: str, expected: list[tuple[str | None, ...]]
) -> None:
    assert rows(query) == expected
