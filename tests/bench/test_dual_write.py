"""The arithmetic of what dual write adds, and the tables it ends up in."""

from __future__ import annotations

import pytest

from bench import dual_write
from bench.dual_write import (
    CAPTURE,
    DUAL,
    FAST_SINK,
    FAST_STORE,
    LOADS,
    PASSTHROUGH,
    STRICT_SINK,
    STRICT_STORE,
    added,
    data,
    forwarded,
)
from bench.lag import Drained, Sample, Sustained
from bench.lag import text as lag_text
from bench.mirrored import Turn

LOAD = LOADS[3]
CPU = {
    PASSTHROUGH: 100e-6,
    CAPTURE: 200e-6,
    FAST_SINK: 260e-6,
    STRICT_SINK: 300e-6,
    FAST_STORE: 270e-6,
    STRICT_STORE: 310e-6,
}


def turn(name: str, slower: float) -> Turn:
    """A round in which everything took `slower` times as long."""
    tps = 4000.0 if name == PASSTHROUGH else 3000.0
    return Turn(tps / slower, CPU[name] * slower, (300e-6 + CPU[name]) * slower, 10e-6, 7, 0.05)


ROUNDS = {name: [turn(name, slower) for slower in (1.0, 2.0, 1.0)] for name in (PASSTHROUGH, *DUAL)}


def test_a_load_with_two_writes_among_five_statements() -> None:
    assert str(LOAD) == "-N prepared, 8 clients"
    assert forwarded(ROUNDS, LOAD).median == pytest.approx(20)
    assert added(ROUNDS, LOAD, CAPTURE, PASSTHROUGH).median == pytest.approx(50)
    assert added(ROUNDS, LOAD, FAST_SINK, CAPTURE).median == pytest.approx(30)
    assert added(ROUNDS, LOAD, STRICT_SINK, FAST_SINK).high == pytest.approx(40)


def test_the_tables_say_so() -> None:
    text = dual_write.text(dict.fromkeys(LOADS, ROUNDS), "documentdb")
    assert "0.75 (0.75..0.75)" in text
    assert "50 (50..100)" in text
    assert "DocumentDB" in text
    assert "7; 0.05 s" in text
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    assert ["20.0", "50 (50..100)", "30 (30..60)", "20 (20..40)", "5.0", "6.0"] in [row[1:] for row in rows]


def test_every_round_is_in_the_data() -> None:
    assert [one["tps"] for one in data({LOAD: ROUNDS})[str(LOAD)][PASSTHROUGH]] == [4000.0, 2000.0, 4000.0]


def test_lag_and_drain_are_shown() -> None:
    samples = [Sample(n / 5, n / 100, n) for n in range(1, 51)]
    text = lag_text(
        {"sink": Sustained(1000.0, samples, 0.25)}, {"sink": Drained(10_000, 5_000, 3_000_000, 2.0, 0.5)}
    )
    sustained, drained = (line for line in text.splitlines() if line.startswith("| sink"))
    cells = [cell.strip() for cell in sustained.strip("|").split("|")]
    assert cells == ["sink", "1,000", "2,000", "0.25 s", "0.50 s", "25", "50", "45", "0.25 s", "10 s"]
    assert [cell.strip() for cell in drained.strip("|").split("|")][-3:] == ["2.0", "5,000", "50"]
