"""TCP relays that know where a message ends: between proxy and PostgreSQL, and between proxy and store.

A `Gate` waits for one message and holds it, and with it that direction of its connection: the moment at which a
proxy is killed. The store's relay can also be away, be silent, be late, or answer with errors.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self

import bson

Direction = Literal["up", "down"]
"""`up` is what the proxy sends."""

Message = bytes
"""A whole one, its length included."""


@dataclass(eq=False)
class Gate:
    """Holds the first message that `match` accepts, before it is passed on."""

    direction: Direction | Literal["both"]
    match: Callable[[Message], bool]

    def __post_init__(self) -> None:
        self.reached = asyncio.Event()
        self.lifted = asyncio.Event()


class Relay:
    """Listens on loopback for as long as it is entered."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.port = 0
        self.gate: Gate | None = None
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.leave()

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def leave(self) -> None:
        """As if the machine behind it were gone: connections break, new ones are refused."""
        assert self._server is not None
        self._server.close()
        self.sever()
        while self._tasks:
            await asyncio.wait(self._tasks)

    def sever(self) -> None:
        """Reset every connection."""
        for task in self._tasks:
            task.cancel()
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._open.add(writer)
        upward: asyncio.StreamWriter | None = None
        try:
            up_reader, upward = await asyncio.open_connection(*self.target)
            self._open.add(upward)
            pumps = [
                asyncio.ensure_future(self._pump(reader, upward, "up", writer)),
                asyncio.ensure_future(self._pump(up_reader, writer, "down", upward)),
            ]
            try:
                # Where one side has gone the other one goes too, with what is held between them.
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            for side in (writer, upward):
                if side is not None:
                    side.transport.abort()
                    self._open.discard(side)
            self._tasks.discard(task)

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        direction: Direction,
        back: asyncio.StreamWriter,
    ) -> None:
        try:
            first = True
            while True:
                message = await self._message(reader, direction, first)
                first = False
                gate = self.gate
                if gate is not None and gate.direction in (direction, "both") and gate.match(message):
                    self.gate = None
                    gate.reached.set()
                    await gate.lifted.wait()
                await self._pass(message, writer, direction, back)
        except (OSError, asyncio.IncompleteReadError):
            return

    async def _message(self, reader: asyncio.StreamReader, direction: Direction, first: bool) -> Message:
        raise NotImplementedError

    async def _pass(
        self, message: Message, writer: asyncio.StreamWriter, direction: Direction, back: asyncio.StreamWriter
    ) -> None:
        writer.write(message)
        await writer.drain()


class PostgresRelay(Relay):
    """Protocol 3 without TLS."""

    async def _message(self, reader: asyncio.StreamReader, direction: Direction, first: bool) -> Message:
        if first and direction == "up":
            head = await reader.readexactly(4)
            return head + await reader.readexactly(struct.unpack("!i", head)[0] - 4)
        head = await reader.readexactly(5)
        return head + await reader.readexactly(struct.unpack("!i", head[1:])[0] - 4)


class StoreRelay(Relay):
    """MongoDB's wire protocol."""

    delay = 0.0
    """Seconds a request waits before it goes on."""
    error: int | None = None
    """Code that writes are answered with, in the store's place."""
    requests = 0

    def __init__(self, target: tuple[str, int]) -> None:
        super().__init__(target)
        self.flowing = asyncio.Event()
        """Cleared: what comes is kept and nothing is answered."""
        self.flowing.set()

    async def _message(self, reader: asyncio.StreamReader, direction: Direction, first: bool) -> Message:
        head = await reader.readexactly(4)
        return head + await reader.readexactly(struct.unpack("<i", head)[0] - 4)

    async def _pass(
        self, message: Message, writer: asyncio.StreamWriter, direction: Direction, back: asyncio.StreamWriter
    ) -> None:
        if direction == "up":
            self.requests += 1
            await self.flowing.wait()
            if self.delay:
                await asyncio.sleep(self.delay)
            if self.error is not None and command(message) in WRITES:
                back.write(refusal(message, self.error))
                await back.drain()
                return
        await super()._pass(message, writer, direction, back)


WRITES = frozenset({"insert", "update", "delete", "findAndModify", "bulkWrite"})

_HEADER = struct.Struct("<iiii")
_OP_MSG = 2013


def command(message: Message) -> str:
    """Name of an OP_MSG's command, empty for other messages."""
    return next(iter(body(message)), "")


def body(message: Message) -> dict[str, Any]:
    """The command's own document (section of kind 0)."""
    if _HEADER.unpack_from(message)[3] != _OP_MSG:
        return {}
    at = 20
    while at < len(message):
        kind = message[at]
        (size,) = struct.unpack_from("<i", message, at + 1)
        if kind == 0:
            return dict(bson.decode(message[at + 1 : at + 1 + size]))
        at += 1 + size
    return {}


def refusal(request: Message, code: int) -> Message:
    """The reply `{ok: 0, code}` to a request."""
    document = bson.encode({"ok": 0.0, "code": code, "codeName": "Injected", "errmsg": "injected by a test"})
    reply = struct.pack("<IB", 0, 0) + document
    return _HEADER.pack(16 + len(reply), 7, _HEADER.unpack_from(request)[1], _OP_MSG) + reply
