"""The byte path of an established connection: forward the chunk, then look at its headers.

The relay is handed two writers and never buffers, alters or delays a byte. What it learns on the way (requests
outstanding, transaction status, command tags, errors) feeds the drain and the metrics; where a stream stops making
sense it stops looking, and goes on forwarding.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable
from enum import Enum
from time import perf_counter_ns
from typing import TYPE_CHECKING, Protocol

from proxy.admin.counters import (
    BYTES_FROM_CLIENT,
    BYTES_FROM_SERVER,
    OWN_SHARE,
    OWN_SHARE_SUM,
    Counters,
)
from proxy.session.pipeline import FRONTEND_MARKS, Pipeline
from proxy.wire import messages
from proxy.wire.framing import HeaderWalk

Write = Callable[[bytes], object]

BACKEND_MARKS = bytes(
    [
        messages.READY_FOR_QUERY,
        messages.COMMAND_COMPLETE,
        messages.ERROR_RESPONSE,
        messages.COPY_IN_RESPONSE,
    ]
)
"""The server's messages the relay looks into."""

BODY_CAP = 1024
"""Bytes of a message body that are kept for looking into; an ErrorResponse has its SQLSTATE well before."""

_UNKNOWN_FRONTEND = bytes(k for k in range(256) if k not in messages.FRONTEND_TYPES)
_UNKNOWN_BACKEND = bytes(k for k in range(256) if k not in messages.BACKEND_TYPES)


class RelayOwner(Protocol):
    """What a relay reports to."""

    def may_end(self) -> None:
        """What `Relay.report_when` waited for has come about."""

    def may_switch(self) -> None:
        """What `Relay.switch_when_idle` waited for has come about."""


class ReportWhen(Enum):
    """When a relay tells its owner that the connection may be ended."""

    NEVER = 0
    IDLE = 1
    """The server owes nothing and no transaction is open."""
    ANSWERED = 2
    """The server owes nothing; an open transaction does not count."""


class PyRelayCore:
    """What happens with every chunk; its compiled twin is in `_relay.c`. What is rare is left to `Relay`."""

    __slots__ = (
        "_client_walk",
        "_path",
        "_server_walk",
        "_statements",
        "pipeline",
        "report_ready",
        "to_client",
        "to_server",
        "unobserved",
    )

    def __init__(
        self,
        client_types: bytes,
        server_types: bytes,
        server_bodies: bytes,
        cap: int,
        statements: dict[bytes, int],
        path: array[int],
    ) -> None:
        self._client_walk = HeaderWalk(client_types, b"", 0)
        self._server_walk = HeaderWalk(server_types, server_bodies, cap)
        self._statements = statements
        self._path = path
        self.pipeline = Pipeline()
        self.to_client: Write = nowhere
        self.to_server: Write = nowhere
        self.report_ready = False
        """Whether each ReadyForQuery is reported; only while a drain waits for one."""
        self.unobserved = False
        """Whether a stream stopped making sense."""

    @property
    def idle(self) -> bool:
        """Whether the connection could be ended here without cutting anything off."""
        return self.pipeline.idle and not self.unobserved and self._client_walk.at_boundary

    @property
    def untouched(self) -> bool:
        """Whether the client has sent nothing yet behind its StartupMessage."""
        return self._client_walk.at_boundary and not self._client_walk.messages

    @property
    def reply_at_boundary(self) -> bool:
        """Whether the client has whole messages so far, so that an ErrorResponse may follow."""
        return self._server_walk.at_boundary

    def from_client(self, data: bytes) -> None:
        """Bytes of the client, in the order they came."""
        started = perf_counter_ns()
        self.to_server(data)
        for kind, _ in self._client_walk.feed(data) or ():
            if kind in messages.FRONTEND_TYPES:
                self.pipeline.sent(kind)
            else:
                self._stop_observing("unknown_frontend_message")
        if self._client_walk.broken:
            self._stop_observing("invalid_frontend_length")
        self._count(BYTES_FROM_CLIENT, len(data), started)

    def from_server(self, data: bytes) -> None:
        """Bytes of the server, in the order they came."""
        started = perf_counter_ns()
        self.to_client(data)
        for kind, body in self._server_walk.feed(data) or ():
            if kind == messages.COMMAND_COMPLETE:
                verb = body.partition(b" ")[0]
                if verb in self._statements:
                    self._statements[verb] += 1
                else:
                    self._new_verb(verb)
            elif kind == messages.READY_FOR_QUERY:
                self.pipeline.ready(body[0] if body else 0)
                if self.report_ready:
                    self._server_ready()
            elif kind == messages.ERROR_RESPONSE:
                self.pipeline.failed()
                self._server_error(body)
            elif kind == messages.COPY_IN_RESPONSE:
                self.pipeline.copy_in()
            else:
                self._stop_observing("unknown_backend_message")
        if self._server_walk.broken:
            self._stop_observing("invalid_backend_length")
        self._count(BYTES_FROM_SERVER, len(data), started)

    def use_client_socket(self, fd: int, pending: Callable[[], int] | None) -> None:
        """The client's socket, from here on to be written to directly; -1: no longer.

        `pending` gives the bytes that wait in its transport. A chunk that finds none is sent at once, without a
        turn of the event loop; the rest of one the socket did not take whole, and every error, is the transport's.
        The descriptor must be open until it is taken back. Only the compiled core makes use of it.
        """

    def use_server_socket(self, fd: int, pending: Callable[[], int] | None) -> None:
        """The same for the server's socket."""

    def _count(self, place: int, size: int, started: int) -> None:
        path = self._path
        path[place] += size
        spent = perf_counter_ns() - started
        path[OWN_SHARE_SUM] += spent
        path[OWN_SHARE + spent.bit_length()] += 1

    def _stop_observing(self, reason: str) -> None:
        raise NotImplementedError

    def _new_verb(self, verb: bytes) -> None:
        raise NotImplementedError

    def _server_error(self, body: bytes) -> None:
        raise NotImplementedError

    def _server_ready(self) -> None:
        raise NotImplementedError


def nowhere(data: bytes) -> None:
    """The writer of a relay that has none yet."""
    raise RuntimeError("the relay was fed before its writers were set")


if TYPE_CHECKING:
    RelayCore = PyRelayCore
else:
    try:
        if os.environ.get("CAUSEWAY_PURE_PYTHON") == "1":
            raise ImportError("CAUSEWAY_PURE_PYTHON=1")
        from proxy.session._relay import RelayCore
    except ImportError:
        RelayCore = PyRelayCore


class Relay(RelayCore):
    """Both directions of one connection."""

    __slots__ = ("_counters", "_owner", "_report_when", "_switch_when_idle")

    def __init__(self, owner: RelayOwner, counters: Counters) -> None:
        super().__init__(
            FRONTEND_MARKS + _UNKNOWN_FRONTEND,
            _UNKNOWN_BACKEND,
            BACKEND_MARKS,
            BODY_CAP,
            counters.statements,
            counters.path,
        )
        self.to_client = self.to_server = nowhere
        self._owner = owner
        self._counters = counters
        self._report_when = ReportWhen.NEVER
        self._switch_when_idle = False

    @property
    def report_when(self) -> ReportWhen:
        return self._report_when

    @report_when.setter
    def report_when(self, moment: ReportWhen) -> None:
        self._report_when = moment
        self._set_report()

    @property
    def switch_when_idle(self) -> bool:
        """Whether the owner is told when another relay could take this one's place."""
        return self._switch_when_idle

    @switch_when_idle.setter
    def switch_when_idle(self, wanted: bool) -> None:
        self._switch_when_idle = wanted
        self._set_report()

    def _set_report(self) -> None:
        self.report_ready = self._report_when is not ReportWhen.NEVER or self._switch_when_idle

    @property
    def replaceable(self) -> bool:
        """Whether another relay could take over now: nothing is under way in either direction."""
        return self.idle and self.reply_at_boundary

    def ended(self) -> None:
        """The connection is over."""

    @property
    def may_end(self) -> bool:
        """Whether what `report_when` waits for is the case now."""
        match self.report_when:
            case ReportWhen.NEVER:
                return False
            case ReportWhen.IDLE:
                return self.idle
            case ReportWhen.ANSWERED:
                return not self.pipeline.outstanding and self.reply_at_boundary

    def _stop_observing(self, reason: str) -> None:
        """The stream is not what it should be: forward from here on without a conclusion drawn from it."""
        if not self.unobserved:
            self.unobserved = True
            self._counters.streams_unobserved[reason] += 1

    def _new_verb(self, verb: bytes) -> None:
        self._counters.new_verb(verb)

    def _server_error(self, body: bytes) -> None:
        self._counters.errors[messages.sqlstate_of(body)[:2]] += 1

    def _server_ready(self) -> None:
        if self.may_end:
            self._owner.may_end()
        elif self._switch_when_idle and self.idle:
            self._owner.may_switch()
