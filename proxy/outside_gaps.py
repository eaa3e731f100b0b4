"""Gaps that no statement of a session makes: what a catalogue shows to have happened, and what it fails to show."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Protocol

from proxy.catalog.changes import Change, Verdict, changes
from proxy.catalog.model import Relation, Snapshot
from proxy.catalog.source import SourceError
from proxy.logs import get_logger
from proxy.mirror.effects import Cause, TableId, Unseen
from proxy.mirror.port import GapSink
from proxy.phases import Phase
from proxy.rulefiles.ruleset import RuleSet

log = get_logger(__name__)


class Source(Protocol):
    """As much of a database as tells whether a table has rows."""

    async def is_empty(self, relation: Relation) -> bool:
        """Raises SourceError."""
        ...


class Catalogue(Protocol):
    """As much of `proxy.catalog.book.CatalogueBook` as is asked here."""

    def current(self, database: str) -> Snapshot | None: ...
    def source(self, database: str) -> Source: ...


class OutsideGaps:
    """Records each as of the newest version that the mirror knows: what it hides may be as new as that."""

    def __init__(
        self,
        gaps: GapSink,
        catalogue: Catalogue,
        latest: Callable[[str], int],
        begin: Callable[[Coroutine[None, None, None]], asyncio.Task[None]],
    ) -> None:
        """`latest` gives a database's newest version; `begin` lets work run beside the caller's."""
        self._looking: set[asyncio.Task[None]] = set()
        self._gaps = gaps
        self._catalogue = catalogue
        self._latest = latest
        self._begin = begin

    def blind(self, database: str, tables: Iterable[TableId]) -> None:
        """Sessions go on without these tables being known: what they write is not captured."""
        for table in tables:
            unseen = Unseen(Cause.UNRESOLVED, table, None, "the catalogue could not be read")
            self._gaps.record(database, unseen, 0)

    def changed(self, database: str, old: Snapshot, new: Snapshot, rules: RuleSet) -> None:
        """DDL on tables that a rule asks to be mirrored."""
        ruled = {
            TableId(*name): rule
            for name, rule in rules.for_database(database).items()
            if rule.phase > Phase.PASSTHROUGH
        }
        for change in changes(old, new, ruled):
            if change.verdict is not Verdict.GAP:
                log.info("table_changed", database=database, table=str(change.table), change=change.detail)
            elif change.unless_empty:
                looking = self._begin(self._unless_empty(database, change))
                self._looking.add(looking)
                looking.add_done_callback(self._looking.discard)
            else:
                self._ddl(database, change)

    async def looked(self) -> None:
        """Returns once all that `changed` has begun to look at is decided. Who made a table waits for it: rows of
        theirs that came before the look would be taken for some that nobody has captured."""
        if self._looking:
            await asyncio.wait(tuple(self._looking))

    def unobserved(self, database: str, table: TableId, why: str) -> None:
        """Something else than DDL has happened that nobody could follow."""
        self._gaps.record(database, Unseen(Cause.UNOBSERVED, table, None, why), self._latest(database))

    def _ddl(self, database: str, change: Change) -> None:
        unseen = Unseen(Cause.DDL, change.table, None, change.detail)
        self._gaps.record(database, unseen, self._latest(database))

    async def _unless_empty(self, database: str, change: Change) -> None:
        empty = False
        try:
            snapshot = self._catalogue.current(database)
            relation = None if snapshot is None else snapshot.relations.get(change.unless_empty)
            if relation is not None:
                empty = await self._catalogue.source(database).is_empty(relation)
        except SourceError as error:
            log.warning("table_not_looked_at", database=database, reason=error.reason)
        finally:  # a process that ends meanwhile leaves nobody who would look
            if not empty:
                self._ddl(database, change)
