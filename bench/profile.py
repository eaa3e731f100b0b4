"""Where the time goes: processor time by part and by function, system calls, and the byte path by itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import contenders, tools
from bench.client import Client, bind_execute, parse
from bench.contenders import BARE, CAUSEWAY, CAUSEWAY_PURE, PGBOUNCER, Contender
from bench.errors import BenchError
from bench.figures import ratios, spread, turns
from bench.latency import SQL
from bench.pgbench import Load, Pgbench
from bench.plan import Plan
from bench.procfs import cpu_time
from bench.progress import Progress
from bench.report import Section
from bench.tables import NOTHING, number, table, with_range
from devstack.postgres import PostgresServer

LOAD = Load("-S", "prepared", 8)
"""The lightest statements, so that the proxy's own work weighs most."""

_TRACED_STATEMENTS = 2000
_FUNCTIONS_SHOWN = 10
_LEAST_SHOWN = 0.005
_COMPILED, _PURE = "compiled", "pure Python"


@dataclass
class Findings:
    """All that was found out; by contender unless said otherwise."""

    cpu: dict[str, list[float]] = field(default_factory=dict)
    """Seconds of processor time for each transaction, by round."""
    system: dict[str, list[float]] = field(default_factory=dict)
    """The part of it spent in the kernel, 0 to 1, by round."""
    parts: dict[str, dict[str, float]] = field(default_factory=dict)
    functions: dict[str, float] = field(default_factory=dict)
    """Of Causeway alone, by function."""
    calls: dict[str, dict[str, float]] = field(default_factory=dict)
    """System calls for each statement of one client."""
    micro: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    """Seconds, by variant and subject."""
    missing: list[str] = field(default_factory=list)
    """How to install the tools that could not be used."""


def run(postgres: PostgresServer, pgbench: Pgbench, plan: Plan, progress: Progress) -> Section:
    """One load, several ways to look at it."""
    found = Findings()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="causeway-bench-")))
        racing = [
            stack.enter_context(contenders.pgbouncer(postgres)),
            stack.enter_context(contenders.bare_relay(postgres)),
            stack.enter_context(contenders.causeway(postgres)),
            stack.enter_context(contenders.causeway(postgres, name=CAUSEWAY_PURE, pure=True)),
        ]
        for index in range(plan.rounds):
            for contender in turns(racing, index):
                progress.update(
                    f"profile: processor time, round {index + 1} of {plan.rounds}: {contender.name}"
                )
                _processor_time(found, pgbench, contender, plan.seconds)
        for contender in racing[:3]:
            progress.step(f"profile: parts and system calls of {contender.name}")
            _look_into(found, pgbench, contender, plan.profile_seconds, directory)
        progress.step("profile: functions")
        with _under_load(pgbench, racing[2], plan.profile_seconds):
            functions = tools.py_spy_functions(racing[2].pids[0], plan.profile_seconds, directory)
        if functions is None:
            found.missing.append(tools.PY_SPY_HINT)
        else:
            found.functions = functions
    for variant, environment in ((_COMPILED, {}), (_PURE, {"CAUSEWAY_PURE_PYTHON": "1"})):
        progress.step(f"profile: the byte path by itself, {variant}")
        found.micro[variant] = _micro(plan, environment)
    found.missing = list(dict.fromkeys(found.missing))
    return Section("profile", "Where the time goes", text(found), vars(found))


def text(found: Findings) -> str:
    """The tables."""
    parts = [
        f"Processor time of the process in between for each transaction of pgbench `{LOAD.script}`, "
        f"{LOAD.protocol}, {LOAD.clients} clients: medians (lowest..highest) over the rounds. The bare relay passes "
        "chunks on with uvloop and looks at nothing: what Causeway needs beyond it is Causeway's own.",
        table(["process", "µs", "ratio to pgbouncer", "in the kernel"], _cpu_rows(found)),
    ]
    if found.parts:
        names = [name for name in (PGBOUNCER, BARE, CAUSEWAY) if name in found.parts]
        shown = list(dict.fromkeys(part for name in names for part in found.parts[name]))
        parts += [
            "The same by part, as a share of each process's own time (perf):",
            table(
                ["part", *names],
                [[part, *(_percent(found.parts[name].get(part)) for name in names)] for part in shown],
            ),
        ]
    if found.functions:
        parts += [
            "Causeway by innermost Python function (py-spy); `Runner.run` stands for the event loop, its "
            "reads, writes and waiting for work included:",
            table(
                ["function", "share"],
                [
                    [name, _percent(share)]
                    for name, share in list(found.functions.items())[:_FUNCTIONS_SHOWN]
                    if share >= _LEAST_SHOWN
                ],
            ),
        ]
    if found.calls:
        names = [name for name in (PGBOUNCER, BARE, CAUSEWAY) if name in found.calls]
        shown = [
            call
            for call in dict.fromkeys(call for name in names for call in found.calls[name])
            if any(found.calls[name].get(call, 0) >= 0.05 for name in names)
        ]
        parts += [
            "System calls for each statement of a single client (strace):",
            table(
                ["call", *names],
                [[call, *(number(found.calls[name].get(call, 0), 1) for name in names)] for call in shown],
            ),
        ]
    parts += [
        "The byte path by itself, without sockets, event loop and database, µs for each statement (one chunk each way; "
        "`header walk, 500 rows` is one chunk of that many messages):",
        table(
            ["", *found.micro],
            [
                [
                    name,
                    *(with_range(spread(found.micro[variant][name]).scaled(1e6)) for variant in found.micro),
                ]
                for name in next(iter(found.micro.values()), {})
            ],
        ),
    ]
    if found.missing:
        parts.append(
            f"Not shown, because the tool is not installed or not allowed: {'; '.join(found.missing)}."
        )
    return "\n\n".join(parts)


def _cpu_rows(found: Findings) -> list[list[str]]:
    return [
        [
            name,
            with_range(spread(cpu).scaled(1e6), 1),
            with_range(spread(ratios(cpu, found.cpu[PGBOUNCER]))),
            _percent(spread(found.system[name]).median),
        ]
        for name, cpu in found.cpu.items()
    ]


def _percent(share: float | None) -> str:
    return NOTHING if share is None else f"{share * 100:.0f} %"


def _processor_time(found: Findings, pgbench: Pgbench, contender: Contender, seconds: int) -> None:
    before = cpu_time(contender.pids)
    outcome = pgbench.run(contender.host, contender.port, LOAD, seconds)
    spent = cpu_time(contender.pids) - before
    found.cpu.setdefault(contender.name, []).append(spent.total / max(1, outcome.transactions))
    found.system.setdefault(contender.name, []).append(spent.system / max(1e-9, spent.user + spent.system))


@contextmanager
def _under_load(pgbench: Pgbench, contender: Contender, seconds: int) -> Iterator[None]:
    """While pgbench runs, which is given a little longer than `seconds`."""
    load = pgbench.start(contender.host, contender.port, LOAD, seconds + 2)
    try:
        yield
    finally:
        load.terminate()
        load.communicate()


def _look_into(
    found: Findings, pgbench: Pgbench, contender: Contender, seconds: int, directory: Path
) -> None:
    pid = contender.pids[0]
    with _under_load(pgbench, contender, seconds):
        parts = tools.perf_shares(pid, seconds, directory)
    if parts is None:
        found.missing.append(tools.PERF_HINT)
    else:
        found.parts[contender.name] = parts
    with Client(contender, pgbench.database) as client:
        client.ask(parse("s", f"{SQL}$1::int") + b"S\0\0\0\4")
        request = bind_execute("s", "1")

        def work() -> None:
            for _ in range(_TRACED_STATEMENTS):
                client.exchange(request)

        calls = tools.system_calls(pid, work, directory)
    if calls is None:
        found.missing.append(tools.STRACE_HINT)
    else:
        found.calls[contender.name] = {name: count / _TRACED_STATEMENTS for name, count in calls.items()}


def _micro(plan: Plan, environment: Mapping[str, str]) -> dict[str, list[float]]:
    """In a process of its own; see `bench.micro`. Raises BenchError where that fails."""
    command: Sequence[str] = [
        sys.executable,
        "-m",
        "bench.micro",
        str(plan.micro_rounds),
        str(plan.micro_statements),
    ]
    kept = {name: value for name, value in os.environ.items() if name != "CAUSEWAY_PURE_PYTHON"}
    done = subprocess.run(
        command, capture_output=True, text=True, env={**kept, **environment}, cwd=contenders.TOP, check=False
    )
    if done.returncode:
        raise BenchError(f"bench.micro failed:\n{done.stderr}")
    measured: dict[str, Any] = json.loads(done.stdout)
    return {name: list(values) for name, values in measured["seconds"].items()}
