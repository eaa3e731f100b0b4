"""Operators by their operands; expected is what PostgreSQL 15 and 18 say."""

from __future__ import annotations

import pytest

from tests.translate.made import rows

EXPRESSIONS = (
    ("7 / 2", "3"),
    ("-7 / 2", "-3"),
    ("7 % -3", "1"),
    ("7.0 / 2", "3.5000000000000000"),
    ("1 / 3.0", "0.33333333333333333333"),
    ("10.00 / 3", "3.3333333333333333"),
    ("1.10 * 2.20", "2.4200"),
    ("1.5 + 1", "2.5"),
    ("2 - 0.10", "1.90"),
    ("- 1.50", "-1.50"),
    ("+ 5", "5"),
    ("5::int2 + 5::int2", "10"),
    ("3::int8 * 4", "12"),
    ("0.1::float8 + 0.2::float8", "0.30000000000000004"),
    ("1::float4 / 3", "0.3333333333333333"),
    ("1 = 1.0", "t"),
    ("1 < 1.5", "t"),
    ("'a' < 'b'", "t"),
    ("'a' || 'b'", "ab"),
    ("'a' || 1", "a1"),
    ("NULL || 'a'", None),
    ("'abc' LIKE 'a%'", "t"),
    ("'abc' LIKE 'a_'", "f"),
    ("'a%c' LIKE 'a\\%c'", "t"),
    ("'ABC' ILIKE 'a%'", "t"),
    ("'abc' NOT LIKE 'b%'", "t"),
    ("NULL LIKE 'a'", None),
    ("'a!%' LIKE 'a!!!%' ESCAPE '!'", "t"),
    ("true > false", "t"),
    ("date '2024-03-01' - date '2024-02-01'", "29"),
    ("date '2024-02-28' + 2", "2024-03-01"),
    ("date '2024-01-31' + interval '1 month'", "2024-02-29 00:00:00"),
    ("timestamp '2024-03-31' - interval '1 month'", "2024-02-29 00:00:00"),
    ("timestamp '2024-03-31 12:00' - timestamp '2024-03-30'", "1 day 12:00:00"),
    ("interval '1 day' + interval '25 hours'", "1 day 25:00:00"),
    ("interval '1 month' * 2", "2 mons"),
    ("- interval '1 day 2 hours'", "-1 days -02:00:00"),
    ("interval '24 hours' = interval '1 day'", "t"),
    ("interval '1 month' > interval '29 days'", "t"),
    ("date '2024-01-01' = timestamp '2024-01-01'", "t"),
    ("timestamp '2024-01-01' < timestamptz '2024-01-01 00:00:01+00'", "t"),
    ("'a'::char(3) = 'a  '", "t"),
    ("'NaN'::numeric = 'NaN'", "t"),
    ("'NaN'::float8 > 'Infinity'", "t"),
    ("'-0'::float8 = 0", "t"),
    ("ARRAY[1,2] = ARRAY[1,2]", "t"),
    ("1 = ANY (ARRAY[1,NULL])", "t"),
    ("2 = ANY (ARRAY[1,NULL])", None),
    ("2 <> ALL (ARRAY[1,NULL])", None),
    ("1 <> ALL (ARRAY[1,NULL])", "f"),
    ("1 = ANY ('{}'::int[])", "f"),
    ("1 = ALL ('{}'::int[])", "t"),
    ("3 > ANY (ARRAY[1,5])", "t"),
    ("3 > ALL (ARRAY[1,5])", "f"),
)


@pytest.mark.parametrize(("expression", "expected"), EXPRESSIONS, ids=[text for text, _ in EXPRESSIONS])
def test_operators_give_what_postgres_gives(expression: str, expected: str | None) -> None:
    assert rows(f"SELECT {expression}") == [(expected,)]
