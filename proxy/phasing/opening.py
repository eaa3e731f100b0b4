"""Which gates a table has to pass on the way to a phase, and how they stand now, from what the store knows. Pure."""

from __future__ import annotations

from proxy.admin.history import TableHistory
from proxy.gates import uncopied
from proxy.names import TableName
from proxy.phases import Phase
from proxy.switch_gates import Evidence, Gate, Judged, entering, lasting


def gates_to(
    phase: Phase, name: TableName, history: TableHistory | None, known: Evidence, *, from_: Phase
) -> list[Judged]:
    """Of every phase after `from_`, the one the table is in, up to `phase`. `name` has a database."""
    found: list[Judged] = []
    if phase >= Phase.DARK_READ:
        why = uncopied(name, history)
        found.append(Judged(Gate.HISTORY, not why, why or "its history is in the store"))
    if from_ < Phase.DARK_READ <= phase < Phase.PRIMARY_SWITCH:
        found += [one for one in entering(known) if one.gate is Gate.GAPS]
    if phase >= Phase.PRIMARY_SWITCH:
        inside = known.switch is not None and known.switch.admitted
        found += lasting(known) if inside else [*entering(known), lasting(known)[-1]]
    return found
