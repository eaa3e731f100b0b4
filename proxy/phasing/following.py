"""Whether the proxies of the fleet have taken rules, and where they have a table then. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from proxy.fleet.beats import Beat, Newer
from proxy.fleet.standings import Seats
from proxy.mirror.effects import TableId
from proxy.mirror.tables import UNKNOWN
from proxy.phases import Phase
from proxy.switching import LETTING_IN

PASSING = (*UNKNOWN.firm, LETTING_IN, "the store has not told yet whether its history was copied")
"""Reasons that hold a table for a moment only."""


@dataclass(frozen=True, slots=True)
class Follower:
    """One live proxy."""

    proxy: str
    version: str
    taken: bool
    """It has the rules."""
    effective: Phase
    """Of the table there; of several databases the earliest."""
    why: str
    """What holds it before the phase; empty where nothing does."""
    settled: bool
    """It has judged the table under these rules, and nothing is under way."""

    @property
    def there(self) -> bool:
        return self.taken and not self.why


class Following:
    """Watches the beats of the live proxies."""

    def __init__(self, digest: str, table: TableId, databases: Sequence[str], phase: Phase) -> None:
        """`databases`: those of the table; none: wherever it is known."""
        self._digest = digest
        self._table = table
        self._databases = tuple(databases)
        self._phase = phase
        self._newer = Newer()

    def look(self, beats: Iterable[Beat]) -> list[Follower]:
        """`beats` of all proxies that live, as the store has them now."""
        return sorted((self._follower(beat) for beat in beats), key=lambda one: one.proxy)

    def _follower(self, beat: Beat) -> Follower:
        taken = beat.rules == self._digest
        # gates are judged up to a moment after the rules were taken, and told in the beat after that
        judged = taken and self._newer.is_newer(beat)
        told = [(one.database, one.table) for one in beat.tables]
        told += [(one.database, one.table) for one in beat.standings]
        here = self._databases or tuple(dict.fromkeys(place for place, table in told if table == self._table))
        phases, reasons = [], []
        seats = Seats([beat])
        for database in here:
            (seat,) = seats.of(database, self._table)
            if seat.unused:
                continue
            phase = seat.phase or Phase.PASSTHROUGH
            phases.append(phase)
            if phase < self._phase:
                why = "" if seat.standing is None else seat.standing.why
                reasons.append(why or "it is not mirrored there (`causeway status` there says why)")
        why = "; ".join(dict.fromkeys(reasons))
        return Follower(
            beat.proxy,
            beat.version,
            taken,
            min(phases, default=self._phase),
            why if taken else "",
            judged and not any(one in why for one in PASSING),
        )


def over(followers: Sequence[Follower]) -> bool:
    """Whether there is nothing to wait for: all have it, or say what keeps them."""
    return all(one.there or (one.taken and one.settled) for one in followers)
