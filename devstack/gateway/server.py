"""Sockets: one asyncio protocol a client connection, one command at a time on each."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import deque
from typing import cast

from devstack.gateway.documents import lazy
from devstack.gateway.errors import CommandError
from devstack.gateway.gateway import Gateway
from devstack.gateway.request import Client
from devstack.gateway.wire import Message, ProtocolError, Reader, reply

log = logging.getLogger(__name__)

_PENDING = 4
"""Messages read ahead of the one that is being answered; then the socket is no longer read."""


class ClientConnection(asyncio.Protocol):
    """One client."""

    _numbers = itertools.count(1)

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._reader = Reader()
        self._pending: deque[Message] = deque()
        self._replies = itertools.count(1)
        self._task: asyncio.Task[None] | None = None
        self._writing = False
        self._paused = False
        self._gone = False
        self._counted = False
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        address = transport.get_extra_info("peername")
        self._client = Client(next(self._numbers), f"{address[0]}:{address[1]}" if address else "")
        gateway = self._gateway
        if gateway.connections >= gateway.limits.connections:
            log.warning("connection refused: the limit of %d is reached", gateway.limits.connections)
            self._transport.abort()
            return
        self._counted = True
        gateway.connections += 1
        gateway.connections_total += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone = True
        self._writable.set()
        self._pending.clear()
        if self._counted:
            self._gateway.connections -= 1
        if self._task is not None and not self._writing:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        try:
            self._pending.extend(self._reader.feed(data))
        except ProtocolError as error:
            log.warning("connection %d closed: %s", self._client.number, error)
            self._transport.close()
            return
        if len(self._pending) > _PENDING and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        if self._task is None and self._pending:
            self._task = asyncio.get_running_loop().create_task(self._answer())
            self._task.add_done_callback(self._answered)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    async def _answer(self) -> None:
        """Until nothing is pending."""
        while self._pending and not self._gone:
            message = self._pending.popleft()
            if self._paused and len(self._pending) <= _PENDING // 2:
                self._paused = False
                self._transport.resume_reading()
            self._writing = self._is_write(message)
            document = await self._gateway.execute(self._client, message)
            self._writing = False
            if message.more_to_come or self._gone:
                continue
            self._transport.write(reply(message, next(self._replies), document))
            await self._writable.wait()

    def _is_write(self, message: Message) -> bool:
        """A write goes on when its client is gone: the client may come back and ask for its outcome."""
        try:
            name = next(iter(lazy(message.body)), "")
        except CommandError:
            return False
        command = self._gateway.lookup(name)
        return command is not None and command.write

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            log.error("connection %d closed: internal error", self._client.number, exc_info=error)
            self._transport.abort()
        elif self._pending and not self._gone:
            self.data_received(b"")
