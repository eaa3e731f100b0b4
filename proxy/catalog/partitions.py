"""Partitions whose images cannot be told from those of their root. Pure."""

from __future__ import annotations

from proxy.catalog.model import Relation, Snapshot


def ambiguous_partitions(snapshot: Snapshot, root: Relation) -> tuple[Relation, ...]:
    """Partitions with the root's column types in the root's order under other names.

    An image names the partition by tableoid, but has the columns of the relation the statement named: root or
    partition. Where their types differ in order the types tell which; here nothing does.
    """
    types = [attribute.type_oid for attribute in root.attributes]
    names = [attribute.name for attribute in root.attributes]
    found = []
    for oid in root.children:
        child = snapshot.relations.get(oid)
        if child is None or child.root != root.oid or not child.attributes:
            continue
        if [attribute.name for attribute in child.attributes] == names:
            continue
        if [attribute.type_oid for attribute in child.attributes] == types:
            found.append(child)
    return tuple(found)
