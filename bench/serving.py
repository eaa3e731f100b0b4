"""What a read served from documents costs: beside the driver asking by itself, and beside PostgreSQL's answer."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

from bench import contenders
from bench.client import Client, bind_execute, parse
from bench.errors import BenchError
from bench.figures import differences, ratios, spread, turns
from bench.mirrored import Mirroring, StoreRig, real
from bench.pgbench import Pgbench
from bench.plan import Plan
from bench.procfs import cpu_time
from bench.progress import Progress
from bench.report import Section
from bench.serving_micro import CUSTOMERS, ORDERS, SHAPES
from bench.tables import number, table, with_range
from devstack.cache import remove_tree
from devstack.document_store import start_document_store
from devstack.paths import new_instance_dir
from devstack.postgres import PostgresServer

CPU_AIM = 150
"""Microseconds of processor time that a served key lookup may take beyond the driver's."""

SERVED, PASSTHROUGH = "served", "passthrough"
DRIVER, ENGINE = "driver", "engine"

CREATE = """
CREATE TABLE IF NOT EXISTS customers (id int PRIMARY KEY, name text, balance bigint);
CREATE TABLE IF NOT EXISTS orders (id int PRIMARY KEY, customer int, total numeric, paid bool, note text);
CREATE INDEX IF NOT EXISTS orders_customer ON orders (customer, id);
"""
FILL = (
    f"INSERT INTO customers SELECT n, 'customer ' || n, n FROM generate_series(0, {CUSTOMERS - 1}) n",
    f"INSERT INTO orders SELECT n, n % {CUSTOMERS}, n + 0.5, n % 3 = 0, "
    f"'a note of some length for order ' || n FROM generate_series(0, {ORDERS - 1}) n",
)
_TABLES = ("customers", "orders")
_TIMEOUT = 600.0


@dataclass(frozen=True)
class Turn:
    """One proxy's reads of one shape in one round; seconds for each."""

    latency: float
    """Of one client that sends one after the other."""
    cpu: float
    """The proxy's processor time."""


Turns = Mapping[str, Mapping[str, list[Turn]]]
"""By shape and proxy."""
Micro = Mapping[str, Mapping[str, list[float]]]
"""By shape and contender: seconds of processor time."""


def run(postgres: PostgresServer, pgbench: Pgbench, plan: Plan, progress: Progress) -> Section:
    """The engine by itself, then whole proxies in turns."""
    with ExitStack() as stack:
        progress.step("serving: starting a document store")
        store = stack.enter_context(start_document_store())
        progress.update("serving: the engine by itself")
        micro = engine(store.uri, plan)
        postgres.psql(CREATE, pgbench.database)
        stack.callback(postgres.psql, f"DROP TABLE {', '.join(_TABLES)}", pgbench.database)
        racing = [
            stack.enter_context(_Proxy(postgres, pgbench, real(store), SERVED, "primary_switch")),
            stack.enter_context(_Proxy(postgres, pgbench, real(store), PASSTHROUGH, "passthrough")),
        ]
        racing[0].fill()
        found: dict[str, dict[str, list[Turn]]] = {shape: {} for shape in SHAPES}
        for proxy in racing:
            for shape in SHAPES:
                proxy.turn(shape, 20)
        for index in range(plan.mirror_rounds):
            for shape in SHAPES:
                for proxy in turns(racing, index):
                    progress.update(
                        f"serving: round {index + 1} of {plan.mirror_rounds}: {shape}: {proxy.name}"
                    )
                    found[shape].setdefault(proxy.name, []).append(
                        proxy.turn(shape, plan.latency_requests * 5)
                    )
    return Section("serving", "Served reads", text(micro, found, store.kind), data(micro, found))


def engine(uri: str, plan: Plan) -> dict[str, dict[str, list[float]]]:
    """See `bench.serving_micro`."""
    reads = max(100, plan.micro_statements // 100)
    argv = [sys.executable, "-m", "bench.serving_micro", uri, str(plan.micro_rounds), str(reads)]
    done = subprocess.run(
        argv, cwd=contenders.TOP, capture_output=True, text=True, timeout=_TIMEOUT, check=False
    )
    if done.returncode:
        raise BenchError(f"the engine by itself: {done.stderr.strip()[-500:]}")
    found: dict[str, dict[str, list[float]]] = json.loads(done.stdout)
    return found


class _Proxy:
    """A proxy with two tables in one phase, and a client of it."""

    def __init__(
        self, postgres: PostgresServer, pgbench: Pgbench, store: StoreRig, name: str, phase: str
    ) -> None:
        self.name = name
        self._postgres = postgres
        self._database = pgbench.database
        self._store = store
        self._phase = phase
        self._stack = ExitStack()

    def __enter__(self) -> _Proxy:
        with ExitStack() as stack:
            base = new_instance_dir("bench-serving")
            stack.callback(remove_tree, base)
            rules = base / "rules.yaml"
            rules.write_text(
                f"database: {self._database}\n"
                f"defaults: {{phase: {self._phase}, ack: {{timeout: 1m}}, reads: {{timeout: 1m}}}}\n"
                f"tables: {{{', '.join(f'{table}: {{force: true}}' for table in _TABLES)}}}\n",
                encoding="utf-8",
            )
            settings = {
                "CAUSEWAY_STORE": self._store.uri,
                "CAUSEWAY_CONTROL_DSN": self._postgres.dsn(self._database),
                "CAUSEWAY_RULES": str(rules),
                "CAUSEWAY_SPOOL": str(base / "spool"),
            }
            contender = stack.enter_context(
                contenders.causeway(self._postgres, name=self.name, admin=True, settings=settings)
            )
            self.proxy = Mirroring(contender, self._store, self._phase != "passthrough")
            self.proxy.begin()
            self.client = stack.enter_context(Client(contender, self._database))
            for shape, read in SHAPES.items():
                self.client.ask(parse(shape, read.text) + b"S\0\0\0\x04")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def fill(self) -> None:
        """Rows and documents, through this proxy."""
        for statement in FILL:
            self.client.ask(b"Q" + (len(statement) + 5).to_bytes(4, "big") + statement.encode() + b"\0")
        self.proxy.settle()
        self.proxy.check()

    def turn(self, shape: str, reads: int) -> Turn:
        """Raises BenchError where PostgreSQL answered what the store was to answer."""
        requests = [bind_execute(shape, str(number % CUSTOMERS)) for number in range(reads)]
        before, cpu, began = self._answered(), cpu_time(self.proxy.contender.pids).total, time.perf_counter()
        for request in requests:
            self.client.exchange(request)
        latency = (time.perf_counter() - began) / reads
        spent = (cpu_time(self.proxy.contender.pids).total - cpu) / reads
        if self._phase == "primary_switch" and self._answered() - before < reads:
            reasons = ", ".join(f"{one.reason}: {one.count}" for one in self._serving().reasons)
            raise BenchError(f"not every read of {shape} was served: {reasons}")
        return Turn(latency, spent)

    def _serving(self) -> Any:
        return self.proxy.status().serving

    def _answered(self) -> int:
        """Reads of orders, which is in every shape, that the store has answered."""
        serving = self._serving()
        tables = [] if serving is None else serving.tables
        return sum(one.store for one in tables if one.table == "public.orders")


def text(micro: Micro, found: Turns, kind: str) -> str:
    """The tables."""
    stores = {
        "documentdb": "DocumentDB behind devstack's gateway",
        "mongod": "mongod",
        "external": "as given",
    }
    return "\n\n".join(
        [
            "Processor time, µs, of one read: the driver's own find of the same documents, and the proxy's engine with "
            "that find in it, both in one process without a client; what the engine adds to the driver (the aim for "
            f"a key lookup is {CPU_AIM}); and a whole proxy that serves the read to a client, and that passes it on to "
            "PostgreSQL. Medians (lowest..highest) over the rounds. The store, "
            f"{stores.get(kind, kind)}, is on the same CPUs.",
            table(
                ["read", "driver", "engine", "engine - driver", "proxy, served", "proxy, PostgreSQL"],
                [
                    [
                        shape,
                        *(number(spread(micro[shape][who]).median * 1e6) for who in (DRIVER, ENGINE)),
                        with_range(
                            spread(
                                value * 1e6
                                for value in differences(micro[shape][ENGINE], micro[shape][DRIVER])
                            ),
                            0,
                        ),
                        *(
                            number(spread(turn.cpu for turn in found[shape][who]).median * 1e6)
                            for who in (SERVED, PASSTHROUGH)
                        ),
                    ]
                    for shape in micro
                ],
            ),
            "Latency, ms, of one client that sends one read after the other through a proxy, and the ratio of both.",
            table(
                ["read", "served", "PostgreSQL", "served / PostgreSQL"],
                [
                    [
                        shape,
                        *(
                            number(spread(turn.latency for turn in found[shape][who]).median * 1e3, 2)
                            for who in (SERVED, PASSTHROUGH)
                        ),
                        with_range(
                            spread(
                                ratios(
                                    [turn.latency for turn in found[shape][SERVED]],
                                    [turn.latency for turn in found[shape][PASSTHROUGH]],
                                )
                            )
                        ),
                    ]
                    for shape in found
                ],
            ),
            "*key* is a row by its primary key, *list* the first 20 of some rows by an index, in order, *join* 25 rows "
            "of one table with their row of another.",
        ]
    )


def data(micro: Micro, found: Turns) -> dict[str, Any]:
    """Every round."""
    return {
        "engine": {shape: {who: list(values) for who, values in one.items()} for shape, one in micro.items()},
        "proxies": {
            shape: {who: [asdict(turn) for turn in rounds] for who, rounds in one.items()}
            for shape, one in found.items()
        },
    }
