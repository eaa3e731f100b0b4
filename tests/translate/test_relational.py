"""Joins and conditions; expected is what PostgreSQL 15 and 18 say."""

from __future__ import annotations

import pytest

from tests.translate.made import V, W, rows

QUERIES: tuple[tuple[str, list[tuple[str | None, ...]]], ...] = (
    (
        f"SELECT v.i, w.u FROM {V}  JOIN {W} ON v.i = w.j ORDER BY 1 NULLS LAST, 2",
        [("1", "x"), ("3", "y"), ("3", "z")],
    ),
    (
        f"SELECT v.i, w.u FROM {V}  JOIN {W} ON v.i = w.j AND w.u <> 'y' ORDER BY 1 NULLS LAST, 2",
        [("1", "x"), ("3", "z")],
    ),
    (
        f"SELECT v.i, w.u FROM {V} LEFT JOIN {W} ON v.i = w.j ORDER BY 1 NULLS LAST, 2",
        [("1", "x"), ("2", None), ("3", "y"), ("3", "z"), ("4", None)],
    ),
    (
        f"SELECT v.i, w.u FROM {V} LEFT JOIN {W} ON v.i = w.j AND w.u <> 'y' ORDER BY 1 NULLS LAST, 2",
        [("1", "x"), ("2", None), ("3", "z"), ("4", None)],
    ),
    (
        f"SELECT v.i, w.u FROM {V} RIGHT JOIN {W} ON v.i = w.j ORDER BY 1 NULLS LAST, 2",
        [("1", "x"), ("3", "y"), ("3", "z"), (None, "n")],
    ),
    (
        f"SELECT v.i, w.u FROM {V} RIGHT JOIN {W} ON v.i = w.j AND w.u <> 'y' ORDER BY 1 NULLS LAST, 2",
        [("1", "x"), ("3", "z"), (None, "n"), (None, "y")],
    ),
    (
        f"SELECT v.i, w.u FROM {V} FULL JOIN {W} ON v.i = w.j ORDER BY 1 NULLS LAST, 2",
        [("1", "x"), ("2", None), ("3", "y"), ("3", "z"), ("4", None), (None, "n")],
    ),
    (
        f"SELECT v.i, w.u FROM {V} FULL JOIN {W} ON v.i = w.j AND w.u <> 'y' ORDER BY 1 NULLS LAST, 2",
        [("1", "x"), ("2", None), ("3", "z"), ("4", None), (None, "n"), (None, "y")],
    ),
    (
        f"SELECT v.i, w.u FROM {V} LEFT JOIN {W} ON v.i = w.j WHERE w.u IS NULL ORDER BY 1",
        [("2", None), ("4", None)],
    ),
    (
        f"SELECT v.i, w.u FROM {V} LEFT JOIN {W} ON v.i > w.j AND v.n > 5 ORDER BY 1, 2",
        [("1", None), ("2", None), ("3", "x"), ("4", None)],
    ),
    (f"SELECT count(*) FROM {V}, {W}", [("16",)]),
    (
        f"SELECT i, b.k FROM {V} JOIN (SELECT q + 1 AS i, q AS k FROM (VALUES (1),(2)) x (q)) b USING (i) ORDER BY 1",
        [("2", "1"), ("3", "2")],
    ),
    (f"SELECT v.i FROM {V} WHERE NOT (v.n > 5 AND v.t = 'a') ORDER BY 1", [("2",), ("4",)]),
    (
        f"SELECT v.i, l.m FROM {V} CROSS JOIN LATERAL (SELECT max(j) AS m FROM {W} WHERE j <= v.i) l ORDER BY 1",
        [("1", "1"), ("2", "1"), ("3", "3"), ("4", "3")],
    ),
)


@pytest.mark.parametrize(("query", "expected"), QUERIES, ids=[text[:60] for text, _ in QUERIES])
def test_queries_of_joins_give_what_postgres_gives(
    query: str, expected: list[tuple[str | None, ...]]
) -> None:
    assert rows(query) == expected
