"""Expressions in three-valued logic; expected is what PostgreSQL 15 and 18 say."""

from __future__ import annotations

import pytest

from tests.translate.made import rows

EXPRESSIONS = (
    ("NULL AND false", "f"),
    ("NULL AND true", None),
    ("NULL OR true", "t"),
    ("NOT NULL::bool", None),
    ("NULL IS NULL", "t"),
    ("1 IS NOT NULL", "t"),
    ("NULL::bool IS NOT TRUE", "t"),
    ("true IS TRUE", "t"),
    ("NULL::bool IS UNKNOWN", "t"),
    ("1 IS DISTINCT FROM NULL", "t"),
    ("NULL::int IS NOT DISTINCT FROM NULL", "t"),
    ("1 IN (1, NULL)", "t"),
    ("2 IN (1, NULL)", None),
    ("2 NOT IN (1, NULL)", None),
    ("2 NOT IN (1, 3)", "t"),
    ("NULL IN (1, 2)", None),
    ("2 BETWEEN 1 AND 3", "t"),
    ("2 NOT BETWEEN NULL AND 1", "t"),
    ("2 BETWEEN SYMMETRIC 3 AND 1", "t"),
    ("(1, 2) < (1, 3)", "t"),
    ("(1, NULL) < (2, 0)", "t"),
    ("(1, NULL) < (1, 0)", None),
    ("(1, NULL) = (2, 0)", "f"),
    ("(1, 2) = (1, 2)", "t"),
    ("(1, 2) <> (1, NULL)", None),
    ("CASE WHEN NULL THEN 1 ELSE 2 END", "2"),
    ("CASE 2 WHEN 1 THEN 'a' WHEN 2 THEN 'b' END", "b"),
    ("CASE WHEN false THEN 1 END", None),
    ("coalesce(NULL, 2, 3)", "2"),
    ("nullif(1, 1)", None),
    ("nullif(1, 2)", "1"),
    ("greatest(1, NULL, 3)", "3"),
    ("least(NULL, NULL)", None),
    ("EXISTS (SELECT 1 WHERE false)", "f"),
    ("1 IN (SELECT 1 UNION ALL SELECT NULL)", "t"),
    ("2 NOT IN (SELECT 1 UNION ALL SELECT NULL)", None),
    ("2 > ALL (SELECT 1 WHERE false)", "t"),
    ("ARRAY(SELECT 1 UNION ALL SELECT 2)", "{1,2}"),
)
QUERIES: tuple[tuple[str, list[tuple[str | None, ...]]], ...] = (("(SELECT 1 WHERE false)", []),)


@pytest.mark.parametrize(("expression", "expected"), EXPRESSIONS, ids=[text for text, _ in EXPRESSIONS])
def test_expressions_give_what_postgres_gives(expression: str, expected: str | None) -> None:
    assert rows(f"SELECT {expression}") == [(expected,)]


@pytest.mark.parametrize(("query", "expected"), QUERIES, ids=[text[:60] for text, _ in QUERIES])
def test_queries_of_expressions_give_what_postgres_gives(
    query: str, expected: list[tuple[str | None, ...]]
) -> None:
    assert rows(query) == expected
