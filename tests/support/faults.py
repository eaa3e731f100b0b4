"""A TCP proxy that misbehaves: fragments, merges, delays and cuts what passes through it, at a chosen byte."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, TypeVar

T = TypeVar("T")

Direction = Literal["up", "down"]
"""`up` is what flows from who connected to who listens behind us."""

Cut = Literal["reset", "close", "stall"]
"""`reset` sends RST, `close` FIN, `stall` swallows everything from then on and leaves both connections open."""


@dataclass(frozen=True)
class Fault:
    """What goes wrong on every connection."""

    direction: Direction = "down"
    after: int | None = None
    """Bytes of `direction` that still pass; None: all."""
    how: Cut = "reset"
    fragment: int | None = None
    """Forward at most this many bytes at a time, both ways."""
    seed: int | None = None
    """Fragment at random places instead, both ways."""


class FaultProxy:
    """Listens on loopback and passes on to `target`, with the fault of the moment."""

    def __init__(self, target: tuple[str, int], fault: Fault = Fault()) -> None:
        self.target = target
        self.fault = fault
        self.port = 0
        self.connections = 0
        """Open ones."""
        self.cuts = 0
        self.passed: dict[Direction, int] = {"up": 0, "down": 0}
        """Bytes of all connections so far."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server
        self._tasks: set[asyncio.Task[None]] = set()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(15)

    def __enter__(self) -> FaultProxy:
        self._thread.start()

        async def start() -> None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
            self.port = self._server.sockets[0].getsockname()[1]

        self.call(start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        async def stop() -> None:
            self._server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

        self.call(stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            await self._relay(reader, writer, self.fault)
        finally:
            self.connections -= 1
            self._tasks.discard(task)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: Fault) -> None:
        try:
            up_reader, up_writer = await asyncio.open_connection(*self.target)
        except OSError:
            writer.transport.abort()
            return
        both = (writer, up_writer)
        pumps = [
            asyncio.create_task(self._pump(reader, up_writer, both, "up", fault)),
            asyncio.create_task(self._pump(up_reader, writer, both, "down", fault)),
        ]
        try:
            await asyncio.gather(*pumps)
        finally:
            for pump in pumps:
                pump.cancel()
            for side in both:
                side.transport.abort()

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        both: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
        direction: Direction,
        fault: Fault,
    ) -> None:
        left = fault.after if direction == fault.direction else None
        dice = random.Random(fault.seed)
        try:
            while data := await reader.read(65536):
                while data:
                    size = len(data)
                    if fault.seed is not None:
                        size = dice.randint(1, min(size, 40))
                    elif fault.fragment is not None:
                        size = fault.fragment
                    if left is not None:
                        size = min(size, left)
                    piece, data = data[:size], data[size:]
                    writer.write(piece)
                    self.passed[direction] += len(piece)
                    await writer.drain()
                    if fault.seed is not None or fault.fragment is not None:
                        await asyncio.sleep(0)
                    if left is not None:
                        left -= len(piece)
                        if left == 0:
                            self.cuts += 1
                            await self._cut(both, fault.how)
                            return
            writer.write_eof()
        except OSError:
            for side in both:
                side.transport.abort()

    async def _cut(self, both: tuple[asyncio.StreamWriter, asyncio.StreamWriter], how: Cut) -> None:
        if how == "stall":
            await asyncio.Event().wait()
        for side in both:
            if how == "reset":
                side.transport.abort()
            else:
                side.close()
