"""What a text is to a session whose reads are served: a read of served tables alone, or what it changes. Pure.

Whether a read can be compiled is not asked here, nor anything that may be another the next moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from proxy.mirror.gap import table_name
from proxy.mirror.tables import TableBook
from proxy.phases import Phase
from proxy.rulefiles.schema import Reads
from proxy.serve.innocent import keeps_block, keeps_settings
from proxy.serve.port import ServeLimits
from proxy.session.plan import Ground, Identity
from proxy.session.reads import relations_read, tables_from, unfit
from proxy.sql.model import Analysis, Kind


@dataclass(frozen=True, slots=True)
class ServedTable:
    """A table whose reads are served."""

    name: str
    """`schema.table`, quoted where SQL needs it."""
    rule: Reads


@dataclass(frozen=True, slots=True)
class ServedTables:
    """The tables of one database whose reads are served, by oid, partitions included."""

    tables: Mapping[int, ServedTable]
    share: float
    """The largest of their shares: sessions beyond it have nothing served."""


def served_of(book: TableBook, database: str) -> ServedTables | None:
    """None where there are none."""
    found = {
        oid: ServedTable(table_name(table.relation.id), table.rule.reads)
        for oid, table in tables_from(Phase.PRIMARY_SWITCH, book, database).items()
    }
    share = max((table.rule.share for table in found.values()), default=0.0)
    return ServedTables(MappingProxyType(found), share) if share else None


@dataclass(frozen=True, slots=True)
class Reading:
    """What is known of one text."""

    tables: tuple[str, ...] = ()
    """Of a read of served tables alone: their names, sorted. Empty: nothing that could be served."""
    share: float = 0.0
    """The smallest of their shares."""
    limits: ServeLimits | None = None
    reason: str = ""
    """Why such a read is not served all the same."""
    text: str = ""
    """Of such a read: as it was sent."""
    versions: tuple[object, ...] = ()
    """The relations as they were, to tell whether a prepared statement still means the same."""
    begins: bool = False
    """Whether it begins a block, and does nothing else."""
    keeps_settings: bool = False
    """Whether the session's settings are known behind it if they were before."""
    keeps_block: bool = False
    """Whether a block may go on reading from the store behind it."""


UNKNOWN = Reading()
"""Of texts that nobody can look into."""


def reading_of(
    text: str, analysis: Analysis, ground: Ground, served: ServedTables, identity: Identity
) -> Reading:
    """Of a text whose statements are known."""
    statements = analysis.statements
    settings = all(keeps_settings(statement) for statement in statements)
    block = all(keeps_block(statement, text) for statement in statements)
    begins = len(statements) == 1 and statements[0].kind is Kind.BEGIN
    plain = Reading(begins=begins, keeps_settings=settings, keeps_block=block)
    relations = relations_read(analysis, ground.snapshot, identity, served.tables)
    if relations is None:
        return plain
    tables = {table.name: table.rule for table in (served.tables[relation.oid] for relation in relations)}
    return Reading(
        tuple(sorted(tables)),
        min(rule.share for rule in tables.values()),
        strictest(tuple(tables.values())),
        unfit(ground.snapshot, identity, relations, one_role=True),
        text,
        relations,
        keeps_settings=settings,
    )


def strictest(rules: tuple[Reads, ...]) -> ServeLimits:
    """Of a read of several tables: of everything the least."""
    return ServeLimits(
        min(rule.timeout for rule in rules),
        min(rule.max_rows for rule in rules),
        min(rule.max_bytes for rule in rules),
        min(rule.reverse_shadow for rule in rules),
    )
