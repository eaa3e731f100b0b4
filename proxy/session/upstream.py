"""Opening server connections: hosts in order, names resolved anew, TLS as libpq negotiates it."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from proxy.addresses import Address, TcpAddress, UnixAddress, Upstream
from proxy.admin.counters import Counters
from proxy.session.tls import ReloadedContext, upstream_facing
from proxy.wire.startup import SSL_REQUEST_PACKET

P = TypeVar("P", bound=asyncio.BaseProtocol)


@dataclass(frozen=True, slots=True)
class Keepalive:
    """TCP keepalive of both legs; seconds and probes."""

    idle: int
    interval: int
    count: int

    def apply(self, sock: socket.socket) -> None:
        """Sets keepalive and TCP_NODELAY; on a Unix socket there is nothing to set."""
        if sock.family not in (socket.AF_INET, socket.AF_INET6):
            return
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, self.idle)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, self.interval)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, self.count)


class UpstreamError(Exception):
    """A host could not be connected to; the text names it and says why."""

    def __init__(self, text: str, *, encryption_failed: bool = False) -> None:
        super().__init__(text)
        self.encryption_failed = encryption_failed
        """Whether the host answered and only TLS did not come about."""


@dataclass(frozen=True, slots=True)
class Route:
    """One way to one server: what a server connection was opened by, and a cancel request must go again."""

    host: Address
    """As configured."""
    family: int
    sockaddr: tuple[str, int] | tuple[str, int, int, int] | str
    secure: bool
    """Whether TLS is (to be) negotiated."""


class Plan:
    """The attempts that remain for one client connection, in libpq's order (manual, "Connection Strings")."""

    __slots__ = ("_encryptions", "_hosts", "_mode")

    def __init__(self, upstream: Upstream) -> None:
        self._hosts = list(upstream.hosts)
        self._mode = upstream.tls.mode
        self._encryptions = self._for_host()

    def _for_host(self) -> list[bool]:
        if not self._hosts:
            return []
        if isinstance(self._hosts[0], UnixAddress):
            return [False]
        match self._mode:
            case "disable":
                return [False]
            case "allow":
                return [False, True]
            case "prefer":
                return [True, False]
            case _:
                return [True]

    @property
    def current(self) -> tuple[Address, bool] | None:
        """Host and whether to ask for TLS; None when nothing is left."""
        return (self._hosts[0], self._encryptions[0]) if self._hosts else None

    @property
    def tls_optional(self) -> bool:
        """Whether a server that declines TLS may be used without."""
        return self._mode in ("allow", "prefer")

    def used_plain(self) -> None:
        """The current host declined TLS and is used without: that attempt is spent."""
        self._encryptions = self._encryptions[:1]

    def next_encryption(self) -> bool:
        """Moves on to the current host's other encryption; False, and nothing moved, where there is none."""
        if len(self._encryptions) < 2:
            return False
        self._encryptions = self._encryptions[1:]
        return True

    def next_host(self) -> bool:
        """Moves on to the next host; False where that was the last."""
        self._hosts = self._hosts[1:]
        self._encryptions = self._for_host()
        return bool(self._hosts)

    @property
    def has_next_host(self) -> bool:
        return len(self._hosts) > 1


class Connector:
    """Opens connections to the servers behind the proxy."""

    def __init__(
        self, upstream: Upstream, *, connect_timeout: float, keepalive: Keepalive, counters: Counters
    ) -> None:
        """Raises OSError (ssl.SSLError included) when the upstream's TLS files cannot be used."""
        self.upstream = upstream
        self._timeout = connect_timeout
        self._keepalive = keepalive
        self._counters = counters
        self._tls: ReloadedContext | None = None
        if upstream.tls.mode != "disable" and not all(isinstance(h, UnixAddress) for h in upstream.hosts):
            self._tls = upstream_facing(upstream.tls)

    def plan(self) -> Plan:
        """The attempts for a new client connection."""
        return Plan(self.upstream)

    async def open(
        self, host: Address, *, secure: bool, tls_optional: bool, factory: Callable[[], P]
    ) -> tuple[asyncio.Transport, P, Route]:
        """Connects to `host`, trying each address its name has now, within `connect_timeout`.

        Raises UpstreamError.
        """
        try:
            async with asyncio.timeout(self._timeout):
                addresses = await self._resolve(host)
                for family, sockaddr in addresses[:-1]:
                    try:
                        return await self._open(Route(host, family, sockaddr, secure), tls_optional, factory)
                    except ssl.SSLError:
                        raise
                    except OSError:
                        continue
                family, sockaddr = addresses[-1]
                return await self._open(Route(host, family, sockaddr, secure), tls_optional, factory)
        except TimeoutError:
            error = UpstreamError(f"{host}: no answer within {self._timeout:g} s")
        except ssl.SSLError as problem:
            self._counters.tls_handshake_failures["server"] += 1
            error = UpstreamError(f"{host}: TLS failed: {_reason(problem)}", encryption_failed=True)
        except OSError as problem:
            error = UpstreamError(f"{host}: {_reason(problem)}")
        except UpstreamError as problem:
            error = problem
        self._counters.server_connect_failures[str(host)] += 1
        raise error

    async def open_route(self, route: Route, factory: Callable[[], P]) -> tuple[asyncio.Transport, P]:
        """Connects again the way `route` says. Raises OSError, TimeoutError or UpstreamError."""
        async with asyncio.timeout(self._timeout):
            transport, protocol, _ = await self._open(route, False, factory)
        return transport, protocol

    async def _resolve(
        self, host: Address
    ) -> list[tuple[int, tuple[str, int] | tuple[str, int, int, int] | str]]:
        if isinstance(host, UnixAddress):
            return [(socket.AF_UNIX, host.path)]
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host.host, host.port, type=socket.SOCK_STREAM)
        except socket.gaierror as problem:
            raise UpstreamError(f"{host}: cannot resolve the name: {_reason(problem)}") from problem
        return [(family, sockaddr) for family, _, _, _, sockaddr in found]  # type: ignore[misc]

    async def _open(
        self, route: Route, tls_optional: bool, factory: Callable[[], P]
    ) -> tuple[asyncio.Transport, P, Route]:
        loop = asyncio.get_running_loop()
        sock = socket.socket(route.family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            self._keepalive.apply(sock)
            await loop.sock_connect(sock, route.sockaddr)
            secure = route.secure
            if secure and self.upstream.tls.negotiation == "postgres":
                await loop.sock_sendall(sock, SSL_REQUEST_PACKET)
                # One byte and no more: what follows belongs to the handshake, or is an injection it will reject.
                answer = await loop.sock_recv(sock, 1)
                if answer != b"S":
                    secure = False
                    if answer != b"N":
                        raise UpstreamError(
                            f"{route.host}: unexpected answer {answer!r} to SSLRequest",
                            encryption_failed=True,
                        )
                    if not tls_optional:
                        raise UpstreamError(
                            f"{route.host}: the server does not support TLS, but sslmode="
                            f"{self.upstream.tls.mode} demands it",
                            encryption_failed=True,
                        )
            if secure and self._tls is not None:
                hostname = route.host.host if isinstance(route.host, TcpAddress) else ""
                transport, protocol = await loop.create_connection(
                    factory, sock=sock, ssl=self._tls.get(), server_hostname=hostname
                )
            else:
                transport, protocol = await loop.create_connection(factory, sock=sock)
        except BaseException:
            sock.close()
            raise
        if secure != route.secure:
            route = replace(route, secure=secure)
        return transport, protocol, route


def _reason(problem: OSError) -> str:
    """The system's words for it, without the numbers and addresses Python adds."""
    if isinstance(problem, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {problem.verify_message}"
    if isinstance(problem, ssl.SSLError):
        return problem.reason or str(problem)
    if problem.errno is not None and problem.errno > 0:
        return os.strerror(problem.errno)
    return problem.strerror or str(problem) or type(problem).__name__
