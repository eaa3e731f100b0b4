"""One side of a connection: an asyncio protocol that can be held, half-closed and ended without losing bytes.

While a session relays, a leg's `data_received` is the relay's own method, so that a chunk goes from the transport to
the relay to the other transport with nothing in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, cast

from proxy.admin.counters import Counters

HOLD_CONNECTING = 1
HOLD_SINK_FULL = 2
HOLD_CAPTURE = 4
"""Reasons not to read; a leg is read while it has none."""


class LegOwner(Protocol):
    """What a leg belongs to and reports to."""

    @property
    def counters(self) -> Counters: ...
    @property
    def buffer_high_water(self) -> int:
        """Bytes written to a leg and not taken by its peer at which the other leg is not read any more."""

    def leg_made(self, leg: Leg) -> None:
        """The leg has its transport."""

    def eof_received(self, leg: Leg) -> bool:
        """The peer has ended its side; True keeps the transport open for writing."""

    def leg_lost(self, leg: Leg, exc: Exception | None) -> None:
        """The transport is gone."""


class Leg(asyncio.BaseProtocol):
    """One side of a connection."""

    __slots__ = (
        "_eof_seen",
        "_holds",
        "_linger",
        "_owner",
        "_write_ended",
        "closed",
        "counted",
        "data_received",
        "peer",
        "transport",
    )

    def __init__(self, owner: LegOwner, receive: Callable[[bytes], None]) -> None:
        self._owner = owner
        self.data_received = receive
        self.transport: asyncio.Transport | None = None
        self.peer: Leg | None = None
        self.closed = False
        """Whether the transport is gone; a leg that never had one is not closed."""
        self.counted = False
        """Whether the leg is counted among the open server connections."""
        self._eof_seen = False
        self._write_ended = False
        self._holds = 0
        self._linger: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.attach(cast(asyncio.Transport, transport))
        self._owner.leg_made(self)

    def attach(self, transport: asyncio.Transport) -> None:
        """Uses `transport` from here on."""
        self.transport = transport
        self.transport.set_write_buffer_limits(high=self._owner.buffer_high_water)
        if self._holds:
            self.transport.pause_reading()

    @property
    def socket_fd(self) -> int:
        """The descriptor that takes bytes as they are; -1 where there is none, or TLS is in between."""
        transport = self.transport
        if transport is None or self.closed or transport.get_extra_info("ssl_object") is not None:
            return -1
        sock = transport.get_extra_info("socket")
        return -1 if sock is None else int(sock.fileno())

    def receive_with(self, receive: Callable[[bytes], None]) -> None:
        """From here on the transport calls `receive`; set_protocol makes it forget the method it had cached."""
        self.data_received = receive
        if self.transport is not None:
            self.transport.set_protocol(self)

    def hold(self, reason: int) -> None:
        """Stop reading until every reason is released."""
        if not self._holds and self.transport is not None and not self.closed:
            self.transport.pause_reading()
        self._holds |= reason

    def release(self, reason: int) -> None:
        held = self._holds
        self._holds &= ~reason
        if held and not self._holds and self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()

    def pause_writing(self) -> None:
        self._owner.counters.limits_reached["buffer_high_water"] += 1
        if self.peer is not None:
            self.peer.hold(HOLD_SINK_FULL)

    def resume_writing(self) -> None:
        if self.peer is not None:
            self.peer.release(HOLD_SINK_FULL)

    def write(self, data: bytes) -> None:
        if self.transport is not None and not self._write_ended and not self.transport.is_closing():
            self.transport.write(data)

    def end_writing(self) -> bool:
        """Half-close, once what is buffered has been sent; False where the transport cannot."""
        transport = self.transport
        if transport is None or not transport.can_write_eof():
            return False
        if not self._write_ended and not transport.is_closing():
            self._write_ended = True
            try:
                transport.write_eof()
            except OSError:  # the peer has reset the connection; its loss is about to be reported
                return False
        return True

    def finish(self, timeout: float, *, drop_at_most: int | None = None) -> None:
        """Send what is buffered, say EOF, and close once the peer has too, or after `timeout` seconds.

        Closing a socket with unread bytes in it resets the connection, and a reset can overtake the last error
        message; so what still comes is read and dropped, up to `drop_at_most` bytes.
        """
        transport = self.transport
        if transport is None or self.closed or self._linger is not None:
            return
        dropped = 0

        def drop(data: bytes) -> None:
            nonlocal dropped
            dropped += len(data)
            if drop_at_most is not None and dropped > drop_at_most:
                self.abort()

        self.data_received = drop
        if not self._eof_seen and not transport.is_closing() and self.end_writing():
            transport.set_protocol(self)
            self._holds = 0
            transport.resume_reading()
        else:
            transport.close()
        self._linger = asyncio.get_running_loop().call_later(timeout, self._lingered)

    def close(self) -> None:
        """Close once what is buffered has been sent."""
        if self.transport is not None:
            self.transport.close()

    def abort(self) -> None:
        """Close at once; what is buffered is lost."""
        if self.transport is not None:
            self.transport.abort()

    def _lingered(self) -> None:
        if not self.closed:
            self._owner.counters.limits_reached["close_timeout"] += 1
            self.abort()

    def eof_received(self) -> bool:
        """True keeps the transport open for writing."""
        self._eof_seen = True
        return self._linger is None and self._owner.eof_received(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        if self._linger is not None:
            self._linger.cancel()
        self.data_received = _drop
        self._owner.leg_lost(self, exc)


def _drop(data: bytes) -> None:
    """Bytes nobody waits for any more."""
