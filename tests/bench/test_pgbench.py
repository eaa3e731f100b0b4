"""pgbench's report, as versions 12 to 17 write it."""

from __future__ import annotations

import pytest

from bench.errors import BenchError
from bench.pgbench import Load, Outcome, Pgbench, parse

REPORT = """\
transaction type: <builtin: select only>
scaling factor: 10
query mode: prepared
number of clients: 8
number of transactions actually processed: 57931
number of failed transactions: 0 (0.000%)
latency average = 0.138 ms
initial connection time = 3.512 ms
tps = 57971.514631 (without initial connection time)
"""

OLD_REPORT = """\
number of transactions actually processed: 100
tps = 190.0 (including connections establishing)
tps = 200.5 (excluding connections establishing)
"""


def test_a_report_is_read() -> None:
    assert parse(REPORT) == Outcome(57931, 57971.514631)
    assert parse(OLD_REPORT) == Outcome(100, 200.5)


@pytest.mark.parametrize(
    "report",
    ["", REPORT.replace("tps =", "tpm ="), REPORT.replace("transactions: 0 (", "transactions: 3 (")],
    ids=["nothing", "no rate", "failed transactions"],
)
def test_a_report_that_is_none(report: str) -> None:
    with pytest.raises(BenchError, match="not the report of a clean run"):
        parse(report)


def test_a_load_says_what_it_is() -> None:
    assert str(Load("-S", "prepared", 8)) == "-S prepared, 8 clients"
    assert str(Load("-N", "simple", 1)) == "-N simple, 1 client"
    assert "--protocol=prepared" in Pgbench.arguments(Load("-S", "prepared", 8), 1)


def test_a_standstill_is_an_outcome() -> None:
    report = "number of transactions actually processed: 0\nnumber of failed transactions: 0 (NaN%)\n"
    assert parse(report).transactions == 0
