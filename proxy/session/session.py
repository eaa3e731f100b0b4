"""One client connection from its first byte to its last: the state machine, without I/O.

The session is told what happened (`client_data`, `server_connected`, ...) and says what is to be done through the
`SessionIO` it was handed. Until the server's first ReadyForQuery it reads every message; from then on the `Relay`
carries the bytes and the session only ends things.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from proxy.admin.counters import Counters
from proxy.session.relay import Relay, ReportWhen
from proxy.wire import messages, sasl, startup
from proxy.wire.messages import fatal
from proxy.wire.startup import CancelRequest, GssEncRequest, SslRequest, StartupMessage

if TYPE_CHECKING:
    from proxy.session.requests import CapturingRelay

MAX_LOGIN_MESSAGE = 1 << 20
"""Largest server message in bytes before the first ReadyForQuery; Postgres' own largest, a GSSAPI token, is 64 KiB."""

_CANNOT_CONNECT_NOW = "57P03"
_INVALID_AUTHORIZATION = "28000"


class Stage(Enum):
    """Where a session stands."""

    GREETING = "greeting"
    """The client has not said yet what it wants."""
    TLS_HANDSHAKE = "tls_handshake"
    CONNECTING = "connecting"
    """A server connection is being opened."""
    LOGIN = "login"
    """The server has the StartupMessage and has not said ReadyForQuery."""
    RELAY = "relay"
    CANCEL = "cancel"
    """The connection carries a cancel request and nothing else."""
    CLOSED = "closed"


class SessionIO(Protocol):
    """What a session asks of the world. Every call returns at once."""

    def to_client(self, data: bytes) -> None: ...

    def to_server(self, data: bytes) -> None: ...

    def start_client_tls(self) -> None:
        """Start the handshake on the client's leg; ends in `client_secured` or the connection's end."""

    def connect(self, message: StartupMessage) -> None:
        """Open a server connection; ends in `server_connected` or `server_unreachable`."""

    def retry_elsewhere(self, sqlstate: str) -> bool:
        """Whether another host or encryption remains to be tried after this refusal; if so, it is being tried."""

    def forward_cancel(self, request: CancelRequest) -> None:
        """Pass the request on, and close the client once it has taken effect."""

    def key_received(self, key: bytes) -> None:
        """The server's BackendKeyData body: cancel requests that carry it mean this connection."""

    def channel_binding_failed(self) -> None:
        """The client bound its SCRAM exchange to its own TLS channel, which is not the server's."""

    def established(self) -> None:
        """The first ReadyForQuery has come: no start-up deadline any more; feed the relay from here on."""

    def hold_client(self) -> None:
        """Do not read from the client for the time being."""

    def release_client(self) -> None: ...

    def may_switch(self) -> None:
        """The relay is idle and could be replaced, in a later turn of the event loop."""

    def finish_client(self) -> None:
        """Close the client's leg once everything written to it has gone out."""

    def finish_server(self) -> None:
        """Close the server's leg once everything written to it has gone out."""


@dataclass(frozen=True, slots=True)
class ClientPolicy:
    """What clients are offered and held to."""

    tls_offered: bool
    tls_required: bool
    max_startup_packet: int
    """Bytes."""


class Session:
    """The state of one client connection."""

    __slots__ = (
        "_binding_offered",
        "_buffer",
        "_client_secure",
        "_counters",
        "_early",
        "_gss_asked",
        "_io",
        "_policy",
        "_server_secure",
        "_server_spoke",
        "_ssl_asked",
        "captured",
        "draining",
        "message",
        "parameters",
        "relay",
        "stage",
    )

    def __init__(self, io: SessionIO, policy: ClientPolicy, counters: Counters) -> None:
        self._io = io
        self._policy = policy
        self._counters = counters
        self._buffer = bytearray()
        """What came and is not a whole message yet: of the client while greeting, of the server during login."""
        self._early = b""
        """Bytes the client sent behind its StartupMessage before the server was reached."""
        self._ssl_asked = False
        self._gss_asked = False
        self._client_secure = False
        self._server_secure = False
        self._server_spoke = False
        self._binding_offered = False
        self.stage = Stage.GREETING
        self.message: StartupMessage | None = None
        """The client's StartupMessage, once it has come."""
        self.parameters: dict[str, str] = {}
        """What the server has reported by ParameterStatus at login."""
        self.relay: Relay | CapturingRelay = Relay(self, counters)
        self.captured = False
        """Whether statements must be looked at from the first: then none goes on before the login is over."""
        self.draining = False

    # What happened at the client.

    def client_data(self, data: bytes) -> None:
        """Bytes from the client, in the order they came. During RELAY the relay takes them itself."""
        match self.stage:
            case Stage.GREETING:
                self._buffer += data
                self._greet()
            case Stage.CONNECTING:
                self._early += data
            case Stage.LOGIN if self.captured:
                self._early += data
                self._pass_passwords()
            case Stage.LOGIN | Stage.RELAY:
                self.relay.from_client(data)
            case Stage.TLS_HANDSHAKE:
                self._refuse_injection("SSL")
            case Stage.CANCEL | Stage.CLOSED:
                pass

    def client_secured(self, *, direct: bool = False, alpn: str | None = None) -> None:
        """The client's leg is encrypted from here on; `direct` without a prior SSLRequest."""
        self._client_secure = True
        self._ssl_asked = True
        self._gss_asked = True
        if direct and alpn != startup.ALPN_PROTOCOL:
            self._refuse(
                "08P01",
                "received direct SSL connection request without ALPN protocol negotiation extension",
                reason="protocol",
            )
            return
        self.stage = Stage.GREETING

    def client_closed(self) -> None:
        """The client's leg is gone. A cancel request is carried out all the same: many clients do not wait."""
        if self.stage not in (Stage.CLOSED, Stage.CANCEL):
            self._close()

    # What happened at the server.

    def server_connected(self, *, secure: bool) -> None:
        """A server connection is open: it gets the StartupMessage, and whatever followed it, as sent."""
        if self.stage is not Stage.CONNECTING or self.message is None:
            self._io.finish_server()
            return
        self.stage = Stage.LOGIN
        self._server_secure = secure
        self._server_spoke = False
        self.relay.to_client = self._io.to_client
        self.relay.to_server = self._io.to_server
        self._io.to_server(self.message.packet)
        self._counters.bytes_from_client += len(self.message.packet)
        if self._early:
            early, self._early = self._early, b""
            self.client_data(early)

    def server_unreachable(self, attempts: list[str]) -> None:
        """No host could be connected to; `attempts` says for each what went wrong."""
        if self.stage is Stage.CONNECTING:
            self._refuse(
                "08001",
                "could not connect to the PostgreSQL server behind the proxy",
                detail="\n".join(attempts),
                reason="upstream",
            )

    def server_data(self, data: bytes) -> None:
        """Bytes from the server. During RELAY the relay takes them itself."""
        if self.stage is Stage.RELAY:
            self.relay.from_server(data)
        elif self.stage is Stage.LOGIN:
            if self.message is not None and self.message.version >> 16 != 3:
                # The server refuses in the format of that protocol, which need not have messages as we know them.
                self._server_spoke = True
                self._io.to_client(data)
                return
            self._buffer += data
            self._login()

    def server_closed(self, why: str | None = None) -> None:
        """The server's leg ended: the client gets what is left, and the same end."""
        if self.stage is Stage.LOGIN and not self._server_spoke:
            self._refuse(
                "08006",
                "the PostgreSQL server closed the connection during start-up",
                detail=why,
                reason="upstream",
            )
        elif self.stage is not Stage.CLOSED:
            self._close()

    # What was decided elsewhere.

    def refuse_too_many(self) -> None:
        """No connection is left under `max_connections`; Postgres' own words."""
        self._refuse("53300", "sorry, too many clients already", reason="max_connections")

    def startup_timed_out(self) -> None:
        """The start-up took longer than `startup_timeout`; Postgres ends such connections the same way."""
        if self.stage is Stage.GREETING or self.stage is Stage.TLS_HANDSHAKE:
            self._counters.connections_refused["startup_timeout"] += 1
            self._close()
        elif self.stage in (Stage.CONNECTING, Stage.LOGIN):
            self._refuse("57014", "canceling authentication due to timeout", reason="startup_timeout")

    def drain(self) -> None:
        """End the connection as soon as it is idle, as a server that shuts down does."""
        self.draining = True
        match self.stage:
            case Stage.GREETING | Stage.TLS_HANDSHAKE:
                self._refuse("57P03", "the proxy is shutting down", reason="draining")
            case Stage.RELAY:
                self._end_when(ReportWhen.IDLE)

    def interrupt(self) -> None:
        """End the connection as soon as what is running has been answered; an open transaction is rolled back."""
        if self.stage is Stage.RELAY:
            self._end_when(ReportWhen.ANSWERED)
        else:
            self.shut_down()

    def shut_down(self) -> None:
        """End the connection now, whatever it is doing."""
        if self.stage is Stage.RELAY:
            if self.relay.reply_at_boundary:
                self._say_goodbye()
            else:
                self._close()
        elif self.stage in (Stage.GREETING, Stage.CONNECTING, Stage.LOGIN):
            self._refuse("57P01", "terminating connection due to administrator command", reason="draining")
        elif self.stage is not Stage.CLOSED:
            self._close()

    def may_end(self) -> None:
        """The relay reports the moment a drain waits for."""
        if self.stage is Stage.RELAY:
            self._say_goodbye()

    def may_switch(self) -> None:
        """The relay reports that another one could take its place."""
        if self.stage is Stage.RELAY:
            self._io.may_switch()

    def _end_when(self, moment: ReportWhen) -> None:
        self.relay.report_when = moment
        if self.relay.may_end:
            self._say_goodbye()

    # The greeting.

    def _greet(self) -> None:
        """Takes start-up packets off the buffer until one decides what the connection is."""
        while self.stage is Stage.GREETING:
            try:
                taken = startup.read_packet(self._buffer, self._policy.max_startup_packet)
            except startup.StartupPacketError:
                # Whoever this is does not speak the protocol; Postgres closes without a word too.
                self._counters.connections_refused["protocol"] += 1
                self._close()
                return
            if taken is None:
                return
            packet, length = taken
            del self._buffer[:length]
            match packet:
                case SslRequest() if not self._ssl_asked:
                    self._ssl_asked = True
                    self._answer_encryption("SSL", accepted=self._policy.tls_offered)
                case GssEncRequest() if not self._gss_asked:
                    self._gss_asked = True
                    self._answer_encryption("GSSAPI encryption", accepted=False)
                case SslRequest() | GssEncRequest():
                    self._refuse(
                        "0A000",
                        "unsupported frontend protocol: repeated encryption request",
                        reason="protocol",
                    )
                case CancelRequest():
                    self.stage = Stage.CANCEL
                    self._io.forward_cancel(packet)
                case StartupMessage():
                    self._start(packet)

    def _answer_encryption(self, name: str, *, accepted: bool) -> None:
        if self._buffer:
            self._refuse_injection(name)
            return
        if accepted:
            self.stage = Stage.TLS_HANDSHAKE
            self._io.to_client(b"S")
            self._io.start_client_tls()
        else:
            self._io.to_client(b"N")

    def _refuse_injection(self, name: str) -> None:
        """Bytes behind a request for encryption were sent before it and may not be the client's own."""
        self._refuse(
            "08P01",
            f"received unencrypted data after {name} request",
            detail="This could be either a client-software bug or evidence of an attempted "
            "man-in-the-middle attack.",
            reason="protocol",
        )

    def _start(self, message: StartupMessage) -> None:
        if self._policy.tls_required and not self._client_secure:
            self._refuse(
                "28000",
                "connection requires TLS",
                hint="Connect with sslmode=require or stronger.",
                reason="tls",
            )
            return
        self.message = message
        self._early = bytes(self._buffer)
        self._buffer.clear()
        self.stage = Stage.CONNECTING
        self._io.connect(message)

    # The login.

    def _login(self) -> None:
        """Forwards the server's messages one by one until ReadyForQuery."""
        buffer = self._buffer
        while self.stage is Stage.LOGIN and len(buffer) >= 5:
            kind = buffer[0]
            (length,) = struct.unpack_from("!i", buffer, 1)
            if not 4 <= length <= MAX_LOGIN_MESSAGE:
                self._refuse(
                    "08P01",
                    "the server behind the proxy does not speak the PostgreSQL protocol",
                    detail=f"Message type {chr(kind)!r} of {length} bytes during start-up.",
                    reason="upstream",
                )
                return
            if len(buffer) <= length:
                return
            message = bytes(buffer[: length + 1])
            del buffer[: length + 1]
            self._counters.bytes_from_server += len(message)
            self._login_message(kind, message)

    def _pass_passwords(self) -> None:
        """Hands on what belongs to the login; what follows it waits, and nothing more is read."""
        early, at = self._early, 0
        while len(early) - at >= 5 and early[at] == messages.PASSWORD:
            (length,) = struct.unpack_from("!i", early, at + 1)
            if not 4 <= length <= MAX_LOGIN_MESSAGE:
                at = len(early)  # the server will refuse it
            elif len(early) - at <= length:
                break
            else:
                at += length + 1
        if at:
            self._early = early[at:]
            self.relay.from_client(early[:at])
        if self._early and self._early[0] != messages.PASSWORD:
            self._io.hold_client()

    def _login_message(self, kind: int, message: bytes) -> None:
        body = message[5:]
        if kind == messages.ERROR_RESPONSE:
            sqlstate = messages.sqlstate_of(body)
            if not self._server_spoke and self._retry(sqlstate):
                return
            self._counters.errors[sqlstate[:2]] += 1
            if self._binding_offered and sqlstate == _INVALID_AUTHORIZATION:
                self._io.channel_binding_failed()
        elif kind == messages.AUTHENTICATION:
            if self._server_secure and sasl.offers_channel_binding(body):
                self._binding_offered = self._client_secure
                if not self._client_secure:
                    message = sasl.without_channel_binding(body)
        elif kind == messages.BACKEND_KEY_DATA:
            self._io.key_received(body)
        elif kind == messages.PARAMETER_STATUS:
            name, _, value = body.rstrip(b"\x00").partition(b"\x00")
            self.parameters[name.decode("ascii", "replace")] = value.decode("utf-8", "replace")
        self._server_spoke = True
        self._io.to_client(message)
        if kind == messages.READY_FOR_QUERY:
            self._ready(body[0] if body else 0)

    def _retry(self, sqlstate: str) -> bool:
        """Tries the next host or the other encryption, as libpq does, if nothing has reached either side yet."""
        if sqlstate not in (_CANNOT_CONNECT_NOW, _INVALID_AUTHORIZATION):
            return False
        if not isinstance(self.relay, Relay) or not self.relay.untouched:
            return False
        if not self._io.retry_elsewhere(sqlstate):
            return False
        self._buffer.clear()
        self.stage = Stage.CONNECTING
        return True

    def _ready(self, status: int) -> None:
        self.stage = Stage.RELAY
        if isinstance(self.relay, Relay):
            self.relay.pipeline.ready(status)
        rest = bytes(self._buffer)
        self._buffer.clear()
        self._io.established()
        if rest:
            self.relay.from_server(rest)
        if self._early:
            early, self._early = self._early, b""
            self._io.release_client()
            self.relay.from_client(early)
        if self.draining:
            self.drain()

    # Ends.

    def _say_goodbye(self) -> None:
        self._io.to_client(fatal("57P01", "terminating connection due to administrator command"))
        self._counters.errors["57"] += 1
        if self.relay.idle:
            self._io.to_server(messages.TERMINATE_MESSAGE)
        self._close()

    def _refuse(
        self, sqlstate: str, text: str, *, reason: str, detail: str | None = None, hint: str | None = None
    ) -> None:
        """Ends a connection that was never established, with an error."""
        self._counters.connections_refused[reason] += 1
        self._counters.errors[sqlstate[:2]] += 1
        self._io.to_client(fatal(sqlstate, text, detail=detail, hint=hint))
        self._close()

    def _close(self) -> None:
        self.stage = Stage.CLOSED
        self.relay.ended()
        self._io.finish_client()
        self._io.finish_server()
