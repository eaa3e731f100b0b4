"""What served and sampled reads have in common: they read chosen tables alone, and for a session that may. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from proxy.catalog.model import Relation, Snapshot
from proxy.mirror.tables import MirroredTable, TableBook
from proxy.phases import Phase
from proxy.session.names import meant
from proxy.session.plan import Identity
from proxy.sql.model import Analysis, Kind


def tables_from(phase: Phase, book: TableBook, database: str) -> Mapping[int, MirroredTable]:
    """The tables of a database that are effectively in `phase` or a later one, by oid, partitions included."""
    found: dict[int, MirroredTable] = {}
    for table in book.mirrored(database):
        holding = book.holding(database, table.relation.schema, table.relation.name)
        if holding is None or holding.effective < phase:
            continue
        found[table.relation.oid] = table
        if table.relation.kind == "p":
            found.update(dict.fromkeys(table.relation.children, table))
    return found


def relations_read(
    analysis: Analysis, snapshot: Snapshot, identity: Identity, oids: Container[int]
) -> tuple[Relation, ...] | None:
    """Every relation that a text reads, in the order of their names; None where it is no single SELECT, or where
    `oids` does not have one of them."""
    if len(analysis.statements) != 1:
        return None
    statement = analysis.statements[0]
    # VALUES and TABLE are SELECTs to the parser.
    if statement.kind is not Kind.READ or statement.tag != "SELECT":
        return None
    if statement.hidden or statement.write is not None or not statement.relations:
        return None
    found: list[Relation] = []
    for reference in sorted(statement.relations, key=lambda one: (one.schema or "", one.name)):
        relations = meant(snapshot, identity, reference)
        if not relations or any(relation.oid not in oids for relation in relations):
            return None
        found += relations
    return tuple(found)


def unfit(snapshot: Snapshot, identity: Identity, relations: Iterable[Relation], *, one_role: bool) -> str:
    """Why the store must not be asked in the session's place: it has every row, and knows of no role. Empty where
    nothing is in the way.

    `one_role`: whether it must be known which of the roles that a session has had it has now.
    """
    if identity.path is None:
        return "the session's search_path is not known"
    if not identity.utf8:
        return "client_encoding is not UTF8"
    if not identity.roles_known or (one_role and len(identity.roles) != 1):
        return "the session's role is not known"
    read = {relation.oid for relation in relations}
    for role in identity.roles:
        if role not in snapshot.unreadable:
            return "the privileges of the session's role are not known"
        if not read.isdisjoint(snapshot.invisible.get(role, frozenset())):
            return "the session's role may not see every row and column"
    return ""
