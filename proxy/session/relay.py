"""The byte path of an established connection: forward the chunk, then look at its headers.

The relay is handed two writers and never buffers, alters or delays a byte. What it learns on the way (requests
outstanding, transaction status, command tags, errors) feeds the drain and the metrics; where a stream stops making
sense it stops looking, and goes on forwarding.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from time import perf_counter_ns
from typing import Protocol

from proxy.admin.counters import Counters
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


class RelayOwner(Protocol):
    """What a relay reports to."""

    def may_end(self) -> None:
        """What `Relay.report_when` waited for has come about."""


class ReportWhen(Enum):
    """When a relay tells its owner that the connection may be ended."""

    NEVER = 0
    IDLE = 1
    """The server owes nothing and no transaction is open."""
    ANSWERED = 2
    """The server owes nothing; an open transaction does not count."""


_NEVER = ReportWhen.NEVER
_UNKNOWN_FRONTEND = bytes(k for k in range(256) if k not in messages.FRONTEND_TYPES)
_UNKNOWN_BACKEND = bytes(k for k in range(256) if k not in messages.BACKEND_TYPES)


class Relay:
    """Both directions of one connection."""

    __slots__ = (
        "_client_walk",
        "_counters",
        "_owner",
        "_server_walk",
        "_unobserved",
        "client_terminated",
        "pipeline",
        "report_when",
        "to_client",
        "to_server",
    )

    def __init__(self, owner: RelayOwner, counters: Counters) -> None:
        self._owner = owner
        self._counters = counters
        self._client_walk = HeaderWalk(
            FRONTEND_MARKS + bytes([messages.TERMINATE]) + _UNKNOWN_FRONTEND, b"", 0
        )
        self._server_walk = HeaderWalk(_UNKNOWN_BACKEND, BACKEND_MARKS, BODY_CAP)
        self._unobserved = False
        self.pipeline = Pipeline()
        self.to_client: Write = _nowhere
        self.to_server: Write = _nowhere
        self.report_when = ReportWhen.NEVER
        self.client_terminated = False
        """Whether the client said Terminate."""

    @property
    def idle(self) -> bool:
        """Whether the connection could be ended here without cutting anything off."""
        return self.pipeline.idle and not self._unobserved and self._client_walk.at_boundary

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
        found = self._client_walk.feed(data)
        if found is not None:
            sent = self.pipeline.sent
            for kind, _ in found:
                if kind == messages.TERMINATE:
                    self.client_terminated = True
                elif kind in messages.FRONTEND_TYPES:
                    sent(kind)
                else:
                    self._stop_observing("unknown_frontend_message")
        elif self._client_walk.broken:
            self._stop_observing("invalid_frontend_length")
        counters = self._counters
        counters.bytes_from_client += len(data)
        spent = perf_counter_ns() - started
        counters.own_share_sum += spent
        counters.own_share[spent.bit_length()] += 1

    def from_server(self, data: bytes) -> None:
        """Bytes of the server, in the order they came."""
        started = perf_counter_ns()
        self.to_client(data)
        found = self._server_walk.feed(data)
        counters = self._counters
        if found is not None:
            for kind, body in found:
                if kind == messages.COMMAND_COMPLETE:
                    verb = body.partition(b" ")[0]
                    try:
                        counters.statements[verb] += 1
                    except KeyError:
                        counters.new_verb(verb)
                elif kind == messages.READY_FOR_QUERY:
                    self.pipeline.ready(body[0] if body else 0)
                    if self.report_when is not _NEVER and self.may_end:
                        self._owner.may_end()
                elif kind == messages.ERROR_RESPONSE:
                    self.pipeline.failed()
                    counters.errors[messages.sqlstate_of(body)[:2]] += 1
                elif kind == messages.COPY_IN_RESPONSE:
                    self.pipeline.copy_in()
                else:
                    self._stop_observing("unknown_backend_message")
        elif self._server_walk.broken:
            self._stop_observing("invalid_backend_length")
        counters.bytes_from_server += len(data)
        spent = perf_counter_ns() - started
        counters.own_share_sum += spent
        counters.own_share[spent.bit_length()] += 1

    def _stop_observing(self, reason: str) -> None:
        """The stream is not what it should be: forward from here on without a conclusion drawn from it."""
        if not self._unobserved:
            self._unobserved = True
            self._counters.streams_unobserved[reason] += 1


def _nowhere(data: bytes) -> None:
    raise RuntimeError("the relay was fed before its writers were set")
