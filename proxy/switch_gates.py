"""The gates before `primary_switch`, and the limits past which a table falls back from it. Pure.

Most gates guard the way in: they are asked until the fleet has let the table in (`proxy.fleet.switches`), and not
again. What may happen to a table afterwards is met elsewhere: reads of a table with an open gap go to PostgreSQL
until it is closed, and `auto_rollback` has limits of its own for mismatches, errors and lag. Two hold for good: a
proxy that does not mirror the table writes past the documents, and a table that was rolled back stays out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from proxy.fleet.standings import Seat
from proxy.fleet.switches import Switch
from proxy.fleet.tallies import NOTHING, Counts
from proxy.mirror.tables import Closed
from proxy.phases import Holding, Phase
from proxy.rulefiles.schema import AutoRollback, Gates
from proxy.units import format_duration

NAMED = 3
"""Proxies that a reason names; the others it counts."""


class Gate(Enum):
    """In the order in which they are shown."""

    HISTORY = "history"
    GAPS = "gaps"
    LAG = "lag"
    COMPARISONS = "comparisons"
    MISMATCHES = "mismatches"
    FLEET = "fleet"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True)
class Judged:
    """One gate of one table."""

    gate: Gate
    open: bool
    text: str
    """What it is about and how it stands; the reason, where it is closed."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a table when its gates are judged."""

    gates: Gates
    gaps: int
    """Open, as far as they are known here."""
    seats: Sequence[Seat]
    """Every live proxy in front of the same server."""
    switch: Switch | None = None

    @property
    def counts(self) -> Counts:
        """Of all of them, in the window of the gates."""
        return sum((seat.standing.gate for seat in self.seats if seat.standing is not None), NOTHING)


def entering(known: Evidence) -> list[Judged]:
    """The gates on the way in."""
    return [_gaps(known), _lag(known), _comparisons(known), _mismatches(known), _fleet(known)]


def shut(judged: Iterable[Judged]) -> tuple[str, ...]:
    """Why those that are closed are."""
    return tuple(one.text for one in judged if not one.open)


def lasting(known: Evidence) -> list[Judged]:
    """Those that hold for good."""
    return [mirroring(known), rollback(known)]


def closed(known: Evidence, *, inside: bool) -> Closed:
    """What keeps the table out. `inside`: the fleet has let it in."""
    judged = [mirroring(known)] if inside else entering(known)
    return Closed(shut(judged), shut([rollback(known)]))


def refreshed(holding: Holding, used: Closed, fresh: Closed) -> Holding:
    """The holding that was made with `used`, told in the words of `fresh`."""
    reasons, overridden = holding.reasons, holding.overridden
    if reasons and reasons in (used.firm, used.reasons):
        reasons = (fresh.firm if reasons == used.firm else fresh.reasons) or reasons
    if used.reasons and overridden[-len(used.reasons) :] == used.reasons:
        overridden = (*overridden[: -len(used.reasons)], *fresh.reasons)
    return replace(holding, reasons=reasons, overridden=overridden)


def _gaps(known: Evidence) -> Judged:
    if not known.gaps:
        return Judged(Gate.GAPS, True, "no open gap")
    return Judged(Gate.GAPS, False, f"{known.gaps} open {'gap' if known.gaps == 1 else 'gaps'}")


def _lag(known: Evidence) -> Judged:
    most = known.gates.max_lag
    lag, proxy = max(
        ((seat.standing.lag, seat.proxy) for seat in known.seats if seat.standing is not None),
        default=(0.0, ""),
    )
    if lag <= most:
        return Judged(Gate.LAG, True, f"mirror lag {_seconds(lag)} <= {format_duration(most)}")
    where = f" (proxy {proxy[:8]})" if len(known.seats) > 1 else ""
    return Judged(Gate.LAG, False, f"mirror lag {_seconds(lag)} > {format_duration(most)}{where}")


def _comparisons(known: Evidence) -> Judged:
    gates, compared = known.gates, known.counts.compared
    window = format_duration(gates.window)
    text = f"{compared} of {gates.min_comparisons} comparisons within {window}"
    return Judged(Gate.COMPARISONS, compared >= gates.min_comparisons, text)


def _mismatches(known: Evidence) -> Judged:
    most, counts = known.gates.max_mismatch_rate, known.counts
    rate = share(counts.mismatched, counts.compared)
    good = rate <= most
    sign = "<=" if good else ">"
    text = f"mismatch rate {shown(rate)} {sign} {shown(most)}"
    return Judged(Gate.MISMATCHES, good, text)


def _fleet(known: Evidence) -> Judged:
    behind = [
        (seat.proxy, "does not mirror it" if seat.phase is None else f"is in {seat.phase}")
        for seat in known.seats
        if not seat.unused and (seat.phase is None or seat.phase < Phase.DARK_READ)
    ]
    if not behind:
        return Judged(Gate.FLEET, True, f"all {len(known.seats)} live proxies are in dark_read, or past it")
    return Judged(Gate.FLEET, False, _named(behind))


def mirroring(known: Evidence) -> Judged:
    """Who does not mirror it writes past the documents."""
    behind = [
        (seat.proxy, "does not mirror it") for seat in known.seats if seat.phase is None and not seat.unused
    ]
    if not behind:
        return Judged(Gate.FLEET, True, "every live proxy mirrors it")
    return Judged(Gate.FLEET, False, _named(behind))


def rollback(known: Evidence) -> Judged:
    why = "" if known.switch is None else known.switch.rolled_back
    return Judged(Gate.ROLLBACK, not why, why or "it was not rolled back")


def _named(behind: Iterable[tuple[str, str]]) -> str:
    found = sorted(behind)
    text = "; ".join(f"proxy {proxy[:8]} {what}" for proxy, what in found[:NAMED])
    more = len(found) - NAMED
    return f"{text}; and {more} more" if more > 0 else text


def past_limits(limits: AutoRollback | None, counts: Counts, lag: float) -> str:
    """Which limit is passed; empty where none is.

    `counts` in the `window` of the limits, and the largest `lag` in seconds, over the whole fleet.
    """
    if limits is None:
        return ""
    if limits.max_mismatch_rate is not None and counts.compared >= limits.min_reads:
        rate = share(counts.mismatched, counts.compared)
        if rate > limits.max_mismatch_rate:
            return f"mismatch rate {shown(rate)} > {shown(limits.max_mismatch_rate)}"
    asked = counts.served + counts.failed
    if limits.max_error_rate is not None and asked >= limits.min_reads:
        rate = share(counts.failed, asked)
        if rate > limits.max_error_rate:
            return f"store errors {shown(rate)} > {shown(limits.max_error_rate)} of the reads"
    if limits.max_lag is not None and lag > limits.max_lag:
        return f"mirror lag {_seconds(lag)} > {format_duration(limits.max_lag)}"
    return ""


def share(part: int, whole: int) -> float:
    """0 of nothing."""
    return part / whole if whole else 0.0


def shown(rate: float) -> str:
    """With as many digits as tell it from its neighbours: `0.4 %`, `0.0123 %`."""
    return f"{float(f'{rate * 100:.3g}'):g} %"


def _seconds(lag: float) -> str:
    return f"{lag:.1f} s" if lag >= 0.1 or lag == 0 else f"{lag:.3f} s"
