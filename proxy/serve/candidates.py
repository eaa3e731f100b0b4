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
from proxy.session.names import meant
from proxy.session.plan import Ground, Identity
from proxy.sql.model import Analysis, Kind, Statement


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
    found: dict[int, ServedTable] = {}
    for table in book.mirrored(database):
        holding = book.holding(database, table.relation.schema, table.relation.name)
        if holding is None or holding.effective is not Phase.PRIMARY_SWITCH:
            continue
        served = ServedTable(table_name(table.relation.id), table.rule.reads)
        found[table.relation.oid] = served
        if table.relation.kind == "p":
            found.update(dict.fromkeys(table.relation.children, served))
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
    if len(statements) != 1:
        return plain
    found = _served(statements[0], ground, served, identity)
    if found is None:
        return plain
    tables, versions, oids = found
    return Reading(
        tuple(sorted(tables)),
        min(table.rule.share for table in tables.values()),
        strictest(tuple(table.rule for table in tables.values())),
        _unfit(ground, identity, oids),
        text,
        versions,
        keeps_settings=settings,
    )


def _served(
    statement: Statement, ground: Ground, served: ServedTables, identity: Identity
) -> tuple[dict[str, ServedTable], tuple[object, ...], list[int]] | None:
    """The tables of a SELECT that reads nothing but served ones."""
    if statement.kind is not Kind.READ or statement.tag != "SELECT":
        return None
    if statement.hidden or statement.write is not None or not statement.relations:
        return None
    tables: dict[str, ServedTable] = {}
    versions: list[object] = []
    oids: list[int] = []
    for reference in sorted(statement.relations, key=lambda one: (one.schema or "", one.name)):
        relations = meant(ground.snapshot, identity, reference)
        if not relations:
            return None
        for relation in relations:
            table = served.tables.get(relation.oid)
            if table is None:
                return None
            tables[table.name] = table
            versions.append(relation)
            oids.append(relation.oid)
    return tables, tuple(versions), oids


def strictest(rules: tuple[Reads, ...]) -> ServeLimits:
    """Of a read of several tables: of everything the least."""
    return ServeLimits(
        min(rule.timeout for rule in rules),
        min(rule.max_rows for rule in rules),
        min(rule.max_bytes for rule in rules),
        min(rule.reverse_shadow for rule in rules),
    )


def _unfit(ground: Ground, identity: Identity, oids: list[int]) -> str:
    if identity.path is None:
        return "the session's search_path is not known"
    if not identity.utf8:
        return "client_encoding is not UTF8"
    if not identity.roles_known or len(identity.roles) != 1:
        return "the session's role is not known"
    for role in identity.roles:
        if role not in ground.snapshot.unreadable:
            return "the privileges of the session's role are not known"
        invisible = ground.snapshot.invisible.get(role, frozenset())
        if any(oid in invisible for oid in oids):
            return "the session's role may not see every row and column"
    return ""
