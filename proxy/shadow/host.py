"""The shadow of one proxy process: room for sampled reads, the shadow process that they go to, and what is counted.

Nothing here waits for anything on behalf of a session: a read for which there is no room is dropped and counted.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from typing import Any, Protocol

from proxy.admin.shadow import ShadowReport
from proxy.catalog.source import SourceError
from proxy.logs import get_logger
from proxy.shadow.candidates import Candidate
from proxy.shadow.channel import Ask, Begin, Tables, Told, encode, receive
from proxy.shadow.meters import ShadowMeters
from proxy.shadow.outcomes import Done, Outcome
from proxy.shadow.sample import SampledRead
from proxy.stores.protocol import StoreRefused, StoreUnavailable

log = get_logger(__name__)

MAX_BYTES = 64 << 20
"""Of replies handed on and not answered yet."""
RESTART_PAUSE = 1.0
RESTART_PAUSE_MAX = 30.0
"""Seconds before a shadow process that ended is started again; doubled while it keeps ending at once."""
STABLE_AFTER = 30.0
END_PATIENCE = 5.0
"""Seconds a shadow process may take to end."""
WAIT_PATIENCE = 60.0


class Fleet(Protocol):
    """What the shadow process asks of the proxy process."""

    async def wait_passed(self, database: str, version: int) -> None: ...

    def open_gap(self, database: str, tables: tuple[str, ...]) -> str:
        """What of the tables is known not to be in the documents; empty: nothing."""


class ShadowHost:
    """Belongs to one event loop."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        fleet: Fleet,
        *,
        max_bytes: int = MAX_BYTES,
        command: tuple[str, ...] = (sys.executable, "-m", "proxy.shadow.process"),
    ) -> None:
        """`settings` as `Settings.reveal` gives them."""
        self._settings = settings
        self._fleet = fleet
        self._max_bytes = max_bytes
        self._command = command
        self.meters = ShadowMeters()
        self._tables: Tables | None = None
        self._wanted = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None
        self._number = 0
        self._sent: dict[int, tuple[SampledRead, Candidate]] = {}
        """What the shadow process has, or is about to get; without the rows."""
        self._bytes = 0
        self._sizes: dict[int, int] = {}
        self._queued: list[SampledRead] = []
        self._taken: dict[tuple[str, str], int] = {}
        """By database and table: reads admitted and not done."""
        self._restarts = 0
        self._answering: set[asyncio.Task[None]] = set()

    # What sessions ask.

    def admit(self, database: str, found: Candidate) -> bool:
        for table in found.tables:
            room = table.rule.queue + table.rule.concurrency
            if self._taken.get((database, table.name), 0) >= room:
                self.count(Done(0, database, found.names, Outcome.DROPPED, "the queue is full"))
                return False
        if self._writer is None or self._bytes >= self._max_bytes:
            why = "the shadow process is away" if self._writer is None else "too much waits"
            self.count(Done(0, database, found.names, Outcome.DROPPED, why))
            return False
        for table in found.tables:
            place = (database, table.name)
            self._taken[place] = self._taken.get(place, 0) + 1
        return True

    def release(self, database: str, found: Candidate) -> None:
        for table in found.tables:
            place = (database, table.name)
            left = self._taken.get(place, 0) - 1
            if left > 0:
                self._taken[place] = left
            else:
                self._taken.pop(place, None)

    def count(self, done: Done) -> None:
        self.meters.count(done)

    def submit(self, read: SampledRead, found: Candidate) -> None:
        self._number += 1
        read = replace(read, number=self._number)
        size = read.size
        self._sent[read.number] = (replace(read, rows=b"", parameters=()), found)
        self._sizes[read.number] = size
        self._bytes += size
        if not self._queued:
            asyncio.get_running_loop().call_soon(self._send)
        self._queued.append(read)

    def _send(self) -> None:
        queued, self._queued = self._queued, []
        if self._writer is None or self._writer.is_closing():
            for read in queued:
                self._lost(read.number)
            return
        self._writer.write(b"".join(map(encode, queued)))

    def _lost(self, number: int) -> None:
        read, _ = self._sent[number]
        self._done(Done(number, read.database, read.tables, Outcome.DROPPED, "the shadow process ended"))

    def _done(self, done: Done) -> None:
        known = self._sent.pop(done.number, None)
        if known is None:
            return
        self._bytes -= self._sizes.pop(done.number)
        self.release(known[0].database, known[1])
        self.count(done)

    # What the mirroring tells.

    def use(self, tables: Tables, *, wanted: bool) -> None:
        """Other rules, catalogues or surroundings; `wanted`: whether any read may be sampled."""
        self._tables = tables
        if wanted:
            self._wanted.set()
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(encode(tables))

    def report(self) -> ShadowReport | None:
        """None where no read was ever to be sampled."""
        if not self._wanted.is_set():
            return None
        return self.meters.report(
            waiting=len(self._sent), up=self._writer is not None, restarts=self._restarts
        )

    # The shadow process.

    async def run(self) -> None:
        """Keeps it running, once it is wanted, until cancelled."""
        await self._wanted.wait()
        pause = RESTART_PAUSE
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                await self._one()
            except OSError as error:
                log.warning("shadow_process_failed", error=str(error))
            pause = RESTART_PAUSE if loop.time() - began > STABLE_AFTER else min(2 * pause, RESTART_PAUSE_MAX)
            self._restarts += 1
            log.warning("shadow_process_ended", restart_in=pause)
            await asyncio.sleep(pause)

    async def _one(self) -> None:
        """One shadow process, to its end."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                # A session of its own: a terminal's Ctrl-C is for the proxy, which closes the socket when it ends.
                process = await asyncio.create_subprocess_exec(
                    *self._command, stdin=theirs.fileno(), start_new_session=True
                )
        except BaseException:
            ours.close()
            raise
        reader, writer = await asyncio.open_connection(sock=ours)
        try:
            writer.write(encode(Begin(self._settings)))
            if self._tables is not None:
                writer.write(encode(self._tables))
            self._writer = writer
            while (message := await receive(reader)) is not None:
                if isinstance(message, Done):
                    self._done(message)
                elif isinstance(message, Ask):
                    self._begin(self._answer(message))
        finally:
            self._writer = None
            writer.close()
            for task in tuple(self._answering):
                task.cancel()
            for number in tuple(self._sent):
                self._lost(number)
            self._queued.clear()
            await _ended(process)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answer(self, ask: Ask) -> None:
        told = Told(ask.number)
        try:
            if ask.tables:
                told = Told(ask.number, self._fleet.open_gap(ask.database, ask.tables))
            else:
                async with asyncio.timeout(WAIT_PATIENCE):
                    await self._fleet.wait_passed(ask.database, ask.version)
        except (StoreUnavailable, StoreRefused, SourceError, TimeoutError) as error:
            told = Told(ask.number, type(error).__name__, failed=True)
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(encode(told))


async def _ended(process: asyncio.subprocess.Process) -> None:
    """Our end of the socket is closed: it ends by itself, or else is ended."""
    try:
        async with asyncio.timeout(END_PATIENCE):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
