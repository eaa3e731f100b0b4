"""Several processes on one port."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from devstack.postgres import PostgresServer
from proxy.config import Settings
from proxy.workers import Assignment
from tests.support.proxy import ProxyProcess
from tests.support.raw import RawClient
from tests.support.transcript import startup_message
from tests.support.waiting import eventually, open_backends, sleeping_backends


def test_settings_cross_the_pipe_with_their_secrets() -> None:
    settings = Settings.model_validate(
        {
            "listen": "127.0.0.1:1,[::1]:2,unix:/tmp/x/.s.PGSQL.1",
            "upstream": "postgresql://a:1,b:2/?sslmode=require",
            "store": "mongodb://user:secret@host/",
            "max_connections": 17,
            "buffer_high_water": "1MiB",
            "connect_timeout": "250ms",
            "workers": 3,
        }
    )
    told = Assignment(settings, 1, 3, Path("/tmp/x"), 4, 5, (6, 7))
    assert Assignment.from_json(told.to_json()) == told
    assert settings.reveal()["store"] == "mongodb://user:secret@host/"


def test_siblings_are_the_others() -> None:
    told = Assignment(Settings.model_validate({"upstream": "h"}), 1, 3, Path("/x"), 0, 0, ())
    assert told.siblings == [Path("/x/worker-0.sock"), Path("/x/worker-2.sock")]


@pytest.fixture
def proxy(postgres: PostgresServer, tmp_path: Path) -> Iterator[ProxyProcess]:
    with ProxyProcess(
        upstream=f"postgresql://{postgres.host}:{postgres.port}/?sslmode=disable",
        listen=f"127.0.0.1:0,unix:{tmp_path}/.s.PGSQL.5432",
        workers=3,
        max_connections=12,
        drain_timeout="5s",
    ) as running:
        yield running


def connect(proxy: ProxyProcess, **parameters: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(
        autocommit=True,
        **{
            "host": proxy.host,
            "port": str(proxy.port),
            "user": "postgres",
            "dbname": "postgres",
            **parameters,
        },  # type: ignore[arg-type]
    )


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found]


def owners(proxy: ProxyProcess) -> set[int]:
    """The workers that hold client connections now."""
    return {pid for pid in children(proxy.pid) if sockets_to(pid, proxy.port)}


def sockets_to(pid: int, port: int) -> int:
    """Established connections of `pid` whose local port is `port`."""
    inodes = set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(fd)
        except FileNotFoundError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    local = f"0100007F:{port:04X}"
    return sum(1 for row in rows if row[1] == local and row[3] == "01" and row[9] in inodes)


@pytest.mark.integration
def test_connections_are_spread_and_cancels_find_the_right_worker(
    proxy: ProxyProcess, postgres: PostgresServer
) -> None:
    with ExitStack() as stack:
        victims = [stack.enter_context(connect(proxy)) for _ in range(10)]
        assert len(owners(proxy)) >= 2
        for victim in victims:
            victim.pgconn.send_query(b"select pg_sleep(30)")
            eventually(lambda: sleeping_backends(postgres) == 1)
            victim.cancel_safe()
            result = victim.pgconn.get_result()
            assert result is not None
            assert b"canceling statement due to user request" in result.error_message
            while victim.pgconn.get_result() is not None:
                continue


@pytest.mark.integration
def test_the_limit_holds_over_all_workers(proxy: ProxyProcess) -> None:
    with ExitStack() as stack:
        for _ in range(12):
            stack.enter_context(connect(proxy))
        for _ in range(6):
            with RawClient((proxy.host, proxy.port)) as refused:
                refused.send(startup_message(user="postgres", database="postgres"))
                assert refused.error()["C"] == "53300"


@pytest.mark.integration
def test_a_unix_socket_is_shared_by_the_workers(proxy: ProxyProcess, tmp_path: Path) -> None:
    for _ in range(6):
        with connect(proxy, host=str(tmp_path), port="5432") as connection:
            assert connection.execute("select 1").fetchone() == (1,)


@pytest.mark.integration
def test_a_worker_that_dies_is_replaced_and_the_others_go_on(proxy: ProxyProcess) -> None:
    before = set(children(proxy.pid))
    with ExitStack() as stack:
        connections = [stack.enter_context(connect(proxy)) for _ in range(9)]
        victim = min(before)
        doomed = sockets_to(victim, proxy.port)
        os.kill(victim, signal.SIGKILL)
        proxy.wait_for("worker_died")
        alive = 0
        for connection in connections:
            try:
                alive += connection.execute("select 1").fetchone() == (1,)
            except psycopg.OperationalError:
                continue
        assert alive == 9 - doomed
        proxy.wait_for("worker_started")
        assert len(children(proxy.pid)) == 3
        assert victim not in children(proxy.pid)
        with connect(proxy) as again:
            assert again.execute("select 1").fetchone() == (1,)


@pytest.mark.integration
def test_the_end_leaves_nothing(proxy: ProxyProcess, postgres: PostgresServer, tmp_path: Path) -> None:
    workers = children(proxy.pid)
    with connect(proxy, application_name="until the end") as idle:
        assert proxy.stop() == 0
        with pytest.raises(psycopg.OperationalError, match="terminating connection"):
            idle.execute("select 1")
    assert not any(os.path.exists(f"/proc/{pid}") for pid in workers)
    assert not list(tmp_path.glob(".s.PGSQL*"))
    assert open_backends(postgres, "until the end") == 0


@pytest.mark.integration
def test_workers_end_with_a_supervisor_that_is_killed(proxy: ProxyProcess) -> None:
    workers = children(proxy.pid)
    assert len(workers) == 3
    os.kill(proxy.pid, signal.SIGKILL)
    eventually(lambda: not any(running(pid) for pid in workers))
    proxy.wait()


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.integration
def test_a_worker_that_cannot_start_ends_the_start(postgres: PostgresServer, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("tables:\n  shop.orders:\n    phase: nonsense\n")
    process = ProxyProcess(upstream=f"{postgres.host}:{postgres.port}", workers=2, rules=str(rules))
    with pytest.raises(AssertionError, match="ended before"):
        process.start()
    assert process.wait() == 1
    said = [json.loads(line) for line in process.log]
    assert any("nonsense" in line.get("error", "") for line in said)
