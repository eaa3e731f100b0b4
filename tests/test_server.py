"""Listening, bounds and the drain."""

from __future__ import annotations

import os
import socket
import threading
import time
from pathlib import Path

import psycopg
import pytest

from devstack.postgres import PostgresServer
from proxy.addresses import TcpAddress, UnixAddress
from proxy.server import listen_tcp, listen_unix
from tests.support.raw import RawClient
from tests.support.running import RunningProxy
from tests.support.transcript import query, startup_message

integration = pytest.mark.integration


def upstream(postgres: PostgresServer) -> str:
    return f"postgresql://{postgres.host}:{postgres.port}/?sslmode=disable"


def connect(proxy: RunningProxy) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(
        host="127.0.0.1", port=proxy.port, user="postgres", dbname="postgres", autocommit=True
    )


# Listening.


async def test_a_name_is_listened_on_at_every_address_with_one_port() -> None:
    sockets = await listen_tcp(TcpAddress("localhost", 0), shared=False)
    try:
        assert len({s.getsockname()[1] for s in sockets}) == 1
        assert {s.getsockname()[0] for s in sockets} <= {"127.0.0.1", "::1"}
    finally:
        for sock in sockets:
            sock.close()


async def test_an_address_in_use_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}: Address already in use"):
            await listen_tcp(TcpAddress("127.0.0.1", port), shared=False)


async def test_a_shared_port_can_be_joined() -> None:
    first = await listen_tcp(TcpAddress("127.0.0.1", 0), shared=True)
    second = await listen_tcp(TcpAddress("127.0.0.1", first[0].getsockname()[1]), shared=True)
    for sock in (*first, *second):
        sock.close()


async def test_an_unknown_name() -> None:
    with pytest.raises(OSError, match=r"cannot listen on nowhere\.invalid:1"):
        await listen_tcp(TcpAddress("nowhere.invalid", 1), shared=False)


def test_a_dead_unix_socket_is_replaced_and_a_live_one_is_not(tmp_path: Path) -> None:
    address = UnixAddress(str(tmp_path / ".s.PGSQL.1"))
    listen_unix(address).close()
    assert os.path.exists(address.path)
    with listen_unix(address), pytest.raises(OSError, match="Address already in use"):
        listen_unix(address)


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(OSError, match=r"not a socket|File exists"):
        listen_unix(UnixAddress(str(path)))
    assert path.read_text() == "data"


@integration
def test_several_addresses_at_once_and_no_trace_afterwards(postgres: PostgresServer, tmp_path: Path) -> None:
    where = f"127.0.0.1:0,unix:{tmp_path}/.s.PGSQL.5432"
    with RunningProxy(upstream=upstream(postgres), listen=where) as proxy:
        connect(proxy).close()
        psycopg.connect(host=str(tmp_path), port=5432, user="postgres", dbname="postgres").close()
    assert not list(tmp_path.iterdir())


# Bounds.


@integration
def test_max_connections(postgres: PostgresServer) -> None:
    with RunningProxy(upstream=upstream(postgres), max_connections=2) as proxy:
        with connect(proxy), connect(proxy) as second:
            with RawClient(("127.0.0.1", proxy.port)) as third:
                third.send(startup_message(user="postgres", database="postgres"))
                error = third.error()
                assert (error["S"], error["C"]) == ("FATAL", "53300")
                assert error["M"] == "sorry, too many clients already"
            second.close()
            deadline = time.monotonic() + 10
            while True:
                try:
                    connect(proxy).close()
                    break
                except psycopg.OperationalError:
                    assert time.monotonic() < deadline
            assert proxy.counters.connections_refused["max_connections"] >= 1


@integration
def test_connections_that_only_start_are_bounded_too(postgres: PostgresServer) -> None:
    with RunningProxy(upstream=upstream(postgres), max_connections=1) as proxy:
        idlers = [RawClient(("127.0.0.1", proxy.port)) for _ in range(2 * 1 + 16)]
        deadline = time.monotonic() + 10
        while proxy.counters.client_connections < len(idlers):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        with RawClient(("127.0.0.1", proxy.port)) as one_more:
            assert one_more.error()["C"] == "53300"
        for idler in idlers:
            idler.close()


# The drain.


@integration
def test_a_drain_lets_transactions_finish(postgres: PostgresServer) -> None:
    with RunningProxy(upstream=upstream(postgres)) as proxy:
        idle, busy = RawClient(("127.0.0.1", proxy.port)), RawClient(("127.0.0.1", proxy.port))
        port = proxy.port
        idle.login()
        busy.login()
        busy.query("begin")
        drain = threading.Thread(target=proxy.drain)
        drain.start()
        assert idle.error()["C"] == "57P01"
        assert idle.at_eof()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        assert busy.query("select 1")[-1] == ("Z", b"T")
        assert drain.is_alive()
        assert busy.query("commit")[-1] == ("Z", b"I")
        assert busy.error()["C"] == "57P01"
        assert busy.at_eof()
        idle.close()
        busy.close()
        drain.join(10)
        assert not drain.is_alive()


@integration
def test_a_drain_does_not_wait_for_ever(postgres: PostgresServer) -> None:
    with RunningProxy(upstream=upstream(postgres), drain_timeout=0.3) as proxy:
        with RawClient(("127.0.0.1", proxy.port)) as client:
            client.login()
            client.query("begin")
            proxy.drain()
            assert client.error()["C"] == "57P01"
            assert proxy.counters.limits_reached["drain_timeout"] == 1


@integration
def test_a_second_request_does_not_wait_at_all(postgres: PostgresServer) -> None:
    with RunningProxy(upstream=upstream(postgres), drain_timeout=600) as proxy:
        with RawClient(("127.0.0.1", proxy.port)) as client:
            client.login()
            client.send(query("select pg_sleep(60)"))
            drain = threading.Thread(target=proxy.drain)
            drain.start()
            while proxy.status()["state"] != "draining":
                time.sleep(0.01)
            proxy.drain(immediate=True)
            assert client.error()["C"] == "57P01"
            client.close()
            drain.join(15)
            assert not drain.is_alive()


@integration
def test_status_counts_what_is_idle_and_active(postgres: PostgresServer) -> None:
    with RunningProxy(upstream=upstream(postgres), max_connections=7) as proxy:
        with (
            connect(proxy),
            RawClient(("127.0.0.1", proxy.port)) as active,
            RawClient(("127.0.0.1", proxy.port)),
        ):
            active.login()
            active.query("begin")
            connections = proxy.status()["connections"]
            deadline = time.monotonic() + 10
            while connections["client"] < 3:
                assert time.monotonic() < deadline
                connections = proxy.status()["connections"]
            assert connections == {
                "client": 3,
                "server": 2,
                "idle": 1,
                "active": 1,
                "starting": 1,
                "limit": 7,
            }
