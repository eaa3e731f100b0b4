"""A table of many types that each client reads in its own ways: in `primary_switch` the store answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import LiteralString, TypeVar

from tests.clients.endpoint import Endpoint

Answer = TypeVar("Answer")

MAKE: tuple[LiteralString, ...] = (
    """
create table readings (id int PRIMARY KEY, flag bool, small int2, big int8 NOT NULL, single float4, double float8,
  exact numeric(12, 3), words text, short varchar(20), padded char(5), bytes bytea, day date, clock time,
  moment timestamp, instant timestamptz, span interval, label uuid, plain json, document jsonb, numbers int[],
  texts text[])
""",
    """
INSERT INTO readings SELECT n, n % 3 = 0, n % 7, n * 1000000007::int8, n / 4.0, 0.1 * n, n / 8.0, 'wörd ' || n,
  'short ' || n % 5, 'p' || n % 9, decode(lpad(to_hex(n), 8, '0'), 'hex'), date '2024-02-27' + n,
  time '10:00' + n * interval '1 second', timestamp '2024-02-27 12:34:56.789' + n * interval '1 hour',
  timestamptz '2024-02-27 12:34:56+00' + n * interval '1 hour', n * interval '1 hour 1.5 seconds',
  lpad(n::text, 32, '0')::uuid, json_build_object('n', n), jsonb_build_object('n', n, 'é', '[1, null]'::jsonb),
  ARRAY[n, NULL, -n], ARRAY['a' || n, 'b, "c"'] FROM generate_series(1, 200) n
""",
    "INSERT INTO readings (id, big) VALUES (0, 0)",
)
"""Made through the endpoint: its rows are mirrored as they are written. One has nothing but NULLs."""

ROWS = 200
"""That and the one."""

READS: tuple[tuple[str, int], ...] = (
    ("SELECT * FROM readings WHERE id = ?", 7),
    ("SELECT * FROM readings WHERE id = ?", 0),
    ("SELECT * FROM readings WHERE id = ?", 5000),
    ("SELECT * FROM readings WHERE id < ? ORDER BY id", ROWS),
    ("SELECT id, words FROM readings WHERE small = ? ORDER BY id DESC LIMIT 5", 3),
    (
        "SELECT short, count(*), sum(exact), max(day) FROM readings WHERE id > ? GROUP BY short ORDER BY short",
        4,
    ),
    (
        "SELECT r.id, s.words FROM readings r JOIN readings s ON s.id = r.small WHERE r.id < ? ORDER BY r.id",
        30,
    ),
    ("SELECT count(*) FROM readings WHERE flag AND id > ?", 10),
)
"""Each with its one parameter. Every driver sends them in the style it has; the fourth, which is the longest, also to
be taken in parts."""


def with_literals() -> list[str]:
    return [text.replace("?", str(value)) for text, value in READS]


def with_marker(marker: str) -> list[tuple[str, int]]:
    """With another placeholder: `%s`, `$1`."""
    return [(text.replace("?", marker), value) for text, value in READS]


@dataclass(frozen=True)
class Readings:
    """The table, and the two ways to it."""

    endpoint: Endpoint
    direct: Endpoint

    def same(self, ask: Callable[[Endpoint], Answer]) -> Answer:
        """What a client is told through the endpoint, which is what PostgreSQL tells it."""
        found = ask(self.endpoint)
        assert found == ask(self.direct)
        return found
