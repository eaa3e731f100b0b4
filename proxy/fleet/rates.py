"""How many reads of each table this process has compared and served lately. Bounded by the tables that have rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from proxy.fleet.tallies import NOTHING, Counts, Window
from proxy.mirror.effects import TableId
from proxy.mirror.gap import table_name
from proxy.mirror.tables import RuledTable
from proxy.names import TableName
from proxy.phases import Phase
from proxy.rulefiles.schema import AutoRollback

Totals = Callable[[], Mapping[tuple[str, str], Counts]]
"""What was counted by (database, table) since the process started; a count that falls has begun again at 0."""


@dataclass(slots=True)
class _Rates:
    """Of one table."""

    gate: Window
    recent: Window
    before: list[Counts] = field(default_factory=list)
    """The totals of each source when they were looked at last."""


class Rates:
    """Belongs to one event loop."""

    def __init__(self, totals: Iterable[Totals]) -> None:
        self._totals = tuple(totals)
        self._tables: dict[TableName, _Rates] = {}

    def measure(self, ruled: Mapping[TableName, RuledTable], now: float) -> None:
        """To be called often, against the windows of the rules."""
        totals = [read() for read in self._totals]
        compared = {
            name: table for name, table in ruled.items() if table.holding.requested >= Phase.DARK_READ
        }
        self._tables = {name: rates for name, rates in self._tables.items() if name in compared}
        for name, table in compared.items():
            counted = [source.get(place_of(name), NOTHING) for source in totals]
            rates = self._of(name, table, counted)
            new = sum(
                (after.since(before) for before, after in zip(rates.before, counted, strict=True)), NOTHING
            )
            rates.before = counted
            rates.gate.add(new, now)
            if table.holding.effective >= Phase.PRIMARY_SWITCH:
                rates.recent.add(new, now)
            else:  # what counts against a table begins when it is let in
                rates.recent = Window(rates.recent.seconds)

    def of(self, name: TableName, now: float) -> tuple[Counts, Counts]:
        """In the window of the gates, and in that of `auto_rollback` while the table was in `primary_switch`."""
        rates = self._tables.get(name)
        return (NOTHING, NOTHING) if rates is None else (rates.gate.total(now), rates.recent.total(now))

    def _of(self, name: TableName, table: RuledTable, counted: list[Counts]) -> _Rates:
        window = table.rule.gates.window
        recent = (table.rule.auto_rollback or AutoRollback()).window
        rates = self._tables.get(name)
        if rates is None:
            rates = self._tables[name] = _Rates(Window(window), Window(recent), counted)
        if rates.gate.seconds != window:
            rates.gate = Window(window)
        if rates.recent.seconds != recent:
            rates.recent = Window(recent)
        return rates


def place_of(name: TableName) -> tuple[str, str]:
    """(database, `schema.table` quoted where SQL needs it), as meters and gaps have it."""
    return name.database or "", table_name(TableId(name.schema, name.name))
