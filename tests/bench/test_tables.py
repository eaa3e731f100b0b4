"""What results look like."""

from __future__ import annotations

import pytest

from bench.figures import Spread
from bench.tables import bytes_per_second, number, table, with_range


def test_a_table_is_aligned_markdown() -> None:
    assert table(["load", "tps"], [["-S", "1,234"], ["-N prepared", "5"]]).splitlines() == [
        "| load        |   tps |",
        "| :---------- | ----: |",
        "| -S          | 1,234 |",
        "| -N prepared |     5 |",
    ]


def test_a_table_without_rows_has_its_header() -> None:
    assert table(["a"], []).splitlines() == ["| a   |", "| :-- |"]


def test_a_row_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(ValueError, match="1 cells in a table of 2"):
        table(["a", "b"], [["x"]])


def test_numbers() -> None:
    assert number(1234567.4) == "1,234,567"
    assert with_range(Spread(0.9, 0.85, 1.0)) == "0.90 (0.85..1.00)"
    assert bytes_per_second(1_234_000_000.0) == "1,234 MB/s"
