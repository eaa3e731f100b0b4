"""What a sampled read comes to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Outcome(Enum):
    MATCH = "match"
    MISMATCH = "mismatch"
    """Differed, and went on differing while neither side changed."""
    IGNORED = "ignored"
    """As `mismatch`, but a rule says that it is accepted."""
    TRANSIENT = "transient"
    """Differed, then agreed once the mirror had passed the read, or changed under every look."""
    NONDETERMINISTIC = "nondeterministic"
    """PostgreSQL's own answer could as well have been another one."""
    UNSUPPORTED = "unsupported"
    """There is no exact rule for something in it."""
    TIMEOUT = "timeout"
    ERROR = "error"
    """The store, or the source when it was asked again, could not answer."""
    SKIPPED = "skipped"
    """Not to be compared: its rows, its transaction, its session."""
    DROPPED = "dropped"
    """There was no room for it."""


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one read."""

    number: int
    """Of the read; 0: it was never handed on."""
    database: str
    tables: tuple[str, ...]
    """`schema.table`, quoted where SQL needs it."""
    outcome: Outcome
    reason: str = ""
    """Why, where there is something to count: short, without any value."""
    fingerprint: str = ""
    """16 hexadecimal digits; empty where it was never made."""
    statement: str = ""
    """Without its constants."""
    source_seconds: float | None = None
    """From the statement on its way to PostgreSQL to its CommandComplete."""
    store_seconds: float | None = None
    accepted: str = ""
    """The ignore rule that has accepted the difference."""
