"""What the names in a statement mean to a session. Pure."""

from __future__ import annotations

from proxy.catalog.model import Relation, Snapshot
from proxy.session.plan import Identity
from proxy.sql.model import RelationRef


def meant(snapshot: Snapshot, identity: Identity, reference: RelationRef) -> list[Relation]:
    """Every relation the name may mean, of those that the snapshot has."""
    found = [
        snapshot.relations[oid]
        for oid in snapshot.by_name.get(reference.name, ())
        if oid in snapshot.relations
    ]
    if reference.schema is not None:
        return [relation for relation in found if relation.schema == reference.schema]
    if len(found) > 1 and identity.path is not None and len(identity.roles) == 1:
        for schema in identity.path:
            if _passed_over(snapshot, identity, schema):
                continue
            if there := [relation for relation in found if relation.schema == schema]:
                return there
        return []
    return found


def _passed_over(snapshot: Snapshot, identity: Identity, schema: str) -> bool:
    """PostgreSQL passes over schemas of the search_path that the role may not use."""
    roles = identity.roles
    return len(roles) == 1 and schema in snapshot.unusable.get(next(iter(roles)), ())
