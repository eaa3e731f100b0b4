"""Retryable writes: a write that a client sends again is answered, not done again.

https://www.mongodb.com/docs/manual/core/retryable-writes/. Remembered in memory: exact for as long as the
gateway lives, and within the limits below.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from devstack.gateway import error_codes
from devstack.gateway.errors import CommandError

MAX_BYTES = 64 * 1024 * 1024
"""Of all remembered replies together."""


@dataclass
class _Write:
    number: int
    reply: asyncio.Future[bytes]
    size: int = 0


class RetryableWrites:
    """The latest retryable write of each session."""

    def __init__(self, sessions: int, max_bytes: int = MAX_BYTES) -> None:
        self._sessions = sessions
        self._max_bytes = max_bytes
        self._bytes = 0
        self._writes: OrderedDict[bytes, _Write] = OrderedDict()
        self.answered_again = 0

    def __len__(self) -> int:
        return len(self._writes)

    async def run(self, session: bytes, number: int, write: Callable[[], Awaitable[bytes]]) -> bytes:
        """`write`'s reply; where this session has sent this number before, the reply that was given then."""
        known = self._writes.get(session)
        if known is not None:
            if number < known.number:
                raise CommandError(
                    error_codes.TRANSACTION_TOO_OLD,
                    f"Retryable write with txnNumber {number} is prohibited on this session because a newer "
                    f"retryable write with txnNumber {known.number} has already started on this session.",
                )
            if number == known.number:
                self.answered_again += 1
                return await asyncio.shield(known.reply)
            self._forget(session)
        entry = _Write(number, asyncio.get_running_loop().create_future())
        self._writes[session] = entry
        try:
            reply = await write()
        except BaseException as error:
            if self._writes.get(session) is entry:
                self._forget(session)
            if isinstance(error, CommandError):
                entry.reply.set_exception(error)
                entry.reply.exception()
            else:
                entry.reply.cancel()
            raise
        entry.reply.set_result(reply)
        entry.size = len(reply)
        if self._writes.get(session) is entry:
            self._bytes += entry.size
            self._trim()
        return reply

    def forget_session(self, session: bytes) -> None:
        if session in self._writes and self._writes[session].reply.done():
            self._forget(session)

    def _forget(self, session: bytes) -> None:
        self._bytes -= self._writes.pop(session).size

    def _trim(self) -> None:
        for session in list(self._writes):
            if len(self._writes) <= self._sessions and self._bytes <= self._max_bytes:
                return
            if self._writes[session].reply.done():
                self._forget(session)
