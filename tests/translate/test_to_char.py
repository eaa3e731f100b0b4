"""to_char; expected is what PostgreSQL 15 and 18 say."""

from __future__ import annotations

import pytest

from tests.translate.made import rows

EXPRESSIONS = (
    ("to_char(timestamp '2024-02-09 13:05:09.012345', 'YYYY-MM-DD')", "2024-02-09"),
    ("to_char(timestamp '2024-02-09 13:05:09.012345', 'HH24:MI:SS')", "13:05:09"),
    ("to_char(timestamp '2024-02-09 13:05:09.012345', 'HH12:MI')", "01:05"),
    ("to_char(timestamp '2024-02-09 13:05:09.012345', 'HH:MI')", "01:05"),
    ("to_char(timestamp '2024-02-09 13:05:09.012345', 'MS')", "012"),
    ("to_char(timestamp '2024-02-09 13:05:09.012345', 'US')", "012345"),
    ("to_char(timestamp '2024-02-09 13:05:09.012345', 'DD Mon YYYY')", "09 Feb 2024"),
    ("to_char(timestamp '2024-02-09 13:05:09.012345', 'MON')", "FEB"),
    ("to_char(timestamp '2024-02-09 13:05:09.012345', 'mon')", "feb"),
    ("to_char(timestamp '2024-02-09 13:05:09.012345', 'Dy DD')", "Fri 09"),
    ("to_char(timestamp '2024-02-09 13:05:09.012345', 'DY')", "FRI"),
    ("to_char(timestamp '2024-02-09 13:05:09.012345', 'dy')", "fri"),
    ("to_char(timestamp '2024-02-09 13:05:09.012345', 'DDD')", "040"),
    ("to_char(timestamp '2024-02-09 13:05:09.012345', 'D')", "6"),
    ("to_char(timestamp '2024-02-09 13:05:09.012345', 'Q')", "1"),
    ("to_char(timestamp '2024-02-09 13:05:09.012345', 'WW')", "06"),
    ("to_char(timestamp '2024-02-09 13:05:09.012345', 'W')", "2"),
    ("to_char(timestamp '2024-02-09 13:05:09.012345', 'IYYY-IW')", "2024-06"),
    ("to_char(timestamp '2024-02-09 13:05:09.012345', 'YYYY/MM')", "2024/02"),
    ("to_char(date '2024-02-09', 'DD.MM.YYYY')", "09.02.2024"),
)


@pytest.mark.parametrize(("expression", "expected"), EXPRESSIONS, ids=[text for text, _ in EXPRESSIONS])
def test_patterns_give_what_postgres_gives(expression: str, expected: str | None) -> None:
    assert rows(f"SELECT {expression}") == [(expected,)]
