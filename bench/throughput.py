"""Transactions per second with pgbench, and the processor time that each costs in between."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from bench import contenders
from bench.contenders import CAUSEWAY, CAUSEWAY_PURE, CAUSEWAY_TWO, DIRECT, PGBOUNCER, Contender
from bench.errors import BenchError
from bench.figures import Spread, ratios, spread, turns
from bench.pgbench import Load, Pgbench
from bench.plan import Plan
from bench.procfs import cpu_time
from bench.progress import Progress
from bench.report import Section
from bench.tables import NOTHING, number, table, with_range
from devstack.postgres import PostgresServer

AIM = 0.85
"""Of PgBouncer's throughput, with one process."""

LOADS = tuple(
    Load(script, protocol, clients)
    for script in ("-S", "-N")
    for protocol in ("simple", "prepared")
    for clients in (1, 8)
)

STANDSTILLS = 5
"""Runs without one transaction after which the fault is not the machine's."""

VARIANT_LOADS = tuple(load for load in LOADS if load.clients == 8)
"""One connection has no use for two workers, and what the pure walk costs shows best under load."""


@dataclass(frozen=True)
class Turn:
    """One contender's turn in one round."""

    tps: float
    cpu: float
    """Seconds of processor time that the processes in between took for each transaction."""


Rounds = dict[str, list[Turn]]
"""By contender; all of the same length."""


def run(postgres: PostgresServer, pgbench: Pgbench, plan: Plan, progress: Progress) -> Section:
    """All loads, all contenders, in turns."""
    with ExitStack() as stack:
        base = [
            contenders.direct(postgres),
            stack.enter_context(contenders.pgbouncer(postgres)),
            stack.enter_context(contenders.causeway(postgres)),
        ]
        variants: list[Contender] = []
        if plan.variants:
            variants = [
                stack.enter_context(contenders.causeway(postgres, name=CAUSEWAY_PURE, pure=True)),
                stack.enter_context(contenders.causeway(postgres, name=CAUSEWAY_TWO, workers=2)),
            ]
        results: dict[Load, Rounds] = {load: {} for load in LOADS}
        for index in range(plan.rounds):
            for load in LOADS:
                racing = [*base, *variants] if load in VARIANT_LOADS else base
                for contender in turns(racing, index):
                    progress.update(
                        f"throughput: round {index + 1} of {plan.rounds}: {load}: {contender.name}"
                    )
                    turn = take_turn(pgbench, contender, load, plan.seconds)
                    results[load].setdefault(contender.name, []).append(turn)
    return Section("throughput", "Throughput", text(results), data(results))


def take_turn(pgbench: Pgbench, contender: Contender, load: Load, seconds: int) -> Turn:
    """One run of pgbench, the processor time measured around it.

    A run in which the machine stood still says nothing about anybody and is taken again. Raises BenchError when it
    stands still STANDSTILLS times in a row.
    """
    for _ in range(STANDSTILLS):
        before = cpu_time(contender.pids)
        outcome = pgbench.run(contender.host, contender.port, load, seconds)
        spent = cpu_time(contender.pids) - before
        if outcome.transactions:
            return Turn(outcome.tps, spent.total / outcome.transactions)
    raise BenchError(f"{contender.name}: no transaction of {load} in {STANDSTILLS} runs of {seconds} s")


def text(results: dict[Load, Rounds]) -> str:
    """The tables."""
    parts = [
        f"Transactions per second and their ratios, medians (lowest..highest) over the rounds. The aim is "
        f"{AIM} of PgBouncer.",
        table(
            ["pgbench", DIRECT, PGBOUNCER, CAUSEWAY, "causeway / pgbouncer", "causeway / direct"],
            [_main_row(load, rounds) for load, rounds in results.items()],
        ),
    ]
    variants = [name for name in (CAUSEWAY_PURE, CAUSEWAY_TWO) if any(name in r for r in results.values())]
    if variants:
        parts += [
            "Variants, as ratios to PgBouncer's throughput: without the compiled header walk, and with `--workers 2`.",
            table(
                ["pgbench", CAUSEWAY, *variants],
                [
                    [
                        str(load),
                        *(with_range(_ratio(rounds, name, PGBOUNCER)) for name in (CAUSEWAY, *variants)),
                    ]
                    for load, rounds in results.items()
                    if all(name in rounds for name in variants)
                ],
            ),
        ]
    parts += [
        "Processor time that a transaction costs in the proxy, µs (medians): what is left when the machine's "
        "noise is not counted.",
        table(
            ["pgbench", PGBOUNCER, CAUSEWAY, "causeway / pgbouncer", *variants],
            [_cpu_row(load, rounds, variants) for load, rounds in results.items()],
        ),
    ]
    return "\n\n".join(parts)


def data(results: dict[Load, Rounds]) -> dict[str, Any]:
    """Every round."""
    return {
        str(load): {
            name: {"tps": [t.tps for t in done], "cpu_us": [t.cpu * 1e6 for t in done]}
            for name, done in rounds.items()
        }
        for load, rounds in results.items()
    }


def _main_row(load: Load, rounds: Rounds) -> list[str]:
    return [
        str(load),
        *(number(spread(_tps(rounds[name])).median) for name in (DIRECT, PGBOUNCER, CAUSEWAY)),
        with_range(_ratio(rounds, CAUSEWAY, PGBOUNCER)),
        with_range(_ratio(rounds, CAUSEWAY, DIRECT)),
    ]


def _cpu_row(load: Load, rounds: Rounds, variants: Sequence[str]) -> list[str]:
    def cell(name: str) -> str:
        return number(spread(_cpu(rounds[name])).median * 1e6, 1) if name in rounds else NOTHING

    cpu = spread(ratios(_cpu(rounds[CAUSEWAY]), _cpu(rounds[PGBOUNCER])))
    return [str(load), cell(PGBOUNCER), cell(CAUSEWAY), with_range(cpu), *(cell(name) for name in variants)]


def _ratio(rounds: Rounds, name: str, base: str) -> Spread:
    return spread(ratios(_tps(rounds[name]), _tps(rounds[base])))


def _tps(turns_taken: Sequence[Turn]) -> list[float]:
    return [turn.tps for turn in turns_taken]


def _cpu(turns_taken: Sequence[Turn]) -> list[float]:
    return [turn.cpu for turn in turns_taken]
