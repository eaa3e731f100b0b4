"""This proxy among the others: says that it lives and how far it has come, hears the others, misses who falls silent.

One small document per process in `_causeway.proxies`. What others rely on most is `passed`: of every database a
version such that no write of this process to the store that rests on what the source held at that version or before
is still to come. It is found by noting the source's WAL position *first* and asking the holders (queue, spool, open
transactions, re-reads under way) for their oldest version *afterwards*: what was captured before the position was
noted is held by then, or done.

A proxy that is silent for `proxy_lost_after` is declared lost (`losses`): a gap UNCLEAN_END for each table it
mirrored, then a mark in `_causeway.lost`; from then on nobody waits for it. `returns` says what it does when it comes
back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Protocol

from proxy.catalog.source import SourceError
from proxy.fleet.beats import PROXY, Beat, Fleet, Succession, TableFact, Wait
from proxy.fleet.cancelling import end_if_cancelled
from proxy.fleet.losses import PROXIES, Losses, Mark
from proxy.fleet.returns import come_back, join_late
from proxy.fleet.standings import Standing
from proxy.logs import EventLogger, get_logger
from proxy.mirror.effects import Cause, TableId, Unseen
from proxy.mirror.gap import backoff
from proxy.mirror.gaps import GapKeeper
from proxy.mirror.unclean import Lifetime
from proxy.stores.protocol import Store, StoreRefused, StoreUnavailable

log = get_logger(__name__)

LOOKS_PER_LOSS = 6
"""How often the others are looked at within `proxy_lost_after` when nobody waits for them."""
LARGE_FLEET = 20
"""Processes that read each other's beats with every beat of their own where that is asked for."""
FIRST_BEAT = 2.0
"""Seconds the start waits for the store to take the first beat; it is tried on while the proxy serves."""
LAST_BEAT = 2.0
"""Seconds the end waits for the store to take the last one."""
FIRST_PAUSE = 0.01
"""Seconds between the first two looks at the own queue; doubled up to the interval of the heartbeat."""


class Positions(Protocol):
    """The source, as far as positions go."""

    async def position(self, database: str) -> int:
        """The version of the WAL position the source has reached now. Raises SourceError."""


class Holder(Protocol):
    """Something that will still write to the store."""

    def watermark(self, database: str) -> int | None:
        """The oldest version that anything it holds can have; None: it holds nothing."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a heartbeat tells beside what this module knows itself."""

    version: str
    rules: str
    tables: tuple[TableFact, ...]
    """All that are mirrored now."""
    databases: tuple[str, ...]
    """All that this process may hold writes of."""
    queued: int
    role: str = PROXY
    source: str = ""
    """The system identifier of the server; empty while it is not known."""
    standings: tuple[Standing, ...] = ()
    everywhere: tuple[TableId, ...] = ()


@dataclass(frozen=True, slots=True)
class HeartbeatLimits:
    """Times in seconds."""

    heartbeat_interval: float = 2.0
    proxy_lost_after: float = 60.0
    retry_backoff_max: float = 30.0


class Heartbeat:
    """Belongs to one event loop. The mirror must have taken up its spool before `start`."""

    def __init__(
        self,
        store: Store,
        source: Positions,
        keeper: GapKeeper,
        lifetime: Lifetime,
        facts: Callable[[], Facts],
        holders: Sequence[Holder],
        limits: HeartbeatLimits,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        log: EventLogger = log,
    ) -> None:
        self._store = store
        self._source = source
        self._keeper = keeper
        self._lifetime = lifetime
        self._facts = facts
        self._holders = list(holders)
        self._limits = limits
        self._clock = clock
        self._now = now
        self._log = log
        self._started = now()
        self._number = 0
        self._passed: dict[str, int] = {}
        self._succession: Succession | None = None
        """Where the incarnation before has not ended cleanly; None once that does not matter any more."""
        self._inherited: frozenset[str] = frozenset()
        """Databases of which the incarnation before may have left something."""
        self._known = False
        """Whether the fleet has heard of this incarnation."""
        self._unknown_since: dict[str, int] | None = None
        """Positions of the source when this proxy began to capture without the fleet knowing of it."""
        self._looked = float("-inf")
        self.attentive = False
        """Whether to look at the others with every beat, as far as their number allows, not only as often as silence
        needs."""
        self._failures = 0
        self.heard = float("-inf")
        """When the last beat that the store took was sent, by this process's clock."""
        self.absences = 0
        """How often this process was silent for so long that others may have given it up, or was known to be."""
        self._coming_back: asyncio.Task[None] | None = None
        self._first: asyncio.Task[None] | None = None
        self._losses = Losses(
            store, keeper, lifetime.proxy, limits.proxy_lost_after, clock=clock, now=now, log=log
        )

    @property
    def proxy(self) -> str:
        return self._lifetime.proxy

    @property
    def fleet(self) -> Fleet:
        """The proxies as they were read last."""
        return self._losses.fleet

    @property
    def absent(self) -> bool:
        """Whether others may have declared this proxy lost: it was silent for so long, or they have."""
        return self._silent() or self.proxy in self.fleet.marked

    def _silent(self) -> bool:
        return self._clock() - self.heard >= self._limits.proxy_lost_after / 2

    @property
    def met(self) -> bool:
        """Whether the others were ever looked at."""
        return self._looked > float("-inf")

    def add_holder(self, holder: Holder) -> None:
        self._holders.append(holder)

    def tables_changed(self) -> None:
        """To be called when other tables are mirrored than before, before anything of them is captured.

        Tables that are not mirrored any more get a gap: it must be closed before they can go forward again.
        """
        for database, table in self._lifetime.mirrors(self._facts().tables):
            why = "the table was taken out of mirroring; what was written since has not been seen"
            self._keeper.record(database, Unseen(Cause.UNOBSERVED, table, None, why), 0)

    async def start(self, *, patience: float | None = FIRST_BEAT) -> None:
        """The first beat: the fleet knows of this proxy before it captures, where the store takes it in time."""
        self.tables_changed()
        await self._sample()
        if patience is None:
            await self._try(self._register)
        else:
            self._first = asyncio.create_task(self._try(self._register), name="first heartbeat")
            await asyncio.wait({self._first}, timeout=patience)
        if not self._known:
            self._unknown_since = dict(self._passed)

    async def run(self) -> None:
        """Beats and looks at the others until cancelled."""
        try:
            if self._first is not None:
                await self._first
            while True:
                end_if_cancelled()
                await asyncio.sleep(self._pause())
                await self._try(self._turn)
        finally:
            left = [task for task in (self._first, self._coming_back) if task is not None]
            for task in left:
                task.cancel()
            if left:  # of nothing, gather makes itself an event loop where there is none
                await asyncio.gather(*left, return_exceptions=True)

    async def stop(self) -> None:
        """The last beat. The end is clean if nothing is held any more. A store that is away is no error."""
        databases = {*self._facts().databases, *self._passed}
        clean = all(holder.watermark(name) is None for holder in self._holders for name in databases)
        if clean:
            self._lifetime.end()
        last = asyncio.create_task(self._try(lambda: self._beat(clean=clean)), name="last heartbeat")
        await asyncio.wait({last}, timeout=LAST_BEAT)
        last.cancel()
        await asyncio.gather(last, return_exceptions=True)

    async def position(self, database: str) -> int:
        """The source's, now. Raises SourceError."""
        return await self._source.position(database)

    async def wait_passed(
        self, database: str, version: int, *, late: Callable[[list[Beat]], None] = lambda beats: None
    ) -> None:
        """Returns once no proxy of the fleet will write anything that rests on `version` of the source or before.

        This process has noted `version` from the source before the call. `late` is told, after each look, who is
        waited for; what it raises ends the wait. Raises StoreUnavailable, StoreRefused.
        """
        await self._wait(database, version, self.fleet.others, late)

    async def wait_group(self, database: str, version: int) -> None:
        """The same of the processes that share a spool directory with this one."""
        await self._wait(database, version, self._siblings, lambda beats: None)

    async def _wait(
        self,
        database: str,
        version: int,
        others: Callable[[], list[Beat]],
        late: Callable[[list[Beat]], None],
    ) -> None:
        pause = FIRST_PAUSE
        while not self.has_passed(database, version):
            await asyncio.sleep(pause)
            pause = min(2 * pause, self._limits.heartbeat_interval)
        wait = Wait(database, version)
        while True:
            await self._look()
            end_if_cancelled()
            if not (waited_for := wait.late(others())):
                return
            late(waited_for)
            await asyncio.sleep(self._limits.heartbeat_interval / 2)

    def has_passed(self, database: str, version: int) -> bool:
        """Of this process alone, at once."""
        marks = [holder.watermark(database) for holder in self._holders]
        return all(mark is None or mark > version for mark in marks)

    async def _turn(self) -> None:
        await self._sample()
        if not self._known:
            await self._register()
        else:
            await self._beat()
        if self._succession is not None or self._clock() - self._looked >= self._look_interval():
            await self._look()
            if self._succession is not None and self._succession.look(self._siblings()):
                self._succession = None
            await self._losses.declare()
            await self._losses.forget()
        mark = self._losses.marks.get(self.proxy)
        idle = self._coming_back is None or self._coming_back.done()
        if idle and (mark is not None or self._unknown_since is not None):
            self._coming_back = asyncio.create_task(self._come_back(mark), name="return to the fleet")

    def _look_interval(self) -> float:
        """Seconds. A large fleet looks less often: each look reads the beats of all."""
        seldom = self._limits.proxy_lost_after / LOOKS_PER_LOSS
        if not self.attentive:
            return seldom
        return min(seldom, (len(self.fleet.beats) // LARGE_FLEET) * self._limits.heartbeat_interval)

    async def _come_back(self, mark: Mark | None) -> None:
        """Failures are logged and met by another try: by the mark if it is still there, else the gaps stay."""
        since = self._unknown_since
        try:
            if mark is not None:
                self.absences += 1
                await come_back(mark, self._store, self._keeper, self._lifetime, self, self._log)
            if since is not None:
                tables = self._facts().tables
                await join_late(tables, since, self._store, self._keeper, self.proxy, self)
                self._unknown_since = None
        except (StoreUnavailable, StoreRefused, SourceError) as error:
            self._log.warning("proxy_return_failed", reason=str(error))

    def _siblings(self) -> list[Beat]:
        return self.fleet.siblings(self._lifetime.group)

    async def _register(self) -> None:
        await self._look()
        before = self.fleet.beats.get(self.proxy)
        if before is not None and not before.clean and before.incarnation != self._lifetime.current.id:
            self._succession = Succession(before)
            self._inherited = self._succession.databases
            await self._sample()
            self._succession.look(self._siblings())
        await self._beat()
        self._known = True
        if before is not None and not before.clean:  # it was waited for, or is marked
            self._unknown_since = None

    async def _beat(self, *, clean: bool = False) -> None:
        facts = self._facts()
        passed = self._passed if self._succession is None else self._succession.allows(self._passed)
        beat = Beat(
            proxy=self.proxy,
            incarnation=self._lifetime.current.id,
            number=self._number + 1,
            started=self._started,
            at=self._now(),
            group=self._lifetime.group,
            version=facts.version,
            rules=facts.rules,
            tables=facts.tables,
            queued=facts.queued,
            gaps=MappingProxyType(self._keeper.own()),
            passed=MappingProxyType(dict(passed)),
            clean=clean,
            role=facts.role,
            source=facts.source,
            standings=facts.standings,
            everywhere=facts.everywhere if passed.keys() >= set(facts.databases) else (),
        )
        began = self._clock()
        await self._store.put_state(PROXIES, self.proxy, beat.document())
        if self._number and self._silent():
            self.absences += 1
        self.heard = began
        self._number = beat.number  # not where that failed: one more says that this one could be seen

    async def _sample(self) -> None:
        """How far this process has come. It may fall back: by what other processes of its group have left behind."""
        known = self._facts().databases
        for database in known:
            try:
                reached = await self._source.position(database)
            except SourceError as error:
                self._log.debug("heartbeat_without_position", database=database, reason=str(error))
                # not to say anything would say that nothing is held
                reached = self._passed.get(database, 0)
            self._passed[database] = min(reached, self._oldest(database, default=reached + 1) - 1)
        for database in self._inherited.difference(known):  # only the spool knows of it, if anything
            oldest = self._oldest(database, default=0)
            self._passed.pop(database, None)
            if oldest:
                self._passed[database] = oldest - 1

    def _oldest(self, database: str, *, default: int) -> int:
        marks = [holder.watermark(database) for holder in self._holders]
        return min((mark for mark in marks if mark is not None), default=default)

    async def _look(self) -> None:
        self.fleet.source = self._facts().source
        await self._losses.look()
        self._looked = self._clock()

    async def _try(self, step: Callable[[], Awaitable[None]]) -> None:
        try:
            await step()
        except (StoreUnavailable, StoreRefused) as error:
            self._failures += 1
            self._log.warning("heartbeat_failed", reason=str(error), retry_in=round(self._pause(), 1))
        else:
            self._failures = 0

    def _pause(self) -> float:
        interval = self._limits.heartbeat_interval
        if not self._failures:
            return interval
        return max(interval, backoff(self._failures, self._limits.retry_backoff_max))
