"""What the hop adds to one statement when nothing else is going on."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any

from bench import contenders
from bench.client import Client, bind_execute, parse, query
from bench.contenders import CAUSEWAY, DIRECT, PGBOUNCER
from bench.figures import differences, percentile, spread, turns
from bench.pgbench import Pgbench
from bench.plan import Plan
from bench.progress import Progress
from bench.report import Section
from bench.tables import number, table, with_range
from devstack.postgres import PostgresServer

SQL = "SELECT abalance FROM pgbench_accounts WHERE aid = "
_STATEMENT = "s"
_DIFFERENT_REQUESTS = 256
_WARM_UP = 200


@dataclass(frozen=True)
class Round:
    """Microseconds from sending the statement to having its whole answer."""

    p50: float
    p99: float


Results = Mapping[str, Mapping[str, Sequence[Round]]]
"""By protocol and contender."""


def run(postgres: PostgresServer, pgbench: Pgbench, plan: Plan, progress: Progress) -> Section:
    """One client per contender; they take turns of a few milliseconds, so that noise hits all alike."""
    draw = random.Random(1)
    keys = [draw.randrange(1, 100_000 * plan.scale + 1) for _ in range(_DIFFERENT_REQUESTS)]
    requests = {
        "simple": [query(f"{SQL}{key}") for key in keys],
        "prepared": [bind_execute(_STATEMENT, str(key)) for key in keys],
    }
    with ExitStack() as stack:
        racing = [
            contenders.direct(postgres),
            stack.enter_context(contenders.pgbouncer(postgres)),
            stack.enter_context(contenders.causeway(postgres)),
        ]
        clients = {c.name: stack.enter_context(Client(c, pgbench.database)) for c in racing}
        for client in clients.values():
            client.ask(parse(_STATEMENT, f"{SQL}$1::int") + b"S\0\0\0\4")
        results: dict[str, dict[str, list[Round]]] = {}
        for protocol, chosen in requests.items():
            for client in clients.values():
                measure(client, chosen, _WARM_UP)
            for index in range(plan.latency_rounds):
                progress.update(f"latency: {protocol}, round {index + 1} of {plan.latency_rounds}")
                samples: dict[str, list[int]] = {name: [] for name in clients}
                for part in range(plan.latency_slices):
                    for name in turns(list(clients), part):
                        samples[name] += measure(clients[name], chosen, plan.latency_requests)
                for name, taken in samples.items():
                    results.setdefault(protocol, {}).setdefault(name, []).append(
                        Round(percentile(taken, 0.5) / 1e3, percentile(taken, 0.99) / 1e3)
                    )
    return Section("latency", "Added latency", text(results), data(results))


def measure(client: Client, requests: Sequence[bytes], count: int) -> list[int]:
    """Nanoseconds of `count` requests, one after the other."""
    taken = []
    for index in range(count):
        request = requests[index % len(requests)]
        started = perf_counter_ns()
        client.exchange(request)
        taken.append(perf_counter_ns() - started)
    return taken


def text(results: Results) -> str:
    """The table."""
    rows = []
    for protocol, rounds in results.items():
        for name in (PGBOUNCER, CAUSEWAY):
            p50 = spread(differences([r.p50 for r in rounds[name]], [r.p50 for r in rounds[DIRECT]]))
            p99 = spread(differences([r.p99 for r in rounds[name]], [r.p99 for r in rounds[DIRECT]]))
            alone = spread(r.p50 for r in rounds[DIRECT])
            ratio = spread(r.p50 / other.p50 for r, other in zip(rounds[name], rounds[DIRECT], strict=True))
            rows.append(
                [
                    f"{protocol}, {name}",
                    number(alone.median),
                    with_range(p50, 0),
                    with_range(p99, 0),
                    with_range(ratio),
                ]
            )
    return "\n\n".join(
        [
            "One client, `SELECT` by primary key, µs added to the direct connection's own latency: medians "
            "(lowest..highest) over the rounds.",
            table(["one client", "direct p50", "added p50", "added p99", "p50 / direct"], rows),
        ]
    )


def data(results: Results) -> dict[str, Any]:
    """Every round."""
    return {
        protocol: {
            name: {"p50_us": [r.p50 for r in done], "p99_us": [r.p99 for r in done]}
            for name, done in rounds.items()
        }
        for protocol, rounds in results.items()
    }
