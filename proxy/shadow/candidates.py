"""Which reads may be sampled: all their tables are in an effective phase from `dark_read` on. Pure.

Whether a read can be compiled is not asked here: that is counted once it was sampled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from proxy.mirror.gap import table_name
from proxy.mirror.tables import TableBook
from proxy.phases import Phase
from proxy.rulefiles.schema import Shadow
from proxy.session.plan import Ground, Identity
from proxy.session.reads import relations_read, tables_from, unfit
from proxy.shadow.sample import Limits, strictest
from proxy.sql.model import Analysis


@dataclass(frozen=True, slots=True)
class DarkTable:
    """A table whose reads are sampled."""

    name: str
    """`schema.table`, quoted where SQL needs it."""
    rule: Shadow


@dataclass(frozen=True, slots=True)
class Dark:
    """The tables of one database whose reads are sampled, by oid, partitions included."""

    tables: Mapping[int, DarkTable]
    share: float
    """The largest of their samples: of reads of which nothing is known yet."""


def dark_of(book: TableBook, database: str) -> Dark | None:
    """None where there are none."""
    found = {
        oid: DarkTable(table_name(table.relation.id), table.rule.shadow)
        for oid, table in tables_from(Phase.DARK_READ, book, database).items()
    }
    share = max((table.rule.sample for table in found.values()), default=0.0)
    return Dark(MappingProxyType(found), share) if share else None


@dataclass(frozen=True)
class Candidate:
    """A read whose tables are all known."""

    tables: tuple[DarkTable, ...]
    share: float
    """The smallest of their samples."""
    reason: str = ""
    """Why it cannot be compared all the same: then it is counted as skipped."""

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(table.name for table in self.tables)

    @cached_property
    def limits(self) -> Limits:
        """What one such read may cost."""
        return strictest(tuple(table.rule for table in self.tables))


def candidate(analysis: Analysis, ground: Ground, dark: Dark, identity: Identity) -> Candidate | None:
    """None where the text is no single read of such tables alone."""
    relations = relations_read(analysis, ground.snapshot, identity, dark.tables)
    if relations is None:
        return None
    found = {table.name: table for table in (dark.tables[relation.oid] for relation in relations)}
    tables = tuple(found[name] for name in sorted(found))
    share = min(table.rule.sample for table in tables)
    return Candidate(tables, share, unfit(ground.snapshot, identity, relations, one_role=False))
