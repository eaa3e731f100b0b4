"""Numbers as people read them."""

from __future__ import annotations

from collections.abc import Sequence

_BARS = "▁▂▃▄▅▆▇█"


def number(value: float) -> str:
    """Whole, thousands apart."""
    return f"{value:,.0f}"


def duration(seconds: float) -> str:
    """Three digits and a unit."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            value = seconds / size
            return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f} {unit}"
    return f"{seconds * 1e6:.0f} µs"


def size(count: float) -> str:
    for unit, power in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= power:
            return f"{count / power:.1f} {unit}"
    return f"{count:.0f} B"


def clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def sparkline(values: Sequence[float]) -> str:
    """One character each, from nothing to the largest."""
    top = max(values, default=0)
    return "".join(_BARS[min(7, int(value / top * 7.999))] if top > 0 else _BARS[0] for value in values)
