"""Fields of dates and times; expected is what PostgreSQL 15 and 18 say."""

from __future__ import annotations

import pytest

from tests.translate.made import rows

EXPRESSIONS = (
    ("extract(year from timestamp '2024-12-30 23:59:58.123456')", "2024"),
    ("extract(month from timestamp '2024-12-30 23:59:58.123456')", "12"),
    ("extract(day from timestamp '2024-12-30 23:59:58.123456')", "30"),
    ("extract(hour from timestamp '2024-12-30 23:59:58.123456')", "23"),
    ("extract(minute from timestamp '2024-12-30 23:59:58.123456')", "59"),
    ("extract(second from timestamp '2024-12-30 23:59:58.123456')", "58.123456"),
    ("extract(epoch from timestamp '2024-12-30 23:59:58.123456')", "1735603198.123456"),
    ("extract(dow from timestamp '2024-12-30 23:59:58.123456')", "1"),
    ("extract(isodow from timestamp '2024-12-30 23:59:58.123456')", "1"),
    ("extract(doy from timestamp '2024-12-30 23:59:58.123456')", "365"),
    ("extract(week from timestamp '2024-12-30 23:59:58.123456')", "1"),
    ("extract(isoyear from timestamp '2024-12-30 23:59:58.123456')", "2025"),
    ("extract(quarter from timestamp '2024-12-30 23:59:58.123456')", "4"),
    ("extract(decade from timestamp '2024-12-30 23:59:58.123456')", "202"),
    ("extract(century from timestamp '2024-12-30 23:59:58.123456')", "21"),
    ("extract(millennium from timestamp '2024-12-30 23:59:58.123456')", "3"),
    ("extract(milliseconds from timestamp '2024-12-30 23:59:58.123456')", "58123.456"),
    ("extract(microseconds from timestamp '2024-12-30 23:59:58.123456')", "58123456"),
    ("date_part('year', date '2021-01-03')", "2021"),
    ("date_part('isoyear', date '2021-01-03')", "2020"),
    ("date_part('week', date '2021-01-03')", "53"),
    ("date_part('dow', date '2021-01-03')", "0"),
    ("date_part('isodow', date '2021-01-03')", "7"),
    ("date_part('doy', date '2021-01-03')", "3"),
    ("date_part('quarter', date '2021-01-03')", "1"),
    ("date_part('epoch', date '2021-01-03')", "1609632000"),
    ("extract(year from interval '1 year 14 months 40 days 27:05:06.7')", "2"),
    ("extract(month from interval '1 year 14 months 40 days 27:05:06.7')", "2"),
    ("extract(day from interval '1 year 14 months 40 days 27:05:06.7')", "40"),
    ("extract(hour from interval '1 year 14 months 40 days 27:05:06.7')", "27"),
    ("extract(minute from interval '1 year 14 months 40 days 27:05:06.7')", "5"),
    ("extract(second from interval '1 year 14 months 40 days 27:05:06.7')", "6.700000"),
    ("extract(epoch from interval '1 year 14 months 40 days 27:05:06.7')", "71852706.700000"),
    ("extract(epoch from timestamptz '2024-01-01 00:00+00')", "1704067200.000000"),
    ("extract(year from 'infinity'::timestamp)", "Infinity"),
    ("date_trunc('quarter', timestamp '2024-05-29 13:05')", "2024-04-01 00:00:00"),
    ("date_trunc('hour', timestamp '2024-05-29 13:05:59')", "2024-05-29 13:00:00"),
    ("date_trunc('year', timestamp '2024-05-29')", "2024-01-01 00:00:00"),
    ("date_trunc('second', timestamp '2024-05-29 13:05:59.9')", "2024-05-29 13:05:59"),
    ("date_trunc('decade', timestamp '2024-05-29')", "2020-01-01 00:00:00"),
)


@pytest.mark.parametrize(("expression", "expected"), EXPRESSIONS, ids=[text for text, _ in EXPRESSIONS])
def test_fields_give_what_postgres_gives(expression: str, expected: str | None) -> None:
    assert rows(f"SELECT {expression}") == [(expected,)]
