"""A proxy that comes back after it was declared lost, or after it mirrored without the fleet knowing of it.

Nobody waited for it meanwhile. Others may have read rows again (`proxy.mirror.rereads`) and repaired documents that
images it still holds then overwrite with something older, or found right what they then make wrong. So each re-read
leaves, *before* it looks at the documents, the position of the source in `_causeway.rereads`; and one who comes back

1. takes away the mark: who looks from then on waits for it;
2. notes the source's position, which is past that of every re-read that has disregarded it, and waits until its own
   group has passed it (another process of the group may have taken over its spool): all its images that such a repair
   may have been meant to come after are in the store;
3. then looks at what re-reads have left: a table of which others have read rows again past what it had last said to
   have passed keeps its gap, or gets it again: a comparison (`proxy.backfill.verify`) that has closed it had left its
   position before it waited for the fleet, and so either waits for this proxy or is seen.

A disregarding re-read that looked before one of these images was applied had left its position before, so it is seen.
One that looked after it has seen the image; one that repairs after it fails to compare and set, and looks again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from proxy.fleet.beats import TableFact
from proxy.fleet.losses import LOST, Mark
from proxy.logs import EventLogger
from proxy.mirror.effects import Cause, TableId, Unseen
from proxy.mirror.gap import gap_id
from proxy.mirror.gaps import GapKeeper
from proxy.mirror.unclean import Lifetime
from proxy.stores.protocol import Store

REREADS = "rereads"


class Passing(Protocol):
    """The part of the heartbeat that is needed here."""

    async def position(self, database: str) -> int: ...
    async def wait_group(self, database: str, version: int) -> None: ...


async def leave_reread(store: Store, proxy: str, database: str, table: TableId, version: int) -> None:
    """Says that `proxy` is about to repair documents of a table by what the source holds at `version`, or later."""
    name = f"{proxy} {database}.{table.schema}.{table.name}"
    value = {
        "proxy": proxy,
        "database": database,
        "schema": table.schema,
        "table": table.name,
        "version": version,
    }
    await store.put_state(REREADS, name, value)


async def overtaken(store: Store, own: str, floor: Mapping[str, int]) -> set[tuple[str, TableId]]:
    """Tables of which other proxies have read rows again at a version past `floor` of their database."""
    found = set()
    for value in (await store.get_state(REREADS)).values():
        if value["proxy"] != own and value["version"] > floor.get(value["database"], 0):
            found.add((str(value["database"]), TableId(value["schema"], value["table"])))
    return found


async def come_back(
    mark: Mark, store: Store, keeper: GapKeeper, lifetime: Lifetime, passing: Passing, log: EventLogger
) -> None:
    """After having been declared lost. Raises StoreUnavailable, StoreRefused, SourceError; gaps stay then."""
    seen = {entry.id: entry.last_seen for entry in await store.gaps()}
    await store.delete_state(LOST, mark.proxy)
    await _all_passed({fact.database for fact in mark.tables}, passing)
    late = await overtaken(store, mark.proxy, mark.passed)
    closed = 0
    for fact in mark.tables:
        if (fact.database, fact.table) in late:
            why = "documents were repaired, or compared, before this proxy had written what it held"
            unseen = Unseen(Cause.UNCLEAN_END, fact.table, None, why)
            keeper.record(fact.database, unseen, 0, owner=mark.proxy)  # it may have been closed meanwhile
            continue
        identity = gap_id(fact.database, Unseen(Cause.UNCLEAN_END, fact.table), mark.proxy)
        if identity not in seen:
            continue
        if nothing_lost(fact, mark.incarnation, lifetime):
            closed += await keeper.close_owned(fact.database, fact.table, mark.proxy, seen[identity])
    log.info("proxy_returned", tables=len(mark.tables), closed=closed, overtaken=len(late))


async def join_late(
    tables: Sequence[TableFact],
    floor: Mapping[str, int],
    store: Store,
    keeper: GapKeeper,
    own: str,
    passing: Passing,
) -> None:
    """After having mirrored unknown to the fleet since the versions `floor`. Raises as `come_back`."""
    await _all_passed({fact.database for fact in tables}, passing)
    late = await overtaken(store, own, floor)
    for fact in tables:
        if (fact.database, fact.table) in late:
            why = "rows were read again while the fleet did not know of this proxy"
            keeper.record(fact.database, Unseen(Cause.UNCLEAN_END, fact.table, None, why), 0, owner=own)


def nothing_lost(fact: TableFact, incarnation: str, lifetime: Lifetime) -> bool:
    """Whether this process still has, or has had, everything of a table that `incarnation` held."""
    if fact.durability == "fast":
        return incarnation == lifetime.current.id
    return incarnation in lifetime.current.lineage


async def _all_passed(databases: set[str], passing: Passing) -> None:
    for database in sorted(databases):
        await passing.wait_group(database, await passing.position(database))
