"""Listening, bounds and the drain."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import psycopg
import pytest

from devstack.postgres import PostgresServer
from tests.support.raw import RawClient
from tests.support.running import RunningProxy, connect, tcp
from tests.support.transcript import query, startup_message
from tests.support.waiting import eventually, sleeping_backends

integration = pytest.mark.integration


@integration
def test_several_addresses_at_once_and_no_trace_afterwards(postgres: PostgresServer, tmp_path: Path) -> None:
    where = f"127.0.0.1:0,unix:{tmp_path}/.s.PGSQL.5432"
    with RunningProxy(upstream=tcp(postgres), listen=where) as proxy:
        connect(proxy).close()
        psycopg.connect(host=str(tmp_path), port=5432, user="postgres", dbname="postgres").close()
    assert not list(tmp_path.iterdir())


# Bounds.


@integration
def test_max_connections(postgres: PostgresServer) -> None:
    with RunningProxy(upstream=tcp(postgres), max_connections=2) as proxy:
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
    with RunningProxy(upstream=tcp(postgres), max_connections=1) as proxy:
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
    with RunningProxy(upstream=tcp(postgres)) as proxy:
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
    with RunningProxy(upstream=tcp(postgres), drain_timeout=0.3) as proxy:
        with RawClient(("127.0.0.1", proxy.port)) as client:
            client.login()
            client.query("begin")
            proxy.drain()
            assert client.error()["C"] == "57P01"
            assert proxy.counters.limits_reached["drain_timeout"] == 1


@integration
def test_a_second_request_does_not_wait_and_what_runs_is_undone(postgres: PostgresServer) -> None:
    with RunningProxy(upstream=tcp(postgres), drain_timeout=600) as proxy, postgres.database() as database:
        with RawClient(("127.0.0.1", proxy.port)) as client:
            client.login(database=database)
            client.query("create table undone (id int)")
            client.send(query("insert into undone select 1 from pg_sleep(60)"))
            eventually(lambda: sleeping_backends(postgres) == 1)
            drain = threading.Thread(target=proxy.drain)
            drain.start()
            eventually(lambda: proxy.status()["state"] == "draining")
            proxy.drain(immediate=True)
            assert client.error()["C"] == "57014"
            assert client.message() == ("Z", b"I")
            assert client.error()["C"] == "57P01"
            client.close()
            drain.join(15)
            assert not drain.is_alive()
        assert sleeping_backends(postgres) == 0
        with psycopg.connect(postgres.dsn(database)) as direct:
            assert direct.execute("select count(*) from undone").fetchone() == (0,)


@integration
def test_status_counts_what_is_idle_and_active(postgres: PostgresServer) -> None:
    with RunningProxy(upstream=tcp(postgres), max_connections=7) as proxy:
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
