"""Queries as a whole: groups, DISTINCT, ORDER BY, LIMIT, set operations, WITH; against PostgreSQL."""

from __future__ import annotations

import pytest

from proxy.translate.api import Unsupported
from tests.translate.made import plan
from tests.translate.world import World

QUERIES = (
    "SELECT status, count(*), sum(total) FROM sale GROUP BY status HAVING count(*) > 5 ORDER BY 2 DESC, 1",
    "SELECT status AS s FROM sale GROUP BY s ORDER BY s",
    "SELECT status FROM sale GROUP BY 1 ORDER BY count(*), status",
    "SELECT count(*) FROM sale HAVING count(*) > 1000",
    "SELECT count(*) FROM sale WHERE false",
    "SELECT max(total) FROM sale WHERE false GROUP BY status",
    "SELECT id AS total, total AS id FROM sale ORDER BY total LIMIT 3",
    "SELECT id AS total, total AS id FROM sale ORDER BY total + 0 LIMIT 3",
    "SELECT total AS status, count(*) FROM sale GROUP BY status, total ORDER BY status, 2",
    "SELECT DISTINCT status FROM sale ORDER BY status DESC",
    "SELECT DISTINCT ON (status) status, id FROM sale ORDER BY status, id DESC",
    "SELECT DISTINCT ON (status, customer_id) id FROM sale ORDER BY status, customer_id, id",
    "SELECT id FROM sale ORDER BY status, id LIMIT 5 OFFSET 3",
    "SELECT status FROM sale ORDER BY status FETCH FIRST 2 ROWS WITH TIES",
    "SELECT id FROM sale ORDER BY id LIMIT NULL OFFSET NULL",
    "SELECT id FROM sale LIMIT 0",
    "SELECT id FROM sale ORDER BY id LIMIT 2.5",
    "SELECT id FROM tag UNION SELECT id + 1 FROM tag ORDER BY 1",
    "SELECT id FROM tag UNION ALL SELECT id FROM tag ORDER BY id LIMIT 5",
    "SELECT id FROM tag INTERSECT SELECT 3 ORDER BY 1",
    "SELECT id FROM tag EXCEPT ALL SELECT 3 ORDER BY 1",
    "(SELECT id FROM tag ORDER BY id LIMIT 2) UNION ALL (SELECT id FROM tag ORDER BY id DESC LIMIT 1) ORDER BY 1",
    "SELECT 1 AS a UNION SELECT 2.5 UNION SELECT NULL ORDER BY a",
    "SELECT 'a' UNION SELECT 'b' ORDER BY 1",
    "SELECT i2 FROM vals UNION SELECT i8 FROM vals ORDER BY 1",
    "SELECT v FROM vals UNION ALL SELECT v FROM vals",
    "VALUES (1, 'a'), (2, NULL) ORDER BY 1 DESC LIMIT 1",
    "VALUES (1), (2.5), (NULL)",
    "WITH a AS (SELECT 1 AS x), b AS (SELECT x + 1 AS x FROM a) SELECT a.x, b.x FROM a, b",
    "WITH a AS (SELECT id FROM tag) SELECT count(*) FROM a x JOIN a y USING (id)",
    "SELECT 1 FROM tag HAVING true",
    "SELECT 'x', NULL ORDER BY 1",
)


@pytest.mark.integration
@pytest.mark.parametrize("sql", QUERIES)
async def test_queries(world: World, sql: str) -> None:
    await world.same(sql)


ERRORS = (
    ("SELECT id FROM sale ORDER BY id LIMIT -1", "2201W"),
    ("SELECT id FROM sale ORDER BY id OFFSET -1", "2201X"),
)


@pytest.mark.integration
@pytest.mark.parametrize(("sql", "sqlstate"), ERRORS)
async def test_errors_of_postgres_are_errors_here(world: World, sql: str, sqlstate: str) -> None:
    assert world.oracle.ask(sql, [], []).sqlstate == sqlstate
    try:
        assert await world.same(sql) is None
    except Unsupported:
        pass


REFUSED = (
    ("SELECT id FROM people FOR UPDATE", "FOR UPDATE or FOR SHARE"),
    ("WITH RECURSIVE w AS (SELECT 1) SELECT * FROM w", "WITH RECURSIVE"),
    ("WITH w AS (SELECT 1), w AS (SELECT 2) SELECT * FROM w", "names in WITH"),
    ("WITH w (a, b) AS (SELECT 1) SELECT * FROM w", "names in WITH"),
    (
        "SELECT (WITH w AS (SELECT p.id) SELECT id FROM w) FROM people p",
        "WITH of a query that depends on rows around",
    ),
    ("SELECT id FROM people WHERE count(*) > 1", "an aggregate in WHERE"),
    ("SELECT count(*) FROM people GROUP BY count(*)", "an aggregate in GROUP BY"),
    ("SELECT age, count(*) FROM people", "a column that is not grouped"),
    ("SELECT count(*) FROM people GROUP BY ROLLUP (age)", "grouping sets"),
    ("SELECT id FROM people ORDER BY 2", "ORDER BY or GROUP BY a constant"),
    ("SELECT id FROM people ORDER BY 'x'", "ORDER BY or GROUP BY a constant"),
    ("SELECT id AS a, age AS a FROM people ORDER BY a", "an ambiguous name"),
    ("SELECT id FROM people LIMIT id", "LIMIT with a column"),
    ("SELECT DISTINCT age FROM people ORDER BY id", "ORDER BY of what is not selected with DISTINCT"),
    ("SELECT DISTINCT ON (age) id FROM people ORDER BY id", "DISTINCT ON that differs from ORDER BY"),
    ("VALUES (1), (2, 3)", "VALUES of different lengths"),
    ("SELECT 1 UNION SELECT 2, 3", "queries of different numbers of columns"),
    ("SELECT id FROM people UNION SELECT name FROM people", "values that have no common type"),
    (
        "SELECT id FROM people UNION SELECT id FROM people ORDER BY id + 1",
        "ORDER BY of an expression behind a set",
    ),
    ("SELECT id FROM people WHERE row_number() OVER () = 1", "an aggregate in WHERE"),
    ("SELECT age FROM people GROUP BY age HAVING row_number() OVER () = 1", "a window function here"),
    ("SELECT id FROM people ORDER BY id USING <", "ORDER BY USING"),
)


@pytest.mark.parametrize(("sql", "reason"), REFUSED, ids=[sql for sql, _ in REFUSED])
def test_what_is_refused_says_why(sql: str, reason: str) -> None:
    with pytest.raises(Unsupported) as caught:
        plan(sql)
    assert caught.value.reason.startswith(reason)
    assert caught.value.position is None or 0 <= caught.value.position < len(sql)
