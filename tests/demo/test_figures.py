from __future__ import annotations

import pytest

from demo.figures import clock, duration, number, size, sparkline


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0000094, "9 µs"),
        (0.00123, "1.23 ms"),
        (0.0123, "12.3 ms"),
        (0.123, "123 ms"),
        (1.5, "1.50 s"),
        (90.0, "90.0 s"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_numbers_sizes_and_clocks() -> None:
    assert number(1234567.8) == "1,234,568"
    assert [size(value) for value in (12, 1200, 62_900_000, 3e9)] == ["12 B", "1.2 kB", "62.9 MB", "3.0 GB"]
    assert [clock(value) for value in (0, 59.9, 61)] == ["0:00", "0:59", "1:01"]


def test_sparkline() -> None:
    assert sparkline([0, 50, 100]) == "▁▄█"
    assert sparkline([0, 0]) == "▁▁"
    assert sparkline([]) == ""
