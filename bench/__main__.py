"""`python -m bench [--quick] [--rows N,N,…] [--json FILE] [--docs FILE] [NAME …]`."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType

from bench import (
    backfill,
    capture,
    dark_reads,
    dual_write,
    lag,
    latency,
    memory,
    profile,
    serving,
    throughput,
)
from bench.errors import BenchError
from bench.pgbench import Pgbench
from bench.plan import FULL, QUICK, Plan
from bench.progress import Progress
from bench.report import Section, machine, machine_line, replace_sections, to_json
from devstack.errors import DevstackError
from devstack.postgres import PostgresServer, start_postgres

Run = Callable[[PostgresServer, Pgbench, Plan, Progress], Section]

BENCHMARKS: Mapping[str, Run] = {
    "throughput": throughput.run,
    "latency": latency.run,
    "memory": memory.run,
    "profile": profile.run,
    "capture": capture.run,
    "dual-write": dual_write.run,
    "mirror": lag.run,
    "backfill": backfill.run,
    "dark": dark_reads.run,
    "serving": serving.run,
}

SERVER_SETTINGS: Mapping[str, str | int | bool] = {
    "max_connections": 1300,
    "shared_buffers": "256MB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "1h",
    "autovacuum": False,
    "ssl": False,
}
"""Room for the idle connections, nothing that works in the background while contenders take turns, and no TLS.

TLS is left out because clients, PgBouncer and Causeway differ in whether they use it where it is offered.
"""


MEMORY_DIRECTORY = Path("/dev/shm")
MEMORY_NEEDED = 8 << 30
"""Bytes free there: tables, write-ahead log and the 1 GB copies."""


def keep_data_in_memory() -> None:
    """Has the servers' throw-away data in memory where there is room.

    On a shared disk a write can stall for a second, whoever's turn it is; nothing here measures disks.
    """
    if "TMPDIR" in os.environ or not MEMORY_DIRECTORY.is_dir():
        return
    if shutil.disk_usage(MEMORY_DIRECTORY).free >= MEMORY_NEEDED:
        tempfile.tempdir = str(MEMORY_DIRECTORY)


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """As the command line gives them; ends the process at wrong ones."""
    known = ", ".join(BENCHMARKS)
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which to run: {known} (default: all)")
    parser.add_argument("--quick", action="store_true", help="a smoke test, within 3 minutes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every round as JSON")
    parser.add_argument(
        "--docs", type=Path, metavar="FILE", help="also renew the sections of docs/performance.md"
    )
    parser.add_argument(
        "--rows",
        type=_sizes,
        metavar="N,N,...",
        help="the tables of `backfill` (default: 100000,1000000; 4000000 takes half an hour)",
    )
    options = parser.parse_args(given)
    unknown = [name for name in options.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark is called {', '.join(unknown)}; there are {known}")
    return options


def _sizes(text: str) -> tuple[int, ...]:
    """Row counts, rising."""
    sizes = tuple(sorted({int(part) for part in text.split(",")}))
    if sizes[0] < 1:
        raise argparse.ArgumentTypeError("a table has one row at least")
    return sizes


def run(options: argparse.Namespace) -> None:
    """Runs them and prints each result as soon as it is there."""
    plan = QUICK if options.quick else FULL
    if options.rows:
        plan = replace(plan, backfill_rows=options.rows)
    progress = Progress()
    sections = []
    page = options.docs.read_text(encoding="utf-8") if options.docs else ""
    with start_postgres(settings=SERVER_SETTINGS) as postgres:
        facts = machine(postgres.version)
        print(machine_line(facts))
        with postgres.database("bench") as database:
            progress.step(f"filling pgbench's tables, scale {plan.scale}")
            pgbench = Pgbench(postgres.pg_bin, database)
            pgbench.fill(postgres.host, postgres.port, plan.scale)
            for name, benchmark in BENCHMARKS.items():
                if not options.names or name in options.names:
                    progress.step(name)
                    section = benchmark(postgres, pgbench, plan, progress)
                    sections.append(section)
                    progress.clear()
                    print(f"\n## {section.title}\n\n{section.text}", flush=True)
    if options.json:
        options.json.write_text(to_json(facts, sections) + "\n", encoding="utf-8")
    if options.docs:
        options.docs.write_text(replace_sections(page, facts, sections), encoding="utf-8")


def main() -> int:
    """The exit code."""
    signal.signal(signal.SIGTERM, _terminate)
    keep_data_in_memory()
    try:
        run(arguments(sys.argv[1:]))
    except (BenchError, DevstackError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted; everything it started is stopped", file=sys.stderr)
        return 130
    return 0


def _terminate(number: int, frame: FrameType | None) -> None:
    """As Ctrl-C: the servers are stopped on the way out."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
