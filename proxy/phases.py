"""What each phase means for writes and reads, and which phase a table is really in.

Rule files *request* a phase; a table is *held* at the last phase that is built and whose gates are open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import total_ordering
from types import MappingProxyType
from typing import Generic, Literal, TypeVar


@total_ordering
class Phase(Enum):
    """In the order in which a table walks through them."""

    PASSTHROUGH = "passthrough"
    DUAL_WRITE = "dual_write"
    BACKFILL = "backfill"
    DARK_READ = "dark_read"
    PRIMARY_SWITCH = "primary_switch"
    DECOMMISSION = "decommission"

    @property
    def rank(self) -> int:
        """0 for passthrough, rising."""
        return _RANK[self]

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Phase):
            return NotImplemented
        return self.rank < other.rank

    def __str__(self) -> str:
        return self.value


_RANK = {phase: rank for rank, phase in enumerate(Phase)}

LAST_BUILT = Phase.PRIMARY_SWITCH
"""The last phase this build carries out; tables whose rules ask for more are held here."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One row of the decision table."""

    writes_to_postgres: bool
    writes_to_store: bool
    """Mirrored after Postgres where Postgres takes the write too; the only copy otherwise."""
    ack: Literal["none", "async", "sync"]
    """Whether the reply to a write waits for the store, where the rule does not say."""
    reads: Literal["postgres", "store_else_postgres", "store"]
    copies_history: bool
    """The backfill may copy and does so while the table is in this phase."""
    compares: Literal["nothing", "postgres_with_store", "store_with_postgres"]
    """Who answers the client, and with whom a sample of the reads is compared."""


DECISIONS: Mapping[Phase, Decision] = MappingProxyType(
    {
        Phase.PASSTHROUGH: Decision(True, False, "none", "postgres", False, "nothing"),
        Phase.DUAL_WRITE: Decision(True, True, "async", "postgres", False, "nothing"),
        Phase.BACKFILL: Decision(True, True, "async", "postgres", True, "nothing"),
        Phase.DARK_READ: Decision(True, True, "async", "postgres", False, "postgres_with_store"),
        Phase.PRIMARY_SWITCH: Decision(
            True, True, "sync", "store_else_postgres", False, "store_with_postgres"
        ),
        Phase.DECOMMISSION: Decision(False, True, "sync", "store", False, "nothing"),
    }
)


@dataclass(frozen=True, slots=True)
class Holding:
    """The phase a rule asks for, the one the table is in, and why they differ (empty where they do not)."""

    requested: Phase
    effective: Phase
    reasons: tuple[str, ...] = ()
    overridden: tuple[str, ...] = ()
    """Reasons that would have held the table but for `force: true`."""

    @property
    def held(self) -> bool:
        return self.effective is not self.requested

    def __str__(self) -> str:
        if not self.held:
            forced = f" (forced past: {'; '.join(self.overridden)})" if self.overridden else ""
            return f"{self.requested}{forced}"
        return f"requested {self.requested}, effective {self.effective}: {'; '.join(self.reasons)}"


def effective_phase(
    requested: Phase,
    *,
    closed: Mapping[Phase, Sequence[str]] = MappingProxyType({}),
    firm: Mapping[Phase, Sequence[str]] = MappingProxyType({}),
    force: bool = False,
    last_built: Phase = LAST_BUILT,
) -> Holding:
    """Walk up to `requested` until a phase that is not built or whose gate is closed.

    `closed` names, per phase, why it may not be entered now. `force` goes through closed gates, never past what is
    `firm` or `last_built`.
    """
    effective = Phase.PASSTHROUGH
    overridden: list[str] = []
    for phase in Phase:
        if phase is Phase.PASSTHROUGH:
            continue
        if phase > requested:
            break
        if phase > last_built:
            reason = f"{phase} is not built yet; this version stops at {last_built}"
            return Holding(requested, effective, (reason,), tuple(overridden))
        if reasons := tuple(firm.get(phase, ())):
            return Holding(requested, effective, reasons, tuple(overridden))
        if reasons := tuple(closed.get(phase, ())):
            if not force:
                return Holding(requested, effective, reasons)
            overridden += reasons
        effective = phase
    return Holding(requested, effective, (), tuple(overridden))


T = TypeVar("T")


class MixedStores(Exception, Generic[T]):
    """A statement names a decommissioned table and one that is still on Postgres. SQLSTATE 0A000."""

    sqlstate = "0A000"

    def __init__(self, decommissioned: T, on_postgres: T) -> None:
        super().__init__(
            f"the statement uses {decommissioned}, which is decommissioned, "
            f"together with {on_postgres}, which is still on PostgreSQL"
        )
        self.decommissioned = decommissioned
        self.on_postgres = on_postgres


def statement_phase(tables: Iterable[tuple[T, Phase]]) -> Phase:
    """The phase of a statement: the earliest among the tables it touches; passthrough where it touches none.

    A table without a rule is in passthrough. Raises MixedStores where the phase cannot be carried out.
    """
    seen = list(tables)
    if not seen:
        return Phase.PASSTHROUGH
    gone = [name for name, phase in seen if not DECISIONS[phase].writes_to_postgres]
    there = [name for name, phase in seen if DECISIONS[phase].writes_to_postgres]
    if gone and there:
        raise MixedStores(gone[0], there[0])
    return min(phase for _, phase in seen)
