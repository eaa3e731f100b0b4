"""Group commit of a spool file: what one turn of the event loop asks for is one transaction on disk.

Without fsync a small commit takes tens of microseconds and is done on the event loop; a large one, or with fsync, in a
thread, and what comes meanwhile makes up the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from proxy.logs import get_logger
from proxy.mirror.spool_file import ENTRY_OVERHEAD, SpoolBatch, SpoolFailed, SpoolFile, SpoolState

log = get_logger(__name__)

CHECKPOINT_BYTES = 4 << 20
"""Data written since the last checkpoint before another is made."""

LOG_LIMIT = 16 << 20
"""Size of the write-ahead log past which commits wait for a checkpoint: the log begins anew only where a checkpoint
has moved everything that was written."""

INLINE_BYTES = 256 << 10
INLINE_ROWS = 1000
"""Data and rows of a commit up to which it is done on the event loop: a few milliseconds."""

LAZY_SECONDS = 0.05
"""How long changes nobody waits for may gather."""

Then = Callable[[bool], object]
"""Called with whether it is on the disk."""


def cost(data: bytes) -> int:
    """Bytes that an entry or part with this data counts for."""
    return len(data) + ENTRY_OVERHEAD


class Journal:
    """Belongs to one event loop. Entries' numbers are given here."""

    def __init__(self, file: SpoolFile, *, size: int, fsync: bool = False) -> None:
        """`size`: bytes the file's entries may take. Raises SpoolFailed."""
        self.file = file
        self.size = size
        self.entries, self.bytes, self._last = file.content()
        self.failure = ""
        """Why the last write failed; empty when it did not."""
        self.failures = 0
        self._fsync = fsync
        self._executor = ThreadPoolExecutor(2, thread_name_prefix="spool")
        self._loop = asyncio.get_running_loop()
        self._batch = SpoolBatch()
        self._waiting: list[Then] = []
        self._unflushed = 0
        self._scheduled: asyncio.Handle | None = None
        self._lazy: asyncio.TimerHandle | None = None
        self._writing = False
        self._checkpointing = False
        self._since_checkpoint = 0
        self._idle: list[asyncio.Future[None]] = []
        self._closed = False

    # what is asked for

    def fits(self, size: int) -> bool:
        return self.bytes + size <= self.size

    def number(self) -> int:
        """For a new entry."""
        self.entries += 1
        self._last += 1
        return self._last

    def put(
        self,
        entry: int,
        state: SpoolState,
        *,
        xid: int | None,
        version: int,
        parts: int,
        database: str,
        data: bytes,
        gid: str | None = None,
        then: Then | None = None,
    ) -> None:
        """Write an entry, in the place of one of the same number."""
        self._batch.entries.append((entry, int(state), xid, version, parts, database, gid, data))
        self._grow(cost(data))
        self._soon(then)

    def put_part(self, entry: int, start: int, data: bytes, then: Then | None = None) -> None:
        self._batch.parts.append((entry, start, data))
        self._grow(cost(data))
        self._soon(then)

    def cut(self, entry: int, start: int, size: int) -> None:
        """Remove the parts from effect `start` on, which counted `size` bytes; those put afterwards stay."""
        self.bytes -= size
        if self._batch.parts:  # parts of this very batch may be concerned, and cuts come first in a batch
            self._batch.parts = [part for part in self._batch.parts if part[0] != entry or part[1] < start]
        self._batch.cuts.append((entry, start))
        self._soon(None)

    def mark(self, entry: int, state: SpoolState, then: Then | None = None) -> None:
        self._batch.states.append((int(state), entry))
        self._soon(then)

    def prepare(self, entry: int, gid: str) -> None:
        self._batch.prepared.append((gid, entry))
        self._soon(None)

    def done(self, entry: int, size: int, *, parts: bool = False) -> None:
        """The entry, whose puts have counted `size` bytes, is not needed any more: leaves with the next commit, or
        the next but few. `parts`: it may have some."""
        (self._batch.done_with_parts if parts else self._batch.done).append(entry)
        self.bytes -= size
        self.entries -= 1
        self._lazily()

    def part_done(self, number: int, size: int) -> None:
        self._batch.parts_done.append(number)
        self.bytes -= size
        self._lazily()

    def flush(self) -> None:
        """Write now what was asked for, unless a write is under way in a thread or has to be done in one. Those who
        wait are told in a later turn all the same."""
        if self._scheduled is None or self._fsync:
            return
        self._scheduled.cancel()
        self._waiting = [self._later(then) for then in self._waiting]
        self._flush()

    def _later(self, then: Then) -> Then:
        return lambda done: self._loop.call_soon(then, done)

    async def flushed(self) -> None:
        """Returns when everything asked for so far is on the disk, or could not be brought there."""
        while (self._batch or self._writing) and not self._closed:
            future = self._loop.create_future()
            self._idle.append(future)
            self._soon(None)
            await future
            if self.failure and not self._batch.entries and not self._writing:
                return

    @property
    def pending(self) -> bool:
        """Whether something asked for is not on the disk yet."""
        return bool(self._batch) or self._writing or self._checkpointing

    async def close(self) -> None:
        """Write what is left; the file stays open."""
        await self.flushed()
        self.abandon()
        await asyncio.to_thread(self._executor.shutdown)

    def abandon(self) -> None:
        """Write nothing more."""
        self._closed = True
        self._executor.shutdown(wait=False)
        for handle in (self._scheduled, self._lazy):
            if handle is not None:
                handle.cancel()

    # how it is carried out

    def _grow(self, size: int) -> None:
        self.bytes += size
        self._unflushed += size

    def _soon(self, then: Then | None) -> None:
        if then is not None:
            self._waiting.append(then)
        if self._scheduled is None and not self._writing and not self._closed:
            self._scheduled = self._loop.call_soon(self._flush)

    def _lazily(self) -> None:
        if self._scheduled is None and self._lazy is None and not self._writing and not self._closed:
            self._lazy = self._loop.call_later(LAZY_SECONDS, self._flush)

    def _flush(self) -> None:
        self._scheduled = None
        if self._lazy is not None:
            self._lazy.cancel()
            self._lazy = None
        if self._writing:
            return
        if not self._batch:
            self._finished([], None)
            return
        batch, self._batch = self._batch, SpoolBatch()
        waiting, self._waiting = self._waiting, []
        size, self._unflushed = self._unflushed, 0
        self._since_checkpoint += size + 64 * len(batch.done)
        rows = len(batch.entries) + len(batch.states) + len(batch.done) // 8  # which go in runs
        if self._fsync or size > INLINE_BYTES or rows > INLINE_ROWS:
            self._writing = True
            self._run(lambda: self.file.write(batch), lambda failure: self._written(batch, waiting, failure))
            return
        try:
            self.file.write(batch)
        except SpoolFailed as error:
            self._failed(batch, waiting, error)
        else:
            self._finished(waiting, None)

    def _written(self, batch: SpoolBatch, waiting: list[Then], error: BaseException | None) -> None:
        self._writing = False
        if error is not None:
            self._failed(batch, waiting, error)
        else:
            self._finished(waiting, None)

    def _failed(self, batch: SpoolBatch, waiting: list[Then], error: BaseException) -> None:
        """What was to be added is given up; what was to be removed or marked is kept for the next commit."""
        if not self.failure:
            log.error("spool_failed", error=str(error))
        self.failures += 1
        new = self._batch
        new.cuts[:0] = batch.cuts
        new.states[:0] = batch.states
        new.prepared[:0] = batch.prepared
        new.done[:0] = batch.done
        new.done_with_parts[:0] = batch.done_with_parts
        new.parts_done[:0] = batch.parts_done
        self._finished(waiting, str(error))

    def _finished(self, waiting: Iterable[Then], failure: str | None) -> None:
        self.failure = failure or ""
        for then in waiting:
            then(failure is None)
        idle, self._idle = self._idle, []
        for future in idle:
            if not future.done():
                future.set_result(None)
        if self._waiting or self._batch.entries or self._batch.parts:
            self._soon(None)
        elif self._batch:
            self._lazily()
        if self._since_checkpoint >= CHECKPOINT_BYTES and not self._checkpointing and not self._closed:
            self._since_checkpoint = 0
            self._checkpointing = True
            self._run(self.file.checkpoint, self._checkpointed)

    def _checkpointed(self, failure: BaseException | None) -> None:
        """The bulk was moved while writing went on."""
        if failure is None and not self._closed and self.file.wal_size() > LOG_LIMIT:
            if self._writing:
                self._loop.call_later(LAZY_SECONDS, self._checkpointed, None)
                return
            self._writing = True
            self._run(self.file.checkpoint, self._caught_up)
            return
        self._checkpointing = False
        if failure is not None:
            log.warning("spool_checkpoint_failed", error=str(failure))

    def _caught_up(self, failure: BaseException | None) -> None:
        """The rest was moved while nothing was written."""
        self._writing = self._checkpointing = False
        if failure is not None:
            log.warning("spool_checkpoint_failed", error=str(failure))
        self._finished([], self.failure or None)

    def _run(self, work: Callable[[], object], then: Callable[[BaseException | None], None]) -> None:
        """In a thread."""
        self._loop.run_in_executor(self._executor, work).add_done_callback(
            lambda future: then(future.exception())
        )
