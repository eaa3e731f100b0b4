"""One client connection's I/O: its two legs, TLS, and the tasks that open and end them.

Together with `leg.py` and `upstream.py` the only file of the session that knows the event loop.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Coroutine
from functools import partial
from typing import Protocol

from proxy.admin.counters import Counters
from proxy.logs import get_logger
from proxy.session.cancel import CancelKeys
from proxy.session.capturing import Capturing
from proxy.session.leg import HOLD_CAPTURE, HOLD_CONNECTING, Leg
from proxy.session.relay import Relay
from proxy.session.session import ClientPolicy, Session, Stage
from proxy.session.tls import ReloadedContext
from proxy.session.upstream import Connector, Plan, Route, UpstreamError
from proxy.wire.startup import CancelRequest, StartupMessage

log = get_logger(__name__)


class ForwardCancel(Protocol):
    """Passes a cancel request on; False if nobody has its key."""

    async def __call__(self, request: CancelRequest) -> bool: ...


class Surroundings(Protocol):
    """What every connection of a proxy shares."""

    @property
    def counters(self) -> Counters: ...
    @property
    def connector(self) -> Connector: ...
    @property
    def cancel_keys(self) -> CancelKeys: ...
    @property
    def client_tls(self) -> ReloadedContext | None: ...
    @property
    def buffer_high_water(self) -> int:
        """Bytes written to a leg and not taken by its peer at which the other leg is not read any more."""

    @property
    def startup_timeout(self) -> float: ...
    @property
    def close_timeout(self) -> float:
        """Seconds a leg may take to accept its last bytes and to close its side."""

    @property
    def forward_cancel(self) -> ForwardCancel: ...

    @property
    def capturing(self) -> Capturing | None:
        """How writes are captured; None where nothing can be mirrored."""

    def admit(self) -> bool:
        """Whether one more client may have a server connection."""

    def ended(self, connection: Connection) -> None:
        """Both legs are closed and no task is left."""


class Connection:
    """A client's connection and the server connection that belongs to it."""

    __slots__ = (
        "_admitted",
        "_deadline",
        "_failures",
        "_key",
        "_plan",
        "_tasks",
        "around",
        "client",
        "route",
        "server",
        "session",
    )

    def __init__(self, around: Surroundings, policy: ClientPolicy) -> None:
        self.around = around
        self.session = Session(self, policy, around.counters)
        self.client = Leg(self, self.session.client_data)
        self.server: Leg | None = None
        self.route: Route | None = None
        self._plan: Plan | None = None
        self._failures: list[str] = []
        self._key: bytes | None = None
        self._admitted = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._deadline: asyncio.TimerHandle | None = asyncio.get_running_loop().call_later(
            around.startup_timeout, self.session.startup_timed_out
        )

    @property
    def counters(self) -> Counters:
        return self.around.counters

    @property
    def buffer_high_water(self) -> int:
        return self.around.buffer_high_water

    @property
    def admitted(self) -> bool:
        """Whether the connection counts against max_connections."""
        return self._admitted

    def leg_made(self, leg: Leg) -> None:
        """A leg has its transport; where the client's comes with TLS, the client did not ask first."""
        if leg is self.client and leg.transport is not None:
            tls = leg.transport.get_extra_info("ssl_object")
            if tls is not None:
                self.session.client_secured(direct=True, alpn=tls.selected_alpn_protocol())

    @property
    def key(self) -> bytes | None:
        """The server's BackendKeyData body, once it has come."""
        return self._key

    def cancel_read(self) -> bool:
        """The client cancels what runs; whether that is a read from the store, of which the server knows nothing."""
        relay = self.session.relay
        return self.session.stage is Stage.RELAY and not isinstance(relay, Relay) and relay.cancel_read()

    def abandon(self) -> None:
        """Reset both legs; what is buffered is lost."""
        self.session.client_closed()
        for task in self._tasks:
            task.cancel()
        self.client.abort()
        if self.server is not None:
            self.server.abort()
        self._check_ended()

    # SessionIO: what the session asks for.

    def to_client(self, data: bytes) -> None:
        self.client.write(data)

    def to_server(self, data: bytes) -> None:
        if self.server is not None:
            self.server.write(data)

    def start_client_tls(self) -> None:
        self.client.hold(HOLD_CONNECTING)
        self._run(self._client_handshake(), "client TLS handshake")

    def connect(self, message: StartupMessage) -> None:
        self.client.hold(HOLD_CONNECTING)
        self._admitted = self.around.admit()
        if not self._admitted:
            self.session.refuse_too_many()
            return
        self._plan = self.around.connector.plan()
        self._run(self._connect(self._plan), "server connection")

    def retry_elsewhere(self, sqlstate: str) -> bool:
        plan = self._plan
        if plan is None:
            return False
        moved = plan.next_host() if sqlstate == "57P03" and plan.has_next_host else plan.next_encryption()
        if moved:
            self._failures.append(
                f"{self.route.host if self.route else '?'}: refused with SQLSTATE {sqlstate}"
            )
            if self.server is not None:
                self.server.close()
                self.server = None
            self.client.hold(HOLD_CONNECTING)
            self._run(self._connect(plan), "server connection")
        return moved

    def forward_cancel(self, request: CancelRequest) -> None:
        self._run(self._cancel(request), "cancel request")

    def key_received(self, key: bytes) -> None:
        self._key = key
        self.around.cancel_keys.add(key, self)

    def channel_binding_failed(self) -> None:
        log.warning(
            "channel_binding_failed",
            user=None if self.session.message is None else self.session.message.user,
            hint="with TLS on both legs let the proxy show the server's own certificate, have clients connect with "
            "channel_binding=disable, or turn TLS off on one leg",
        )

    def established(self) -> None:
        self._stop_deadline()
        self._plan = None
        self._failures = []
        self._attach()
        self.consider_capture(fresh=True)

    def _attach(self) -> None:
        """Lets the legs and the session's relay know each other."""
        client, server, relay = self.client, self.server, self.session.relay
        if client.transport is None or server is None or server.transport is None:
            return
        relay.to_client = client.transport.write
        relay.to_server = server.transport.write
        if isinstance(relay, Relay):
            relay.use_client_socket(client.socket_fd, client.transport.get_write_buffer_size)
            relay.use_server_socket(server.socket_fd, server.transport.get_write_buffer_size)
        client.receive_with(relay.from_client)
        server.receive_with(relay.from_server)

    # Which relay carries the connection.

    def consider_capture(self, *, fresh: bool = False) -> None:
        """Rules or catalogue may have changed what must be captured; `fresh` before the client has said anything."""
        capturing, relay = self.around.capturing, self.session.relay
        if capturing is None or self.session.stage is not Stage.RELAY:
            return
        wanted = capturing.wants(self.session.message)
        if not isinstance(relay, Relay):
            relay.reconsider()
        if wanted is not isinstance(relay, Relay):
            relay.switch_when_idle = False
            return
        relay.switch_when_idle = True
        if relay.replaceable:
            self._switch(fresh=fresh)

    def may_switch(self) -> None:
        # The relay is in the middle of a chunk; behind it the connection may not be idle any more.
        asyncio.get_running_loop().call_soon(self._switch_if_idle)

    def _switch_if_idle(self) -> None:
        relay = self.session.relay
        if self.session.stage is Stage.RELAY and relay.switch_when_idle and relay.replaceable:
            self._switch(fresh=False)

    def _switch(self, *, fresh: bool) -> None:
        """Put the other kind of relay in the place of the one that is there."""
        capturing, relay = self.around.capturing, self.session.relay
        if capturing is None:
            return
        if isinstance(relay, Relay):
            relay.use_client_socket(-1, None)
            relay.use_server_socket(-1, None)
            taking = capturing.relay(
                self,
                self.session,
                self.counters,
                status=relay.pipeline.status,
                high_water=self.around.buffer_high_water,
            )
            taking.report_when = relay.report_when
            self.session.relay = taking
            self._attach()
            if not fresh:
                taking.learn()
        else:
            plain = Relay(self.session, self.counters)
            plain.pipeline.ready(relay.status)
            plain.report_when = relay.report_when
            relay.ended()
            self.session.relay = plain
            self._attach()

    # CaptureOwner: what a capturing relay asks for.

    def may_end(self) -> None:
        self.session.may_end()

    def pass_on_eof(self) -> None:
        if self.server is None or not self.server.end_writing():
            self.session.client_closed()

    def hold_client(self) -> None:
        self.client.hold(HOLD_CAPTURE)

    def release_client(self) -> None:
        self.client.release(HOLD_CAPTURE)

    def hold_server(self) -> None:
        if self.server is not None:
            self.server.hold(HOLD_CAPTURE)

    def release_server(self) -> None:
        if self.server is not None:
            self.server.release(HOLD_CAPTURE)

    def client_backlog(self) -> int:
        transport = self.client.transport
        return 0 if transport is None else transport.get_write_buffer_size()

    def finish_client(self) -> None:
        self._stop_deadline()
        self.client.finish(self.around.close_timeout)
        if self.client.transport is None:
            self._check_ended()

    def finish_server(self) -> None:
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        if self.server is not None:
            # A backend that sends a large result to nobody must notice soon, as it does where its client is gone.
            self.server.finish(self.around.close_timeout, drop_at_most=self.around.buffer_high_water)

    # What the legs report.

    def eof_received(self, leg: Leg) -> bool:
        """A half-closed client may still be reading, and Postgres goes on until it reads the EOF itself."""
        if leg is self.client:
            relay = self.session.relay
            if self.session.stage is Stage.RELAY and not isinstance(relay, Relay) and relay.delays_eof():
                return leg.transport is not None and leg.transport.can_write_eof()
            if self.session.stage is Stage.RELAY and self.server is not None and self.server.end_writing():
                return leg.transport is not None and leg.transport.can_write_eof()
            self.session.client_closed()
            return False
        return False

    def leg_lost(self, leg: Leg, exc: Exception | None) -> None:
        # The descriptor is closed when this returns, and may be somebody else's the moment after.
        relay = self.session.relay
        if isinstance(relay, Relay):
            if leg is self.client:
                relay.use_client_socket(-1, None)
            elif leg is self.server:
                relay.use_server_socket(-1, None)
        if leg is self.client:
            self._stop_deadline()
            self.session.client_closed()
        else:
            if leg.counted:
                self.around.counters.server_connections -= 1
            if leg is self.server:
                self.session.server_closed(str(exc) if exc else None)
        self._check_ended()

    # Tasks.

    async def _client_handshake(self) -> None:
        leg = self.client
        context = self.around.client_tls
        if context is None or leg.transport is None:
            raise RuntimeError("TLS was accepted without a certificate")
        loop = asyncio.get_running_loop()
        # The client's first bytes may come in one flight with the end of its handshake, before we are told of it.
        early = bytearray()
        leg.data_received = early.extend
        try:
            secured = await loop.start_tls(
                leg.transport,
                leg,
                context.get(),
                server_side=True,
                ssl_handshake_timeout=self.around.startup_timeout,
                ssl_shutdown_timeout=self.around.close_timeout,
            )
        except (OSError, ssl.SSLError) as error:
            self.around.counters.tls_handshake_failures["client"] += 1
            log.warning("client_tls_failed", error=str(error))
            leg.abort()
            return
        if secured is None:
            return
        leg.attach(secured)
        leg.receive_with(self.session.client_data)
        self.session.client_secured()
        if early:
            self.session.client_data(bytes(early))
        if self.session.stage is not Stage.CONNECTING:
            leg.release(HOLD_CONNECTING)

    async def _connect(self, plan: Plan) -> None:
        if self.around.capturing is not None and self.session.message is not None:
            await self.around.capturing.prepare(self.session.message.database)
            self.session.captured = self.around.capturing.wants(self.session.message)
        while (attempt := plan.current) is not None:
            host, secure = attempt
            # A server may speak, and even close, before we are told that it is connected.
            early = bytearray()
            try:
                _, leg, route = await self.around.connector.open(
                    host,
                    secure=secure,
                    tls_optional=plan.tls_optional,
                    factory=partial(Leg, self, early.extend),
                )
            except UpstreamError as error:
                self._failures.append(str(error))
                log.warning("upstream_unreachable", host=str(host), error=str(error))
                if not (error.encryption_failed and plan.next_encryption()):
                    plan.next_host()
                continue
            if secure and not route.secure:
                plan.used_plain()
            self._connected(leg, route, bytes(early))
            return
        self.session.server_unreachable(self._failures)

    def _connected(self, leg: Leg, route: Route, early: bytes) -> None:
        leg.counted = not leg.closed
        self.around.counters.server_connections += leg.counted
        self.server = leg
        self.route = route
        leg.peer = self.client
        self.client.peer = leg
        if not leg.closed:
            leg.receive_with(self.session.server_data)
        self.session.server_connected(secure=route.secure)
        if early:
            self.session.server_data(early)
        if leg.closed:
            self.session.server_closed()
        if self.session.stage is not Stage.CONNECTING:
            self.client.release(HOLD_CONNECTING)

    async def _cancel(self, request: CancelRequest) -> None:
        try:
            known = await self.around.forward_cancel(request)
        except (OSError, TimeoutError, UpstreamError) as error:
            self.around.counters.cancel_requests["failed"] += 1
            log.warning("cancel_failed", error=str(error) or "timed out")
        else:
            self.around.counters.cancel_requests["forwarded" if known else "unknown"] += 1
        self._stop_deadline()
        self.client.close()

    def _run(self, work: Coroutine[None, None, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("connection_task_failed", task=task.get_name(), error=repr(error))
            self.client.abort()
            self.session.client_closed()
        self._check_ended()

    # Ends.

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _check_ended(self) -> None:
        if self._tasks or not (self.client.closed or self.client.transport is None):
            return
        if self.server is not None and not self.server.closed:
            return
        if self._key is not None:
            self.around.cancel_keys.discard(self._key, self)
            self._key = None
        self._stop_deadline()
        self.around.ended(self)
