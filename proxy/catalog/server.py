"""What must be known of the source's server before its databases are looked at."""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg

from proxy.catalog.limits import CatalogueLimits
from proxy.phases import Phase
from proxy.rulefiles.ruleset import RuleSet

MAX_DATABASES = 100
"""Looked at for rules that hold in every database."""


@dataclass(frozen=True)
class SourceServer:
    """The server that `control_dsn` leads to."""

    role: str
    """Of `control_dsn`."""
    databases: tuple[str, ...]
    """Those that clients can connect to, that of `control_dsn` first."""
    system: str = ""
    """The server's system identifier: the same for as long as its data directory, and its copies, live."""


async def read_server(dsn: str, limits: CatalogueLimits) -> SourceServer:
    """Raises OSError (TimeoutError among them) or asyncpg's errors."""
    connection = await asyncpg.connect(
        dsn, timeout=limits.connect_timeout, command_timeout=limits.query_timeout
    )
    try:
        about = await connection.fetchrow(
            "SELECT current_user::text AS role,"
            " (SELECT system_identifier::text FROM pg_catalog.pg_control_system()) AS system"
        )
        assert about is not None
        rows = await connection.fetch(
            "SELECT datname::text AS name FROM pg_catalog.pg_database WHERE datallowconn AND NOT datistemplate"
            " ORDER BY datname <> pg_catalog.current_database(), datname"
        )
    finally:
        connection.terminate()
    return SourceServer(about["role"], tuple(row["name"] for row in rows), about["system"])


def ruled_databases(rules: RuleSet, known: tuple[str, ...]) -> list[str]:
    """Where tables may be mirrored: the databases that rules name, and all that are known where a rule names none."""
    wanted = [rule for rule in rules.tables.values() if rule.phase > Phase.PASSTHROUGH]
    named = {rule.name.database for rule in wanted if rule.name.database is not None}
    if any(rule.name.database is None for rule in wanted):
        named.update(known[:MAX_DATABASES])
    return sorted(named, key=lambda name: (known.index(name) if name in known else len(known), name))
