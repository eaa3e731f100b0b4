"""What dark reads cost: plans, and the throughput and latency of an application whose reads are sampled."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

from bench import commands, compiling, latency
from bench.client import Client, bind_execute, parse, query
from bench.compiling import Cost
from bench.errors import BenchError
from bench.figures import differences, percentile, ratios, spread, turns
from bench.mirrored import GIVE_KEY, PATIENCE, TABLES, Mirroring, mirroring, real, rules
from bench.pgbench import Load, Pgbench
from bench.plan import Plan
from bench.progress import Progress
from bench.report import Section
from bench.tables import number, table, with_range
from devstack.cache import remove_tree
from devstack.document_store import DocumentStore, start_document_store
from devstack.paths import new_instance_dir
from devstack.postgres import PostgresServer

PASSTHROUGH, DUAL, DARK_5, DARK_100 = "passthrough", "dual_write", "5 %", "100 %"
SAMPLES = {DARK_5: "5%", DARK_100: "100%"}
LOADS = (Load("-S", "simple", 8), Load("-S", "prepared", 8))
SCALE = 1
"""pgbench's: 100,000 accounts, whose history is copied before."""
LATENCY_SLICES = 4
"""Times the proxies alternate within a round: after each turn its sampled reads are waited for."""
_LOOK = 0.05


@dataclass(frozen=True)
class Turn:
    """One proxy's turn."""

    tps: float
    outcomes: Mapping[str, int]
    """Of the reads that were sampled meanwhile."""


Rounds = dict[str, list[Turn]]


@dataclass(frozen=True)
class Results:
    """All that was measured."""

    costs: Sequence[Cost]
    throughput: Mapping[Load, Rounds]
    latency: Mapping[str, Mapping[str, Sequence[latency.Round]]]
    """By protocol and proxy."""


def run(postgres: PostgresServer, pgbench: Pgbench, plan: Plan, progress: Progress) -> Section:
    """Proxies of one source and store take turns."""
    with postgres.database("dark") as database, start_document_store() as store, ExitStack() as stack:
        own = Pgbench(postgres.pg_bin, database)
        progress.step("dark: filling and copying pgbench's tables")
        own.fill(postgres.host, postgres.port, SCALE)
        postgres.psql(GIVE_KEY, database)
        _copy_history(postgres, database, store)
        progress.step("dark: compiling")
        dsn = postgres.dsn(database)
        costs = compiling.measure(dsn, database, plan.micro_rounds, plan.micro_statements // 10)
        racing = [
            stack.enter_context(mirroring(postgres, own, real(store), PASSTHROUGH, phase="passthrough")),
            stack.enter_context(mirroring(postgres, own, real(store), DUAL)),
            *(
                stack.enter_context(
                    mirroring(
                        postgres, own, real(store), name, phase="dark_read", shadow=f"{{sample: {share}}}"
                    )
                )
                for name, share in SAMPLES.items()
            ),
        ]
        results = Results(
            costs, _throughput(racing, own, plan, progress), _latency(racing, database, plan, progress)
        )
    return Section("dark", "Dark reads", text(results), data(results))


def _copy_history(postgres: PostgresServer, database: str, store: DocumentStore) -> None:
    base = new_instance_dir("bench-dark")
    try:
        (base / "rules.yaml").write_text(rules(database, "backfill"), encoding="utf-8")
        settings = {
            "CONTROL_DSN": postgres.dsn(database),
            "STORE": store.uri,
            "RULES": str(base / "rules.yaml"),
        }
        for name in TABLES:
            ended = commands.causeway(["backfill", name, "--offline", "--json"], settings, base)
            told = ended.lines()[-1]
            if told.get("event") != "end" or told.get("status") != "done":
                raise BenchError(f"the backfill of {name} ended with {told}")
    finally:
        remove_tree(base)


def _outcomes(proxy: Mirroring) -> tuple[Counter[str], int]:
    """Of all sampled reads so far, and how many are under way."""
    shadow = proxy.status().shadow
    if shadow is None:
        return Counter(), 0
    found: Counter[str] = Counter()
    for one in shadow.tables:
        found.update(one.outcomes)
    return found, shadow.waiting


def settled(proxy: Mirroring) -> Counter[str]:
    """Outcomes once no read is under way. Raises BenchError when that does not come."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found, waiting = _outcomes(proxy)
        if not waiting:
            return found
        if time.monotonic() > deadline:
            raise BenchError(f"{proxy.name}: {waiting} sampled reads are under way still")
        time.sleep(_LOOK)


def _turn(proxy: Mirroring, pgbench: Pgbench, load: Load, seconds: int) -> Turn:
    before = settled(proxy)
    outcome = pgbench.run(proxy.contender.host, proxy.contender.port, load, seconds)
    after = settled(proxy)
    if not outcome.transactions:
        raise BenchError(f"{proxy.name}: no transaction of {load} in {seconds} s")
    if after["mismatch"] or after["error"]:
        raise BenchError(f"{proxy.name}: {dict(after)}")
    return Turn(outcome.tps, dict(after - before))


def _throughput(
    racing: Sequence[Mirroring], pgbench: Pgbench, plan: Plan, progress: Progress
) -> dict[Load, Rounds]:
    results: dict[Load, Rounds] = {load: {} for load in LOADS}
    for proxy in racing:
        _turn(proxy, pgbench, LOADS[-1], 1)
    for index in range(plan.mirror_rounds):
        for load in LOADS:
            for proxy in turns(racing, index):
                progress.update(f"dark: round {index + 1} of {plan.mirror_rounds}: {load}: {proxy.name}")
                turn = _turn(proxy, pgbench, load, plan.mirror_seconds)
                results[load].setdefault(proxy.name, []).append(turn)
    return results


def _latency(
    racing: Sequence[Mirroring], database: str, plan: Plan, progress: Progress
) -> dict[str, dict[str, list[latency.Round]]]:
    """One client of each proxy; they take turns of a few milliseconds."""
    draw = random.Random(1)
    keys = [draw.randrange(1, 100_000 * SCALE + 1) for _ in range(256)]
    requests = {
        "simple": [query(f"{latency.SQL}{key}") for key in keys],
        "prepared": [bind_execute("s", str(key)) for key in keys],
    }
    results: dict[str, dict[str, list[latency.Round]]] = {}
    with ExitStack() as stack:
        proxies = {one.name: one for one in racing}
        clients = {one.name: stack.enter_context(Client(one.contender, database)) for one in racing}
        for client in clients.values():
            client.ask(parse("s", f"{latency.SQL}$1::int") + b"S\0\0\0\4")
        for protocol, chosen in requests.items():
            for client in clients.values():
                latency.measure(client, chosen, 200)
            for index in range(plan.latency_rounds):
                progress.update(f"dark: latency, {protocol}, round {index + 1} of {plan.latency_rounds}")
                samples: dict[str, list[int]] = {name: [] for name in clients}
                for part in range(LATENCY_SLICES):
                    for name in turns(list(clients), part):
                        samples[name] += latency.measure(clients[name], chosen, plan.latency_requests)
                        settled(proxies[name])  # the others' turns are not to pay for it
                for name, taken in samples.items():
                    made = latency.Round(percentile(taken, 0.5) / 1e3, percentile(taken, 0.99) / 1e3)
                    results.setdefault(protocol, {}).setdefault(name, []).append(made)
    return results


def text(results: Results) -> str:
    """The tables."""
    return "\n\n".join(
        [
            "A plan of a read, µs of one processor: parsed and compiled anew (*cold*, of that PostgreSQL's parser), "
            "found by the shape of its text, its own constants put in, found by its text; and bound for one execution. "
            "The least of the rounds.",
            table(
                ["read", "characters", "cold", "of that parsing", "by shape", "by text", "binding"],
                [
                    [
                        cost.name,
                        number(cost.characters),
                        *(number(value) for value in (cost.cold, cost.parsed)),
                        *(number(value, 1) for value in (cost.by_shape, cost.by_text, cost.bound)),
                    ]
                    for cost in results.costs
                ],
            ),
            "Throughput of `pgbench -S` with its tables in `dark_read`, as a fraction of a proxy's whose rules say "
            "`passthrough`: medians (lowest..highest) over the rounds. In `dual_write` statements are looked at "
            "already: sampling comes on top of that. The store and the shadow process share the CPUs "
            "with the proxy, PostgreSQL and pgbench. *compared*: the share of the sampled reads that was compared; the "
            "others were dropped, because there was no room for them.",
            table(
                [
                    "8 clients",
                    "passthrough, tps",
                    DUAL,
                    *(f"{n}{part}" for n in SAMPLES for part in ("", ", compared")),
                ],
                [_throughput_row(load, rounds) for load, rounds in results.throughput.items()],
            ),
            "One client, `SELECT` by primary key, µs added to the latency in `passthrough`: medians (lowest..highest) "
            "over the rounds. The aim at 5 % is within noise.",
            table(
                [
                    "one client",
                    "passthrough p50",
                    *(f"{n}, {p}" for n in (DUAL, *SAMPLES) for p in ("p50", "p99")),
                ],
                [_latency_row(protocol, rounds) for protocol, rounds in results.latency.items()],
            ),
        ]
    )


def _throughput_row(load: Load, rounds: Rounds) -> list[str]:
    base = [turn.tps for turn in rounds[PASSTHROUGH]]

    def share(name: str) -> str:
        return with_range(spread(ratios([turn.tps for turn in rounds[name]], base)))

    cells = [cell for name in SAMPLES for cell in (share(name), f"{100 * compared(rounds[name]):.0f} %")]
    return [f"{load.script} {load.protocol}", number(spread(base).median), share(DUAL), *cells]


def compared(done: Sequence[Turn]) -> float:
    """The share of the sampled reads that had another end than being dropped."""
    every = sum(sum(turn.outcomes.values()) for turn in done)
    return 1 - sum(turn.outcomes.get("dropped", 0) for turn in done) / every if every else 0.0


def _latency_row(protocol: str, rounds: Mapping[str, Sequence[latency.Round]]) -> list[str]:
    base = rounds[PASSTHROUGH]
    cells = []
    for name in (DUAL, *SAMPLES):
        for of in ("p50", "p99"):
            taken, without = ([getattr(one, of) for one in done] for done in (rounds[name], base))
            cells.append(with_range(spread(differences(taken, without)), 0))
    return [protocol, number(spread(one.p50 for one in base).median), *cells]


def data(results: Results) -> dict[str, Any]:
    """Every round."""
    return {
        "costs": [asdict(cost) for cost in results.costs],
        "throughput": {
            str(load): {name: [asdict(turn) for turn in done] for name, done in rounds.items()}
            for load, rounds in results.throughput.items()
        },
        "latency": {
            protocol: {name: [asdict(one) for one in done] for name, done in rounds.items()}
            for protocol, rounds in results.latency.items()
        },
    }
