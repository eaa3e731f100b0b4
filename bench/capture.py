"""Capture by itself: what the capturing relay takes for a statement, beside the plain one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence

from bench import contenders
from bench.errors import BenchError
from bench.figures import spread
from bench.pgbench import Pgbench
from bench.plan import Plan
from bench.progress import Progress
from bench.report import Section
from bench.tables import table, with_range
from devstack.postgres import PostgresServer


def run(postgres: PostgresServer, pgbench: Pgbench, plan: Plan, progress: Progress) -> Section:
    """In a process of its own; see `bench.capture_micro`. Raises BenchError where that fails."""
    progress.step("capture: the relay by itself")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "bench.capture_micro",
            str(plan.micro_rounds),
            str(plan.micro_statements // 2),
        ],
        capture_output=True,
        text=True,
        cwd=contenders.TOP,
        check=False,
    )
    if done.returncode:
        raise BenchError(f"bench.capture_micro failed:\n{done.stderr}")
    measured: dict[str, list[float]] = json.loads(done.stdout)
    return Section("capture", "Capture by itself", text(measured), measured)


def text(measured: Mapping[str, Sequence[float]]) -> str:
    """The table."""
    return "\n\n".join(
        [
            "µs of processor time for each statement, both directions, without sockets, event loop, spool and store: "
            "medians (lowest..highest) over the rounds. Writes are single statements outside a transaction block; "
            "simple ones all differ in their constants.",
            table(
                ["statement, relay", "µs"],
                [[name, with_range(spread(values).scaled(1e6), 1)] for name, values in measured.items()],
            ),
        ]
    )
