"""How far documents are behind under sustained load, and how fast a full spool empties once the store is back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from bench.errors import BenchError
from bench.figures import percentile
from bench.mirrored import (
    GIVE_KEY,
    PATIENCE,
    WRITES,
    Mirroring,
    StoreRig,
    captured,
    lag,
    mirroring,
    real,
    sink,
    take_turn,
    waiting,
)
from bench.pgbench import Load, Pgbench, parse
from bench.plan import Plan
from bench.procfs import cpu_time
from bench.progress import Progress
from bench.report import Section
from bench.tables import number, table
from devstack.document_store import start_document_store
from devstack.documentdb import DocumentDb
from devstack.ports import free_port
from devstack.postgres import PostgresServer

LOAD = Load("-N", "prepared", 8)
"""The most writes that pgbench has to give: one row updated and one inserted in each transaction."""

SINK, STORE = "sink", "store"
_EVERY = 0.2
_SMALL_MEMORY = "64KiB"
"""Of the mirror whose spool is filled: nearly all of it must be read back from disk."""


@dataclass(frozen=True)
class Sample:
    """One look at /status."""

    at: float
    """Seconds since the load began."""
    lag: float
    waiting: int


@dataclass(frozen=True)
class Sustained:
    """Strict dual write under load."""

    tps: float
    samples: Sequence[Sample]
    settled: float
    """Seconds from the end of the load until nothing waited."""


@dataclass(frozen=True)
class Drained:
    """A spool filled while the store was away."""

    images: int
    entries: int
    """Transactions on disk when the store came back."""
    size: int
    """Bytes of the spool then."""
    seconds: float
    """From the store's return until it had everything."""
    cpu: float
    """Seconds of the proxy's processor time in it."""


def run(postgres: PostgresServer, pgbench: Pgbench, plan: Plan, progress: Progress) -> Section:
    """First both stores under load, then both after an outage."""
    postgres.psql(GIVE_KEY, pgbench.database)
    sustained: dict[str, Sustained] = {}
    drained: dict[str, Drained] = {}
    with ExitStack() as stack:
        progress.step("mirror: starting a document store")
        store = stack.enter_context(start_document_store())
        rigs = {SINK: stack.enter_context(sink()), STORE: real(store)}
        for name, rig in rigs.items():
            with mirroring(postgres, pgbench, rig, name) as proxy:
                progress.step(f"mirror: {LOAD} for {plan.lag_seconds} s: {name}")
                take_turn(postgres, proxy, pgbench, LOAD, 1)
                sustained[name] = sustain(proxy, pgbench, plan.lag_seconds)
                proxy.check()
        progress.step(f"mirror: a spool filled for {plan.fill_seconds} s: {SINK}")
        port = free_port()
        gone = StoreRig(f"mongodb://127.0.0.1:{port}/")
        with sink(port):
            filling = stack.enter_context(_filling(postgres, pgbench, gone))
        drained[SINK] = drain(filling, pgbench, plan.fill_seconds, lambda: stack.enter_context(sink(port)))
        if isinstance(store, DocumentDb):
            progress.step(f"mirror: a spool filled for {plan.fill_seconds} s: {STORE}")
            with _filling(postgres, pgbench, rigs[STORE]) as proxy:
                store.stop_gateway()
                drained[STORE] = drain(proxy, pgbench, plan.fill_seconds, store.start_gateway)
    return Section(
        "mirror",
        "Lag and spool",
        text(sustained, drained),
        {
            "sustained": {name: asdict(one) for name, one in sustained.items()},
            "drained": {name: asdict(one) for name, one in drained.items()},
        },
    )


@contextmanager
def _filling(postgres: PostgresServer, pgbench: Pgbench, rig: StoreRig) -> Any:
    with mirroring(
        postgres, pgbench, rig, "spool", MIRROR_MEMORY=_SMALL_MEMORY, RETRY_BACKOFF_MAX="100ms"
    ) as proxy:
        take_turn(postgres, proxy, pgbench, LOAD, 1)
        yield proxy


def sustain(proxy: Mirroring, pgbench: Pgbench, seconds: int) -> Sustained:
    """One run of pgbench, looked at a few times a second."""
    samples: list[Sample] = []
    process = pgbench.start(proxy.contender.host, proxy.contender.port, LOAD, seconds)
    started = time.monotonic()
    while process.poll() is None:
        status = proxy.status()
        samples.append(Sample(time.monotonic() - started, lag(status), waiting(status)))
        time.sleep(_EVERY)
    output, _ = process.communicate()
    return Sustained(parse(output).tps, samples, proxy.settle())


def drain(proxy: Mirroring, pgbench: Pgbench, seconds: int, bring_back: Callable[[], object]) -> Drained:
    """Writes while the store is away, then the time that the mirror takes once it is back."""
    before = captured(proxy.status())
    outcome = pgbench.run(proxy.contender.host, proxy.contender.port, LOAD, seconds)
    full = proxy.status()
    assert full.mirror is not None
    if full.mirror.spool_entries < outcome.transactions // 2:
        raise BenchError(
            f"only {full.mirror.spool_entries} of {outcome.transactions} transactions are in the spool: "
            f"the store is {full.mirror.store}"
        )
    cpu = cpu_time(proxy.contender.pids).total
    started = time.monotonic()
    bring_back()
    while proxy.waiting():
        if time.monotonic() - started > PATIENCE:
            raise BenchError(f"the spool is not empty {PATIENCE:.0f} s after the store came back")
        time.sleep(_EVERY / 4)
    taken = time.monotonic() - started
    proxy.check()
    images = captured(proxy.status()) - before
    if images != outcome.transactions * WRITES[LOAD.script]:
        raise BenchError(f"{outcome.transactions} transactions of {LOAD} gave {images} images")
    return Drained(
        images,
        full.mirror.spool_entries,
        full.mirror.spool_bytes,
        taken,
        cpu_time(proxy.contender.pids).total - cpu,
    )


def text(sustained: dict[str, Sustained], drained: dict[str, Drained]) -> str:
    """The tables."""
    return "\n\n".join(
        [
            f"Strict dual write under `pgbench {LOAD.script}`, {LOAD.protocol}, {LOAD.clients} clients, for as long "
            "as the last column says; lag is what `/status` tells, the age of the oldest commit that the store does "
            "not have. Waiting counts images in memory and transactions on disk.",
            table(
                [
                    "",
                    "tps",
                    "writes/s",
                    "lag p50",
                    "lag max",
                    "waiting p50",
                    "waiting max",
                    "in the last fifth",
                    "empty after",
                    "load for",
                ],
                [_sustained_row(name, one) for name, one in sustained.items()],
            ),
            "A spool filled by the same load while the store was away, then emptied with no load beside it; "
            f"`mirror_memory` was {_SMALL_MEMORY}, so that nearly all came back from disk.",
            table(
                ["", "writes", "transactions", "spool, MB", "seconds", "writes/s", "proxy µs / write"],
                [
                    [
                        name,
                        number(one.images),
                        number(one.entries),
                        number(one.size / 1e6, 1),
                        number(one.seconds, 1),
                        number(one.images / one.seconds),
                        number(one.cpu / one.images * 1e6),
                    ]
                    for name, one in drained.items()
                ],
            ),
        ]
    )


def _sustained_row(name: str, one: Sustained) -> list[str]:
    lags = [sample.lag for sample in one.samples]
    backlog = [sample.waiting for sample in one.samples]
    return [
        name,
        number(one.tps),
        number(one.tps * WRITES[LOAD.script]),
        f"{percentile(lags, 0.5):.2f} s",
        f"{max(lags):.2f} s",
        number(percentile(backlog, 0.5)),
        number(max(backlog)),
        number(percentile(backlog[-max(1, len(backlog) // 5) :], 0.5)),
        f"{one.settled:.2f} s",
        f"{one.samples[-1].at:.0f} s",
    ]
