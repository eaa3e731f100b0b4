"""A command as a member of the fleet: it reads the source, writes to the store, and is waited for as proxies are.

What `proxy.mirror.rereads` demands of whoever writes what rests on a reading of the source: note the position, hold it
(`Member.holding`), read, write, let go. A member that was `absent` meanwhile was not waited for: what it has written
since may be older than what a re-read has put there, so these rows must be read again by way of repair.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta

import asyncpg

from proxy import __version__
from proxy.backfill.passing import Passing
from proxy.catalog.book import CatalogueBook, ruled_tables
from proxy.catalog.limits import CatalogueLimits
from proxy.catalog.model import Snapshot
from proxy.catalog.server import SourceServer, read_server, ruled_databases
from proxy.catalog.source import SourceDatabase
from proxy.config import Settings
from proxy.fleet.heartbeat import Facts, Heartbeat, HeartbeatLimits
from proxy.logs import get_logger
from proxy.mirror.gap import GapLimits
from proxy.mirror.gaps import GapKeeper
from proxy.mirror.tables import MirroredTable, RuledTable, Surroundings, TableBook
from proxy.mirror.unclean import Lifetime
from proxy.names import TableName, parse_table_name
from proxy.rules import RulesError, RuleSet, load_rules
from proxy.stores.mongo import StoreUriError, open_store
from proxy.stores.protocol import Store

log = get_logger(__name__)


class MemberError(Exception):
    """The command cannot begin; the text says why and what to do."""


class NotReady(MemberError):
    """A table is not mirrored, or is not one that a rule is about."""


class Member:
    """Belongs to one event loop. Made by `open_member`.

    Its methods raise SourceError, StoreUnavailable and StoreRefused as what they use does.
    """

    def __init__(
        self,
        store: Store,
        catalogue: CatalogueBook,
        rules: RuleSet,
        server: SourceServer,
        keeper: GapKeeper,
        proxy: str,
    ) -> None:
        self.store = store
        self.keeper = keeper
        self.proxy = proxy
        """The id of its heartbeat."""
        self.rules = rules
        self.heartbeat: Heartbeat
        self.passing: Passing
        """Bounded by `fleet_timeout`."""
        self._catalogue = catalogue
        self._server = server
        self._held: dict[object, tuple[str, int]] = {}
        self.book = TableBook(rules, {}, self._surroundings())
        catalogue.subscribe(self._changed)

    # Tables.

    def table(self, name: TableName) -> MirroredTable:
        """As it is mirrored now. `name` has a database. NotReady where it is not."""
        ruled = self.book.ruled.get(name)
        if ruled is None:
            raise NotReady(f"no rule is about table {name}; give it one that asks for phase backfill")
        if ruled.mirrored is None:
            raise NotReady(f"table {name} is not mirrored: {_why(ruled)}")
        return ruled.mirrored

    def tables(self, names: Sequence[str], *, every: bool = False) -> list[MirroredTable]:
        """Those that a user names, `table`, `schema.table` or `database:schema.table`, or all that are mirrored.

        NotReady for the first that is not mirrored, not ruled, or in several databases.
        """
        if every:
            found = list(self.book.mirrored())
            if not found:
                raise NotReady("no table is mirrored; `causeway check` says why")
            return found
        return list({table.name: table for table in map(self._named, names)}.values())

    def _named(self, text: str) -> MirroredTable:
        database, colon, rest = text.rpartition(":")
        try:
            name = parse_table_name(rest)
        except ValueError as error:
            raise NotReady(str(error)) from None
        same = [
            known
            for known in self.book.ruled
            if (known.schema, known.name) == (name.schema, name.name)
            and (not colon or known.database == database)
        ]
        if not same:
            where = f" in database {database}" if colon else ""
            raise NotReady(f"no rule is about table {name}{where}; give it one that asks for phase backfill")
        there = [known for known in same if self.book.ruled[known].mirrored is not None]
        if len(there) > 1:
            choices = ", ".join(f"{known.database}:{name}" for known in there)
            raise NotReady(f"table {name} is in several databases; write one of {choices}")
        return self.table((there or same)[0])

    async def refresh(self, database: str) -> None:
        """Looks at the catalogue again; `table` answers by what is found."""
        await self._catalogue.refresh(database)

    def _changed(self, database: str, old: Snapshot | None, new: Snapshot) -> None:
        snapshots = {
            name: snapshot
            for name in self._catalogue.databases
            if (snapshot := self._catalogue.current(name)) is not None
        }
        self.book = TableBook(self.rules, {**snapshots, database: new}, self._surroundings())

    def _surroundings(self) -> Surroundings:
        return Surroundings(
            store=True,
            spool=True,  # the proxies' affair
            control_dsn=True,
            control_role=self._server.role,
            catalogue_errors={
                name: error
                for name in self._catalogue.databases
                if (error := self._catalogue.error(name)) is not None
                and self._catalogue.current(name) is None
            },
        )

    # Source and fleet.

    @property
    def system(self) -> str:
        """The system identifier of the source's server."""
        return self._server.system

    def source(self, database: str) -> SourceDatabase:
        return self._catalogue.source(database)

    async def position(self, database: str) -> int:
        """The version that the source has reached now."""
        return await self._catalogue.source(database).insert_position()

    async def wait_passed(self, database: str, version: int) -> None:
        """See `Heartbeat.wait_passed`. Not while this member itself holds that version or an older one.

        Raises HeldUp after `fleet_timeout`.
        """
        await self.passing.wait(database, version)

    @contextmanager
    def holding(self, database: str, version: int) -> Iterator[None]:
        """The fleet knows, until this is left, that what rests on the source at `version` may still be written."""
        mark = object()
        self._held[mark] = (database, version)
        try:
            yield
        finally:
            del self._held[mark]

    def watermark(self, database: str) -> int | None:
        """As a `Holder` of the heartbeat."""
        return min((version for place, version in self._held.values() if place == database), default=None)

    def lost(self) -> bool:
        """Whether others may have given this member up."""
        return self.heartbeat.absent

    @property
    def absences(self) -> int:
        """How often that was so, and is over."""
        return self.heartbeat.absences

    def lost_since(self, absences: int) -> bool:
        """Whether others may have given this member up since it had had so many `absences`. Asked after a write, it
        says whether that may be stale, whatever it rests on that was read after `absences` was looked at."""
        return self.lost() or self.absences != absences

    def facts(self, role: str) -> Facts:
        return Facts(
            version=__version__,
            rules=self.rules.digest,
            tables=(),
            databases=self._catalogue.databases,
            queued=0,
            role=role,
            source=self.system,
        )


def _why(ruled: RuledTable) -> str:
    return "; ".join(ruled.holding.reasons) or f"its rule asks for phase {ruled.holding.requested}"


@asynccontextmanager
async def open_member(settings: Settings, role: str) -> AsyncIterator[Member]:
    """Joins the fleet as `role` until it is left. MemberError where it cannot; a fault in the background ends it."""
    rules = _rules(settings)
    if settings.control_dsn is None:
        raise MemberError("no `control_dsn` is given, so the source cannot be read")
    dsn = settings.control_dsn.get_secret_value()
    limits = CatalogueLimits(
        interval=settings.catalogue_interval,
        connections=settings.max_command_connections,
        backoff_max=settings.retry_backoff_max,
        connect_timeout=settings.connect_timeout,
        query_timeout=settings.catalogue_timeout,
    )
    try:
        server = await read_server(dsn, limits)
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise MemberError(f"the source cannot be asked: {error or 'no answer in time'}") from error
    store = command_store(settings)
    catalogue = CatalogueBook(dsn, lambda database: ruled_tables(rules, database), limits)
    lifetime = Lifetime(None, fsync=False, boot_id="")
    keeper = GapKeeper(
        store, None, GapLimits(retry_backoff_max=settings.retry_backoff_max), proxy=lifetime.proxy
    )
    member = Member(store, catalogue, rules, server, keeper, lifetime.proxy)
    member.heartbeat = Heartbeat(
        store,
        member,
        keeper,
        lifetime,
        lambda: member.facts(role),
        [member],
        HeartbeatLimits(settings.heartbeat_interval, settings.proxy_lost_after, settings.retry_backoff_max),
    )
    member.passing = Passing(
        member.heartbeat.wait_passed, settings.fleet_timeout, settings.heartbeat_interval
    )
    try:
        for database in ruled_databases(rules, server.databases):
            await catalogue.ensure(database)
        await member.heartbeat.start(patience=settings.connect_timeout)
        if member.heartbeat.absent:
            raise MemberError("the store did not take this command's heartbeat; is it there?")
        try:
            async with _beside(member.heartbeat.run, keeper.run):
                yield member
        finally:
            await keeper.stop()
            await member.heartbeat.stop()
    finally:
        await catalogue.stop()
        await store.close()


@asynccontextmanager
async def _beside(*works: Callable[[], Coroutine[None, None, None]]) -> AsyncIterator[None]:
    """Runs them until this is left; what one of them raises ends what is inside, and is raised here."""
    main = asyncio.current_task()
    assert main is not None
    tasks = [asyncio.create_task(work()) for work in works]
    faults: list[BaseException] = []

    def ended(task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            faults.append(error)
            main.cancel()

    for task in tasks:
        task.add_done_callback(ended)
    try:
        yield
    except asyncio.CancelledError:
        if faults:
            raise faults[0] from None
        raise
    finally:
        for task in tasks:
            task.remove_done_callback(ended)
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _rules(settings: Settings) -> RuleSet:
    if settings.rules is None:
        raise MemberError("no `rules` are given, so no table is mirrored")
    try:
        return load_rules(settings.rules, max_size=settings.max_rules_size)
    except RulesError as error:
        raise MemberError(str(error)) from None


def command_store(settings: Settings) -> Store:
    """The store of a command. MemberError where none is given, or its URI is wrong."""
    if settings.store is None:
        raise MemberError("no `store` is given")
    try:
        return open_store(
            settings.store.get_secret_value(),
            timeout=settings.store_timeout,
            tombstone_ttl=timedelta(seconds=settings.tombstone_ttl),
        )
    except StoreUriError as error:
        raise MemberError(str(error)) from None
