"""In which order hosts and encryptions are tried: libpq's. The I/O is shown in test_connection.py."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from proxy.addresses import TcpAddress, parse_upstream
from proxy.admin.counters import Counters
from proxy.session.upstream import Connector, Keepalive, Plan

TWO = "postgresql://a:1,b:2/?sslmode="


def attempts(plan: Plan) -> list[str]:
    """Every attempt there is, when each host fails in every encryption."""
    tried = []
    while plan.current is not None:
        host, secure = plan.current
        tried.append(f"{host} {'tls' if secure else 'plain'}")
        if not plan.next_encryption():
            plan.next_host()
    return tried


@pytest.mark.parametrize(
    ("mode", "encryptions"),
    [
        ("disable", ["plain"]),
        ("allow", ["plain", "tls"]),
        ("prefer", ["tls", "plain"]),
        ("require", ["tls"]),
        ("verify-ca", ["tls"]),
        ("verify-full", ["tls"]),
    ],
)
def test_order(mode: str, encryptions: list[str]) -> None:
    plan = Plan(parse_upstream(TWO + mode + "&sslrootcert=ca.pem"))
    assert attempts(plan) == [f"{host} {how}" for host in ("a:1", "b:2") for how in encryptions]
    assert plan.tls_optional == (mode in ("allow", "prefer"))


def test_unix_sockets_have_no_tls() -> None:
    assert attempts(Plan(parse_upstream("/run/x"))) == ["unix:/run/x/.s.PGSQL.5432 plain"]


def test_a_host_that_declined_tls_is_not_tried_without_again() -> None:
    plan = Plan(parse_upstream(TWO + "prefer"))
    plan.used_plain()
    assert not plan.next_encryption()
    assert plan.has_next_host
    assert plan.next_host()
    assert not plan.has_next_host
    assert not plan.next_host()
    assert plan.current is None


async def test_names_are_resolved_anew_for_each_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failover that moves the name takes effect with the next connection."""
    servers = [await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0) for _ in range(2)]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    answers = iter(ports)

    async def getaddrinfo(host: str, port: int, **more: Any) -> list[Any]:
        assert (host, port) == ("db.example", 5432)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", next(answers)))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    connector = Connector(
        parse_upstream("postgresql://db.example/?sslmode=disable"),
        connect_timeout=5,
        keepalive=Keepalive(60, 10, 6),
        counters=Counters(),
    )
    reached = []
    for _ in range(2):
        transport, _, route = await connector.open(
            TcpAddress("db.example", 5432), secure=False, tls_optional=False, factory=asyncio.Protocol
        )
        reached.append(route.sockaddr[1])
        transport.close()
    assert reached == ports
    for server in servers:
        server.close()
