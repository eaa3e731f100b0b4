"""The I/O of a connection against a real server: legs, TLS, cancel, flow control, ends."""

from __future__ import annotations

import os
import socket
import ssl
import struct
import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest

from devstack.postgres import PASSWORD, PostgresServer
from proxy.wire.messages import frame
from tests.support.raw import RawClient
from tests.support.running import RunningProxy, connect, tcp
from tests.support.transcript import gssenc_request, query, ssl_request, startup_message
from tests.support.waiting import eventually, sleeping_backends

pytestmark = pytest.mark.integration


# Legs.


@pytest.mark.parametrize("upstream", ["tcp", "unix"])
@pytest.mark.parametrize("listen", ["tcp", "unix"])
def test_tcp_and_unix_on_either_leg(
    postgres: PostgresServer, tmp_path: Path, listen: str, upstream: str
) -> None:
    target = tcp(postgres) if upstream == "tcp" else f"unix:{postgres.socket_path}"
    where = "127.0.0.1:0" if listen == "tcp" else f"unix:{tmp_path}/.s.PGSQL.6432"
    with RunningProxy(upstream=target, listen=where) as proxy:
        host, port = ("127.0.0.1", proxy.port) if listen == "tcp" else (str(tmp_path), 6432)
        with psycopg.connect(host=host, port=port, user="postgres", dbname="postgres") as connection:
            row = connection.execute("select inet_client_addr() is null").fetchone()
        assert row == (upstream == "unix",)


def test_both_legs_have_nodelay_and_keepalive(proxy: RunningProxy) -> None:
    with connect(proxy):
        connection = next(iter(proxy.server._connections))
        assert connection.server is not None
        for leg in (connection.client, connection.server):
            assert leg.transport is not None
            sock = leg.transport.get_extra_info("socket")
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60


def test_hosts_are_tried_in_order(postgres: PostgresServer) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        dead = f"127.0.0.1:{closed.getsockname()[1]}"
        upstream = f"postgresql://{dead},{postgres.host}:{postgres.port}/?sslmode=disable"
        with RunningProxy(upstream=upstream) as proxy:
            with connect(proxy) as connection:
                assert connection.execute("select 1").fetchone() == (1,)
            assert proxy.counters.server_connect_failures == {dead: 1}


def test_no_server_is_an_error_response(postgres: PostgresServer) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        dead = f"127.0.0.1:{closed.getsockname()[1]}"
        with (
            RunningProxy(upstream=f"{dead},nowhere.invalid:5432") as proxy,
            RawClient(("127.0.0.1", proxy.port)) as client,
        ):
            client.send(startup_message())
            error = client.error()
            assert (error["S"], error["C"]) == ("FATAL", "08001")
            assert f"{dead}: Connection refused" in error["D"]
            assert "nowhere.invalid:5432: cannot resolve the name" in error["D"]
            assert client.at_eof()
            assert proxy.counters.connections_refused == {"upstream": 1}


def test_a_server_that_does_not_answer_is_given_up(postgres: PostgresServer) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        with (
            RunningProxy(upstream=f"postgresql://{host}/?sslmode=require", connect_timeout=0.2) as proxy,
            RawClient(("127.0.0.1", proxy.port)) as client,
        ):
            client.send(startup_message())
            assert client.error()["D"] == f"{host}: no answer within 0.2 s"


def test_a_host_that_is_starting_up_is_passed_over(postgres: PostgresServer) -> None:
    refusal = b"SFATAL\x00VFATAL\x00C57P03\x00Mthe database system is starting up\x00\x00"
    with socket.socket() as starting:
        starting.bind(("127.0.0.1", 0))
        starting.listen()

        def refuse() -> None:
            taken, _ = starting.accept()
            with taken:
                taken.recv(4096)
                taken.sendall(frame(ord("E"), refusal))

        threading.Thread(target=refuse, daemon=True).start()
        host = f"127.0.0.1:{starting.getsockname()[1]}"
        upstream = f"postgresql://{host},{postgres.host}:{postgres.port}/?sslmode=disable"
        with RunningProxy(upstream=upstream) as proxy, connect(proxy) as connection:
            assert connection.execute("select 1").fetchone() == (1,)


# TLS.


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
def test_tls_towards_the_server(postgres: PostgresServer, mode: str) -> None:
    upstream = tcp(postgres, sslmode=mode, sslrootcert=str(postgres.certificates.ca))
    with RunningProxy(upstream=upstream) as proxy, connect(proxy) as connection:
        row = connection.execute("select ssl from pg_stat_ssl where pid = pg_backend_pid()").fetchone()
        assert row == (True,)


def test_prefer_takes_tls_where_it_is_offered_and_lets_be_where_not(postgres: PostgresServer) -> None:
    uses_tls = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
    with RunningProxy(upstream=tcp(postgres, sslmode="prefer")) as proxy:
        with connect(proxy) as connection:
            assert connection.execute(uses_tls).fetchone() == (True,)
        postgres.conf(ssl="off")
        try:
            with connect(proxy) as connection:
                assert connection.execute(uses_tls).fetchone() == (False,)
        finally:
            postgres.conf(ssl="on")


def test_a_certificate_of_a_stranger_is_refused(postgres: PostgresServer, tmp_path: Path) -> None:
    from devstack.certificates import CertificateAuthority

    stranger = CertificateAuthority("somebody else").write(tmp_path / "stranger.pem")
    upstream = tcp(postgres, sslmode="verify-full", sslrootcert=str(stranger))
    with RunningProxy(upstream=upstream) as proxy, RawClient(("127.0.0.1", proxy.port)) as client:
        client.send(startup_message())
        error = client.error()
        assert error["C"] == "08001"
        assert "certificate verify failed" in error["D"]
        assert proxy.counters.tls_handshake_failures == {"server": 1}


def test_tls_that_is_required_and_not_offered(postgres: PostgresServer) -> None:
    postgres.conf(ssl="off")
    try:
        with (
            RunningProxy(upstream=tcp(postgres, sslmode="require")) as proxy,
            RawClient(("127.0.0.1", proxy.port)) as client,
        ):
            client.send(startup_message())
            assert "does not support TLS" in client.error()["D"]
    finally:
        postgres.conf(ssl="on")


@pytest.mark.parametrize("mode", ["prefer", "require", "verify-full"])
def test_tls_towards_the_client(tls_proxy: RunningProxy, postgres: PostgresServer, mode: str) -> None:
    with connect(
        tls_proxy,
        host="localhost",
        sslmode=mode,
        sslrootcert=str(postgres.certificates.ca),
        gssencmode="disable",
    ) as connection:
        assert connection.pgconn.ssl_in_use
        assert connection.execute("select repeat('x', 1000000)").fetchone() == ("x" * 1_000_000,)


def test_gssenc_then_tls(tls_proxy: RunningProxy) -> None:
    with RawClient(("127.0.0.1", tls_proxy.port)) as client:
        client.send(gssenc_request())
        assert client.receive(1) == b"N"
        client.send(ssl_request())
        assert client.receive(1) == b"S"
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        client.socket = context.wrap_socket(client.socket)
        assert client.login()[-1] == ("Z", b"I")


def direct_tls(client: RawClient, alpn: list[str]) -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(alpn)
    client.socket = context.wrap_socket(client.socket)


def test_direct_tls(tls_proxy: RunningProxy) -> None:
    with RawClient(("127.0.0.1", tls_proxy.port)) as client:
        direct_tls(client, ["postgresql"])
        assert client.login()[-1] == ("Z", b"I")
        assert client.query("select 1")[-1] == ("Z", b"I")


def test_direct_tls_without_alpn_is_refused(tls_proxy: RunningProxy) -> None:
    with RawClient(("127.0.0.1", tls_proxy.port)) as client:
        direct_tls(client, [])
        assert client.error()["C"] == "08P01"


def test_a_unix_socket_has_no_tls_and_cannot_be_asked_for_it(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    pair = postgres.certificates.proxy
    with RunningProxy(
        upstream=tcp(postgres),
        listen=f"127.0.0.1:0,unix:{tmp_path}/.s.PGSQL.5432",
        tls_cert=str(pair.cert),
        tls_key=str(pair.key),
        tls_mode="require",
    ) as proxy:
        with RawClient(f"{tmp_path}/.s.PGSQL.5432") as client:
            client.send(ssl_request())
            assert client.receive(1) == b"N"
            assert client.login()[-1] == ("Z", b"I")
        with RawClient(("127.0.0.1", proxy.port)) as plain:
            plain.send(startup_message())
            assert plain.error()["C"] == "28000"


def test_direct_tls_to_a_proxy_without_a_certificate_is_closed(proxy: RunningProxy) -> None:
    with RawClient(("127.0.0.1", proxy.port)) as client:
        client.send(b"\x16\x03\x01\x02\x00\x01\x00")
        assert client.at_eof()


def test_plaintext_behind_ssl_request_is_refused(tls_proxy: RunningProxy) -> None:
    with RawClient(("127.0.0.1", tls_proxy.port)) as client:
        client.send(ssl_request() + startup_message())
        assert client.error()["M"] == "received unencrypted data after SSL request"
        assert client.at_eof()


def test_a_failed_handshake_leaves_nothing(tls_proxy: RunningProxy) -> None:
    with RawClient(("127.0.0.1", tls_proxy.port)) as client:
        client.send(ssl_request())
        assert client.receive(1) == b"S"
        client.send(b"this is no ClientHello" * 10)
        list(client.rest())
    eventually(lambda: tls_proxy.counters.client_connections == 0)
    assert tls_proxy.counters.tls_handshake_failures == {"client": 1}


def test_certificates_are_reloaded(postgres: PostgresServer, tmp_path: Path) -> None:
    from devstack.certificates import CertificateAuthority

    authority = CertificateAuthority("reload")
    cert, key = tmp_path / "tls.crt", tmp_path / "tls.key"

    def renew(stem: str) -> str:
        pair = authority.issue_server(tmp_path, stem)
        os.replace(pair.cert, cert)
        os.replace(pair.key, key)
        return cert.read_text()

    def presented(by: RunningProxy) -> str:
        with RawClient(("127.0.0.1", by.port)) as client:
            direct_tls(client, ["postgresql"])
            assert isinstance(client.socket, ssl.SSLSocket)
            shown = client.socket.getpeercert(binary_form=True)
            assert shown is not None
            return ssl.DER_cert_to_PEM_cert(shown)

    first = renew("first")
    with RunningProxy(upstream=tcp(postgres), tls_cert=str(cert), tls_key=str(key)) as proxy:
        assert presented(proxy).strip() == first.strip()
        second = renew("second")
        assert presented(proxy).strip() == second.strip() != first.strip()
        cert.write_text("not a certificate")
        assert presented(proxy).strip() == second.strip()


def test_client_certificates_can_be_demanded(postgres: PostgresServer) -> None:
    certificates = postgres.certificates
    with RunningProxy(
        upstream=tcp(postgres),
        tls_cert=str(certificates.proxy.cert),
        tls_key=str(certificates.proxy.key),
        tls_client_ca=str(certificates.ca),
    ) as proxy:
        with connect(
            proxy,
            sslmode="require",
            sslcert=str(certificates.client.cert),
            sslkey=str(certificates.client.key),
        ) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
        with pytest.raises(psycopg.OperationalError):
            connect(proxy, sslmode="require").close()


# Authentication.

SCRAM = {"user": "causeway_scram", "password": PASSWORD}


@pytest.mark.parametrize("role", ["causeway_trust", "causeway_password", "causeway_md5", "causeway_scram"])
@pytest.mark.parametrize("client_tls", [False, True])
@pytest.mark.parametrize("server_tls", [False, True])
def test_authentication_is_relayed(
    postgres: PostgresServer, role: str, client_tls: bool, server_tls: bool
) -> None:
    pair = postgres.certificates.proxy
    settings: dict[str, Any] = {"tls_cert": str(pair.cert), "tls_key": str(pair.key)} if client_tls else {}
    upstream = tcp(postgres, sslmode="require" if server_tls else "disable")
    # TLS on both legs: the binding to the channel cannot pass, so the client has to go without.
    binding = "disable" if client_tls and server_tls else "prefer"
    with RunningProxy(upstream=upstream, **settings) as proxy:
        good = {"user": role, "sslmode": "require" if client_tls else "disable", "channel_binding": binding}
        with connect(proxy, password=PASSWORD, **good) as connection:
            assert connection.execute("select current_user::text").fetchone() == (role,)
        if role != "causeway_trust":
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                connect(proxy, password="wrong", **good)


def test_channel_binding_passes_where_both_show_the_same_certificate(postgres: PostgresServer) -> None:
    pair = postgres.certificates.server
    with (
        RunningProxy(
            upstream=tcp(postgres, sslmode="require"), tls_cert=str(pair.cert), tls_key=str(pair.key)
        ) as proxy,
        connect(proxy, sslmode="require", channel_binding="require", **SCRAM) as connection,
    ):
        assert connection.execute("select 1").fetchone() == (1,)


def test_channel_binding_is_stopped_where_the_certificates_differ(postgres: PostgresServer) -> None:
    pair = postgres.certificates.proxy
    with (
        RunningProxy(
            upstream=tcp(postgres, sslmode="require"), tls_cert=str(pair.cert), tls_key=str(pair.key)
        ) as proxy,
        pytest.raises(psycopg.OperationalError, match="channel binding"),
    ):
        connect(proxy, sslmode="require", channel_binding="require", **SCRAM)


# Cancel.


def test_cancel_hits_the_query_it_means(proxy: RunningProxy) -> None:
    with connect(proxy) as victim, connect(proxy) as bystander:
        bystander_result: list[object] = []

        def bystand() -> None:
            bystander_result.append(bystander.execute("select pg_sleep(1), 'undisturbed'").fetchone())

        thread = threading.Thread(target=bystand)
        thread.start()
        canceller = threading.Timer(0.3, victim.cancel_safe)
        canceller.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            victim.execute("select pg_sleep(30)")
        assert victim.execute("select 1").fetchone() == (1,)
        canceller.join()
        thread.join()
        assert bystander_result == [("", "undisturbed")]
    assert proxy.counters.cancel_requests == {"forwarded": 1}


def test_the_cancel_connection_is_held_until_it_has_taken_effect(proxy: RunningProxy) -> None:
    """Else a client that cancels and goes on would have its next query cancelled."""
    with connect(proxy) as connection:
        for _ in range(50):
            connection.cancel_safe()
            assert connection.execute("select 1").fetchone() == (1,)


def test_a_canceller_that_does_not_wait_is_served(postgres: PostgresServer, proxy: RunningProxy) -> None:
    with RawClient(("127.0.0.1", proxy.port)) as client:
        key = next(body for kind, body in client.login() if kind == "K")
        client.send(query("select pg_sleep(30)"))
        eventually(lambda: sleeping_backends(postgres) == 1)
        with RawClient(("127.0.0.1", proxy.port)) as canceller:
            canceller.send(struct.pack("!ii", 8 + len(key), 80877102) + key)
        messages = client.until("Z")
        assert b"C57014" in messages[-2][1]


def test_an_unknown_key_is_closed_without_a_word(proxy: RunningProxy) -> None:
    with RawClient(("127.0.0.1", proxy.port)) as client:
        client.send(struct.pack("!iiii", 16, 80877102, 1, 2))
        assert client.at_eof()
    assert proxy.counters.cancel_requests == {"unknown": 1}


def test_keys_are_forgotten_with_their_connection(proxy: RunningProxy) -> None:
    with connect(proxy):
        assert len(proxy.server.cancel_keys) == 1
    eventually(lambda: len(proxy.server.cancel_keys) == 0)


def test_cancel_over_tls(postgres: PostgresServer) -> None:
    pair = postgres.certificates.proxy
    with (
        RunningProxy(
            upstream=tcp(postgres, sslmode="require"), tls_cert=str(pair.cert), tls_key=str(pair.key)
        ) as proxy,
        connect(proxy, sslmode="require") as connection,
    ):
        canceller = threading.Timer(0.3, connection.cancel_safe)
        canceller.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("select pg_sleep(30)")
        canceller.join()


# What comes sooner than expected.


@pytest.mark.parametrize("direct", [False, True])
def test_the_startup_message_in_one_flight_with_the_end_of_the_handshake(
    tls_proxy: RunningProxy, direct: bool
) -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["postgresql"])
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing)
    with RawClient(("127.0.0.1", tls_proxy.port)) as client:
        if not direct:
            client.send(ssl_request())
            assert client.receive(1) == b"S"
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                client.send(outgoing.read())
                incoming.write(client.socket.recv(65536))
        tls.write(startup_message(user="postgres", database="postgres"))
        client.send(outgoing.read())
        heard = b""
        while not heard.endswith(b"Z\x00\x00\x00\x05I"):
            incoming.write(client.socket.recv(65536))
            while incoming.pending:
                try:
                    heard += tls.read(65536)
                except ssl.SSLWantReadError:
                    break
        assert heard[:1] == b"R"


def test_a_server_that_speaks_and_closes_at_once_is_heard() -> None:
    refusal = frame(ord("E"), b"SFATAL\x00VFATAL\x00C53200\x00Mout of memory\x00\x00")
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

        def refuse() -> None:
            for _ in range(20):
                taken, _ = server.accept()
                with taken:
                    taken.sendall(refusal)
                    taken.shutdown(socket.SHUT_WR)
                    taken.recv(4096)

        threading.Thread(target=refuse, daemon=True).start()
        target = f"postgresql://127.0.0.1:{server.getsockname()[1]}/?sslmode=disable"
        with RunningProxy(upstream=target) as proxy:
            for _ in range(20):
                with RawClient(("127.0.0.1", proxy.port)) as client:
                    client.send(startup_message())
                    assert client.error()["C"] == "53200"
                    assert client.at_eof()
