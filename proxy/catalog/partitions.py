"""Partitions whose images cannot be told from those of their root. Pure."""

from __future__ import annotations

from proxy.catalog.model import Relation, Snapshot


def differing_partitions(snapshot: Snapshot, root: Relation) -> tuple[Relation, ...]:
    """Partitions whose columns stand in another order than the root's.

    An image names the partition by tableoid, but has the columns of the relation the statement named: root or
    partition. Only where both have the same columns in the same order does it not matter which.
    """
    columns = [(attribute.name, attribute.type_oid) for attribute in root.attributes]
    found = []
    for oid in root.children:
        child = snapshot.relations.get(oid)
        if child is None or child.root != root.oid or not child.attributes:
            continue
        if [(attribute.name, attribute.type_oid) for attribute in child.attributes] != columns:
            found.append(child)
    return tuple(found)
