"""The mirror of one process put together: catalogues, tables, mirror, gaps, heartbeat, and what sessions are given.

Nothing of it is loaded where no document store is given. Whatever changes what must be captured - rules, a
catalogue, what the proxy has been given - makes a new TableBook, and with it a new ground for every plan.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Coroutine, Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

from proxy.admin.counters import Counters
from proxy.admin.mirror import MirrorReport, compose
from proxy.backfill.history import HistoryWatch
from proxy.backfill.schedule import Schedule
from proxy.catalog.book import CatalogueBook, ruled_tables
from proxy.catalog.limits import CatalogueLimits
from proxy.catalog.model import Snapshot
from proxy.config import Settings
from proxy.fleet.heartbeat import LAST_BEAT, Facts, Heartbeat, HeartbeatLimits
from proxy.fleet.identity import Identity
from proxy.gates import held_back
from proxy.grounds import ground_of
from proxy.logs import get_logger
from proxy.mirror.gap import GapLimits
from proxy.mirror.gapfile import GapFile
from proxy.mirror.gaps import GapKeeper
from proxy.mirror.mirror import Mirror
from proxy.mirror.port import MirrorLimits
from proxy.mirror.rereads import Rereader
from proxy.mirror.spool_file import SpoolFailed
from proxy.mirror.tables import Surroundings, TableBook
from proxy.mirror.unclean import Lifetime, read_boot_id
from proxy.mirror_adapters import CountedGaps, Positions, ShadowFleet, Tables
from proxy.mirror_facts import by_place, catalogue_report, facts, place
from proxy.outside_gaps import OutsideGaps
from proxy.phases import Holding, Phase
from proxy.reload import RuleBook
from proxy.rulefiles.ruleset import RuleSet
from proxy.serve.conditions import Conditions
from proxy.serve.engine import ServeEngine, served_tables
from proxy.session.capturing import Capturing
from proxy.session.plan import Ground
from proxy.session.plans import Plans
from proxy.shadow.channel import Tables as ShadowTables
from proxy.shadow.host import ShadowHost
from proxy.sql.parse import load
from proxy.stores.mongo import open_store
from proxy.switching import Switching

log = get_logger(__name__)

Run = Callable[[str, Callable[[], Coroutine[None, None, None]]], None]
"""Keeps a background task running: its name, and what makes one."""

GATE_INTERVAL = 0.5
"""Seconds between two looks at what keeps tables out of a phase."""
LOOK_TIMEOUT = 2.0
"""Seconds the reply to DDL on a watched table waits for a look at the catalogue, at most."""


class MirroringError(Exception):
    """Mirroring cannot begin; the text says why and what to do."""


class Mirroring:
    """Belongs to one event loop and one process."""

    def __init__(
        self,
        settings: Settings,
        counters: Counters,
        book: RuleBook,
        *,
        index: int = 0,
        changed: Callable[[], None] = lambda: None,
        live: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        """`index` of the worker; `changed` is called when other connections may have to be captured than before, and
        `live` gives the databases that sessions are in."""
        self._settings = settings
        self._counters = counters
        self._book = book
        self._changed = changed
        self._live = live
        self._index = index
        if settings.store is None:
            raise MirroringError("no `store` is given")
        self.store = open_store(
            settings.store.get_secret_value(),
            timeout=settings.store_timeout,
            tombstone_ttl=timedelta(seconds=settings.tombstone_ttl),
        )
        dsn = "" if settings.control_dsn is None else settings.control_dsn.get_secret_value()
        limits = CatalogueLimits(
            interval=settings.catalogue_interval,
            backoff_max=settings.retry_backoff_max,
            connect_timeout=settings.connect_timeout,
            query_timeout=settings.catalogue_timeout,
        )
        self._catalogue = CatalogueBook(
            dsn, lambda database: ruled_tables(self._book.current, database), limits
        )
        self._identity = Identity(dsn, limits, lambda: self._tables.snapshots.values())
        self._control_role = ""
        if settings.control_dsn is not None:
            self._control_role = unquote(urlsplit(settings.control_dsn.get_secret_value()).username or "")
        self._held: Mapping[str, str] | None = None
        """Which tables may not enter `dark_read`, and why; None: not known yet."""
        self._tables = TableBook(RuleSet(), {}, Surroundings(store=True, spool=True, control_dsn=True))
        self._grounds: dict[str, Ground | None] = {}
        self._generation = 0
        self._started = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._gap_file = self._open_gap_file(settings.spool)
        try:
            self._lifetime = Lifetime(self._gap_file, fsync=settings.spool_fsync, boot_id=read_boot_id())
        except (OSError, sqlite3.Error) as error:
            raise MirroringError(f"the spool directory {settings.spool} cannot be used: {error}") from error
        gap_limits = GapLimits(
            max_reread_rows=settings.max_reread_rows,
            max_reread_gaps=settings.max_reread_gaps,
            retry_backoff_max=settings.retry_backoff_max,
        )
        self.gaps = GapKeeper(self.store, self._gap_file, gap_limits, proxy=self._lifetime.proxy)
        self._outside = OutsideGaps(
            self.gaps, self._catalogue, lambda database: self.mirror.latest(database), self._begin
        )
        self.mirror = Mirror(
            self.store,
            lambda: self._tables,
            self._catalogue,
            CountedGaps(self.gaps, counters),
            MirrorLimits(
                spool_size=settings.spool_size // settings.workers,
                spool_fsync=settings.spool_fsync,
                mirror_memory=settings.mirror_memory,
                transaction_memory=settings.transaction_memory,
                mirror_lanes=settings.mirror_lanes,
                mirror_batch=settings.mirror_batch,
                mirror_linger=settings.mirror_linger,
                store_timeout=settings.store_timeout,
                retry_backoff_max=settings.retry_backoff_max,
            ),
            spool=settings.spool,
        )
        self._heartbeat = Heartbeat(
            self.store,
            Positions(self._catalogue, self.mirror),
            self.gaps,
            self._lifetime,
            self._facts,
            [self.mirror],
            HeartbeatLimits(
                heartbeat_interval=settings.heartbeat_interval,
                proxy_lost_after=settings.proxy_lost_after,
                retry_backoff_max=settings.retry_backoff_max,
            ),
        )
        self._rereader = Rereader(
            self.store,
            self.gaps,
            Tables(lambda: self._tables, self._catalogue),
            self._heartbeat.wait_passed,
            gap_limits,
            proxy=self._lifetime.proxy,
        )
        self._heartbeat.add_holder(self._rereader)
        self._histories = HistoryWatch(self.store, lambda: any(True for _ in self._tables.mirrored()))
        self._schedule = Schedule(
            self.store,
            lambda: self._tables.mirrored(),
            lambda: {beat.proxy for beat in self._heartbeat.fleet.others()},
            self._lifetime.proxy,
            settings.reveal,
        )
        self.plans = Plans(
            self._grounds.get,
            cache_size=settings.statement_cache,
            max_statement=settings.max_statement,
            max_message=settings.max_message,
            max_copy_keys=settings.max_reread_rows,
            limit_reached=self._limit_reached,
            defined=self._defined,
            want_role=self._catalogue.want_role,
        )
        self.shadow = ShadowHost(settings.reveal(), ShadowFleet(self._heartbeat, self.gaps))
        self._conditions = Conditions(lambda: self._tables, self.gaps, self.mirror.meters.lags)
        self.serving = ServeEngine(self.store.link, self._conditions, self.shadow)
        self._switching = Switching(
            self.store,
            self._heartbeat,
            lambda: self._tables,
            self.gaps.counts,
            self.mirror.meters.lags,
            [self.shadow.meters.totals, self.serving.meters.totals],
            self._outside.unobserved,
        )
        self.capturing = Capturing(
            self.plans, self.mirror, prepare=self._prepare, shadow=self.shadow, serve=self.serving
        )
        self._unsubscribe = [
            book.subscribe(self._rules_changed),
            self._catalogue.subscribe(self._catalogue_changed),
        ]
        counters.mirror = self.report

    def _open_gap_file(self, spool: Path | None) -> GapFile | None:
        if spool is None:
            return None
        try:
            spool.mkdir(mode=0o700, parents=True, exist_ok=True)
            return GapFile(spool / f"gaps-{self._index}.sqlite", fsync=self._settings.spool_fsync)
        except (OSError, sqlite3.Error) as error:
            raise MirroringError(f"the spool directory {spool} cannot be used: {error}") from error

    # Beginning and end.

    async def start(self, run: Run) -> None:
        """Takes up what an earlier process has left, then lets sessions be captured. Raises MirroringError."""
        await asyncio.to_thread(load)
        try:
            self._lifetime.begin(self.gaps)
            await self.mirror.start()
        except (SpoolFailed, sqlite3.Error) as error:
            raise MirroringError(f"the spool {self._settings.spool} cannot be used: {error}") from error
        await asyncio.gather(*(self._prepare(database) for database in self._known_databases()))
        self._rebuild()
        await self._identity.learn()
        await self._heartbeat.start()
        self._started = True
        run("gaps", self.gaps.run)
        run("rereads", self._rereader.run)
        run("heartbeat", self._heartbeat.run)
        run("shadow", self.shadow.run)
        run("histories", self._histories.run)
        run("gates", self._watch_gates)
        run("switches", self._switching.run)
        if self._index == 0:
            run("verify schedule", self._schedule.run)

    def _known_databases(self) -> set[str]:
        """Those that a rule names, to have a table of it mirrored. Others are known once a session is in them."""
        rules = self._book.current
        found = {name.database for name in rules.tables if name.database is not None}
        return {database for database in found if self._concerns(database)}

    async def drain(self, timeout: float) -> None:
        """Waits until the store has what was committed; what it has not taken by then stays in the spool."""
        if not await self.mirror.drain(timeout):
            log.warning("mirror_not_drained", transactions=self.mirror.depth, seconds=timeout)

    async def stop(self) -> None:
        """Ends everything; no session is left by now."""
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.serving.stop()
        await self._heartbeat.stop()
        await self.mirror.stop()
        await self._stop_gaps()
        await self._catalogue.stop()
        await self.store.close()
        if self._gap_file is not None:
            self._gap_file.close()

    async def _stop_gaps(self) -> None:
        """A store that is away holds up the end no longer than the last heartbeat did."""
        last = asyncio.get_running_loop().create_task(self.gaps.stop(), name="last gaps")
        await asyncio.wait({last}, timeout=LAST_BEAT)
        last.cancel()
        await asyncio.gather(last, return_exceptions=True)

    # What must be captured.

    def _concerns(self, database: str) -> bool:
        """Whether a rule asks for a table of the database to be mirrored, and that could be done."""
        return self._settings.control_dsn is not None and bool(ruled_tables(self._book.current, database))

    async def _prepare(self, database: str) -> None:
        """Knows the database's catalogue, or that it cannot be had in time."""
        if database in self._grounds or not self._concerns(database):
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.connect_timeout):
                await self._catalogue.ensure(database)
        if self._catalogue.current(database) is None:
            if database not in self._known_databases() and await self._catalogue.forget_missing(database):
                return  # a client may ask for any name, before anybody knows who it is
            self._outside.blind(database, ruled_tables(self._book.current, database))
        if database not in self._grounds:
            self._rebuild()

    def _rules_changed(self, old: RuleSet, new: RuleSet) -> None:
        self._switching.rules_changed(old, new)
        self._rebuild()
        self._catalogue.rules_changed()
        for database in {*self._known_databases(), *self._live()}:
            self._begin(self._prepare(database))

    def _catalogue_changed(self, database: str, old: Snapshot | None, new: Snapshot) -> None:
        if old is not None:
            self._outside.changed(database, old, new, self._book.current)
        self._rebuild()

    def _limit_reached(self, name: str) -> None:
        self._counters.limits_reached[name] += 1

    def _begin(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _defined(self, database: str, then: Callable[[], None]) -> bool:
        """A session has run DDL: look at the catalogue, and tell it when that is done."""
        self._begin(self._look_again(database, then))
        return False

    async def _look_again(self, database: str, then: Callable[[], None]) -> None:
        try:
            async with asyncio.timeout(LOOK_TIMEOUT):
                await self._catalogue.refresh(database)
                await self._outside.looked()
        except TimeoutError:
            log.warning("catalogue_slow", database=database, seconds=LOOK_TIMEOUT)
        finally:
            then()

    async def _watch_gates(self) -> None:
        """Lets tables into the phases that have gates, and keeps them out, as what the store tells changes."""
        while True:
            await asyncio.sleep(GATE_INTERVAL)
            await self._identity.learn()
            if self._judge_gates(self._tables):
                self._rebuild()

    def _judge_gates(self, before: TableBook) -> bool:
        """Whether a gate has opened or closed. `before`: the book whose phases tables are in."""
        held, self._held = self._held, self._held_back(before)
        return self._switching.settle() or self._held != held

    def _held_back(self, before: TableBook) -> Mapping[str, str] | None:
        outside = Holding(Phase.DARK_READ, Phase.PASSTHROUGH)
        wanted = [
            (name, before.ruled[name].holding if name in before.ruled else outside)
            for name, ruled in self._tables.ruled.items()
            if ruled.holding.requested >= Phase.DARK_READ
        ]
        return held_back(wanted, self._histories.found if self._histories.known else None, self.gaps.counts())

    def _surroundings(self) -> Surroundings:
        settings = self._settings
        return Surroundings(
            store=settings.store is not None,
            spool=settings.spool is not None,
            control_dsn=settings.control_dsn is not None,
            control_role=self._control_role,
            catalogue_errors={
                database: error
                for database in self._catalogue.databases
                if (error := self._catalogue.error(database)) is not None
                and self._catalogue.current(database) is None
            },
            held=self._held,
            switch=self._switching.board,
        )

    def _rebuild(self) -> None:
        snapshots = {
            database: snapshot
            for database in self._catalogue.databases
            if (snapshot := self._catalogue.current(database)) is not None
        }
        before = self._tables
        self._tables = TableBook(self._book.current, snapshots, self._surroundings())
        if self._judge_gates(before):  # of tables that were not asked about before, too
            self._tables = TableBook(self._book.current, snapshots, self._surroundings())
        self._generation += 1
        if self._started:
            self._heartbeat.tables_changed()
        for mirrored in self._tables.mirrored():
            self.store.look_after(mirrored.mapping.namespace)
        self.serving.use(self._tables)
        self._grounds.clear()
        for database, snapshot in snapshots.items():
            self._grounds[database] = ground_of(self._tables, database, snapshot, self._generation)
        self.shadow.use(
            ShadowTables(tuple(self._book.current.tables.values()), snapshots, self._surroundings()),
            wanted=any(ground is not None and ground.dark is not None for ground in self._grounds.values())
            or any(table.rule.reads.reverse_shadow for table in served_tables(self._tables)),
        )
        for name, table in self._tables.ruled.items():
            known = before.ruled.get(name)
            if table.holding.requested > Phase.PASSTHROUGH and (
                known is None or known.holding != table.holding
            ):
                say = log.warning if table.holding.held or table.holding.overridden else log.info
                say(
                    "table_mirrored" if table.mirrored is not None else "table_not_mirrored",
                    table=str(name),
                    requested=str(table.holding.requested),
                    effective=str(table.holding.effective),
                    reasons=table.holding.reasons,
                    overridden=table.holding.overridden,
                )
        self._changed()

    # What others ask.

    @property
    def tables(self) -> TableBook:
        return self._tables

    @property
    def catalogue(self) -> CatalogueBook:
        return self._catalogue

    def _facts(self) -> Facts:
        known = self._catalogue.databases
        return facts(
            self._book.current,
            self._tables,
            databases=known,
            unseen=any(database not in known and self._concerns(database) for database in self._live()),
            queued=self.mirror.depth,
            source=self._identity.system,
            standings=self._switching.standings(),
        )

    def report(self) -> MirrorReport:
        """What this process tells of its mirroring; the ledger may have gaps of other sources, too."""
        served = {*self._catalogue.databases, *(name.database for name in self._tables.ruled)}
        served |= self._known_databases()
        return compose(
            self.mirror.meters.snapshot(),
            gaps={key: count for key, count in self.gaps.counts().items() if key[0] in served},
            holdings={
                place(name): self._switching.shown(name, ruled.holding)
                for name, ruled in self._tables.ruled.items()
            },
            rollbacks=self._switching.rollbacks,
            histories=by_place(self._tables.ruled, self._histories.found),
            catalogues=[
                catalogue_report(database, self._catalogue) for database in self._catalogue.databases
            ],
            cache=(self.plans.hits, self.plans.misses),
            shadow=self.shadow.report(),
            serving=self.serving.report(),
        )
