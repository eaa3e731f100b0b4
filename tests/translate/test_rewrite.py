"""Going through queries: all of them, and what they take from those around them."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.translate.rewrite import deepened, expressions, has_domain, outer_columns, queries, scans
from proxy.translate.tree import Column, Query
from tests.translate.made import plan
from tests.translate.world import World


def query(sql: str) -> Query:
    made: Any = plan(sql)
    found: Query = made.query
    return found


@pytest.mark.parametrize(
    ("sql", "count"),
    [
        ("SELECT id FROM people", 1),
        ("SELECT id FROM people WHERE id IN (SELECT person FROM visits)", 2),
        ("SELECT * FROM (SELECT id FROM people) p", 2),
        ("SELECT id FROM people UNION SELECT day FROM visits", 3),
        ("SELECT id FROM people ORDER BY (SELECT 1)", 2),
        ("SELECT id FROM people LIMIT (SELECT 1)", 2),
        ("SELECT p.id FROM people p JOIN visits v ON v.day = (SELECT 1)", 2),
        ("SELECT sum((SELECT 1)) OVER (ORDER BY id ROWS (SELECT 2) PRECEDING) FROM people", 3),
        (
            "SELECT count(*) FILTER (WHERE id > (SELECT 1)) FROM people GROUP BY (SELECT 2) HAVING 1 = (SELECT 3)",
            4,
        ),
        ("WITH w AS (SELECT 1 AS a) SELECT a FROM w", 2),
        ("VALUES ((SELECT 1)), ((SELECT 2))", 3),
    ],
)
def test_queries_within_a_query_are_all_found(sql: str, count: int) -> None:
    assert len(list(queries(query(sql)))) == count


@pytest.mark.parametrize(
    "inner",
    [
        "SELECT p.id",
        "SELECT 1 FROM visits WHERE person = p.id",
        "SELECT 1 FROM visits ORDER BY p.id",
        "SELECT max(day) FROM visits GROUP BY p.id",
        "SELECT max(day) FROM visits HAVING max(day) > p.id",
        "SELECT x FROM (SELECT p.id AS x) s",
        "SELECT 1 FROM visits v JOIN visits w ON v.day = p.id",
        "SELECT (SELECT p.id) FROM visits",
        "SELECT sum(day) OVER (PARTITION BY p.id) FROM visits",
        "SELECT sum(day) OVER (ORDER BY day ROWS (SELECT p.id) PRECEDING) FROM visits",
        "SELECT day FROM visits UNION SELECT p.id",
    ],
)
def test_what_a_query_takes_from_the_one_around_it(inner: str) -> None:
    outer = query(f"SELECT ({inner} LIMIT 1) FROM people p")
    (within, *_) = (one for one in queries(outer) if one is not outer)
    assert {(one.level, one.index) for one in outer_columns(within)} == {(1, 0)}
    assert list(outer_columns(outer)) == []
    # One query further in, the same columns are one level further out, and its own stay its own.
    assert {(one.level, one.index) for one in outer_columns(deepened(within))} == {(2, 0)}
    assert deepened(outer) == outer


def test_the_expressions_of_a_query_hold_every_column_it_names() -> None:
    sql = (
        "SELECT DISTINCT age FROM people p JOIN visits v ON p.id = v.person WHERE nick = 'x' "
        "GROUP BY age HAVING max(paid) > 1 ORDER BY age LIMIT 1"
    )
    assert len(list(expressions(query(sql)))) >= 6
    assert sorted(scan.table.relation.name for scan in scans(query(sql).source)) == ["people", "visits"]


@pytest.mark.integration
async def test_a_window_in_a_subquery_follows_the_row_around_it(world: World) -> None:
    """The answer of a subquery is kept while what it takes from around it is the same."""
    await world.same(
        "SELECT id, (SELECT s FROM (SELECT b.id, sum(b.id) OVER (ORDER BY b.id ROWS (SELECT a.id) PRECEDING) AS s "
        "FROM tag b) q ORDER BY id DESC LIMIT 1) FROM tag a ORDER BY id"
    )
    for clause in (
        "WHERE b.id > a.id",
        "GROUP BY b.id HAVING b.id > a.id",
        "ORDER BY abs(b.id - a.id), b.id LIMIT 2",
    ):
        await world.same(f"SELECT id, ARRAY(SELECT b.id FROM tag b {clause}) IS NULL FROM tag a ORDER BY id")
        await world.same(
            f"SELECT id, (SELECT count(*) FROM (SELECT b.id FROM tag b {clause}) q) FROM tag a ORDER BY id"
        )


@pytest.mark.integration
def test_a_value_that_may_be_one_of_a_domain(world: World) -> None:
    for expression, expected in (
        ("dom", True), ("v", False), ("coalesce(dom, v)", True), ("(SELECT dom FROM vals LIMIT 1)", True),
        ("(SELECT v FROM vals LIMIT 1)", False), ("i4 + 1", False),
    ):  # fmt: skip
        made: Any = world.compile(f"SELECT {expression} FROM vals")
        assert has_domain(made.query.targets[0].expr) is expected
    assert not isinstance(made.query.targets[0].expr, Column)
