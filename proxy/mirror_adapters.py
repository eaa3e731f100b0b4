"""Small pieces between the parts of the mirror, which know each other by protocols only."""

from __future__ import annotations

from collections.abc import Callable

from proxy.admin.counters import Counters
from proxy.catalog.book import CatalogueBook, ruled_tables
from proxy.catalog.model import Snapshot
from proxy.catalog.source import SourceDatabase, SourceUnavailable
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
