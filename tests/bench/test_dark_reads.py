"""What was compared and what was dropped, and the tables it ends up in."""

from __future__ import annotations

import json

import pytest

from bench.compiling import Cost
from bench.dark_reads import DARK_5, DARK_100, DUAL, LOADS, PASSTHROUGH, Results, Turn, compared, data, text
from bench.latency import Round
from bench.mirrored import rules

ROUNDS = {
    PASSTHROUGH: [Turn(1000.0, {}), Turn(2000.0, {})],
    DUAL: [Turn(800.0, {}), Turn(1600.0, {})],
    DARK_5: [Turn(990.0, {"match": 10}), Turn(1980.0, {"match": 8, "timeout": 2})],
    DARK_100: [Turn(500.0, {"match": 25, "dropped": 75}), Turn(1000.0, {"match": 50, "dropped": 50})],
}
LATENCY = {
    PASSTHROUGH: [Round(100.0, 300.0)],
    DUAL: [Round(105.0, 305.0)],
    DARK_5: [Round(101.0, 310.0)],
    DARK_100: [Round(150.0, 900.0)],
}
RESULTS = Results(
    [Cost("by key", 55, 20.0, 900.0, 31.5, 1.2, 6.4)],
    dict.fromkeys(LOADS, ROUNDS),
    {"simple": LATENCY, "prepared": LATENCY},
)


def test_what_was_dropped_was_not_compared() -> None:
    assert compared(ROUNDS[DARK_5]) == 1.0
    assert compared(ROUNDS[DARK_100]) == pytest.approx(75 / 200)
    assert compared(ROUNDS[PASSTHROUGH]) == 0.0


def test_the_tables_say_so() -> None:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text(RESULTS).splitlines()]
    assert ["by key", "55", "900", "20", "31.5", "1.2", "6.4"] in rows
    assert [
        *("-S simple", "1,500", "0.80 (0.80..0.80)", "0.99 (0.99..0.99)", "100 %"),
        *("0.50 (0.50..0.50)", "38 %"),
    ] in rows
    assert [
        "prepared",
        "100",
        "5 (5..5)",
        "5 (5..5)",
        "1 (1..1)",
        "10 (10..10)",
        "50 (50..50)",
        "600 (600..600)",
    ] in rows


def test_every_round_is_handed_out() -> None:
    made = json.loads(json.dumps(data(RESULTS)))
    assert made["costs"][0]["cold"] == 900.0
    assert made["throughput"][str(LOADS[0])][DARK_5][1] == {
        "tps": 1980.0,
        "outcomes": {"match": 8, "timeout": 2},
    }
    assert made["latency"]["simple"][DARK_100] == [{"p50": 150.0, "p99": 900.0}]


def test_rules_with_a_sample() -> None:
    assert "\n  shadow: {sample: 5%}\n" in rules("shop", "dark_read", shadow="{sample: 5%}")
    assert "shadow" not in rules("shop", "dual_write")
