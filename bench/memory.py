"""What a connection costs while it is idle, and what a large copy costs while it runs."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Any

from bench import contenders
from bench.client import Client, message, query
from bench.contenders import CAUSEWAY, DIRECT, PGBOUNCER, Contender
from bench.errors import BenchError
from bench.pgbench import Pgbench
from bench.plan import Plan
from bench.procfs import peak_resident, pss, reset_peak, resident
from bench.progress import Progress
from bench.report import Section
from bench.tables import NOTHING, bytes_per_second, number, table
from devstack.postgres import PostgresServer

IDLE_AIM_KB = 40
"""KB (1,024 bytes) of memory per idle connection."""

GROWTH_AIM_MB = 32
"""MB (1,048,576 bytes) that the proxy may grow by during a copy."""

_SPARE_FILES = 200
_FILES_PER_CONNECTION = 2
_WARM_UP_CONNECTIONS = 20
_SETTLED_BYTES = 64 << 10
_SETTLE_SECONDS = 5.0

_ROW_BYTES = 1000
_BLOCK = 32 << 10
_SLOW_EVERY = 10_000_000
"""Bytes between two pauses: more than the kernel's buffers of both legs hold."""
_SLOW_SECONDS = 0.02
_READ_BUFFER = 64 << 10


@dataclass(frozen=True)
class Idle:
    """Memory of the proxy at a number of open connections; bytes of proportional set size."""

    connections: int
    empty: int
    """Before the first of them."""
    connected: int
    """Each logged in, none has sent a statement."""
    used: int
    """Each has run one statement."""
    closed: int
    """After all were closed."""

    @property
    def each_connected(self) -> float:
        return (self.connected - self.empty) / self.connections

    @property
    def each_used(self) -> float:
        return (self.used - self.empty) / self.connections


@dataclass(frozen=True)
class Copy:
    """One large copy through a contender."""

    seconds: float
    moved: int
    """Bytes."""
    before: int
    """Bytes resident in the proxy before it."""
    growth: int
    """Most bytes resident during it, less `before`."""


def run(postgres: PostgresServer, pgbench: Pgbench, plan: Plan, progress: Progress) -> Section:
    """Idle connections and copies, each contender by itself."""
    allow_files(_FILES_PER_CONNECTION * plan.idle_connections + _SPARE_FILES)
    idle: dict[str, Idle] = {}
    copies: dict[str, dict[str, Copy]] = {name: {} for name in COPIES}
    openers: Mapping[str, Callable[[PostgresServer], AbstractContextManager[Contender]]] = {
        PGBOUNCER: contenders.pgbouncer,
        CAUSEWAY: contenders.causeway,
    }
    database = pgbench.database
    prepare(postgres, database)
    for name, opener in openers.items():
        with opener(postgres) as contender:
            idle[name] = measure_idle(contender, database, plan.idle_connections, progress)
    for name, copy in COPIES.items():
        if name not in PAUSED:
            progress.step(f"memory: {name}, {DIRECT}")
            copies[name][DIRECT] = measure_copy(contenders.direct(postgres), database, copy, plan.copy_bytes)
        for contender_name, opener in openers.items():
            progress.step(f"memory: {name}, {contender_name}")
            with opener(postgres) as contender:
                copies[name][contender_name] = measure_copy(contender, database, copy, plan.copy_bytes)
    return Section("memory", "Memory", text(idle, copies, plan.copy_bytes), data(idle, copies))


def allow_files(wanted: int) -> None:
    """Raises the limit of open files for this process and those it starts, or says how to."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        if hard != resource.RLIM_INFINITY and hard < wanted:
            raise BenchError(f"{wanted} open files are needed and {hard} are allowed: ulimit -Hn {wanted}")
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def prepare(postgres: PostgresServer, database: str) -> None:
    """What the copies go into. Its rows are read and dropped: the disk is not measured here."""
    postgres.psql("drop table if exists bench_copy; create unlogged table bench_copy (line text)", database)


def measure_idle(contender: Contender, database: str, count: int, progress: Progress) -> Idle:
    """Opens `count` connections and leaves them alone."""
    for _ in range(_WARM_UP_CONNECTIONS):
        with Client(contender, database) as client:
            client.ask(query("SELECT 1"))
    empty = settled(contender)
    with ExitStack() as stack:
        clients = []
        for index in range(count):
            clients.append(stack.enter_context(Client(contender, database)))
            progress.update(f"memory: {contender.name}: {index + 1} of {count} idle connections")
        connected = settled(contender)
        for client in clients:
            client.ask(query("SELECT 1"))
        used = settled(contender)
    return Idle(count, empty, connected, used, settled(contender))


def settled(contender: Contender) -> int:
    """The memory once it does not change any more, or after a few seconds."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    last = pss(contender.pids)
    while time.monotonic() < deadline:
        time.sleep(0.3)
        now = pss(contender.pids)
        if abs(now - last) < _SETTLED_BYTES:
            return now
        last = now
    return last


def copy_out(client: Client, size: int) -> int:
    """Reads as fast as it comes; the bytes read."""
    client.socket.sendall(query(_copy_out_sql(size)))
    return _read_copy(client, lambda moved: None)


def copy_out_slowly(client: Client, size: int) -> int:
    """As `copy_out`, stopping again and again, so that every buffer in between fills."""
    client.socket.sendall(query(_copy_out_sql(size)))
    next_pause = 0

    def pause(moved: int) -> None:
        nonlocal next_pause
        if moved >= next_pause:
            next_pause += _SLOW_EVERY
            time.sleep(_SLOW_SECONDS)

    return _read_copy(client, pause)


def copy_in(client: Client, size: int) -> int:
    """Sends as fast as it is taken; the bytes sent."""
    return _write_copy(client, size, "false")


def copy_in_slowly(client: Client, size: int) -> int:
    """As `copy_in` into a server that stops again and again."""
    every = _SLOW_EVERY // _ROW_BYTES
    condition = f"nextval('bench_rows') % {every} = 0 AND pg_sleep({_SLOW_SECONDS}) IS NULL"
    client.ask(query("CREATE TEMPORARY SEQUENCE bench_rows CACHE 1000"))
    return _write_copy(client, size, condition)


COPIES: Mapping[str, Callable[[Client, int], int]] = {
    "COPY TO STDOUT": copy_out,
    "COPY TO STDOUT, slow reader": copy_out_slowly,
    "COPY FROM STDIN": copy_in,
    "COPY FROM STDIN, slow server": copy_in_slowly,
}

PAUSED = frozenset({"COPY TO STDOUT, slow reader", "COPY FROM STDIN, slow server"})
"""Their speed is that of the pauses, and not worth a comparison with the direct connection."""


def measure_copy(contender: Contender, database: str, copy: Callable[[Client, int], int], size: int) -> Copy:
    """One copy of about `size` bytes."""
    with Client(contender, database) as client:
        client.ask(query("SELECT 1"))
        reset_peak(contender.pids)
        before = resident(contender.pids)
        started = time.monotonic()
        moved = copy(client, size)
        seconds = time.monotonic() - started
        return Copy(seconds, moved, before, max(0, peak_resident(contender.pids) - before))


def text(idle: Mapping[str, Idle], copies: Mapping[str, Mapping[str, Copy]], size: int) -> str:
    """The tables."""
    count = next(iter(idle.values())).connections
    idle_rows = [
        [
            name,
            number(taken.empty / 1024**2, 1),
            number(taken.each_connected / 1024, 1),
            number(taken.each_used / 1024, 1),
            number(taken.closed / 1024**2, 1),
        ]
        for name, taken in idle.items()
    ]
    copy_rows = []
    for name, by_contender in copies.items():
        through = by_contender[CAUSEWAY]
        copy_rows.append(
            [
                name,
                *(
                    number(by_contender[other].growth / 1024**2, 1) if other in by_contender else NOTHING
                    for other in (PGBOUNCER, CAUSEWAY)
                ),
                bytes_per_second(through.moved / through.seconds),
                *(
                    number(by_contender[other].seconds / through.seconds, 2)
                    if other in by_contender
                    else NOTHING
                    for other in (PGBOUNCER, DIRECT)
                ),
            ]
        )
    return "\n\n".join(
        [
            f"Proportional set size of the proxy at {count:,} connections, both legs open. The aim is "
            f"{IDLE_AIM_KB} KB or less for each.",
            table(
                [
                    "proxy",
                    "without any, MB",
                    "each, logged in, KB",
                    "each, after a query, KB",
                    "all closed, MB",
                ],
                idle_rows,
            ),
            f"Growth of the resident set, at its peak, while {size / 1e9:g} GB is copied through one connection; "
            f"the aim is under {GROWTH_AIM_MB} MB. The last columns are Causeway's speed as a ratio.",
            table(
                ["copy", f"{PGBOUNCER}, MB", f"{CAUSEWAY}, MB", CAUSEWAY, "/ pgbouncer", "/ direct"],
                copy_rows,
            ),
        ]
    )


def data(idle: Mapping[str, Idle], copies: Mapping[str, Mapping[str, Copy]]) -> dict[str, Any]:
    """All that was measured, in bytes and seconds."""
    return {
        "idle": {name: vars(taken) for name, taken in idle.items()},
        "copies": {name: {who: vars(copy) for who, copy in by.items()} for name, by in copies.items()},
    }


def _copy_out_sql(size: int) -> str:
    rows = size // _ROW_BYTES
    return f"COPY (SELECT repeat('x', {_ROW_BYTES - 1}) FROM generate_series(1, {rows})) TO STDOUT"


def _read_copy(client: Client, received: Callable[[int], None]) -> int:
    """Up to the ReadyForQuery behind the data, which nothing follows."""
    buffer = bytearray(_READ_BUFFER)
    moved = 0
    tail = b""
    while tail[-6:-1] != b"Z\0\0\0\x05":
        size = client.socket.recv_into(buffer)
        if not size:
            raise BenchError("the server closed the connection in the middle of a copy")
        moved += size
        tail = (tail + buffer[max(0, size - 6) : size])[-6:]
        received(moved)
    return moved


def _write_copy(client: Client, size: int, condition: str) -> int:
    client.socket.sendall(query(f"COPY bench_copy FROM STDIN WHERE {condition}"))
    client.copy_response()
    row = b"x" * (_ROW_BYTES - 1) + b"\n"
    block = message(b"d", row * (_BLOCK // _ROW_BYTES))
    moved = 0
    while moved < size:
        client.socket.sendall(block)
        moved += len(block)
    client.ask(message(b"c", b""))
    return moved
