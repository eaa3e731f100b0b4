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
from proxy.session.names import meant
from proxy.session.plan import Ground, Identity
from proxy.shadow.sample import Limits, strictest
from proxy.sql.model import Analysis, Kind

_READS = frozenset({"SELECT"})
"""Tags of statements that return rows of tables: VALUES and TABLE are SELECTs to the parser."""


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
    found: dict[int, DarkTable] = {}
    for table in book.mirrored(database):
        holding = book.holding(database, table.relation.schema, table.relation.name)
        if holding is None or holding.effective < Phase.DARK_READ:
            continue
        rule = table.rule.shadow
        dark = DarkTable(table_name(table.relation.id), rule)
        found[table.relation.oid] = dark
        if table.relation.kind == "p":
            found.update(dict.fromkeys(table.relation.children, dark))
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
    if len(analysis.statements) != 1:
        return None
    statement = analysis.statements[0]
    if statement.kind is not Kind.READ or statement.tag not in _READS:
        return None
    if statement.hidden or statement.write is not None or not statement.relations:
        return None
    found: dict[str, DarkTable] = {}
    oids = []
    for reference in statement.relations:
        relations = meant(ground.snapshot, identity, reference)
        if not relations:
            return None
        for relation in relations:
            table = dark.tables.get(relation.oid)
            if table is None:
                return None
            found[table.name] = table
            oids.append(relation.oid)
    tables = tuple(found[name] for name in sorted(found))
    share = min(table.rule.sample for table in tables)
    return Candidate(tables, share, _unfit(ground, identity, oids))


def _unfit(ground: Ground, identity: Identity, oids: list[int]) -> str:
    if identity.path is None:
        return "the session's search_path is not known"
    if not identity.utf8:
        return "client_encoding is not UTF8"
    if not identity.roles_known:
        return "the session's role is not known"
    for role in identity.roles:
        if role not in ground.snapshot.unreadable:
            return "the privileges of the session's role are not known"
        invisible = ground.snapshot.invisible.get(role, frozenset())
        if any(oid in invisible for oid in oids):
            return "the session's role may not see every row and column"
    return ""
