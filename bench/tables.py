"""How results are written: aligned Markdown, readable in a terminal and in the documentation alike."""

from __future__ import annotations

from collections.abc import Sequence

from bench.figures import Spread

NOTHING = "-"
"""A cell without a value."""


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """The first `left` columns are text, the others numbers, aligned to the right.

    Raises ValueError where a row has another number of cells than the header.
    """
    for row in rows:
        if len(row) != len(header):
            raise ValueError(f"{len(row)} cells in a table of {len(header)} columns: {row!r}")
    widths = [max(3, *(len(row[i]) for row in (header, *rows))) for i in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    rule = [":" + "-" * (w - 1) if i < left else "-" * (w - 1) + ":" for i, w in enumerate(widths)]
    return "\n".join([line(header), f"| {' | '.join(rule)} |", *map(line, rows)])


def number(value: float, digits: int = 0) -> str:
    """With thousands separated."""
    return f"{value:,.{digits}f}"


def with_range(value: Spread, digits: int = 2) -> str:
    """`median (low..high)`."""
    return f"{number(value.median, digits)} ({number(value.low, digits)}..{number(value.high, digits)})"


def bytes_per_second(value: float) -> str:
    """In MB/s, of a million bytes each."""
    return f"{number(value / 1e6)} MB/s"
