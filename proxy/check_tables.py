"""The pre-flight of `causeway check`: per table that a rule would have mirrored, what will be captured and what not.

Only reads, over `control_dsn`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

import asyncpg

from proxy.catalog.book import ruled_tables
from proxy.catalog.limits import CatalogueLimits
from proxy.catalog.model import Snapshot
from proxy.catalog.preflight import Outcome, preflight
from proxy.catalog.server import SourceServer, read_server, ruled_databases
from proxy.catalog.source import SourceDatabase, SourceError, SourceRefused
from proxy.config import Settings
from proxy.finding import Finding
from proxy.mirror.effects import TableId
from proxy.mirror.tables import RuledTable, Surroundings, TableBook
from proxy.phases import Phase
from proxy.rules import RuleSet

Closed = Mapping[tuple[str, TableId], str]
"""(database, table) -> why the role of `control_dsn` cannot read its rows."""


async def check_tables(settings: Settings, rules: RuleSet) -> AsyncIterator[Finding]:
    """Every finding about every ruled table, database by database. `settings` has a `control_dsn` that works."""
    assert settings.control_dsn is not None
    try:
        server = await read_server(settings.control_dsn.get_secret_value(), _limits(settings))
        async for finding in _check(settings, rules, server):
            yield finding
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        yield Finding("table", "", "failed", f"the source cannot be asked: {error or 'no answer in time'}")


async def _check(settings: Settings, rules: RuleSet, source: SourceServer) -> AsyncIterator[Finding]:
    snapshots: dict[str, Snapshot] = {}
    closed: dict[tuple[str, TableId], str] = {}
    errors: dict[str, str] = {}
    for database in ruled_databases(rules, source.databases):
        try:
            snapshots[database], found = await _read(settings, rules, database)
        except SourceError as error:
            errors[database] = error.reason
        else:
            closed.update(found)
    book = TableBook(rules, snapshots, _surroundings(settings, source, errors), last_built=Phase.DUAL_WRITE)
    for finding in describe(book, snapshots, closed):
        yield finding


async def _read(settings: Settings, rules: RuleSet, database: str) -> tuple[Snapshot, Closed]:
    """The catalogue of a database, and which tables cannot be read. Raises SourceError."""
    assert settings.control_dsn is not None
    source = SourceDatabase(settings.control_dsn.get_secret_value(), database, _limits(settings))
    closed: dict[tuple[str, TableId], str] = {}
    try:
        snapshot = (await source.snapshot(ruled_tables(rules, database))).snapshot
        for table in ruled_tables(rules, database):
            relation = snapshot.named(table.schema, table.name)
            if relation is not None and relation.kind in "rp":
                try:
                    await source.is_empty(relation)
                except SourceRefused as error:
                    closed[database, table] = error.reason
    finally:
        await source.close()
    return without_predefined(snapshot), closed


def _limits(settings: Settings) -> CatalogueLimits:
    return CatalogueLimits(
        connections=1, connect_timeout=settings.connect_timeout, query_timeout=settings.catalogue_timeout
    )


def without_predefined(snapshot: Snapshot) -> Snapshot:
    """Without PostgreSQL's own roles, which nobody connects as (manual, 22.5 "Predefined Roles")."""
    unreadable = {
        role: reasons for role, reasons in snapshot.unreadable.items() if not role.startswith("pg_")
    }
    return replace(snapshot, unreadable=unreadable)


def _surroundings(settings: Settings, source: SourceServer, errors: Mapping[str, str]) -> Surroundings:
    return Surroundings(
        store=settings.store is not None,
        spool=settings.spool is not None,
        control_dsn=True,
        control_role=source.role,
        catalogue_errors=errors,
    )


def describe(
    book: TableBook, snapshots: Mapping[str, Snapshot], closed: Closed = MappingProxyType({})
) -> Iterator[Finding]:
    """Of a rule that holds in every database, the databases that have no such table are passed over."""
    somewhere = {
        (name.schema, name.name)
        for name, table in book.ruled.items()
        if table.rule.name.database is None and _exists(table, snapshots)
    }
    told: set[tuple[str, str]] = set()
    for name, table in book.ruled.items():
        if table.rule.phase is Phase.PASSTHROUGH:
            continue
        if table.rule.name.database is None and name.database in snapshots and not _exists(table, snapshots):
            plain = (name.schema, name.name)
            if plain not in somewhere and plain not in told:
                told.add(plain)
                target = str(replace(name, database=None))
                yield Finding("table", target, "failed", "no database that was looked at has this table")
            continue
        yield from _describe(table, snapshots, closed)


def _exists(table: RuledTable, snapshots: Mapping[str, Snapshot]) -> bool:
    snapshot = snapshots.get(table.name.database or "")
    return snapshot is not None and snapshot.named(table.name.schema, table.name.name) is not None


def _describe(table: RuledTable, snapshots: Mapping[str, Snapshot], closed: Closed) -> Iterator[Finding]:
    target = str(table.name)
    if table.mirrored is None:
        for reason in table.holding.reasons:
            yield Finding("table", target, "failed", reason)
    for warning in table.warnings:
        yield Finding("table", target, "warning", str(warning))
    snapshot = snapshots.get(table.name.database or "")
    if snapshot is None:
        return
    plain = TableId(table.name.schema, table.name.name)
    if unread := closed.get((snapshot.database, plain)):
        detail = f"gaps cannot close by themselves, as control_dsn may not read the rows: {unread}"
        yield Finding("table", target, "warning", detail)
    refused = [(problem.column, problem.reason) for problem in table.refused]
    (report,) = preflight(snapshot, {plain: table.rule}, {plain: refused})
    for found in report.findings:
        if found.outcome is not Outcome.FAILED:  # which the reasons above say already
            yield Finding("table", target, found.outcome.value, f"{found.subject}: {found.detail}")
