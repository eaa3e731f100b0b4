"""Either leg cut at any byte: no hang, no leaked task, socket or server connection.

The proxy runs in this process, so that what it leaves behind can be counted; `RunningProxy.stop` asserts that it
is nothing.
"""

from __future__ import annotations

import gc
import os
import random
import socket
import time
from collections.abc import Iterator

import psycopg
import pytest

from devstack.postgres import PostgresServer
from proxy.wire.messages import TERMINATE_MESSAGE, frame
from tests.support.faults import Cut, Direction, Fault, FaultProxy
from tests.support.raw import RawClient
from tests.support.running import RunningProxy
from tests.support.transcript import query, startup_message

pytestmark = pytest.mark.integration

PATIENCE = 10.0
APPLICATION = "cut to pieces"


def sync() -> bytes:
    return frame(ord("S"), b"")


CONVERSATION = (
    query("select 'simple'")
    + frame(ord("P"), b"\x00select $1::int\x00\x00\x00")
    + frame(ord("B"), b"\x00\x00\x00\x00\x00\x01\x00\x00\x00\x0242\x00\x00")
    + frame(ord("D"), b"P\x00")
    + frame(ord("E"), b"\x00\x00\x00\x00\x00")
    + sync()
    + query("copy cuts from stdin")
    + frame(ord("d"), b"1\n2\n")
    + frame(ord("c"), b"")
    + query("select 1/0; select 2")
    + query("copy (select * from generate_series(1, 50)) to stdout")
    + TERMINATE_MESSAGE
)


def converse(port: int, said: bytes = b"") -> bytes:
    """Everything, or what is `said`, at once, and all that comes back until the end, whatever it is."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
        got = bytearray()
        try:
            client.sendall(
                said
                or startup_message(user="postgres", database="postgres", application_name=APPLICATION)
                + CONVERSATION
            )
            while chunk := client.recv(65536):
                got += chunk
        except (ConnectionResetError, BrokenPipeError):
            pass
        return bytes(got)


@pytest.fixture(scope="module")
def source(postgres: PostgresServer) -> Iterator[PostgresServer]:
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        connection.execute("create table cuts (id int)")
        yield postgres
        connection.execute("drop table cuts")


def backends(source: PostgresServer) -> int:
    with psycopg.connect(source.dsn()) as connection:
        row = connection.execute(
            "select count(*) from pg_stat_activity where application_name = %s", [APPLICATION]
        ).fetchone()
    assert row is not None
    return int(row[0])


def upstream(host: str, port: int) -> str:
    return f"postgresql://{host}:{port}/?sslmode=disable"


def wait_until_nothing_is_left(proxy: RunningProxy, source: PostgresServer) -> None:
    deadline = time.monotonic() + PATIENCE
    while proxy.counters.client_connections or proxy.counters.server_connections or backends(source):
        assert time.monotonic() < deadline, (proxy.status(), backends(source))
        time.sleep(0.01)


def open_sockets() -> int:
    """Sockets of this process, in which proxy and fault proxies run too; garbage does not count."""
    gc.collect()
    found = 0
    for fd in os.listdir("/proc/self/fd"):
        try:
            found += os.readlink(f"/proc/self/fd/{fd}").startswith("socket:")
        except FileNotFoundError:
            continue
    return found


def sizes(source: PostgresServer) -> dict[Direction, int]:
    """How many bytes an undisturbed conversation has each way; the secret key and times make no difference."""
    up = len(
        startup_message(user="postgres", database="postgres", application_name=APPLICATION) + CONVERSATION
    )
    return {"up": up, "down": len(converse(source.port))}


@pytest.mark.parametrize("leg", ["client", "server"])
@pytest.mark.parametrize("how", ["reset", "close"])
@pytest.mark.parametrize("direction", ["up", "down"])
def test_cut_at_any_byte(source: PostgresServer, leg: str, how: Cut, direction: Direction) -> None:
    total = sizes(source)[direction]
    seed = int(os.environ.get("CAUSEWAY_SEED", random.randrange(1 << 30)))
    print(f"CAUSEWAY_SEED={seed}")
    dice = random.Random(seed)
    places = sorted({1, 2, 7, 8, 9, total - 1, total} | {dice.randint(1, total) for _ in range(18)})
    with FaultProxy((source.host, source.port)) as far:
        target = upstream("127.0.0.1", far.port) if leg == "server" else upstream(source.host, source.port)
        with RunningProxy(upstream=target) as proxy, FaultProxy(("127.0.0.1", proxy.port)) as near:
            converse(near.port)
            wait_until_nothing_is_left(proxy, source)
            before = open_sockets()
            for place in places:
                fault = Fault(direction=direction, after=place, how=how)
                if leg == "server":
                    far.fault = fault
                else:
                    near.fault = fault
                converse(near.port)
                wait_until_nothing_is_left(proxy, source)
            assert (far if leg == "server" else near).cuts >= len(places) - 1
            assert open_sockets() == before


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("leg", ["client", "server"])
def test_any_fragmentation_gives_the_same_replies(source: PostgresServer, leg: str, seed: int) -> None:
    fault = Fault(fragment=1) if seed == 0 else Fault(seed=seed)
    with (
        FaultProxy((source.host, source.port), fault if leg == "server" else Fault()) as far,
        RunningProxy(upstream=upstream("127.0.0.1", far.port)) as proxy,
        FaultProxy(("127.0.0.1", proxy.port), fault if leg == "client" else Fault()) as near,
    ):
        through = converse(near.port)
        wait_until_nothing_is_left(proxy, source)
    assert without_key(through) == without_key(converse(source.port))


def without_key(stream: bytes) -> bytes:
    """The replies without BackendKeyData, the one message two sessions never share."""
    at = stream.index(b"K\x00\x00\x00\x0c")
    return stream[:at] + stream[at + 13 :]


def test_a_server_that_falls_silent_holds_nobody_but_its_own(source: PostgresServer) -> None:
    """A stalled leg is TCP's to detect; until then other connections and the drain are unaffected."""
    fault = Fault(direction="down", after=400, how="stall")
    with (
        FaultProxy((source.host, source.port), fault) as far,
        RunningProxy(upstream=upstream("127.0.0.1", far.port), drain_timeout=0.3) as proxy,
    ):
        stuck = RawClient(("127.0.0.1", proxy.port))
        stuck.send(startup_message(user="postgres", database="postgres", application_name=APPLICATION))
        stuck.receive(100)
        far.fault = Fault()
        for _ in range(3):
            assert b"simple" in converse(proxy.port)
        stuck.send(query("select 1"))
        proxy.drain()
        assert proxy.status()["connections"]["client"] == 0
        stuck.close()
