"""Small pieces between the parts of the mirror, which know each other by protocols only."""

from __future__ import annotations

from collections.abc import Callable

from proxy.admin.counters import Counters
from proxy.catalog.book import CatalogueBook, ruled_tables
from proxy.catalog.model import Snapshot
from proxy.catalog.source import SourceDatabase, SourceUnavailable
from proxy.fleet.heartbeat import Heartbeat
from proxy.mirror.effects import Cause, TableId, Unseen
from proxy.mirror.gaps import GapKeeper
from proxy.mirror.mirror import Mirror
from proxy.mirror.tables import MirroredTable, TableBook


class CountedGaps:
    """Counts the gaps that a limit has made, as such."""

    def __init__(self, keeper: GapKeeper, counters: Counters) -> None:
        self._keeper = keeper
        self._counters = counters

    def record(self, database: str, unseen: Unseen, version: int) -> None:
        if unseen.cause is Cause.OVERFLOW:
            self._counters.limits_reached["spool_size"] += 1
        self._keeper.record(database, unseen, version)


class Positions:
    """Positions of the source for the heartbeat; the mirror learns them too."""

    def __init__(self, catalogue: CatalogueBook, mirror: Mirror) -> None:
        self._catalogue = catalogue
        self._mirror = mirror

    async def position(self, database: str) -> int:
        if self._catalogue.missing(database):  # the catalogue looks now and then whether it is there again
            raise SourceUnavailable(database, "there is no such database")
        version = await self._catalogue.source(database).insert_position()
        self._mirror.noted(database, version)
        return version


class ShadowFleet:
    """What the shadow process asks of this one."""

    def __init__(self, heartbeat: Heartbeat, keeper: GapKeeper) -> None:
        self._heartbeat = heartbeat
        self._keeper = keeper

    async def wait_passed(self, database: str, version: int) -> None:
        """See `Heartbeat.wait_passed`. The shadow process has noted `version` from the source itself."""
        await self._heartbeat.position(database)
        await self._heartbeat.wait_passed(database, version)

    def open_gap(self, database: str, tables: tuple[str, ...]) -> str:
        """What of the tables is known not to be in the documents; empty: nothing."""
        causes = {
            cause
            for (place, table, cause), count in self._keeper.counts().items()
            if place == database and table in tables and count
        }
        return f"open gaps: {', '.join(sorted(causes))}" if causes else ""


class Tables:
    """What the rereader asks."""

    def __init__(self, book: Callable[[], TableBook], catalogue: CatalogueBook) -> None:
        """`book` gives the tables in force."""
        self._book = book
        self._catalogue = catalogue

    def table(self, database: str, table: TableId) -> MirroredTable | None:
        return self._book().named(database, table.schema, table.name)

    def ruled(self, database: str, table: TableId) -> bool:
        return table in ruled_tables(self._book().rules, database)

    def snapshot(self, database: str) -> Snapshot | None:
        return self._catalogue.current(database)

    def source(self, database: str) -> SourceDatabase:
        return self._catalogue.source(database)

    def refresh_soon(self, database: str) -> None:
        self._catalogue.refresh_soon(database)
