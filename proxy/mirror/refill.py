"""What waits on disk comes back to memory when there is room; what dead processes have left is taken over."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from proxy.logs import get_logger
from proxy.mirror.effects import Cause, Unseen
from proxy.mirror.held import Held
from proxy.mirror.journal import Journal, cost
from proxy.mirror.meters import Meters
from proxy.mirror.packing import Damaged, unpack
from proxy.mirror.port import GapSink, MirrorLimits
from proxy.mirror.resolver import Doubt, Resolver, Verdict
from proxy.mirror.spool import Spool
from proxy.mirror.spool_directory import SpoolDirectory
from proxy.mirror.spool_file import Entry, SpoolFailed, SpoolState
from proxy.mirror.targets import Targets
from proxy.mirror.transaction import Transaction

log = get_logger(__name__)

ADOPT_SECONDS = 5.0
"""Between two looks for the spool files of processes that have ended."""

READ_ATTEMPTS = 10
"""After so many in a row that failed, what waits on disk counts as gaps as well."""

DISK_RETRY = 1.0
"""Seconds after which a disk that failed is read again."""


class Refill:
    """Owns every spool of the process. Belongs to one event loop."""

    def __init__(
        self,
        directory: SpoolDirectory | None,
        limits: MirrorLimits,
        resolver: Resolver,
        targets: Targets,
        gaps: GapSink,
        meters: Meters,
        *,
        read_back: Callable[[Held], None],
        in_doubt: Callable[[Transaction, Verdict], None],
    ) -> None:
        """`read_back` takes what comes back; `in_doubt` what nobody can tell the end of any more."""
        self._directory = directory
        self._limits = limits
        self._resolver = resolver
        self._read_back = read_back
        self._in_doubt = in_doubt
        self._targets = targets
        self._gaps = gaps
        self._meters = meters
        self._loop = asyncio.get_running_loop()
        self._spools: list[Spool] = []
        """The process' own first."""
        self._doubted: dict[tuple[Spool, int], Entry] = {}
        """Entries of adopted spools of which it is not known whether they committed."""
        self._stopping = False
        self._adopting = False
        """Whether files of other processes are being taken over."""
        self._unreadable = False
        """There is a spool file that cannot be opened."""
        self._told: set[str] = set()
        """Databases whose tables have gaps because of it."""
        self._failures = 0
        """Reads that failed since the last that did not."""
        self._burying: set[asyncio.Task[None]] = set()
        self.room = asyncio.Event()
        """Set when there may be room in memory, or something new on disk."""
        meters.spool = self._content

    @property
    def parked(self) -> bool:
        for spool in self._spools:  # noqa: SIM110 - asked for with every transaction
            if spool.parked:
                return True
        return False

    @property
    def busy(self) -> bool:
        """Whether something on disk is on its way to the store without anybody doing anything."""
        return self.parked or bool(self._burying)

    @property
    def entries(self) -> int:
        """Transactions that are on disk only, those in doubt among them."""
        return sum(max(0, spool.journal.entries - spool.in_memory) for spool in self._spools)

    def floor(self, database: str) -> int | None:
        """A version that nothing of the database is older than that is on disk only; None where nothing is."""
        if self._adopting:
            return 0  # what a file holds that is being taken over is not known yet
        floors = [spool.floors[database] for spool in self._spools if database in spool.floors]
        floors += [entry.version for entry in self._doubted.values() if entry.database == database]
        return min(floors, default=None)

    def oldest(self, database: str) -> float | None:
        """Since when something of the database has been on disk only, monotonic; None where nothing is."""
        times = [spool.parked_since for spool in self._spools if database in spool.floors]
        return min(times, default=None)

    async def open(self) -> Spool:
        """Take over what is there and make the process' own spool. Raises SpoolFailed."""
        assert self._directory is not None
        file = await asyncio.to_thread(self._directory.create)
        own = Spool(file, Journal(file, size=self._limits.spool_size, fsync=self._limits.spool_fsync))
        self._spools.append(own)
        await self._adopt()
        return own

    async def run(self) -> None:
        if self._directory is None:
            return
        looked = self._loop.time()
        while not self._stopping:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ADOPT_SECONDS):
                    await self.room.wait()
            self.room.clear()
            try:
                await self._fill()
                self._failures = 0
                self._discard_empty()
                if self._loop.time() - looked >= ADOPT_SECONDS:
                    looked = self._loop.time()
                    await self._adopt()
            except SpoolFailed as error:
                log.error("spool_read_failed", error=str(error))
                self._failures += 1
                if self._failures == READ_ATTEMPTS:
                    for database in {name for spool in self._spools for name in spool.floors}:
                        self._give_up(database, "what waits in the spool cannot be read")
                await self._pause()
            except Exception as error:
                log.exception("spool_read_failed", error)
                await self._pause()

    async def _pause(self) -> None:
        if not self._stopping:
            await asyncio.sleep(DISK_RETRY)
            self.room.set()

    def stop(self) -> None:
        """Have `run` return soon: threads read in a file's name, so it is not cancelled."""
        self._stopping = True
        self.room.set()

    async def close(self) -> None:
        """`run` has returned: close every spool; what is left in them is for whoever comes next."""
        if self._burying:
            await asyncio.wait(self._burying)
        for spool in self._spools:
            await spool.journal.close()
            assert self._directory is not None
            if spool.empty and not spool.journal.failure:
                self._directory.discard(spool.file)
            else:
                self._directory.leave(spool.file)
        self._spools.clear()
        self._doubted.clear()

    async def _fill(self) -> None:
        """Pages from every spool in turn, while half of memory is free."""
        bound = self._limits.mirror_memory // 2
        while self.parked and self._meters.memory < bound:
            for spool in self._spools:
                if not spool.parked:
                    continue
                if self._stopping:
                    return
                for held, entry, damage in await spool.page(self._loop.time()):
                    if damage is not None:
                        self._damaged(entry, damage)
                    self._read_back(held)
                if self._meters.memory >= bound:
                    break

    def _damaged(self, entry: Entry, damage: Damaged) -> None:
        log.error("spool_entry_damaged", database=entry.database, error=str(damage))
        for target in self._targets.all(entry.database):
            unseen = Unseen(Cause.SPOOL, target.table, None, "an entry of the spool cannot be read")
            self._gaps.record(entry.database, unseen, entry.version)

    async def _adopt(self) -> None:
        self._adopting = True
        try:
            await self._take_over()
        finally:
            self._adopting = False

    async def _take_over(self) -> None:
        assert self._directory is not None
        files, failures = await asyncio.to_thread(self._directory.adopt)
        for failure in failures:
            log.error(
                "spool_unreadable",
                error=str(failure),
                hint="its images are gaps now; move the file away once they are closed",
            )
            self._unreadable = True
        if self._unreadable:
            self._tell_unreadable()
        for file in files:
            spool = Spool(file, Journal(file, size=0), adopted=True)
            self._spools.append(spool)
            in_doubt = await asyncio.to_thread(file.recover)
            oldest = await asyncio.to_thread(file.oldest)
            for database, version in oldest.items():
                spool.park(database, version, self._loop.time())
            for entry in in_doubt:
                self._doubt(spool, entry)
            if spool.journal.entries:
                log.info(
                    "spool_adopted",
                    transactions=spool.journal.entries,
                    bytes=spool.journal.bytes,
                    in_doubt=len(in_doubt),
                )
            self.room.set()

    def _tell_unreadable(self) -> None:
        """Nobody knows what a file holds that cannot be opened: any table may miss something."""
        for database in self._targets.databases - self._told:
            self._told.add(database)
            self._give_up(database, "a spool file cannot be read")

    def _give_up(self, database: str, detail: str) -> None:
        for target in self._targets.all(database):
            self._gaps.record(database, Unseen(Cause.SPOOL, target.table, None, detail), 0)

    def _doubt(self, spool: Spool, entry: Entry) -> None:
        self._doubted[spool, entry.id] = entry

        def settle(verdict: Verdict) -> None:
            if verdict is Verdict.COMMITTED:
                spool.journal.mark(entry.id, SpoolState.PARKED)
                spool.park(entry.database, entry.version, self._loop.time())
                self.room.set()
            elif verdict is Verdict.ABORTED:
                spool.journal.done(entry.id, cost(b"") + entry.size, parts=bool(entry.parts))
                self.room.set()
            else:
                task = self._loop.create_task(self._bury(spool, entry, verdict))
                self._burying.add(task)
                task.add_done_callback(self._burying.discard)
                return  # stays doubted until it is buried
            del self._doubted[spool, entry.id]

        self._resolver.add(Doubt(entry.database, entry.xid, settle, gid=entry.gid))

    async def _bury(self, spool: Spool, entry: Entry, verdict: Verdict) -> None:
        try:
            parts = await asyncio.to_thread(spool.file.parts, entry.id)
            for number in (0, *parts):
                if number:
                    data = await asyncio.to_thread(spool.file.part, number)
                else:
                    data = await asyncio.to_thread(spool.file.data, entry.id)
                tx = Transaction(entry.database, entry.version)
                tx.add(unpack(data))
                self._in_doubt(tx, verdict)
        except (SpoolFailed, Damaged) as error:
            log.error("spool_entry_damaged", database=entry.database, error=str(error))
            for target in self._targets.all(entry.database):
                unseen = Unseen(Cause.IN_DOUBT, target.table, None, "an entry of the spool cannot be read")
                self._gaps.record(entry.database, unseen, entry.version)
        spool.journal.done(entry.id, cost(b"") + entry.size, parts=True)
        del self._doubted[spool, entry.id]
        self.room.set()

    def _discard_empty(self) -> None:
        """Remove adopted spools of which nothing is left."""
        for spool in self._spools[1:]:
            if spool.empty and not spool.parked and not spool.in_memory and not spool.journal.pending:
                self._spools.remove(spool)
                spool.journal.abandon()
                assert self._directory is not None
                self._directory.discard(spool.file)

    def _content(self) -> tuple[int, int]:
        return (
            sum(spool.journal.bytes for spool in self._spools),
            sum(spool.journal.entries for spool in self._spools),
        )
