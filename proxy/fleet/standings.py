"""How each proxy of a fleet stands to a table: the phase it has it in, what holds it, what it counted of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proxy.fleet.tallies import NOTHING, Counts, parse_counts
from proxy.mirror.effects import TableId
from proxy.phases import Phase

if TYPE_CHECKING:
    from proxy.fleet.beats import Beat

MAX_STANDINGS = 1000
"""Tables a heartbeat tells more of than that they are mirrored."""
MAX_WHY = 300
"""Characters of what holds a table."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a heartbeat says of a table that is held, or whose reads are compared or served."""

    database: str
    table: TableId
    requested: str
    why: str = ""
    """What holds it before the requested phase; empty where nothing does."""
    lag: float = 0.0
    """Seconds the documents are behind what this process has captured."""
    gate: Counts = NOTHING
    """In the `window` of the rule's gates."""
    recent: Counts = NOTHING
    """In the `window` of its `auto_rollback`."""

    def values(self) -> list[Any]:
        place = [self.database, self.table.schema, self.table.name]
        return [
            *place,
            self.requested,
            self.why[:MAX_WHY],
            self.lag,
            self.gate.values(),
            self.recent.values(),
        ]


def parse_standing(values: Any) -> Standing:
    database, schema, name, requested, why, lag, gate, recent = values
    return Standing(
        database,
        TableId(schema, name),
        requested,
        why,
        float(lag),
        parse_counts(gate),
        parse_counts(recent),
    )


@dataclass(frozen=True, slots=True)
class Seat:
    """One proxy of the fleet, as a gate looks at it."""

    proxy: str
    phase: Phase | None
    """The table's there; None: the proxy does not mirror it."""
    standing: Standing | None = None
    unused: bool = False
    """No session has been in the table's database yet, and its rules mirror the table as soon as one is."""

    def wants(self, phase: Phase) -> bool:
        """Whether its rules ask for that phase or a later one."""
        return self.standing is not None and phase_of(self.standing.requested) >= phase


class Seats:
    """Several proxies, to be asked about many tables."""

    def __init__(self, beats: Iterable[Beat]) -> None:
        self._beats = [
            (
                beat,
                {(one.database, one.table): phase_of(one.phase) for one in beat.tables},
                {(one.database, one.table): one for one in beat.standings},
                frozenset(beat.everywhere),
            )
            for beat in beats
        ]

    def of(self, database: str, table: TableId) -> list[Seat]:
        found = []
        for beat, phases, standings, everywhere in self._beats:
            phase = phases.get((database, table))
            unused = phase is None and table in everywhere and database not in beat.passed
            found.append(Seat(beat.proxy, phase, standings.get((database, table)), unused))
        return found


def phase_of(text: str) -> Phase:
    """A phase that a newer version has added lies behind those that are known here."""
    try:
        return Phase(text)
    except ValueError:
        return Phase.DECOMMISSION
