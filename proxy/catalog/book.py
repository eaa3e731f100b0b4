"""The catalogue of every database in use, kept fresh: one task per database looks whether anything has changed."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from proxy.catalog.introspect import Reading
from proxy.catalog.limits import CatalogueLimits
from proxy.catalog.model import Attribute, Snapshot
from proxy.catalog.source import SourceDatabase, SourceError, SourceRefused
from proxy.logs import EventLogger, get_logger
from proxy.mirror.effects import TableId
from proxy.phases import Phase
from proxy.rulefiles.ruleset import RuleSet

log = get_logger(__name__)

Names = Callable[[str], Iterable[TableId]]
"""Database -> the tables a snapshot of it must be about."""
Subscriber = Callable[[str, Snapshot | None, Snapshot], None]
"""Called with (database, old, new) on the event loop, once `CatalogueBook.current` is the new one. Must not block."""

Shape = tuple[Attribute, ...]
NO_SUCH_DATABASE = "3D000"
"""SQLSTATE invalid_catalog_name."""

FORMER_TABLES = 1000
"""Tables that are gone whose shapes are still remembered, per database."""


def ruled_tables(rules: RuleSet, database: str) -> frozenset[TableId]:
    """The tables of a database that a rule asks to be past passthrough."""
    return frozenset(
        TableId(schema, name)
        for (schema, name), rule in rules.for_database(database).items()
        if rule.phase > Phase.PASSTHROUGH
    )


@dataclass(frozen=True, slots=True)
class CatalogueState:
    """Of one database, for status and metrics."""

    generation: int
    """0: never read."""
    seen: float | None
    """time.monotonic() when the snapshot was last known to be right."""
    error: str | None
    """Why it is not known to be right now."""
    looks: int
    reads: int
    """Looks that found something new, or were the first."""


class CatalogueBook:
    """Belongs to one event loop. `stop` ends what `ensure` began."""

    def __init__(
        self,
        dsn: str,
        names: Names,
        limits: CatalogueLimits | None = None,
        *,
        log: EventLogger = log,
    ) -> None:
        self._dsn = dsn
        self._names = names
        self._limits = limits or CatalogueLimits()
        self._log = log
        self._databases: dict[str, _Database] = {}
        self._subscribers: list[Subscriber] = []
        self._stopped = False

    async def ensure(self, database: str) -> Snapshot | None:
        """Keep the database's catalogue from now on. Waits for the first look, not for one that succeeds."""
        entry = self._entry(database)
        await entry.looked.wait()
        return entry.snapshot

    async def forget_missing(self, database: str) -> bool:
        """Keep nothing of a database that was never read and does not exist; False if something is kept."""
        entry = self._databases.get(database)
        if entry is None:
            return True
        if entry.snapshot is not None or not entry.missing:
            return False
        del self._databases[database]
        await entry.stop()
        return True

    def current(self, database: str) -> Snapshot | None:
        """The newest snapshot, however old; None where there never was one."""
        entry = self._databases.get(database)
        return entry.snapshot if entry is not None else None

    def shapes(self, database: str, oid: int) -> tuple[Shape, ...]:
        """The lists of columns a relation was seen with, newest first; of relations that are gone too."""
        entry = self._databases.get(database)
        return entry.shapes.of(oid) if entry is not None else ()

    def refresh_soon(self, database: str) -> None:
        """Look at once whether the catalogue has changed."""
        entry = self._databases.get(database)
        if entry is not None:
            entry.wake.set()

    async def refresh(self, database: str) -> Snapshot | None:
        """The newest snapshot after a look that began after this call, whether or not it succeeded."""
        if self._stopped:
            return self.current(database)
        entry = self._entry(database)
        await entry.next_look()
        return entry.snapshot

    def rules_changed(self) -> None:
        """`names` answers otherwise than before: read every catalogue again."""
        for entry in self._databases.values():
            entry.read_again()

    def want_role(self, database: str, role: str) -> None:
        """A role that is not in `Snapshot.unreadable` has connected: ask for it if that was because of their number."""
        entry = self._databases.get(database)
        if entry is not None:
            entry.want_role(role)

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """Have `callback` called with every new snapshot. The function returned ends that."""
        self._subscribers.append(callback)

        def unsubscribe() -> None:
            if callback in self._subscribers:
                self._subscribers.remove(callback)

        return unsubscribe

    def source(self, database: str) -> SourceDatabase:
        """The connections the catalogue of the database is read with; `stop` closes them."""
        return self._entry(database).source

    @property
    def databases(self) -> tuple[str, ...]:
        return tuple(self._databases)

    def error(self, database: str) -> str | None:
        """Why the last look failed; None while all is well."""
        entry = self._databases.get(database)
        return entry.error if entry is not None else None

    def missing(self, database: str) -> bool:
        """Whether the server said at the last look that it has no such database (any more)."""
        entry = self._databases.get(database)
        return entry is not None and entry.missing

    def state(self, database: str) -> CatalogueState | None:
        entry = self._databases.get(database)
        return entry.state() if entry is not None else None

    async def stop(self) -> None:
        """Ends every task and connection. The snapshots stay."""
        self._stopped = True
        for entry in self._databases.values():
            await entry.stop()

    def _entry(self, database: str) -> _Database:
        entry = self._databases.get(database)
        if entry is None:
            if self._stopped:
                raise RuntimeError("the catalogue book is stopped")
            source = SourceDatabase(self._dsn, database, self._limits)
            entry = _Database(source, self._names, self._limits, self._tell, self._log)
            self._databases[database] = entry
        return entry

    def _tell(self, database: str, old: Snapshot | None, new: Snapshot) -> None:
        for callback in tuple(self._subscribers):
            try:
                callback(database, old, new)
            except Exception as error:  # noqa: BLE001 - one's fault must not keep the news from the others
                self._log.exception("catalogue_subscriber_failed", error, database=database)


class _Database:
    """One database: its snapshot and the task that keeps it."""

    def __init__(
        self,
        source: SourceDatabase,
        names: Names,
        limits: CatalogueLimits,
        tell: Subscriber,
        log: EventLogger,
    ) -> None:
        self.source = source
        self.snapshot: Snapshot | None = None
        self.error: str | None = None
        self.missing = False
        """Whether the server said that there is no such database."""
        self.shapes = ShapeHistory(limits.shapes)
        self.looked = asyncio.Event()
        self.wake = asyncio.Event()
        self._names = names
        self._limits = limits
        self._tell = tell
        self._log = log
        self._reading: Reading | None = None
        """What the next look is compared with; None: read everything."""
        self._roles: set[str] = set()
        self._waiting: list[asyncio.Future[None]] = []
        self._seen: float | None = None
        self._looks = 0
        self._reads = 0
        self._failures = 0
        self._task = asyncio.get_running_loop().create_task(
            self._run(), name=f"catalogue of {source.database}"
        )

    def state(self) -> CatalogueState:
        generation = self.snapshot.generation if self.snapshot is not None else 0
        return CatalogueState(generation, self._seen, self.error, self._looks, self._reads)

    async def next_look(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self.wake.set()
        await future

    def read_again(self) -> None:
        self._reading = None
        self.wake.set()

    def want_role(self, role: str) -> None:
        if self._reading is not None and self._reading.partial_roles and role not in self._roles:
            self._roles.add(role)
            self.read_again()

    async def stop(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        await self.source.close()
        self.looked.set()
        self._answer(self._waiting)

    async def _run(self) -> None:
        while True:
            self.wake.clear()
            waiting, self._waiting = self._waiting, []
            try:
                await self._look()
            finally:
                self.looked.set()
                self._answer(waiting)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause()):
                    await self.wake.wait()

    def _pause(self) -> float:
        longest = max(self._limits.backoff_max, self._limits.interval)
        return min(self._limits.interval * float(2**self._failures), longest)

    async def _look(self) -> None:
        self._looks += 1
        before = self._reading
        try:
            names = tuple(self._names(self.source.database))
            if before is not None and await self.source.digest(names, before.snapshot) == before.digest:
                self._well()
                return
            reading = await self.source.snapshot(names, self.snapshot, roles=self._roles)
        except SourceError as error:
            self.missing = isinstance(error, SourceRefused) and error.sqlstate == NO_SUCH_DATABASE
            self._ill(error.reason)
            return
        except Exception as error:  # noqa: BLE001 - the task must live on, and the error is for status to show
            self._log.exception("catalogue_failed", error, database=self.source.database)
            self._ill(f"{type(error).__name__}: {error}")
            return
        self._reads += 1
        if self._reading is before:  # else something asked for another reading meanwhile
            self._reading = reading
        else:
            self.wake.set()
        self._well()
        self._take(reading.snapshot)

    def _well(self) -> None:
        self.missing = False
        self._seen = time.monotonic()
        self._failures = 0
        if self.error is not None:
            self._log.info("catalogue_available", database=self.source.database)
        self.error = None

    def _ill(self, reason: str) -> None:
        self._failures = min(self._failures + 1, 16)
        if self.error is None:
            self._log.warning("catalogue_unavailable", database=self.source.database, reason=reason)
        self.error = reason

    def _take(self, snapshot: Snapshot) -> None:
        old = self.snapshot
        if snapshot is old:
            return
        self.snapshot = snapshot
        self.shapes.add(snapshot)
        self._log.info(
            "catalogue_read",
            database=self.source.database,
            generation=snapshot.generation,
            relations=len(snapshot.relations),
        )
        self._tell(self.source.database, old, snapshot)

    @staticmethod
    def _answer(waiting: list[asyncio.Future[None]]) -> None:
        for future in waiting:
            if not future.done():
                future.set_result(None)


class ShapeHistory:
    """The last few different lists of columns of each relation."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._shapes: OrderedDict[int, tuple[Shape, ...]] = OrderedDict()
        """Relations of the newest snapshot stand last."""

    def of(self, oid: int) -> tuple[Shape, ...]:
        return self._shapes.get(oid, ())

    def add(self, snapshot: Snapshot) -> None:
        for oid, relation in snapshot.relations.items():
            if not relation.attributes:
                continue
            former = tuple(shape for shape in self.of(oid) if shape != relation.attributes)
            self._shapes[oid] = (relation.attributes, *former)[: self._size]
            self._shapes.move_to_end(oid)
        while len(self._shapes) > len(snapshot.relations) + FORMER_TABLES:
            self._shapes.popitem(last=False)
