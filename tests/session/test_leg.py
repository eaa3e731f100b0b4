"""Flow control between the legs, and every way a connection ends, on a real server."""

from __future__ import annotations

import os
import socket
import stat
import struct
import threading
import time

import psycopg
import pytest

from devstack.postgres import PostgresServer
from proxy.session.connection import Connection
from proxy.session.leg import Leg
from proxy.wire.messages import TERMINATE_MESSAGE
from tests.support.raw import RawClient
from tests.support.running import RunningProxy, connect, tcp
from tests.support.transcript import query, startup_message
from tests.support.waiting import eventually, open_backends

pytestmark = pytest.mark.integration

# Flow control.


def test_a_client_that_does_not_read_stops_the_server(proxy: RunningProxy) -> None:
    with RawClient(("127.0.0.1", proxy.port)) as client:
        client.login()
        client.send(query("select repeat('x', 1000000) from generate_series(1, 100)"))

        def held() -> int:
            connection = next(iter(proxy.server._connections))
            assert connection.client.transport is not None
            return connection.client.transport.get_write_buffer_size()

        eventually(lambda: held() >= proxy.settings.buffer_high_water)
        time.sleep(0.3)  # gives a proxy without back-pressure the time to buffer the rest
        assert held() < 4 * proxy.settings.buffer_high_water + 1_000_000
        assert proxy.counters.limits_reached["buffer_high_water"] >= 1
        received = sum(len(body) for kind, body in client.until("Z") if kind == "D")
        assert received == 100 * (1_000_000 + 6)


def test_every_byte_arrives_in_order_past_a_full_socket(proxy: RunningProxy) -> None:
    """What the socket takes at once, what waits in the transport, and the change between the two."""
    rows = 2_000_000
    with RawClient(("127.0.0.1", proxy.port)) as client:
        client.login()
        client.send(query(f"copy (select generate_series(1, {rows})) to stdout"))
        eventually(lambda: proxy.counters.limits_reached["buffer_high_water"])
        expected = 1
        for kind, body in client.copy_out():
            assert (kind, int(body)) == ("d", expected)
            expected += 1
        assert expected == rows + 1


def test_copy_in_arrives_in_order_past_a_full_socket(postgres: PostgresServer, proxy: RunningProxy) -> None:
    with postgres.database() as database, connect(proxy, dbname=database) as connection:
        connection.execute("create table ordered (n int, at serial)")
        with connection.cursor().copy("copy ordered (n) from stdin") as copy:
            for start in range(0, 300_000, 1000):
                copy.write("".join(f"{n}\n" for n in range(start, start + 1000)))
        row = connection.execute("select count(*), bool_and(n = at - 1) from ordered").fetchone()
        assert row == (300_000, True)


def test_the_descriptor_is_open_until_the_leg_is_reported_lost(
    proxy: RunningProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The relay writes to it until then; a descriptor closed sooner could be another connection's by now."""
    open_at_the_end: list[bool] = []
    original = Connection.leg_lost

    def leg_lost(self: Connection, leg: Leg, exc: Exception | None) -> None:
        assert leg.transport is not None
        fd = leg.transport.get_extra_info("socket").fileno()
        open_at_the_end.append(fd >= 0 and stat.S_ISSOCK(os.fstat(fd).st_mode))
        original(self, leg, exc)

    monkeypatch.setattr(Connection, "leg_lost", leg_lost)
    for end in (b"", TERMINATE_MESSAGE, query("select pg_terminate_backend(pg_backend_pid())")):
        for reset in (False, True):
            client = RawClient(("127.0.0.1", proxy.port))
            client.login()
            client.send(end)
            if reset:
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
    eventually(lambda: len(open_at_the_end) == 12)
    assert all(open_at_the_end)


def test_a_server_that_does_not_read_stops_the_client_and_not_itself(proxy: RunningProxy) -> None:
    """A pipelining client that sends everything before it reads must not deadlock with large results."""
    count = 300
    with RawClient(("127.0.0.1", proxy.port)) as client:
        client.login()
        sender = threading.Thread(
            target=client.send, args=(query(f"select '{'y' * 20000}', repeat('x', 20000)") * count,)
        )
        sender.start()
        for _ in range(count):
            assert client.until("Z")[-1] == ("Z", b"I")
        sender.join()


# Ends.


def test_terminate_in_mid_query_ends_both_legs_after_the_server(
    postgres: PostgresServer, proxy: RunningProxy
) -> None:
    with psycopg.connect(postgres.dsn(), autocommit=True) as direct:
        direct.execute("create table terminated (id int)")
        try:
            with RawClient(("127.0.0.1", proxy.port)) as client:
                client.login()
                client.send(query("insert into terminated select 1 from pg_sleep(0.3)") + TERMINATE_MESSAGE)
                assert [kind for kind, _ in client.rest()] == ["C", "Z"]
            assert direct.execute("select count(*) from terminated").fetchone() == (1,)
        finally:
            direct.execute("drop table terminated")


def test_half_close_still_gets_its_answer(proxy: RunningProxy) -> None:
    with RawClient(("127.0.0.1", proxy.port)) as client:
        client.login()
        client.send(query("select 'late' from pg_sleep(0.3)"))
        client.socket.shutdown(socket.SHUT_WR)
        assert [kind for kind, _ in client.rest()] == ["T", "D", "C", "Z"]


def test_a_client_that_vanishes_takes_its_backend_along(
    postgres: PostgresServer, proxy: RunningProxy
) -> None:
    client = RawClient(("127.0.0.1", proxy.port))
    client.login(application_name="vanisher")
    assert open_backends(postgres, "vanisher") == 1
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    eventually(lambda: open_backends(postgres, "vanisher") == 0)
    eventually(lambda: proxy.counters.client_connections == 0)


def test_a_client_that_vanishes_in_mid_result_stops_its_backend_at_once(postgres: PostgresServer) -> None:
    with RunningProxy(upstream=tcp(postgres), close_timeout=3600) as proxy:
        client = RawClient(("127.0.0.1", proxy.port))
        client.login(application_name="endless")
        client.send(query("copy (select repeat('x', 500), generate_series(1, 2000000000)) to stdout"))
        client.receive(1_000_000)
        client.close()
        eventually(lambda: open_backends(postgres, "endless") == 0)


def test_a_backend_that_is_terminated_says_so(postgres: PostgresServer, proxy: RunningProxy) -> None:
    with RawClient(("127.0.0.1", proxy.port)) as client, psycopg.connect(postgres.dsn()) as direct:
        client.login(application_name="victim")
        direct.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'victim'"
        )
        assert client.error()["C"] == "57P01"
        assert client.at_eof()


def test_start_up_has_a_deadline(postgres: PostgresServer) -> None:
    with RunningProxy(upstream=tcp(postgres), startup_timeout=0.3) as proxy:
        with RawClient(("127.0.0.1", proxy.port)) as silent:
            assert silent.at_eof()
        with RawClient(("127.0.0.1", proxy.port)) as waiting:
            waiting.send(startup_message(user="causeway_password", database="postgres"))
            assert waiting.message()[0] == "R"
            assert waiting.error()["C"] == "57014"
        with connect(proxy) as connection:
            time.sleep(0.5)  # longer than the deadline, which must not hold any more
            assert connection.execute("select 1").fetchone() == (1,)
        assert proxy.counters.connections_refused == {"startup_timeout": 2}
