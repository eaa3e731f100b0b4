"""What only a PostgreSQL 18 can show: protocol 3.2 with long cancel keys, and direct TLS on the server's leg."""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator

import psycopg
import pytest

from devstack.postgres import PostgresServer, start_postgres
from tests.support.raw import RawClient
from tests.support.running import RunningProxy
from tests.support.transcript import query, startup_message
from tests.support.waiting import eventually, sleeping_backends

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with start_postgres("rootfs") as running:
        assert running.major >= 18
        yield running


@pytest.fixture
def proxy(server: PostgresServer) -> Iterator[RunningProxy]:
    with RunningProxy(upstream=f"postgresql://{server.host}:{server.port}/?sslmode=disable") as running:
        yield running


def test_protocol_3_2_reaches_the_server_and_long_keys_the_client(
    server: PostgresServer, proxy: RunningProxy
) -> None:
    with RawClient(("127.0.0.1", proxy.port)) as client:
        client.send(startup_message(196610, user="postgres", database="postgres"))
        messages = client.until("Z")
        assert "v" not in [kind for kind, _ in messages]
        key = next(body for kind, body in messages if kind == "K")
        assert len(key) == 4 + 32
        client.send(query("select pg_sleep(30)"))
        with RawClient(("127.0.0.1", proxy.port)) as canceller:
            eventually(lambda: sleeping_backends(server) == 1)
            canceller.send(struct.pack("!ii", 8 + len(key), 80877102) + key)
            assert canceller.at_eof()
        assert b"C57014" in client.until("Z")[-2][1]
    assert proxy.counters.cancel_requests == {"forwarded": 1}


@pytest.mark.parametrize("extra", [{}, {"_pq_.unheard_of": "1"}])
def test_version_grease_is_negotiated_by_the_server(
    proxy: RunningProxy, server: PostgresServer, extra: dict[str, str]
) -> None:
    packet = startup_message(196608 + 9999, user="postgres", database="postgres", **extra)
    heard = []
    for port in (server.port, proxy.port):
        with RawClient(("127.0.0.1", port)) as client:
            client.send(packet)
            heard.append([(k, b) for k, b in client.until("Z") if k != "K"])
    assert heard[0] == heard[1]
    assert heard[0][0][0] == "v"


def test_libpq_speaks_3_2_through_it(proxy: RunningProxy) -> None:
    if psycopg.pq.version() < 180000:
        pytest.skip("the driver's libpq is older than 18")
    with psycopg.connect(
        host="127.0.0.1",
        port=proxy.port,
        user="postgres",
        dbname="postgres",
        max_protocol_version="3.2",
        autocommit=True,
    ) as connection:
        canceller = threading.Timer(0.3, connection.cancel_safe)
        canceller.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("select pg_sleep(30)")
        canceller.join()


def test_direct_tls_towards_the_server(server: PostgresServer) -> None:
    upstream = (
        f"postgresql://{server.host}:{server.port}/"
        f"?sslmode=verify-full&sslnegotiation=direct&sslrootcert={server.certificates.ca}"
    )
    with (
        RunningProxy(upstream=upstream) as proxy,
        psycopg.connect(host="127.0.0.1", port=proxy.port, user="postgres", dbname="postgres") as connection,
    ):
        row = connection.execute("select ssl from pg_stat_ssl where pid = pg_backend_pid()").fetchone()
        assert row == (True,)
        connection.cancel_safe()


def test_libpq_with_direct_tls_towards_the_proxy(server: PostgresServer) -> None:
    if psycopg.pq.version() < 170000:
        pytest.skip("the driver's libpq is older than 17")
    pair = server.certificates.proxy
    with (
        RunningProxy(
            upstream=f"postgresql://{server.host}:{server.port}/?sslmode=disable",
            tls_cert=str(pair.cert),
            tls_key=str(pair.key),
        ) as proxy,
        psycopg.connect(
            host="localhost",
            port=proxy.port,
            user="postgres",
            dbname="postgres",
            sslmode="verify-full",
            sslnegotiation="direct",
            sslrootcert=str(server.certificates.ca),
        ) as connection,
    ):
        assert connection.pgconn.ssl_in_use
        assert connection.execute("select 1").fetchone() == (1,)
