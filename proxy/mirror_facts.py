"""What one process tells others of its mirroring: the fleet by its heartbeat, an operator by its report. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar

from proxy import __version__
from proxy.admin.mirror import CatalogueReport
from proxy.catalog.book import CatalogueState
from proxy.fleet.beats import TableFact
from proxy.fleet.heartbeat import Facts
from proxy.fleet.standings import Standing
from proxy.mirror.effects import TableId
from proxy.mirror.gap import table_name
from proxy.mirror.tables import MirroredTable, TableBook
from proxy.names import TableName
from proxy.phases import Phase
from proxy.rulefiles.ruleset import RuleSet
from proxy.rulefiles.types import Durability

Value = TypeVar("Value")


class Catalogue(Protocol):
    """As much of `proxy.catalog.book.CatalogueBook` as is told."""

    def state(self, database: str) -> CatalogueState | None: ...
    def error(self, database: str) -> str | None: ...


def facts(
    rules: RuleSet,
    tables: TableBook,
    *,
    databases: tuple[str, ...],
    unseen: bool,
    queued: int,
    source: str,
    standings: tuple[Standing, ...],
) -> Facts:
    """What a heartbeat says. `databases` are those whose catalogues are looked at; `unseen`: sessions are in another,
    which rules concern."""
    return Facts(
        version=__version__,
        rules=rules.digest,
        tables=tuple(_fact(tables, table) for table in tables.mirrored()),
        databases=databases,
        queued=queued,
        source=source,
        standings=standings,
        everywhere=() if unseen else _everywhere(rules),
    )


def _fact(tables: TableBook, table: MirroredTable) -> TableFact:
    holding = tables.holding(table.database, table.relation.schema, table.relation.name)
    phase = Phase.DUAL_WRITE if holding is None else holding.effective
    durability = "fast" if table.rule.durability is Durability.FAST else "strict"
    return TableFact(table.database, table.relation.id, str(phase), durability)


def _everywhere(rules: RuleSet) -> tuple[TableId, ...]:
    """Tables that the rules want mirrored in whatever database has them."""
    return tuple(
        TableId(name.schema, name.name)
        for name, rule in rules.tables.items()
        if name.database is None and rule.phase > Phase.PASSTHROUGH
    )


def catalogue_report(database: str, catalogue: Catalogue) -> CatalogueReport:
    """An error counts more than what was read before it."""
    state = catalogue.state(database)
    error = catalogue.error(database)
    generation = 0 if state is None else state.generation
    if error is None:
        return CatalogueReport(
            database=database, state="ok" if generation else "unknown", generation=generation
        )
    return CatalogueReport(database=database, state="away", error=error, generation=generation)


def by_place(names: Iterable[TableName], values: Mapping[str, Value]) -> dict[tuple[str, str], Value]:
    """What is known of tables by `str(TableName)`, by database and table as reports have them; the rest is left out."""
    return {place(name): values[str(name)] for name in names if str(name) in values}


def place(name: TableName) -> tuple[str, str]:
    """Database and table, as reports have them."""
    return name.database or "", table_name(TableId(name.schema, name.name))
