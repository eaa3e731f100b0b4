"""Functions by name and arguments; expected is what PostgreSQL 15 and 18 say."""

from __future__ import annotations

import pytest

from tests.translate.made import rows

EXPRESSIONS = (
    ("lower('ÄB')", "äb"),
    ("upper('straight')", "STRAIGHT"),
    ("initcap('hello wORLD')", "Hello World"),
    ("length('日本')", "2"),
    ("char_length('x ')", "2"),
    ("octet_length('é')", "2"),
    ("left('hello', -2)", "hel"),
    ("right('hello', -2)", "llo"),
    ("left('hello', 9)", "hello"),
    ("substr('hello', 2, 3)", "ell"),
    ("substring('hello' from -1 for 3)", "h"),
    ("position('l' in 'hello')", "3"),
    ("strpos('hello', 'z')", "0"),
    ("replace('aXbX', 'X', 'yy')", "ayybyy"),
    ("replace('a', '', 'b')", "a"),
    ("repeat('ab', 3)", "ababab"),
    ("reverse('abc')", "cba"),
    ("lpad('7', 3, '0')", "007"),
    ("rpad('abcd', 2)", "ab"),
    ("trim('  x ')", "x"),
    ("ltrim('xxay', 'x')", "ay"),
    ("rtrim('axx', 'x')", "a"),
    ("trim(both 'xy' from 'yxaxy')", "a"),
    ("btrim('a')", "a"),
    ("split_part('a,b,c', ',', 2)", "b"),
    ("split_part('a', ',', 3)", ""),
    ("translate('12345', '143', 'ax')", "a2x5"),
    ("concat('a', NULL, 1, true)", "a1t"),
    ("concat_ws('-', 'a', NULL, 'b')", "a-b"),
    ("concat_ws(NULL, 'a')", None),
    ("md5('x')", "9dd4e461268c8034f5c8564e155c67a6"),
    ("chr(8364)", "€"),
    ("ascii('€')", "8364"),
    ("ascii('')", "0"),
    ("starts_with('abc', 'ab')", "t"),
    ("abs(-5)", "5"),
    ("abs(-1.50)", "1.50"),
    ("sign(-2.5)", "-1"),
    ("ceil(-1.1)", "-1"),
    ("floor(-1.1)", "-2"),
    ("round(2.5)", "3"),
    ("round(-2.5)", "-3"),
    ("round(2.5::float8)", "2"),
    ("round(1234.567, 2)", "1234.57"),
    ("round(1234.567, -2)", "1200"),
    ("trunc(-1.99)", "-1"),
    ("trunc(1234.567, 1)", "1234.5"),
    ("mod(-7, 3)", "-1"),
    ("mod(7.5, 2)", "1.5"),
    ("div(7, 2)", "3"),
    ("gcd(12, 18)", "6"),
    ("lcm(4, 6)", "12"),
    ("sqrt(2::float8)", "1.4142135623730951"),
    ("num_nulls(1, NULL)", "1"),
    ("num_nonnulls(1, NULL)", "1"),
    ("array_length(ARRAY[1,2], 1)", "2"),
    ("array_length(ARRAY[1,2], 2)", None),
    ("cardinality(ARRAY[1,2])", "2"),
    ("to_char(timestamp '2024-02-29 13:05:09.5', 'YYYY-MM-DD HH24:MI:SS.MS')", "2024-02-29 13:05:09.500"),
    ("date_trunc('month', timestamp '2024-02-29 13:05')", "2024-02-01 00:00:00"),
    ("date_trunc('week', timestamp '2024-02-29 13:05')", "2024-02-26 00:00:00"),
    ("extract(epoch from timestamp '2024-02-29 13:05:09.5')", "1709211909.500000"),
    ("date_part('dow', date '2024-02-29')", "4"),
    ("make_date(2024, 2, 29)", "2024-02-29"),
)


@pytest.mark.parametrize(("expression", "expected"), EXPRESSIONS, ids=[text for text, _ in EXPRESSIONS])
def test_functions_give_what_postgres_gives(expression: str, expected: str | None) -> None:
    assert rows(f"SELECT {expression}") == [(expected,)]
