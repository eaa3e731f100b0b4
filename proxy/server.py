"""The listening side of one proxy process: it accepts clients, bounds them, and drains them."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Literal, cast

from proxy.addresses import Address, UnixAddress
from proxy.admin.counters import Counters
from proxy.config import Settings
from proxy.limit import ConnectionLimit, LocalLimit
from proxy.listening import bound_address, listen_tcp, listen_unix
from proxy.logs import get_logger
from proxy.session.cancel import CancelKeys
from proxy.session.capturing import Capturing
from proxy.session.connection import Connection
from proxy.session.session import ClientPolicy, Stage
from proxy.session.tls import ReloadedContext, client_facing
from proxy.session.upstream import Connector, Keepalive, Route
from proxy.wire.messages import fatal
from proxy.wire.startup import TLS_HANDSHAKE_RECORD, CancelRequest, cancel_request

log = get_logger(__name__)

ACCEPT_BATCH = 64
"""Connections accepted before the event loop looks at anything else."""

ACCEPT_PAUSE = 1.0
"""Seconds without accepting after the process ran out of file descriptors or memory."""

SPARE_CONNECTIONS = 16
"""Connections above twice `max_connections` that may be in their start-up, cancel requests among them."""

_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

State = Literal["starting", "running", "draining", "stopped"]

AskSiblings = Callable[[CancelRequest], Awaitable[bool]]
"""Passes a cancel request to the other processes of this proxy; False if none of them has its key."""


class ProxyServer:
    """Everything the connections of one process share, and the sockets they come in by."""

    def __init__(
        self,
        settings: Settings,
        counters: Counters,
        *,
        limit: ConnectionLimit | None = None,
        sockets: Sequence[socket.socket] = (),
        ask_siblings: AskSiblings | None = None,
        capturing: Capturing | None = None,
    ) -> None:
        """`sockets` are listening already and are used beside those of `settings.listen` that are TCP.

        Raises OSError (ssl.SSLError included) where a certificate or key cannot be used.
        """
        self.settings = settings
        self.counters = counters
        self.cancel_keys = CancelKeys()
        self.keepalive = Keepalive(
            idle=max(1, round(settings.keepalive_idle)),
            interval=max(1, round(settings.keepalive_interval)),
            count=settings.keepalive_count,
        )
        self.connector = Connector(
            settings.upstream,
            connect_timeout=settings.connect_timeout,
            keepalive=self.keepalive,
            counters=counters,
        )
        self.client_tls: ReloadedContext | None = None
        if settings.tls_cert is not None and settings.tls_mode != "disable":
            self.client_tls = client_facing(settings.tls_cert, settings.tls_key, settings.tls_client_ca)
        self.policy = ClientPolicy(
            tls_offered=self.client_tls is not None,
            tls_required=settings.tls_mode == "require",
            max_startup_packet=settings.max_startup_packet,
        )
        # As with Postgres: there is no TLS on a Unix socket, so none can be demanded there.
        self.unix_policy = replace(self.policy, tls_offered=False, tls_required=False)
        self.buffer_high_water = settings.buffer_high_water
        self.startup_timeout = settings.startup_timeout
        self.capturing = capturing
        self.close_timeout = settings.close_timeout
        self.state: State = "starting"
        self._limit = limit or LocalLimit(settings.max_connections)
        self._ask_siblings = ask_siblings
        self._given = list(sockets)
        self._listeners: list[socket.socket] = []
        self._made_paths: list[str] = []
        self._connections: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._hurry = asyncio.Event()
        self._draining: asyncio.Task[None] | None = None

    # Starting.

    async def start(self) -> None:
        """Listens on every address. Raises OSError that names the address."""
        self._listeners = list(self._given)
        unix_given = any(s.family == socket.AF_UNIX for s in self._given)
        try:
            for address in self.settings.listen:
                if isinstance(address, UnixAddress):
                    if not unix_given:
                        self._listeners.append(listen_unix(address))
                        self._made_paths.append(address.path)
                else:
                    self._listeners.extend(await listen_tcp(address, shared=self.settings.workers > 1))
        except OSError:
            self._close_listeners()
            raise
        loop = asyncio.get_running_loop()
        for listener in self._listeners:
            listener.setblocking(False)
            loop.add_reader(listener, self._accept, listener)
        self.state = "running"

    @property
    def addresses(self) -> list[Address]:
        """Where clients connect, with the ports the system chose."""
        return [bound_address(listener) for listener in self._listeners]

    # Surroundings of a connection.

    def admit(self) -> bool:
        return self._limit.take()

    def ended(self, connection: Connection) -> None:
        if connection not in self._connections:
            return
        self._connections.discard(connection)
        self.counters.client_connections -= 1
        if connection.admitted:
            self._limit.give_back()
        if not self._connections:
            self._empty.set()

    async def forward_cancel(self, request: CancelRequest) -> bool:
        """Sends the request to the server that holds its key, and waits until it has taken effect.

        Raises OSError, TimeoutError or UpstreamError where that server cannot be reached in time.
        """
        async with asyncio.timeout(self.settings.cancel_timeout):
            if await self.cancel_here(request):
                return True
            return self._ask_siblings is not None and await self._ask_siblings(request)

    async def cancel_here(self, request: CancelRequest) -> bool:
        """As `forward_cancel`, among the connections of this process only."""
        route = self.cancel_keys.route_of(request.key)
        if route is None:
            return False
        if not self.cancel_keys.cancel_read(request.key):
            await self._send_cancel(route, request)
        return True

    async def _send_cancel(self, route: Route, request: CancelRequest) -> None:
        _, waiter = await self.connector.open_route(route, lambda: _CancelLeg(request.packet))
        await waiter.done

    def databases(self) -> set[str]:
        """Those that sessions are in."""
        return {
            connection.session.message.database
            for connection in self._connections
            if connection.session.stage is Stage.RELAY and connection.session.message is not None
        }

    def consider_capture(self) -> None:
        """Rules or catalogue have changed: some connections may have to be captured, or need it no more."""
        for connection in tuple(self._connections):
            connection.consider_capture()

    # Accepting.

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(ACCEPT_BATCH):
            try:
                sock, _ = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                self.counters.limits_reached["open_files"] += 1
                log.error("accept_paused", error=error.strerror, seconds=ACCEPT_PAUSE)
                loop = asyncio.get_running_loop()
                loop.remove_reader(listener)
                loop.call_later(ACCEPT_PAUSE, self._resume_accepting, listener)
                return
            sock.setblocking(False)
            self.counters.connections_total += 1
            if len(self._connections) >= 2 * self.settings.max_connections + SPARE_CONNECTIONS:
                self.counters.connections_refused["max_connections"] += 1
                self.counters.errors["53"] += 1
                with contextlib.suppress(OSError), sock:
                    sock.send(fatal("53300", "sorry, too many clients already"))
                continue
            self._serve(sock)

    def _resume_accepting(self, listener: socket.socket) -> None:
        if self.state == "running":
            asyncio.get_running_loop().add_reader(listener, self._accept, listener)

    def _serve(self, sock: socket.socket) -> None:
        self.keepalive.apply(sock)
        local = sock.family == socket.AF_UNIX
        connection = Connection(self, self.unix_policy if local else self.policy)
        self._connections.add(connection)
        self.counters.client_connections += 1
        self._empty.clear()
        task = asyncio.get_running_loop().create_task(self._take(sock, connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _take(self, sock: socket.socket, connection: Connection) -> None:
        """Gives the accepted socket to the connection, after the handshake where the client starts with one."""
        loop = asyncio.get_running_loop()
        try:
            if (
                self.client_tls is not None
                and sock.family != socket.AF_UNIX
                and await self._starts_with_tls(sock)
            ):
                await loop.connect_accepted_socket(
                    lambda: connection.client,
                    sock,
                    ssl=self.client_tls.get(),
                    ssl_handshake_timeout=self.startup_timeout,
                    ssl_shutdown_timeout=self.close_timeout,
                )
            else:
                await loop.connect_accepted_socket(lambda: connection.client, sock)
        except (OSError, TimeoutError) as error:
            self.counters.tls_handshake_failures["client"] += 1
            log.warning("client_tls_failed", error=str(error))
            sock.close()
            connection.abandon()
        except BaseException:
            sock.close()
            connection.abandon()
            raise

    async def _starts_with_tls(self, sock: socket.socket) -> bool:
        """Whether the first byte opens a TLS record; it stays in the socket. Raises TimeoutError."""
        loop = asyncio.get_running_loop()
        readable = loop.create_future()
        loop.add_reader(sock, _wake, readable)
        try:
            async with asyncio.timeout(self.startup_timeout):
                await readable
        finally:
            loop.remove_reader(sock)
        first = sock.recv(1, socket.MSG_PEEK)
        return first[:1] == bytes([TLS_HANDSHAKE_RECORD])

    # Ending.

    async def drain(self, *, immediate: bool = False) -> None:
        """Accepts nobody any more, lets transactions finish within `drain_timeout`, and ends every connection.

        Returns when that is done. A further call joins the first; with `immediate` it makes it stop waiting.
        """
        if immediate:
            self._hurry.set()
        if self._draining is None:
            self._draining = asyncio.get_running_loop().create_task(self._drain(), name="drain")
        await asyncio.shield(self._draining)

    async def _drain(self) -> None:
        self.state = "draining"
        self._close_listeners()
        for connection in list(self._connections):
            connection.session.drain()
        if not await self._emptied(self.settings.drain_timeout):
            self.counters.limits_reached["drain_timeout"] += 1
            await self._interrupt()
            if not await self._all_closed(self.close_timeout):
                for connection in list(self._connections):
                    connection.session.shut_down()
                if not await self._all_closed(self.close_timeout):
                    for connection in list(self._connections):
                        connection.abandon()
        for task in self._tasks:
            task.cancel()
        self.state = "stopped"

    async def _interrupt(self) -> None:
        """Cancels what is running and has each connection end with the answer.

        A client that is told 57P01 may take its statement for undone, as it may with Postgres itself; so the statement
        must not be left to finish and commit behind its back.
        """
        running = []
        for connection in list(self._connections):
            connection.session.interrupt()
            if connection.cancel_read():
                continue
            if connection.session.stage is Stage.RELAY and connection.route and connection.key:
                running.append(self._send_cancel(connection.route, cancel_request(connection.key)))
        try:
            async with asyncio.timeout(self.close_timeout):
                failures = await asyncio.gather(*running, return_exceptions=True)
        except TimeoutError:
            self.counters.cancel_requests["failed"] += len(running)
        else:
            failed = sum(isinstance(failure, BaseException) for failure in failures)
            self.counters.cancel_requests["failed"] += failed
            self.counters.cancel_requests["forwarded"] += len(running) - failed

    async def _emptied(self, timeout: float) -> bool:
        """Waits until no connection is left; False after `timeout` seconds or when told to hurry."""
        empty = asyncio.ensure_future(self._empty.wait())
        hurry = asyncio.ensure_future(self._hurry.wait())
        done, waiting = await asyncio.wait(
            (empty, hurry), timeout=timeout, return_when=asyncio.FIRST_COMPLETED
        )
        for task in waiting:
            task.cancel()
        return empty in done

    async def _all_closed(self, timeout: float) -> bool:
        try:
            async with asyncio.timeout(timeout):
                await self._empty.wait()
        except TimeoutError:
            return False
        return True

    def _close_listeners(self) -> None:
        loop = asyncio.get_running_loop()
        for listener in self._listeners:
            loop.remove_reader(listener)
            listener.close()
        self._listeners = []
        for path in self._made_paths:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        self._made_paths = []

    # Showing.

    def status(self) -> dict[str, Any]:
        """What this process is doing, JSON-able."""
        stages = [connection.session.stage for connection in self._connections]
        relaying = [c for c in self._connections if c.session.stage is Stage.RELAY]
        idle = sum(1 for c in relaying if c.session.relay.idle)
        return {
            "state": self.state,
            "listen": [str(address) for address in self.addresses],
            "upstream": [str(host) for host in self.settings.upstream.hosts],
            "connections": {
                "client": len(stages),
                "server": self.counters.server_connections,
                "idle": idle,
                "active": len(relaying) - idle,
                "starting": len(stages) - len(relaying),
                "limit": self._limit.limit,
            },
        }


class _CancelLeg(asyncio.Protocol):
    """Sends one cancel request and waits for the server to close, which it does once the signal is sent."""

    def __init__(self, packet: bytes) -> None:
        self._packet = packet
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).write(self._packet)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
