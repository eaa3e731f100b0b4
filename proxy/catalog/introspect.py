"""Reading a `Snapshot` from a source: some queries in one read-only transaction that sees one moment."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from proxy.catalog import assembly, queries
from proxy.catalog.language import read_language
from proxy.catalog.limits import CatalogueLimits
from proxy.catalog.model import Snapshot
from proxy.catalog.privileges import invisible, unreadable
from proxy.catalog.search_path import Setting, search_paths
from proxy.mirror.effects import TableId

if TYPE_CHECKING:
    from asyncpg import Connection, Record


@dataclass(frozen=True, slots=True)
class Reading:
    """A snapshot and what to compare the next look with."""

    snapshot: Snapshot
    digest: str
    partial_roles: bool
    """There are too many roles to ask for all: those not in `Snapshot.unreadable` must be asked for by name."""


async def read_snapshot(
    connection: Connection[Record],
    names: Iterable[TableId],
    previous: Snapshot | None = None,
    *,
    limits: CatalogueLimits | None = None,
    roles: Iterable[str] = (),
) -> Reading:
    """The catalogue of the connection's database, as far as the tables `names` are concerned.

    `previous` itself is given back, with the same generation, where nothing has changed. `roles` are those to ask for
    where there are too many to ask for all. Raises asyncpg's errors.
    """
    wanted = tuple(names)
    limits = limits or CatalogueLimits()
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        return await _read(connection, wanted, previous, limits, tuple(roles))


async def read_digest(connection: Connection[Record], names: Iterable[TableId], snapshot: Snapshot) -> str:
    """Another one than `Reading.digest` of the snapshot as soon as a snapshot may be another."""
    labels = {*snapshot.by_name, *(table.name for table in names)}
    digest: str = await connection.fetchval(
        queries.DIGEST, sorted(labels), sorted(snapshot.relations), sorted(snapshot.types)
    )
    return digest


async def _read(
    connection: Connection[Record],
    names: Sequence[TableId],
    previous: Snapshot | None,
    limits: CatalogueLimits,
    seen_roles: Sequence[str],
) -> Reading:
    import asyncio

    facts = await connection.fetchrow(queries.FACTS)
    assert facts is not None
    version: int = facts["server_version"]
    rows: dict[str, Any] = {
        "nodes": await connection.fetch(queries.NODES),
        "inherits": await connection.fetch(queries.INHERITS),
        "foreign_keys": await connection.fetch(queries.FOREIGN_KEYS),
        "triggers": await connection.fetch(queries.TRIGGERS),
        "functions": await connection.fetch(queries.functions(version)),
        "rules": await connection.fetch(queries.RULES),
        "uses": await connection.fetch(queries.USES),
    }
    whole = await asyncio.to_thread(assembly.topology, version, **rows)
    selection = await asyncio.to_thread(assembly.select, whole, names)

    language = await read_language(connection)
    attributes = await connection.fetch(queries.ATTRIBUTES, selection.detailed)
    keys = await connection.fetch(queries.KEYS, selection.detailed)
    relations = await asyncio.to_thread(
        assembly.relations, whole, selection, attributes=attributes, keys=keys, default=language.default
    )
    type_oids = {row["type"] for row in attributes}
    types = assembly.types(await connection.fetch(queries.types(version), type_oids))

    asked = None
    count = await connection.fetchval(queries.ROLE_COUNT)
    if count > limits.roles or count * len(selection.spliceable) > limits.privilege_pairs:
        asked = list(seen_roles)
    roles = {row["name"]: row["oid"] for row in await connection.fetch(queries.ROLES, asked)}
    role_oids = list(roles.values())
    denied = [
        row
        for row in await connection.fetch(queries.UNREADABLE, role_oids, selection.spliceable)
        if row["reason"] is not None
    ]
    uncallable = await connection.fetch(queries.UNCALLABLE, role_oids)
    named = sorted({relation.schema for relation in relations.values()})
    unusable = {
        row["role"]: frozenset[str](row["schemas"])
        for row in await connection.fetch(queries.UNUSABLE, role_oids, named)
    }
    settings = await connection.fetch(queries.SEARCH_PATHS)
    schemas = {row["name"] for row in await connection.fetch(queries.SCHEMAS)}
    paths = search_paths(
        roles,
        facts["search_path"],
        [Setting(row["of_database"], row["role"], row["value"]) for row in settings],
        schemas,
    )

    effects = selection.effects
    snapshot = Snapshot(
        database=facts["database"],
        generation=previous.generation if previous is not None else 1,
        system_identifier=facts["system_identifier"],
        server_version=version,
        timeline=facts["timeline"],
        wal_level=facts["wal_level"],
        relations=relations,
        types=types,
        by_name=selection.by_name,
        side_effects=MappingProxyType(effects.writes),
        truncates=selection.truncates,
        truncate_effects=MappingProxyType(effects.truncate_triggers),
        functions=MappingProxyType(effects.functions),
        unreadable=unreadable(
            roles,
            selection.spliceable,
            [(row["role"], row["relation"], row["reason"]) for row in denied if row["writes"]],
            [(row["role"], row["function"]) for row in uncallable],
        ),
        invisible=invisible((row["role"], row["relation"]) for row in denied),
        search_paths=MappingProxyType(
            {
                role: tuple(schema for schema in path if schema not in unusable.get(role, ()))
                for role, path in paths.items()
            }
        ),
        unusable=MappingProxyType(unusable),
        watched=frozenset(
            {table.name for table in names} | selection.by_name.keys() | effects.functions.keys()
        ),
        language=language,
    )
    if previous is not None and previous != snapshot:
        snapshot = dataclasses.replace(snapshot, generation=previous.generation + 1)
    elif previous is not None:
        snapshot = previous
    return Reading(snapshot, await read_digest(connection, names, snapshot), asked is not None)
