"""pgbench: every query mode, pipelines, reconnecting, and its own COPY-based initialisation; not one error."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.clients.endpoint import Endpoint
from tests.clients.programs import PostgresPrograms, run
from tests.clients.reading import ROWS, Readings

pytestmark = pytest.mark.integration

CLIENTS = 4
TRANSACTIONS = 40


class Pgbench:
    def __init__(self, program: str, endpoint: Endpoint, directory: Path) -> None:
        self.program = program
        self.endpoint = endpoint
        self.directory = directory

    def __call__(self, *arguments: str) -> str:
        finished = run([self.program, *arguments], self.endpoint.environment(), cwd=self.directory)
        assert "error" not in finished.stderr.lower(), finished.stderr
        assert "aborted" not in finished.stderr, finished.stderr
        return finished.stdout + finished.stderr

    def load(self, *arguments: str, transactions: int = TRANSACTIONS) -> None:
        """Run the load and demand that every transaction of every client was processed."""
        output = self("-n", "-c", str(CLIENTS), "-j", "2", "-t", str(transactions), *arguments)
        total = CLIENTS * transactions
        assert f"number of transactions actually processed: {total}/{total}" in output
        failed = re.search(r"number of failed transactions: (\d+)", output)
        assert failed is None or failed.group(1) == "0"


@pytest.fixture
def pgbench(endpoint: Endpoint, programs: PostgresPrograms, tmp_path: Path) -> Pgbench:
    """pgbench with its tables made through the endpoint under test: client-side COPY of 100,000 rows."""
    pgbench = Pgbench(programs["pgbench"], endpoint, tmp_path)
    pgbench("-i", "-q", "-s", "1")
    assert endpoint.query("SELECT count(*), sum(abalance) FROM pgbench_accounts") == [(100_000, 0)]
    return pgbench


def test_query_modes(pgbench: Pgbench) -> None:
    for mode in ("simple", "extended", "prepared"):
        for script in ("tpcb-like", "simple-update", "select-only"):
            pgbench.load("-M", mode, "-b", script)
    balances = pgbench.endpoint.query(
        "SELECT (SELECT sum(abalance) FROM pgbench_accounts), (SELECT sum(delta) FROM pgbench_history),"
        " (SELECT count(*) FROM pgbench_history)"
    )
    accounts, history, rows = balances[0]
    assert accounts == history
    assert rows == 3 * 2 * CLIENTS * TRANSACTIONS


def test_partitions_foreign_keys_and_server_side_generation(pgbench: Pgbench) -> None:
    pgbench("-i", "-q", "-I", "dtGvpf", "-s", "1", "--partitions=4", "--partition-method=hash")
    pgbench.load("-M", "prepared")


def test_pipelines(pgbench: Pgbench) -> None:
    """Many statements between two Syncs, also inside a transaction and across its BEGIN and COMMIT."""
    script = pgbench.directory / "pipeline.sql"
    script.write_text(
        "\\set aid random(1, 100000)\n"
        "\\startpipeline\n"
        "SELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n"
        "UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = :aid;\n"
        "SELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n"
        "\\endpipeline\n"
        "\\startpipeline\n"
        "BEGIN;\n"
        + "INSERT INTO pgbench_history (tid, bid, aid, delta) VALUES (1, 1, :aid, 1);\n"
        * 20
        + "COMMIT;\n"
        "\\endpipeline\n"
        "BEGIN;\n"
        "\\startpipeline\n"
        "SELECT repeat('x', 10000) FROM generate_series(1, 20);\n"
        "SELECT 1;\n"
        "\\endpipeline\n"
        "END;\n"
    )
    for mode in ("extended", "prepared"):
        pgbench.load("-M", mode, "-f", script.name)
    assert pgbench.endpoint.query("SELECT count(*) FROM pgbench_history") == [
        (2 * 20 * CLIENTS * TRANSACTIONS,)
    ]


def test_custom_script(pgbench: Pgbench) -> None:
    """`\\gset`, `\\aset`, `\\if`, several weighted scripts, rate limiting."""
    first = pgbench.directory / "first.sql"
    first.write_text(
        "\\set aid random(1, 100000)\n"
        "SELECT abalance AS balance FROM pgbench_accounts WHERE aid = :aid \\gset\n"
        "\\if :balance > 0\n"
        "UPDATE pgbench_accounts SET abalance = 0 WHERE aid = :aid;\n"
        "\\else\n"
        "UPDATE pgbench_accounts SET abalance = :balance + 1 WHERE aid = :aid;\n"
        "\\endif\n"
        "SELECT 1 AS one \\; SELECT 2 AS two \\; SELECT 3 AS three \\aset\n"
        "SELECT :one + :two + :three;\n"
    )
    second = pgbench.directory / "second.sql"
    second.write_text("BEGIN;\nSAVEPOINT s;\nDELETE FROM pgbench_history;\nROLLBACK TO s;\nEND;\n")
    pgbench.load("-f", f"{first.name}@3", "-f", f"{second.name}@1", "-M", "simple")
    pgbench.load("-f", f"{second.name}", "-M", "prepared", "-R", "2000")


def test_reconnecting_for_each_transaction(pgbench: Pgbench) -> None:
    pgbench.load("-C", "-S", transactions=8)
    pgbench.load("-C", "-S", "-M", "prepared", transactions=8)


def test_serialization_failures_are_retried(pgbench: Pgbench) -> None:
    """Errors and retries inside repeatable read, so that failed transactions occur in numbers."""
    script = pgbench.directory / "contended.sql"
    script.write_text(
        "BEGIN ISOLATION LEVEL REPEATABLE READ;\n"
        "UPDATE pgbench_branches SET bbalance = bbalance + 1 WHERE bid = 1;\n"
        "END;\n"
    )
    pgbench.load("-M", "prepared", "-f", script.name, "--max-tries=10000")
    assert pgbench.endpoint.query("SELECT bbalance FROM pgbench_branches") == [(CLIENTS * TRANSACTIONS,)]


def test_reads_of_a_table(readings: Readings, programs: PostgresPrograms, tmp_path: Path) -> None:
    """In every query mode, alone and several between two Syncs; in a block, which only simple statements may begin."""
    pgbench = Pgbench(programs["pgbench"], readings.endpoint, tmp_path)
    reads = (
        f"\\set id random(1, {ROWS})\n"
        "SELECT words FROM readings WHERE id = :id \\gset\n"
        "SELECT id FROM readings WHERE id BETWEEN :id AND :id + 5 ORDER BY id DESC LIMIT 1;\n"
        "BEGIN;\nSELECT big FROM readings WHERE id = :id;\nSELECT count(*) FROM readings WHERE id > :id;\nEND;\n"
    )
    alone, piped = tmp_path / "alone.sql", tmp_path / "piped.sql"
    alone.write_text(reads)
    piped.write_text(
        f"\\set id random(1, {ROWS})\n\\startpipeline\n"
        + "SELECT words FROM readings WHERE id = :id;\n" * 5
        + "\\endpipeline\n"
    )
    for mode in ("simple", "extended", "prepared"):
        pgbench.load("-M", mode, "-f", alone.name, transactions=10)
    for mode in ("extended", "prepared"):
        pgbench.load("-M", mode, "-f", piped.name, transactions=10)
