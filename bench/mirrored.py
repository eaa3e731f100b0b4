"""What a benchmark of dual write needs beside contenders: stores, rules, and what a proxy says of its mirror."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench import contenders
from bench.contenders import Contender, port_in, supervised, wait_for
from bench.errors import BenchError
from bench.pgbench import Load, Pgbench
from bench.procfs import cpu_time, family_cpu_time
from devstack.cache import remove_tree
from devstack.document_store import DocumentStore
from devstack.documentdb import DocumentDb
from devstack.paths import new_instance_dir
from devstack.postgres import PostgresServer
from devstack.supervision import Server, clean_environment
from proxy.addresses import TcpAddress, parse_address
from proxy.admin.client import fetch_status
from proxy.admin.status import Status

TABLES = ("pgbench_accounts", "pgbench_branches", "pgbench_tellers", "pgbench_history")

STATEMENTS = {"-N": 5, "-b tpcb-like": 7, "-S": 1}
"""Of one transaction of pgbench's scripts, BEGIN and END included."""
WRITES = {"-N": 2, "-b tpcb-like": 4}
"""Those of them that write one row."""

PATIENCE = 60.0
"""Seconds until a mirror that does not come to rest is a failure."""
_LOOK = 0.05

GIVE_KEY = "ALTER TABLE pgbench_history ADD COLUMN IF NOT EXISTS hid bigserial PRIMARY KEY"
"""pgbench's own history has no key, and a table without one is not mirrored."""


@dataclass(frozen=True)
class StoreRig:
    """A document store that runs."""

    uri: str
    roots: tuple[int, ...] = ()
    """The processes that all of its processes descend from; empty where they are not known."""


def rules(database: str, phase: str, durability: str = "strict", shadow: str = "") -> str:
    """pgbench's tables in one phase. `shadow`: what all say of it, as YAML in a line."""
    lines = [
        f"database: {database}",
        "defaults:",
        f"  phase: {phase}",
        f"  durability: {durability}",
        *([f"  shadow: {shadow}"] if shadow else []),
        "tables:",
    ]
    return "\n".join([*lines, *(f"  {table}:" for table in TABLES), ""])


@contextmanager
def sink(port: int = 0) -> Iterator[StoreRig]:
    """See `bench.sink`."""
    base = new_instance_dir("bench-sink")
    log = base / "port"
    argv = [sys.executable, "-m", "bench.sink", str(port)]
    server = Server(argv=argv, log=log, env=clean_environment(), cwd=contenders.TOP, remove=[base])
    with supervised(server) as running:
        found = wait_for(running, "the sink did not start", lambda: port_in(log))
        pid = running.status().pid
        yield StoreRig(f"mongodb://127.0.0.1:{found}/", () if pid is None else (pid,))


def real(store: DocumentStore) -> StoreRig:
    """A store of devstack's; its processes are known where it is a DocumentDB."""
    if not isinstance(store, DocumentDb):
        return StoreRig(store.uri)
    roots = [pid for pid in (store.gateway_pid, store.postgres.pid) if pid is not None]
    return StoreRig(store.uri, tuple(roots))


@dataclass
class Mirroring:
    """A proxy that knows a store."""

    contender: Contender
    store: StoreRig
    mirrored: bool
    _admin: TcpAddress = field(init=False)

    def __post_init__(self) -> None:
        address = parse_address(self.contender.admin)
        assert isinstance(address, TcpAddress)
        self._admin = address

    @property
    def name(self) -> str:
        return self.contender.name

    def status(self) -> Status:
        return fetch_status(self._admin)

    def waiting(self) -> int:
        return waiting(self.status())

    def settle(self) -> float:
        """Waits until the store has everything; seconds. Raises BenchError when it does not come to that."""
        started = time.monotonic()
        while self.mirrored and self.waiting():
            if time.monotonic() - started > PATIENCE:
                raise BenchError(f"{self.name}: {self.waiting()} images wait still after {PATIENCE:.0f} s")
            time.sleep(_LOOK)
        return time.monotonic() - started

    def begin(self) -> None:
        """Waits until every table is in the phase its rule asks for. Raises BenchError when that does not come."""
        deadline = time.monotonic() + PATIENCE
        while held := [
            f"{table.table}: {'; '.join(table.reasons)}"
            for table in self.status().tables
            if table.effective is not table.requested
        ]:
            if time.monotonic() > deadline:
                raise BenchError(f"{self.name}: {', '.join(held)}")
            time.sleep(_LOOK)

    def check(self) -> None:
        """Raises BenchError where something was not mirrored: nothing measured of it would mean anything."""
        for table in self.status().tables:
            mirror = table.mirror
            if mirror is not None and (mirror.gaps or mirror.poisoned or mirror.dropped):
                raise BenchError(
                    f"{self.name}: {table.table} has gaps {mirror.gaps}, {mirror.poisoned} poisoned and "
                    f"{mirror.dropped} dropped images"
                )


def waiting(status: Status) -> int:
    """Images in memory that the store does not have yet, and transactions on disk."""
    entries = 0 if status.mirror is None else status.mirror.spool_entries
    return entries + sum(table.mirror.queued for table in status.tables if table.mirror is not None)


def lag(status: Status) -> float:
    """Seconds that the documents are behind, in the table where it is worst."""
    return max((table.mirror.lag_seconds for table in status.tables if table.mirror is not None), default=0.0)


def captured(status: Status) -> int:
    """Images of committed transactions that have been taken up so far."""
    return sum(table.mirror.captured for table in status.tables if table.mirror is not None)


@contextmanager
def mirroring(
    postgres: PostgresServer,
    pgbench: Pgbench,
    store: StoreRig,
    name: str,
    *,
    phase: str = "dual_write",
    durability: str = "strict",
    module: str = "proxy",
    shadow: str = "",
    **settings: str,
) -> Iterator[Mirroring]:
    """A proxy with pgbench's tables in `phase`; `settings` by their names in capitals (`MIRROR_MEMORY`)."""
    base = new_instance_dir("bench-mirror")
    try:
        file = base / "rules.yaml"
        file.write_text(rules(pgbench.database, phase, durability, shadow), encoding="utf-8")
        given = {
            "STORE": store.uri,
            "CONTROL_DSN": postgres.dsn(pgbench.database),
            "RULES": str(file),
            "SPOOL": str(base / "spool"),
            **settings,
        }
        variables = {f"CAUSEWAY_{key}": value for key, value in given.items()}
        with contenders.causeway(
            postgres, name=name, module=module, admin=True, settings=variables
        ) as contender:
            proxy = Mirroring(contender, store, phase != "passthrough" and module == "proxy")
            proxy.begin()
            yield proxy
    finally:
        remove_tree(base)


@dataclass(frozen=True)
class Turn:
    """One proxy's turn in one round. Processor times: seconds for each transaction, until the store had everything."""

    tps: float
    cpu: float
    """Of the proxy."""
    source_cpu: float
    """Of PostgreSQL."""
    store_cpu: float
    """Of the store; 0.0 where its processes are not known."""
    behind: int
    """Images and transactions that waited when pgbench ended."""
    settled: float
    """Seconds until none did."""


def take_turn(postgres: PostgresServer, proxy: Mirroring, pgbench: Pgbench, load: Load, seconds: int) -> Turn:
    """One run of pgbench and what comes after it. Raises BenchError where nothing was done, or not all mirrored."""
    source = () if postgres.pid is None else (postgres.pid,)
    proxy.settle()
    before = cpu_time(proxy.contender.pids).total, _families(source), _families(proxy.store.roots)
    outcome = pgbench.run(proxy.contender.host, proxy.contender.port, load, seconds)
    behind = proxy.waiting() if proxy.mirrored else 0
    settled = proxy.settle()
    after = cpu_time(proxy.contender.pids).total, _families(source), _families(proxy.store.roots)
    if not outcome.transactions:
        raise BenchError(f"{proxy.name}: no transaction of {load} in {seconds} s")
    proxy.check()
    cpu, source_cpu, store_cpu = (
        (later - earlier) / outcome.transactions for later, earlier in zip(after, before, strict=True)
    )
    return Turn(outcome.tps, cpu, source_cpu, store_cpu, behind, settled)


def _families(roots: Sequence[int]) -> float:
    return sum(family_cpu_time(root) for root in roots)
