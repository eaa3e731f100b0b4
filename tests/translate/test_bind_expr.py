"""Expressions: constants, arrays, conditions, subqueries; their names, types and values against PostgreSQL."""

from __future__ import annotations

import pytest

from proxy.translate.api import ReadError, Unsupported
from tests.translate.made import plan, rows
from tests.translate.world import World

CONSTANTS = (
    "1", "-1", "2147483647", "2147483648", "-2147483648", "-2147483649", "9223372036854775807",
    "9223372036854775808", "-9223372036854775808", "1.50", "1e3", "1.5e-3", ".5", "5.", "- 1.0", "'x'", "'it''s'",
    "E'a\\tb'", "''", "NULL", "true", "false", "DATE '2024-02-29'", "INTERVAL '1 day'", "ARRAY[1, 2.5]",
    "'{1,2}'::int[]", "ARRAY['a', NULL]", "ARRAY[]::int[]", "$$x$$",
)  # fmt: skip


@pytest.mark.integration
async def test_constants_have_the_type_and_text_that_postgres_gives_them(world: World) -> None:
    for text in CONSTANTS:
        await world.same(f"SELECT {text}")
        await world.same(f"SELECT {text} AS x FROM tag ORDER BY id")


EXPRESSIONS = (
    "CASE WHEN b THEN 1 END", "CASE i4 WHEN 1 THEN 'a' WHEN 7 THEN 'b' ELSE 'c' END", "CASE WHEN b THEN i4 ELSE n END",
    "coalesce(i2, i4, 0)", "greatest(i4, i8, NULL)", "least(f8, n)", "nullif(i4, i2)", "b IS TRUE", "b IS NOT FALSE",
    "b IS UNKNOWN", "i4 IS NULL", "t IS NOT NULL", "NOT b", "b AND i4 > 0", "b OR NULL", "i4 BETWEEN 0 AND 5",
    "i4 IN (1, 2, NULL)", "t LIKE 'a%'", "t NOT LIKE '%\\_%'", "i4 IS DISTINCT FROM i2", "i4 IS DISTINCT FROM NULL",
    "NULL IS NOT DISTINCT FROM i4", "(i4, i8) = (1, 1)", "(i4, i8) < (i8, i4)", "i4 = ANY (ai)", "ai = ARRAY[1, 2]",
    "i4 > ALL (SELECT id FROM tag)", "i4 IN (SELECT id FROM tag)", "i4 NOT IN (SELECT id FROM tag)",
    "(i4, i8) IN (SELECT id, id FROM tag)", "EXISTS (SELECT 1 FROM tag WHERE tag.id = vals.i4)",
    "(SELECT label FROM tag WHERE tag.id = vals.i4)", "ARRAY(SELECT id FROM tag WHERE id < 3 ORDER BY id)",
    "(SELECT max(id) FROM tag WHERE id < vals.i4)", """t COLLATE "C" < 'b'""", "ARRAY[dom, 'x']",
    "(ARRAY[dom])::text[]",
    "coalesce(dom, dom)", "i4::text || t", "-i4", "i4 - -1", "f4 = 0.1", "f4::float8",
)  # fmt: skip


@pytest.mark.integration
@pytest.mark.parametrize("expression", EXPRESSIONS)
async def test_an_expression_is_described_and_computed_as_postgres_does(
    world: World, expression: str
) -> None:
    await world.same(f"SELECT id, {expression} FROM vals WHERE id NOT IN (4, 5) ORDER BY id")


@pytest.mark.integration
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT ARRAY[dom, dom] FROM vals",
        "SELECT ARRAY[coalesce(dom, dom)] FROM vals",
        "SELECT ARRAY(SELECT dom FROM vals ORDER BY id)",
        "SELECT ARRAY[x] FROM (SELECT dom AS x FROM vals) s",
        "SELECT ARRAY[(SELECT dom FROM vals WHERE id = 1)]",
        "SELECT ARRAY[x] FROM (SELECT dom FROM vals UNION ALL SELECT dom FROM vals) s (x)",
        "SELECT ARRAY[x] FROM (VALUES ((SELECT dom FROM vals WHERE id = 1))) s (x)",
    ],
)
def test_an_array_of_a_domain_has_a_type_of_its_own_that_is_not_known(world: World, sql: str) -> None:
    (column,) = world.oracle.ask(sql, [], []).columns
    assert column.type_oid not in (1009, 1015)
    with pytest.raises(Unsupported, match="an array of a domain"):
        world.compile(sql)


REFUSED = (
    ("B'101'", "a constant of bits"),
    ("1e2000", "a number of more than 1000 digits"),
    ("ARRAY[]", "an empty array without a type"),
    ("ARRAY[ARRAY[1]]", "an array type"),
    ("ROW(1, 2)", "a row"),
    ("(id, age) = 5", "a row beside what is none"),
    ("(id, age) IS NULL", "IS NULL of a row"),
    ("(id, age) IS DISTINCT FROM (1, 2)", "IS DISTINCT FROM of rows"),
    ("CURRENT_TIME", "function CURRENT_TIME"),
    ('name COLLATE "en-x-icu"', "a collation that is not C"),
    ('age COLLATE "C"', "a collation of what has none"),
    ("(SELECT id, age FROM people)", "subquery EXPR_SUBLINK"),
    ("id IN (SELECT id, age FROM people)", "a subquery of another number of columns"),
    ("name IS DOCUMENT", "expression XmlExpr"),
    ("GROUPING(id)", "expression GroupingFunc"),
)


@pytest.mark.parametrize(("expression", "reason"), REFUSED, ids=[one for one, _ in REFUSED])
def test_what_is_refused_says_why_and_where(expression: str, reason: str) -> None:
    sql = f"SELECT 'é', {expression} FROM people"
    with pytest.raises(Unsupported) as caught:
        plan(sql)
    assert caught.value.reason == reason
    assert caught.value.position is None or sql.index(",") < caught.value.position < sql.index("FROM people")


def test_a_parameter_without_a_type_is_refused() -> None:
    for text in (
        "SELECT $1 IS NULL",
        "SELECT count($1) FROM people",
        "SELECT concat($1)",
    ):
        with pytest.raises(Unsupported, match="type is not known"):
            plan(text)


def test_a_subquery_of_no_row_is_null_and_of_two_an_error() -> None:
    assert rows("SELECT (SELECT 1 WHERE false)") == [(None,)]
    with pytest.raises(ReadError) as caught:
        rows("SELECT (SELECT x FROM (VALUES (1), (2)) v (x))")
    assert caught.value.sqlstate == "21000"
