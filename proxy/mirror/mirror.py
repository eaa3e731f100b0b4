"""The mirror of one process: from what sessions hand over to what the store has.

A transaction is *open* until its session tells how it ended, *held* from its commit until the store has everything of
it, *parked* while it is held on disk only. What happens to it in between is the business of `securing` (to disk),
`intake` and `decode` (to writes), `lanes` (to the store), `refill` (back from disk) and `resolver` (in doubt).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from proxy.logs import get_logger
from proxy.mirror.decode import Decoder
from proxy.mirror.held import Held
from proxy.mirror.intake import Catalogue, Intake
from proxy.mirror.lanes import Lanes
from proxy.mirror.losses import Losses
from proxy.mirror.meters import Meters
from proxy.mirror.port import GapSink, MirrorLimits
from proxy.mirror.refill import Refill
from proxy.mirror.resolver import Doubt, Resolver, Source, Verdict
from proxy.mirror.securing import Securing
from proxy.mirror.spool import Spool
from proxy.mirror.spool_directory import SpoolDirectory
from proxy.mirror.spool_file import SpoolState
from proxy.mirror.tables import TableBook
from proxy.mirror.targets import ShapeBook, Targets
from proxy.mirror.tides import Tides
from proxy.mirror.transaction import Transaction
from proxy.stores.protocol import Store

log = get_logger(__name__)

MARK_SECONDS = 1.0
"""After this time a commit that the store does not have yet is noted in the spool, so that after a kill nobody needs
to be asked whether it happened."""


class SourceBook(Catalogue, ShapeBook, Protocol):
    def source(self, database: str) -> Source: ...


class Mirror:
    """Implements `proxy.mirror.port.MirrorPort`. Belongs to one event loop."""

    def __init__(
        self,
        store: Store,
        tables: Callable[[], TableBook],
        catalogue: SourceBook,
        gaps: GapSink,
        limits: MirrorLimits,
        *,
        spool: Path | None = None,
    ) -> None:
        """`tables` gives the book in force. `spool`: the directory of spool files; None: there is none."""
        self.limits = limits
        self._loop = asyncio.get_running_loop()
        self.meters = Meters(self._loop.time)
        self._tides: dict[str, Tides] = {}
        self._latest: dict[str, int] = {}
        self._lanes = Lanes(store, limits, gaps, self.meters, self._finished)
        self.targets = Targets(tables, catalogue, self._lanes, self.meters)
        decoder = Decoder(self.targets, self._lanes, gaps, self.latest)
        self._intake = Intake(decoder, self.targets, catalogue, self._finished)
        self._resolver = Resolver(catalogue.source, clock=self._loop.time)
        self._securing = Securing(None, self.targets, gaps)
        self._losses = Losses(gaps, self._securing, self.latest)
        self._directory = None if spool is None else SpoolDirectory(spool, fsync=limits.spool_fsync)
        self._refill = Refill(
            self._directory,
            limits,
            self._resolver,
            self.targets,
            gaps,
            self.meters,
            read_back=self._read_back,
            in_doubt=self._losses.in_doubt,
        )
        self.meters.waiting = self._waiting
        self._spool: Spool | None = None
        """The process' own."""
        self._held = 0
        """Held in memory."""
        self._unmarked: dict[Held, None] = {}
        """Whose entries do not say yet that they are committed; in the order of their commits."""
        self._lone: dict[Held, None] = {}
        """Those that are in no spool."""
        self._in_doubt: set[Transaction] = set()
        self._marker: asyncio.TimerHandle | None = None
        self._resolving: asyncio.Task[None]
        self._filling: asyncio.Task[None]
        self._quiet: list[asyncio.Future[None]] = []
        self._stopped = False

    # what sessions call

    def begin(self, database: str) -> Transaction:
        tx = Transaction(database, self._latest.get(database, 0))
        tx.tide = self._tides_of(database).come(tx.floor)
        return tx

    def secure(self, tx: Transaction, then: Callable[[], None]) -> bool:
        securing = self._securing
        if not securing.needed(tx):
            return True
        if not securing.write(tx, SpoolState.PENDING, lambda _: then()):
            self._loop.call_soon(then)
        return False

    def secure_now(self, tx: Transaction) -> None:
        securing = self._securing
        if securing.needed(tx) and securing.write(tx, SpoolState.PENDING, None):
            assert securing.journal is not None
            securing.journal.flush()

    def spill(self, tx: Transaction) -> None:
        self._securing.spill(tx)

    def committed(
        self,
        tx: Transaction,
        then: Callable[[], None] | None = None,
        timeout: float = 0.0,
        stored: Callable[[], None] | None = None,
    ) -> bool:
        if tx.empty:
            self.aborted(tx)
            return True
        self.noted(tx.database, tx.version)
        held = Held(tx.database, tx.effects, tx.size, tx.version, self._loop.time())
        held.stored = stored
        if then is not None:
            held.then = then
            held.urgent = True
            held.timer = self._loop.call_later(timeout, self._ack_timed_out, held)
        if tx.spooled or not self._room(tx.size):
            self._park(tx, held)
        else:
            held.tide, tx.tide = tx.tide, None
            if tx.entry:
                held.spool, held.entry, held.disk = self._spool, tx.entry, tx.disk
                self._unmark(held)
                assert held.spool is not None
                held.spool.in_memory += 1
            else:
                held.kept = held.effects
                self._lone[held] = None
            self._hold(held)
        return False

    def aborted(self, tx: Transaction) -> None:
        self._securing.release(tx)
        self._end(tx)

    def doubtful(self, tx: Transaction) -> None:
        if tx.empty:
            self.aborted(tx)
            return
        self._in_doubt.add(tx)
        self._resolver.add(Doubt(tx.database, tx.xid, lambda verdict: self._settle(tx, verdict)))

    def prepared(self, tx: Transaction, gid: str) -> None:
        if tx.empty:
            self.aborted(tx)
            return
        self._in_doubt.add(tx)
        if self._spool is not None and self._written(tx, SpoolState.PREPARED):
            self._spool.journal.prepare(tx.entry, gid)
        self._resolver.add(Doubt(tx.database, tx.xid, lambda verdict: self._settle(tx, verdict), gid=gid))

    def settle_prepared(self, gid: str) -> None:
        self._resolver.poke(gid)

    def watermark(self, database: str) -> int | None:
        """See MirrorPort: what is in memory, open, in doubt or in a spool of this process."""
        found = [] if (tides := self._tides.get(database)) is None else [tides.oldest]
        found.append(self._refill.floor(database))
        return min((version for version in found if version is not None), default=None)

    # what the proxy calls

    def noted(self, database: str, version: int) -> None:
        """A position of the source is known: what is begun from now on is newer."""
        if version > self._latest.get(database, 0):
            self._latest[database] = version

    def latest(self, database: str) -> int:
        """The newest version known of a database; 0 where none is."""
        return self._latest.get(database, 0)

    @property
    def depth(self) -> int:
        """Transactions held in memory, in doubt and in spools; not those that are open."""
        return self._held + self._refill.entries + len(self._in_doubt)

    async def start(self) -> None:
        """Take over what processes that ended have left, open the spool, begin. Raises SpoolFailed if there can be
        none."""
        if self._directory is not None:
            self._spool = await self._refill.open()
            self._securing.journal = self._spool.journal
        self._resolving = self._loop.create_task(self._resolver.run())
        self._filling = self._loop.create_task(self._refill.run())
        for task in (self._resolving, self._filling):
            task.add_done_callback(_complain)

    async def drain(self, timeout: float) -> bool:
        """Wait until the store has everything that was committed; whether it does."""
        end = self._loop.time() + timeout
        while self._held or self._refill.busy or self._resolver.urgent:
            left = end - self._loop.time()
            if left <= 0:
                return False
            future: asyncio.Future[None] = self._loop.create_future()
            self._quiet.append(future)
            await asyncio.wait({future}, timeout=min(left, 0.05))
        return True

    async def stop(self) -> bool:
        """Bring what is in memory only to disk, as far as there is one; end everything. False where something was
        lost, which is recorded as gaps."""
        self._stopped = True
        await self._end_tasks()
        await self._intake.stop()
        await self._lanes.stop()
        kept = self._keep()
        if self._marker is not None:
            self._marker.cancel()
        await self._refill.close()
        return kept

    async def _end_tasks(self) -> None:
        self._refill.stop()
        self._resolving.cancel()
        await asyncio.wait({self._resolving, self._filling})

    # how a held transaction lives

    def _hold(self, held: Held) -> None:
        self._held += 1
        self.meters.memory += held.size
        self._intake.take(held)

    def _finished(self, held: Held) -> None:
        """The store has everything of it."""
        self._held -= 1
        self.meters.memory -= held.size
        if held.tide is not None:
            self._tides[held.database].go(held.tide)
            held.tide = None
        if held.spool is not None:
            self._unmarked.pop(held, None)
            held.spool.finished(held)
        else:
            self._lone.pop(held, None)
        if held.stored is not None:
            self._loop.call_soon(held.stored)
            held.stored = None
        if held.then is not None:
            self._acknowledge(held)
        if not self._held:
            self._hush()
        if self._refill.parked and self.meters.memory < self.limits.mirror_memory // 2:
            self._refill.room.set()

    def _acknowledge(self, held: Held) -> None:
        then, held.then = held.then, None
        if held.timer is not None:
            held.timer.cancel()
            held.timer = None
        if then is not None:
            self._loop.call_soon(then)

    def _ack_timed_out(self, held: Held) -> None:
        for meter in held.meters:
            meter.acks_timed_out += 1
        self._acknowledge(held)

    def _waiting(self, database: str) -> float | None:
        times = (self._refill.oldest(database), self._intake.oldest(database))
        return min((since for since in times if since is not None), default=None)

    def _hush(self) -> None:
        quiet, self._quiet = self._quiet, []
        for future in quiet:
            if not future.done():
                future.set_result(None)

    def _room(self, size: int) -> bool:
        """Whether memory takes it; while something is parked, half of memory is for that."""
        bound = self.limits.mirror_memory // 2 if self._refill.parked else self.limits.mirror_memory
        return self.meters.memory + size <= bound

    def _park(self, tx: Transaction, held: Held) -> None:
        """Leave a committed transaction to the disk; to gaps where that does not take it."""
        spool = self._spool
        if spool is not None and self._written(tx, SpoolState.PARKED):
            spool.journal.mark(tx.entry, SpoolState.PARKED)
        elif spool is not None and tx.spooled:  # its parts are there, and only what is in memory is given up
            self._securing.overflow(tx, "memory and spool are full")
            self._losses.unseen(tx)
            spool.journal.mark(tx.entry, SpoolState.PARKED)
        else:
            self._securing.overflow(tx, "memory is full, and there is no room in a spool")
            self._losses.unseen(tx)
            self._securing.release(tx)
            self._end(tx)
            return
        spool.park(tx.database, tx.version, held.since)
        self._end(tx)
        self._refill.room.set()

    def _written(self, tx: Transaction, state: SpoolState) -> bool:
        """Whether all of the transaction is on disk, or about to be."""
        complete = tx.entry and tx.stored == tx.spooled + len(tx.effects) and tx.cut is None
        return bool(complete) or self._securing.write(tx, state, None)

    def _end(self, tx: Transaction) -> None:
        if tx.tide is not None:
            self._tides[tx.database].go(tx.tide)
            tx.tide = None

    def _settle(self, tx: Transaction, verdict: Verdict) -> None:
        """What the source has told of a transaction in doubt."""
        self._in_doubt.discard(tx)
        if verdict is Verdict.COMMITTED:
            self.committed(tx)
            return
        if verdict is not Verdict.ABORTED:
            self._losses.in_doubt(tx, verdict)
        self.aborted(tx)
        self._hush()

    # what comes back from disk

    def _read_back(self, held: Held) -> None:
        held.tide = self._tides_of(held.database).come(held.version)
        self._hold(held)

    # what is left at the end

    def _keep(self) -> bool:
        """Write to disk what is in memory only: committed, or in doubt. Whether all of it is there."""
        kept = True
        for held in list(self._lone):
            tx = Transaction(held.database, held.version)
            tx.add(held.kept)
            if self._spool is None or not self._securing.write(tx, SpoolState.COMMITTED, None):
                kept = False
                self._losses.unclean(tx)
        for tx in self._in_doubt:
            if self._spool is None or not self._written(tx, SpoolState.PENDING):
                kept = False
                self._losses.unclean(tx)
        for held in self._unmarked:
            assert held.spool is not None
            held.spool.journal.mark(held.entry, SpoolState.COMMITTED)
        return kept

    def _tides_of(self, database: str) -> Tides:
        tides = self._tides.get(database)
        if tides is None:
            tides = self._tides[database] = Tides()
        return tides

    # notes in the spool

    def _unmark(self, held: Held) -> None:
        self._unmarked[held] = None
        if self._marker is None and not self._stopped:
            self._marker = self._loop.call_later(MARK_SECONDS, self._mark)

    def _mark(self) -> None:
        self._marker = None
        until = self._loop.time() - MARK_SECONDS
        for held in list(self._unmarked):
            if held.since > until:
                break
            del self._unmarked[held]
            held.marked = True
            assert held.spool is not None
            held.spool.journal.mark(held.entry, SpoolState.COMMITTED)
        if self._unmarked and not self._stopped:
            self._marker = self._loop.call_later(MARK_SECONDS, self._mark)


def _complain(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.exception("mirror_task_failed", error)
