"""What the fuzzer has found: each was another answer than PostgreSQL's once."""

from __future__ import annotations

import pytest

from proxy.translate.api import Unsupported
from tests.translate.cases import Case
from tests.translate.world import World, encoded

pytestmark = pytest.mark.integration

FOUND = (
    # the grammar draws a sign into a number that is no int4: it is a bigint still
    Case("SELECT -3000000000, (-9223372036854775808), -2147483648, -9223372036854775809"),
    Case("SELECT id FROM vals WHERE i8 NOT IN ($1, (-9223372036854775808)) ORDER BY id", ("2",)),
    # whether adding up floats overflows, or what is left of them, depends on the order of the rows
    # the store sorts by a field once
    Case("SELECT id FROM book ORDER BY id DESC, id LIMIT 3"),
    Case("SELECT id FROM book ORDER BY price DESC, price, id DESC LIMIT 3 OFFSET 1"),
    # NaN among the values that another table is asked for
    Case("SELECT a.id, b.id FROM vals a JOIN vals b ON a.n = b.n WHERE a.id > 5"),
    # what no field of an infinite time is, and what is infinite
    Case(
        "SELECT id, EXTRACT(year FROM ts), EXTRACT(month FROM ts), EXTRACT(epoch FROM tz) FROM vals WHERE id <> 6"
    ),
    Case(
        "SELECT id, date_part('isoyear', d), date_part('second', ts), EXTRACT(doy FROM d) FROM vals WHERE id <> 6"
    ),
    Case("SELECT id, date(ts), date(tz) FROM vals"),
    Case("SELECT avg(f8), sum(f8) FROM vals WHERE id IN (1, 2, 4)"),
    # windows that are made from others (`WINDOW w2 AS (w ...)`)
    Case(
        "SELECT id, sum(id) OVER b FROM tag WINDOW a AS (PARTITION BY id % 2), b AS (a ORDER BY id) ORDER BY id"
    ),
    Case(
        "SELECT id, sum(id) OVER c FROM tag "
        "WINDOW a AS (PARTITION BY id % 2), b AS (a), c AS (b ORDER BY id DESC) ORDER BY id"
    ),
    Case(
        "SELECT id, sum(id) OVER (a ROWS 1 PRECEDING) FROM tag "
        "WINDOW a AS (PARTITION BY id % 2 ORDER BY id) ORDER BY id"
    ),
    Case(
        "SELECT sum(v), avg(v) FROM (SELECT 1e22::float8 AS v UNION ALL SELECT -1e22::float8 UNION ALL SELECT 0.1) x"
    ),
)


@pytest.mark.parametrize("case", FOUND, ids=lambda case: case.sql[:60])
async def test_what_was_found_is_as_postgres_has_it(world: World, case: Case) -> None:
    await world.same(case.sql, case.parameters)


REFUSED = (
    # 22P02 when it is planned, also of an empty table (seed 700001)
    Case("SELECT (substring('K4'::text FROM 2 FOR 0))::int2, id FROM empty_one"),
    # 42804: whatever takes a value of any type has to be told which
    *(Case(f"SELECT array_agg({value}) FROM tag") for value in ("'x'", "NULL")),
    *(Case(f"SELECT {call} OVER (ORDER BY id) FROM tag") for call in ("first_value('x')", "lag('x')")),
    Case("SELECT cardinality('{1}')"),
    *(Case(f"SELECT {call} FROM tag", ("x",)) for call in ("array_agg($1)", "array_length($1, 1)")),
    *(
        Case(f"SELECT {call} OVER (ORDER BY id) FROM tag", ("x",))
        for call in ("first_value($1)", "lag($1)", "last_value($1)")
    ),
    # 42P20
    Case("SELECT sum(id) OVER (a) FROM tag WINDOW a AS (ORDER BY id ROWS 1 PRECEDING)"),
    Case("SELECT sum(id) OVER (a ORDER BY id) FROM tag WINDOW a AS (ORDER BY id DESC)"),
    # 42803: PostgreSQL looks at windows that nothing is computed over
    Case(
        "SELECT label, sum(count(*)) OVER (ORDER BY label) FROM tag GROUP BY label WINDOW w AS (ORDER BY id)"
    ),
    Case("SELECT sum(id) OVER a FROM tag WINDOW a AS (ORDER BY id), a AS (ORDER BY id DESC)"),
)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.sql[:60])
async def test_what_postgres_refuses_has_no_plan(world: World, case: Case) -> None:
    given = [encoded(value) for value in case.parameters]
    assert world.oracle.ask(case.sql, given, []).sqlstate[:2] in ("22", "42")
    with pytest.raises(Unsupported):
        world.compile(case.sql).bind(given, (), world.session)
