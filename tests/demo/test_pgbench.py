"""What pgbench says, of the versions that devstack may find."""

from __future__ import annotations

import pytest

from demo.errors import DemoError
from demo.pgbench import Outcome, Pgbench, Progress, parse_outcome, parse_progress
from devstack.postgres import PostgresServer

REPORT_15 = """\
transaction type: <builtin: TPC-B (sort of)>
scaling factor: 4
query mode: prepared
number of clients: 2
maximum number of tries: 1
duration: 4 s
number of transactions actually processed: 743
number of failed transactions: {failed} (0.000%)
latency average = 10.756 ms
latency stddev = 6.1 ms
initial connection time = 31.9 ms
tps = 185.9 (without initial connection time)
"""


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("progress: 1.0 s, 312.4 tps, lat 6.321 ms stddev 2.104, 0 failed", Progress(312.4, 6.321 / 1000, 0)),
        ("progress: 2.0 s, 0.0 tps, lat 0.000 ms stddev 0.000, 3 failed", Progress(0.0, 0.0, 3)),
        ("progress: 3.0 s, 10.0 tps, lat 6.000 ms stddev 2.104", Progress(10.0, 0.006, 0)),
        ("progress: 3.0 s, 0.0 tps, lat NaN ms stddev NaN", Progress(0.0, 0.0, 0)),
        ("scaling factor: 4", None),
    ],
)
def test_progress(line: str, expected: Progress | None) -> None:
    assert parse_progress(line) == expected


def test_outcome() -> None:
    assert parse_outcome(REPORT_15.format(failed=2)) == Outcome(743, 2, 10.756 / 1000)


def test_outcome_without_failures_as_versions_before_15_write_it() -> None:
    text = "\n".join(line for line in REPORT_15.splitlines() if "failed" not in line)
    assert parse_outcome(text).failed == 0


def test_no_report() -> None:
    with pytest.raises(DemoError, match="server closed"):
        parse_outcome("pgbench: error: server closed the connection")


@pytest.mark.integration
async def test_fill_and_run(postgres: PostgresServer, database: str) -> None:
    pgbench = Pgbench(postgres.pg_bin, postgres.dsn(database))
    percentages: list[int] = []
    await pgbench.fill(1, percentages.append)
    assert percentages[-1] == 100
    seen: list[Progress] = []
    run = await pgbench.start("prepared", 2, 2, seen.append)
    try:
        outcome = await run.outcome()
    finally:
        await run.close()
    assert outcome.failed == 0
    assert outcome.transactions == int(postgres.psql("select count(*) from pgbench_history", database)) > 0
    assert seen
    assert not run.running


@pytest.mark.integration
async def test_failures_say_why(postgres: PostgresServer, database: str) -> None:
    pgbench = Pgbench(postgres.pg_bin, postgres.dsn(database))
    run = await pgbench.start("simple", 1, 1, lambda _: None)
    with pytest.raises(DemoError, match="pgbench_branches"):
        await run.outcome()
    absent = Pgbench(postgres.pg_bin, postgres.dsn("no_such_database"))
    with pytest.raises(DemoError, match="no_such_database"):
        await absent.fill(1, lambda _: None)
