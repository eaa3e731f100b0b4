from __future__ import annotations

import pytest

from proxy.translate.resolve import can_coerce, operator, pathway
from proxy.translate.types import Types

TYPES = Types({})
INT4, INT8, TEXT, VARCHAR, NUMERIC, FLOAT8, DATE, TIMESTAMP, UNKNOWN = (
    23,
    20,
    25,
    1043,
    1700,
    701,
    1082,
    1114,
    705,
)


@pytest.mark.parametrize(
    ("name", "left", "right", "chosen"),
    [
        ("=", INT4, INT8, (INT4, INT8, 16)),
        ("=", VARCHAR, UNKNOWN, (TEXT, TEXT, 16)),
        ("=", NUMERIC, FLOAT8, (FLOAT8, FLOAT8, 16)),
        ("+", TIMESTAMP, UNKNOWN, (TIMESTAMP, 1186, TIMESTAMP)),
        ("||", UNKNOWN, UNKNOWN, (TEXT, TEXT, TEXT)),
        ("-", 0, INT4, (0, INT4, INT4)),
        ("+", DATE, UNKNOWN, None),
        ("=", INT4, TEXT, None),
    ],
)
def test_the_operator_that_postgres_takes(
    name: str, left: int, right: int, chosen: tuple[int, int, int] | None
) -> None:
    assert operator(TYPES, name, left, right) == chosen


def test_casts() -> None:
    assert can_coerce(TYPES, INT4, NUMERIC)
    assert not can_coerce(TYPES, NUMERIC, INT4)
    assert pathway(TYPES, NUMERIC, INT4, "a") == "f"
    assert pathway(TYPES, VARCHAR, TEXT, "i") == "b"
    assert pathway(TYPES, INT4, TEXT, "i") == ""
    assert pathway(TYPES, INT4, TEXT, "a") == "i"
    assert pathway(TYPES, TEXT, INT4, "a") == ""
    assert pathway(TYPES, TEXT, INT4, "e") == "i"
