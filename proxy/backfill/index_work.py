"""Looking at the indexes of both sides, and making those that are missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from proxy.backfill.index_catalogue import QUERY, source_index
from proxy.backfill.indexes import Plan, Proposal, plan_indexes, standing_after
from proxy.mirror.tables import MirroredTable
from proxy.stores.protocol import Store, StoreRefused


class Source(Protocol):
    """See `proxy.catalog.source.SourceDatabase`."""

    async def fetch(self, query: str, *arguments: Any, timeout: float | None = None) -> list[Any]: ...


async def look(table: MirroredTable, source: Source, store: Store) -> Plan:
    """What the collection has and lacks. Raises SourceError, StoreUnavailable, StoreRefused."""
    relation = table.relation
    oids = [relation.oid, *(relation.children if relation.kind == "p" else ())]
    rows = await source.fetch(QUERY, oids)
    there = await store.indexes(table.mapping.namespace)
    return plan_indexes(table, [source_index(row) for row in rows], there)


async def make(
    plan: Plan, table: MirroredTable, store: Store, *, begun: Callable[[Proposal], None] = lambda _: None
) -> Plan:
    """Makes what is missing, one after the other; one that the store refuses does not keep it from the next.

    `begun` is told of each before it is made. Raises StoreUnavailable.
    """
    results: dict[str, str | None] = {}
    for proposal in plan.missing:
        index = proposal.index
        assert index is not None
        if index.name in results:
            continue
        begun(proposal)
        try:
            await store.create_index(table.mapping.namespace, index)
        except StoreRefused as error:
            results[index.name] = str(error)
        else:
            results[index.name] = None
    return standing_after(plan, results)
