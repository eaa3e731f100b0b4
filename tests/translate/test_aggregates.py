"""Aggregates over a few values; expected is what PostgreSQL 15 and 18 say."""

from __future__ import annotations

import pytest

from tests.translate.made import V, rows

QUERIES: tuple[tuple[str, list[tuple[str | None, ...]]], ...] = (
    (f"SELECT count(*), count(n), count(DISTINCT t) FROM {V}", [("4", "3", "2")]),
    (
        f"SELECT sum(i), avg(i), sum(n), avg(n) FROM {V}",
        [("10", "2.5000000000000000", "45", "15.0000000000000000")],
    ),
    (f"SELECT min(t), max(t), min(n), max(n) FROM {V}", [("a", "b", "5", "30")]),
    (
        f"SELECT sum(i::int8), avg(i::int8), sum(i::numeric), avg(i * 1.5) FROM {V}",
        [("10", "2.5000000000000000", "10", "3.7500000000000000")],
    ),
    (f"SELECT bool_and(i > 0), bool_or(n > 20), every(n > 5) FROM {V}", [("t", "t", "f")]),
    (
        f"SELECT string_agg(t, ',' ORDER BY i DESC), array_agg(i ORDER BY t DESC NULLS LAST, i) FROM {V}",
        [("a,b,a", "{2,1,3,4}")],
    ),
    (
        f"SELECT stddev(i), stddev_pop(i), variance(i), var_pop(n), stddev(n) FROM {V}",
        [
            (
                "1.2909944487358056",
                "1.1180339887498948",
                "1.6666666666666667",
                "116.6666666666666667",
                "13.2287565553229530",
            )
        ],
    ),
    (f"SELECT count(*) FILTER (WHERE n > 5), sum(n) FILTER (WHERE t = 'a') FROM {V}", [("2", "40")]),
    (f"SELECT sum(DISTINCT n % 10), bit_and(i), bit_or(i) FROM {V}", [("5", "0", "7")]),
    (f"SELECT sum(n), count(*), string_agg(t, ',') FILTER (WHERE false) FROM {V}", [("45", "4", None)]),
    (
        f"SELECT sum(n), avg(n), max(t), count(*), array_agg(i) FROM {V} WHERE false",
        [(None, None, None, "0", None)],
    ),
)


@pytest.mark.parametrize(("query", "expected"), QUERIES, ids=[text[:60] for text, _ in QUERIES])
def test_queries_of_aggregates_give_what_postgres_gives(
    query: str, expected: list[tuple[str | None, ...]]
) -> None:
    assert rows(query) == expected
