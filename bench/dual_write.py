"""What dual write costs: throughput as a fraction of passthrough, and processor time, split by where it goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any

from bench.figures import Spread, differences, ratios, spread, turns
from bench.mirrored import GIVE_KEY, STATEMENTS, WRITES, Mirroring, Turn, mirroring, real, sink, take_turn
from bench.pgbench import Load, Pgbench
from bench.plan import Plan
from bench.progress import Progress
from bench.report import Section
from bench.tables import NOTHING, number, table, with_range
from devstack.document_store import start_document_store
from devstack.postgres import PostgresServer

CPU_AIM = 60
"""Microseconds of the proxy's processor time that capture may add to a write of one row."""
THROUGHPUT_AIM = 0.9
"""Of passthrough's, with the store on another machine."""

PASSTHROUGH = "passthrough"
CAPTURE = "capture only"
FAST_SINK, STRICT_SINK = "fast, sink", "strict, sink"
FAST_STORE, STRICT_STORE = "fast, store", "strict, store"
DUAL = (CAPTURE, FAST_SINK, STRICT_SINK, FAST_STORE, STRICT_STORE)

LOADS = tuple(
    Load(script, protocol, 8) for script in ("-b tpcb-like", "-N") for protocol in ("simple", "prepared")
)

Rounds = dict[str, list[Turn]]
"""By proxy; all of the same length."""
Results = Mapping[Load, Rounds]


def run(postgres: PostgresServer, pgbench: Pgbench, plan: Plan, progress: Progress) -> Section:
    """All loads through all proxies, in turns."""
    postgres.psql(GIVE_KEY, pgbench.database)
    with ExitStack() as stack:
        progress.step("dual-write: starting a document store")
        store = stack.enter_context(start_document_store())
        nothing, document_store = stack.enter_context(sink()), real(store)
        racing: list[Mirroring] = [
            stack.enter_context(mirroring(postgres, pgbench, nothing, PASSTHROUGH, phase="passthrough")),
            stack.enter_context(
                mirroring(postgres, pgbench, nothing, CAPTURE, durability="fast", module="bench.capture_only")
            ),
            stack.enter_context(mirroring(postgres, pgbench, nothing, FAST_SINK, durability="fast")),
            stack.enter_context(mirroring(postgres, pgbench, nothing, STRICT_SINK)),
            stack.enter_context(mirroring(postgres, pgbench, document_store, FAST_STORE, durability="fast")),
            stack.enter_context(mirroring(postgres, pgbench, document_store, STRICT_STORE)),
        ]
        for proxy in racing:
            progress.update(f"dual-write: warming up: {proxy.name}")
            take_turn(postgres, proxy, pgbench, LOADS[-1], 1)
        results: dict[Load, Rounds] = {load: {} for load in LOADS}
        for index in range(plan.mirror_rounds):
            for load in LOADS:
                for proxy in turns(racing, index):
                    progress.update(
                        f"dual-write: round {index + 1} of {plan.mirror_rounds}: {load}: {proxy.name}"
                    )
                    turn = take_turn(postgres, proxy, pgbench, load, plan.mirror_seconds)
                    results[load].setdefault(proxy.name, []).append(turn)
    return Section("dual-write", "Dual write", text(results, store.kind), data(results))


def text(results: Results, kind: str) -> str:
    """The tables."""
    return "\n\n".join(
        [
            "Throughput with every table of pgbench in `dual_write`, as a fraction of that of a proxy whose rules say "
            f"`passthrough`: medians (lowest..highest) over the rounds. The aim is {THROUGHPUT_AIM} with the store on "
            "another machine, which the columns *sink* stand for: a store that acknowledges and does nothing. "
            f"*store* is {STORES.get(kind, kind)} on the same two CPUs.",
            table(
                ["pgbench, 8 clients", "passthrough, tps", *DUAL],
                [
                    [
                        _name(load),
                        number(_spread(rounds, PASSTHROUGH, lambda turn: turn.tps).median),
                        *(
                            with_range(spread(ratios(_tps(rounds, name), _tps(rounds, PASSTHROUGH))))
                            for name in DUAL
                        ),
                    ]
                    for load, rounds in results.items()
                ],
            ),
            "The proxy's processor time, µs: of a statement in `passthrough`, and what is added for each write of one "
            f"row, by what it is for (the aim for capture is {CPU_AIM}); the last column is a captured write as a "
            "multiple of a forwarded statement, all included.",
            table(
                [
                    "pgbench, 8 clients",
                    "forwarded",
                    "+ capture",
                    "+ mirror",
                    "+ spool (strict)",
                    "write, fast",
                    "write, strict",
                ],
                [_cpu_row(load, rounds) for load, rounds in results.items()],
            ),
            "Where else processor time goes, µs for each write: PostgreSQL, which runs the splice, against "
            "passthrough; and the stores.",
            table(
                ["pgbench, 8 clients", "PostgreSQL, added", "sink", "store, fast", "store, strict"],
                [_else_row(load, rounds) for load, rounds in results.items()],
            ),
            "What waited for the store when pgbench ended after its turn, images and transactions on disk, and the "
            "seconds until none did (medians):",
            table(
                ["pgbench, 8 clients", *DUAL[1:]],
                [
                    [
                        _name(load),
                        *(
                            f"{number(_spread(rounds, name, lambda turn: turn.behind).median)}; "
                            f"{number(_spread(rounds, name, lambda turn: turn.settled).median, 2)} s"
                            for name in DUAL[1:]
                        ),
                    ]
                    for load, rounds in results.items()
                ],
            ),
        ]
    )


STORES = {
    "documentdb": "DocumentDB (PostgreSQL with its extension, behind a gateway in Python)",
    "mongod": "MongoDB",
}


def data(results: Results) -> dict[str, Any]:
    """Every round."""
    return {
        str(load): {name: [asdict(turn) for turn in done] for name, done in rounds.items()}
        for load, rounds in results.items()
    }


def added(rounds: Rounds, load: Load, name: str, base: str) -> Spread:
    """Microseconds of the proxy's processor time that `name` takes beyond `base` for each write, round by round."""
    return spread(differences(_cpu(rounds, name), _cpu(rounds, base))).scaled(1e6 / WRITES[load.script])


def forwarded(rounds: Rounds, load: Load) -> Spread:
    """Microseconds of one statement in passthrough."""
    return spread(_cpu(rounds, PASSTHROUGH)).scaled(1e6 / STATEMENTS[load.script])


def _cpu_row(load: Load, rounds: Rounds) -> list[str]:
    statement = forwarded(rounds, load)

    def multiple(name: str) -> str:
        return number(1 + added(rounds, load, name, PASSTHROUGH).median / statement.median, 1)

    return [
        _name(load),
        number(statement.median, 1),
        with_range(added(rounds, load, CAPTURE, PASSTHROUGH), 0),
        with_range(added(rounds, load, FAST_SINK, CAPTURE), 0),
        with_range(added(rounds, load, STRICT_SINK, FAST_SINK), 0),
        multiple(FAST_SINK),
        multiple(STRICT_SINK),
    ]


def _else_row(load: Load, rounds: Rounds) -> list[str]:
    writes = WRITES[load.script]
    postgres = spread(
        differences(
            [turn.source_cpu for turn in rounds[CAPTURE]], [turn.source_cpu for turn in rounds[PASSTHROUGH]]
        )
    )

    def store(name: str) -> str:
        spent = _spread(rounds, name, lambda turn: turn.store_cpu).scaled(1e6 / writes)
        return number(spent.median, 1) if spent.median else NOTHING

    return [
        _name(load),
        with_range(postgres.scaled(1e6 / writes), 0),
        *(store(name) for name in (STRICT_SINK, FAST_STORE, STRICT_STORE)),
    ]


def _name(load: Load) -> str:
    return f"{load.script} {load.protocol}"


def _spread(rounds: Rounds, name: str, value: Callable[[Turn], float]) -> Spread:
    return spread(map(value, rounds[name]))


def _tps(rounds: Rounds, name: str) -> Sequence[float]:
    return [turn.tps for turn in rounds[name]]


def _cpu(rounds: Rounds, name: str) -> Sequence[float]:
    return [turn.cpu for turn in rounds[name]]
