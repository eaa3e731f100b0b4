"""The servers of a run: one PostgreSQL, and what may stand in front of it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bench.errors import BenchError
from bench.procfs import tree
from devstack.accounts import Account, give, server_account
from devstack.paths import new_instance_dir
from devstack.ports import free_port
from devstack.postgres import PostgresServer
from devstack.supervision import Server, Supervised, clean_environment

DIRECT = "direct"
PGBOUNCER = "pgbouncer"
CAUSEWAY = "causeway"
CAUSEWAY_PURE = "causeway, pure Python"
CAUSEWAY_TWO = "causeway, 2 workers"
BARE = "bare uvloop relay"

MAX_CLIENTS = 1200
"""Connections that every contender is configured for."""

TOP = Path(__file__).resolve().parent.parent
"""The checkout."""
_START_SECONDS = 20.0


@dataclass(frozen=True)
class Contender:
    """A way to the database."""

    name: str
    host: str
    port: int
    pids: tuple[int, ...] = ()
    """The processes in between; none where the way is direct."""
    admin: str = ""
    """Where /status answers; empty where nothing does."""


def direct(postgres: PostgresServer) -> Contender:
    return Contender(DIRECT, postgres.host, postgres.port)


@contextmanager
def causeway(
    postgres: PostgresServer,
    *,
    name: str = CAUSEWAY,
    workers: int = 1,
    pure: bool = False,
    module: str = "proxy",
    admin: bool = False,
    settings: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Contender]:
    """A proxy of its own, as `causeway run` starts it; `pure` keeps the compiled header walk out.

    `module` is what is run in its place. `settings` are further ones, by the name of their variables
    (`CAUSEWAY_STORE`).
    """
    argv = [
        sys.executable,
        "-m",
        module,
        "run",
        "--listen=127.0.0.1:0",
        f"--upstream={postgres.host}:{postgres.port}",
        f"--admin={'127.0.0.1:0' if admin else 'off'}",
        "--log-format=json",
        f"--max-connections={MAX_CLIENTS}",
        f"--workers={workers}",
    ]
    kept = {name: value for name, value in clean_environment().items() if not name.startswith("CAUSEWAY_")}
    env = {**kept, **settings, **({"CAUSEWAY_PURE_PYTHON": "1"} if pure else {})}
    base = new_instance_dir("bench-causeway")
    log = base / "causeway.log"
    with supervised(Server(argv=argv, log=log, env=env, cwd=TOP, remove=[base])) as server:
        started = wait_for(server, f"{name} did not start", lambda: _started(log))
        host, _, port = started["listen"][0].rpartition(":")
        yield Contender(name, host, int(port), tree(_pid(server)), started["admin"] if admin else "")


@contextmanager
def bare_relay(postgres: PostgresServer) -> Iterator[Contender]:
    """See `bench.bare_relay`."""
    argv = [sys.executable, "-m", "bench.bare_relay", postgres.host, str(postgres.port)]
    base = new_instance_dir("bench-bare")
    log = base / "port"
    with supervised(Server(argv=argv, log=log, env=clean_environment(), cwd=TOP, remove=[base])) as server:
        port = wait_for(server, f"{BARE} did not start", lambda: port_in(log))
        yield Contender(BARE, "127.0.0.1", port, tree(_pid(server)))


@contextmanager
def pgbouncer(postgres: PostgresServer) -> Iterator[Contender]:
    """PgBouncer with session pooling, which is what a one-to-one proxy compares with."""
    program = find_pgbouncer()
    account = server_account()
    base = new_instance_dir("bench-pgbouncer")
    port = free_port()
    users = base / "users.txt"
    users.write_text('"postgres" ""\n', encoding="utf-8")
    config = base / "pgbouncer.ini"
    config.write_text(pgbouncer_config(postgres.host, postgres.port, port, users), encoding="utf-8")
    log = base / "pgbouncer.log"
    give(base, account)
    with supervised(_pgbouncer_server(program, config, log, account, base)) as server:
        wait_for(server, f"{PGBOUNCER} did not start", lambda: _accepts(port))
        yield Contender(PGBOUNCER, "127.0.0.1", port, tree(_pid(server)))


def find_pgbouncer() -> str:
    """Raises BenchError that says how to install it."""
    found = shutil.which(
        "pgbouncer", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    )
    if found is None:
        raise BenchError(
            "PgBouncer is missing, and there is nothing to compare with: `make bench` installs it on Debian; "
            "by hand: apt-get install pgbouncer"
        )
    return found


def pgbouncer_config(host: str, port: int, listen_port: int, users: Path) -> str:
    """As Debian's defaults, but for session pooling with as many server connections as clients."""
    settings: Mapping[str, object] = {
        "listen_addr": "127.0.0.1",
        "listen_port": listen_port,
        "unix_socket_dir": "",
        "auth_type": "trust",
        "auth_file": users,
        "pool_mode": "session",
        "max_client_conn": MAX_CLIENTS,
        "default_pool_size": MAX_CLIENTS,
        "log_connections": 0,
        "log_disconnections": 0,
    }
    lines = [f"{name} = {value}" for name, value in settings.items()]
    return "\n".join(["[databases]", f"* = host={host} port={port}", "[pgbouncer]", *lines, ""])


def _pgbouncer_server(program: str, config: Path, log: Path, account: Account | None, base: Path) -> Server:
    return Server(
        argv=[program, "--quiet", str(config)],
        log=log,
        account=account,
        env=clean_environment(),
        stop_signal=signal.SIGTERM,
        remove=[base],
    )


@contextmanager
def supervised(server: Server) -> Iterator[Supervised]:
    """It runs while the block does."""
    running = Supervised(server)
    try:
        running.start()
        yield running
    finally:
        running.close()


def wait_for(server: Supervised, failure: str, ready: Callable[[], Any]) -> Any:
    """What `ready` returns once that is true. Raises BenchError with the end of the server's log."""
    deadline = time.monotonic() + _START_SECONDS
    while not (result := ready()):
        status = server.status()
        if not status.running or time.monotonic() > deadline:
            raise BenchError(f"{failure} within {_START_SECONDS:.0f} s; its log ends:\n{server.log_tail()}")
        time.sleep(0.01)
    return result


def _pid(server: Supervised) -> int:
    pid = server.status().pid
    if pid is None:
        raise BenchError(f"{server.server.argv[0]} has ended; its log ends:\n{server.log_tail()}")
    return pid


def _started(log: Path) -> dict[str, Any] | None:
    """The proxy's event that says where it listens, once it is in the log."""
    if log.exists():
        for line in log.read_text(encoding="utf-8").splitlines():
            if '"started"' in line:
                event = json.loads(line)
                if isinstance(event, dict) and event.get("event") == "started":
                    return event
    return None


def port_in(log: Path) -> int:
    """What a server that prints nothing but its port has printed; 0 before."""
    text = log.read_text(encoding="ascii") if log.exists() else ""
    return int(text) if text.endswith("\n") else 0


def _accepts(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except ConnectionRefusedError:
        return False
