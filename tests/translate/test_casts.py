"""Casts and type modifiers; expected is what PostgreSQL 15 and 18 say."""

from __future__ import annotations

import pytest

from tests.translate.made import rows

EXPRESSIONS = (
    ("2.5::int", "3"),
    ("3.5::int", "4"),
    ("-2.5::int", "-3"),
    ("2.5::float8::int", "2"),
    ("3.5::float8::int", "4"),
    ("'12'::int", "12"),
    ("1::bool", "t"),
    ("true::int", "1"),
    ("true::text", "true"),
    ("1.50::text", "1.50"),
    ("'1.50'::numeric", "1.50"),
    ("'  7 '::int", "7"),
    ("123.456::numeric(5,1)", "123.5"),
    ("1.5::numeric(3,0)", "2"),
    ("2.5::numeric(3,0)", "3"),
    ("'abcdef'::varchar(3)", "abc"),
    ("'ab'::char(4)", "ab  "),
    ("'ab'::char(4)::text || '|'", "ab|"),
    ("'ab'::char(4) || '|'", "ab|"),
    ("'2020-02-29 12:34:56.7895'::timestamp(3)", "2020-02-29 12:34:56.79"),
    ("'2020-02-29 12:34:56.5'::timestamp(0)", "2020-02-29 12:34:57"),
    ("'2020-02-29'::date::timestamp", "2020-02-29 00:00:00"),
    ("timestamp '2020-02-29 13:00'::date", "2020-02-29"),
    ("timestamp '2020-02-29 13:00'::time", "13:00:00"),
    ("timestamptz '2020-02-29 13:00+02'::timestamp", "2020-02-29 11:00:00"),
    ("'t'::bool", "t"),
    ("'infinity'::date", "infinity"),
    ("1e10::float8::text", "10000000000"),
    ("0.1::float4::float8", "0.10000000149011612"),
    ("0.1::float4::numeric", "0.1"),
    ("0.1::float8::numeric", "0.1"),
    ("1e3::int", "1000"),
    ("NULL::int", None),
    ("'{1,2}'::int[]", "{1,2}"),
    ("ARRAY[1,2]::int8[]", "{1,2}"),
    ("'1 day'::interval", "1 day"),
    ("'a'::text::varchar(1)", "a"),
    ("5::int2::numeric", "5"),
    ("'NaN'::float8::numeric", "NaN"),
    ("1.005::numeric(10,2)", "1.01"),
    ("-1.005::numeric(10,2)", "-1.01"),
)


@pytest.mark.parametrize(("expression", "expected"), EXPRESSIONS, ids=[text for text, _ in EXPRESSIONS])
def test_casts_give_what_postgres_gives(expression: str, expected: str | None) -> None:
    assert rows(f"SELECT {expression}") == [(expected,)]
