"""The door between sessions and what serves reads from the store. Plain values and protocols.

A session asks `supported` and `open` first, then `serve`; what is declined goes to PostgreSQL as the client sent it.
The session counts every read of a table it might have served, once: `count`. An engine counts none of them itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from proxy.translate.api import SessionSettings


@dataclass(frozen=True, slots=True)
class ServeLimits:
    """What one served read may cost: of a read of several tables the least of their rules."""

    timeout: float
    """Seconds from `serve` on: past them it is declined. Never more than the session's statement_timeout."""
    max_rows: int
    """Documents fetched, and rows of the result."""
    max_bytes: int
    """Bytes of documents fetched, and of the result as it is written."""
    reverse_shadow: float = 0.0
    """Share of the reads that PostgreSQL is asked for, too."""


@dataclass(frozen=True, slots=True)
class Read:
    """One execution of one SELECT, with everything its result depends on beside the data."""

    database: str
    text: str
    parameter_types: tuple[int, ...]
    """As in the Parse message: 0, or none at all, is to be found out."""
    parameters: tuple[bytes | None, ...]
    formats: tuple[int, ...]
    """Of each parameter."""
    result_formats: tuple[int, ...]
    """As in a Bind message: none (all text), one for all, or one each."""
    search_path: tuple[str, ...]
    settings: SessionSettings
    """`now` is None: whatever needs the time is declined."""
    user: str
    tables: tuple[str, ...]
    """`schema.table`, quoted where SQL needs it; sorted."""
    limits: ServeLimits
    rows: int = 0
    """The client takes at most so many (Execute's row limit); 0: all."""


@dataclass(frozen=True, slots=True)
class Served:
    """A result, written as PostgreSQL writes it."""

    description: bytes
    """The whole RowDescription message, with the formats asked for."""
    rows: bytes
    """Every DataRow message."""
    tag: bytes
    """Of the CommandComplete, without its NUL: `SELECT 3`."""
    suspended: bool = False
    """Whether these are as many rows as the client takes: the server would say PortalSuspended, whatever is left."""


@dataclass(frozen=True, slots=True)
class Declined:
    """The read is PostgreSQL's."""

    reason: str
    """Short, stable, countable, without any value."""


class Handle(Protocol):
    """A read under way."""

    def cancel(self) -> None:
        """Nobody waits for it any more: `then` is not called from here on. Harmless when it has been called."""


class ServePort(Protocol):
    """What serves reads, as sessions know it. Belongs to one event loop; every call returns at once, none raises."""

    def supported(
        self, database: str, text: str, parameter_types: tuple[int, ...], search_path: tuple[str, ...]
    ) -> str:
        """Empty if there is a plan whose results can be written, whatever the parameters; else the reason. Remembered:
        asked for every read. One whose result depends on the time has none."""

    def open(self, database: str, tables: Sequence[str]) -> str:
        """Empty if these tables may be read from the store now: breaker, open gaps, lag; else the reason."""

    def serve(self, read: Read, then: Callable[[Served | Declined], None]) -> Handle:
        """Runs it. `then` is called once, in a later turn of the event loop, unless it is cancelled before."""

    def count(self, database: str, tables: Sequence[str], source: str, reason: str) -> None:
        """Of one read, counted for each of its tables: `source` is `store` (reason empty) or `postgres`."""
