"""What the server still owes: one entry for each message that was sent to it and is answered, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proxy.mirror.effects import TableId
    from proxy.session.plan import Step
    from proxy.session.prepared import Prepared
    from proxy.shadow.tap import Tap


class Owed(IntEnum):
    """What kind of answer an entry stands for."""

    PARSE = 1
    BIND = 2
    CLOSE = 3
    DESCRIBE_STATEMENT = 4
    DESCRIBE_PORTAL = 5
    EXECUTE = 6
    SYNC = 7
    QUERY = 8
    FUNCTION_CALL = 9
    COPY_END = 10
    """The end of copy data that was sent ahead of the server's CopyInResponse; nothing answers it."""


READY = frozenset({Owed.SYNC, Owed.QUERY, Owed.FUNCTION_CALL})
"""Answered by one ReadyForQuery each."""


class Expected:
    """One answer the server owes."""

    __slots__ = (
        "closes",
        "hidden",
        "index",
        "made",
        "makes_twin",
        "offset",
        "owed",
        "previous",
        "ready",
        "rows",
        "shifts",
        "simple",
        "statement",
        "step",
        "steps",
        "tap",
        "truncates",
    )

    def __init__(
        self,
        owed: Owed,
        *,
        hidden: bool = False,
        simple: bool = False,
        steps: tuple[Step, ...] = (),
        statement: bytes | None = None,
        previous: Prepared | None = None,
        truncates: tuple[TableId, ...] = (),
        offset: int = 0,
        shifts: tuple[tuple[int, int], ...] = (),
        tap: Tap | None = None,
        made: Prepared | None = None,
    ) -> None:
        self.owed = owed
        self.ready = owed in READY
        """Whether a ReadyForQuery is its answer, or the end of it."""
        self.hidden = hidden
        """Whether the client did not ask for it, so that nothing of the answer may reach it."""
        self.simple = simple
        """Whether the client sent a simple query, so that it must not see NoData, and that an error here leaves an
        unnamed statement of ours."""
        self.steps = steps
        """The statements that run: several in a Query, one in an Execute, none where they do not matter."""
        self.index = 0
        """Of a Query: which of them is running."""
        self.step = steps[0] if steps else None
        """The statement whose results come next."""
        self.rows = hidden or (bool(steps) and steps[0].captured)
        """Whether the rows that come next must be looked at."""
        self.statement = statement
        """Of a Parse or Close: the name whose meaning it changes."""
        self.previous = previous
        """Of a Parse or Close: what the name meant before, should it fail; of a hidden one, whose twin it makes."""
        self.makes_twin = hidden and previous is not None
        """Whether it makes another copy of a prepared statement."""
        self.closes = statement is not None and not hidden and made is None
        """Whether nothing is known of what the name means after it: it is closed, or prepared unseen."""
        self.truncates = truncates
        """The tables of the TRUNCATE whose WAL position is being asked."""
        self.offset = offset
        """Characters by which positions in errors lie further on in what the client sent."""
        self.shifts = shifts
        """See `Plan.shifts`."""
        self.tap = tap
        """Where the rows are kept, of a read that was sampled."""
        self.made = made
        """Of a Parse: what the name means once it has succeeded."""

    def advance(self) -> None:
        """A statement of a Query is complete."""
        self.index += 1
        self.step = self.steps[self.index] if self.index < len(self.steps) else None
        self.rows = self.hidden or (self.step is not None and self.step.captured)


PLAIN_PARSE = Expected(Owed.PARSE)
PLAIN_BIND = Expected(Owed.BIND)
PLAIN_CLOSE = Expected(Owed.CLOSE)
PLAIN_DESCRIBE_STATEMENT = Expected(Owed.DESCRIBE_STATEMENT)
PLAIN_DESCRIBE_PORTAL = Expected(Owed.DESCRIBE_PORTAL)
PLAIN_EXECUTE = Expected(Owed.EXECUTE)
PLAIN_SYNC = Expected(Owed.SYNC)
PLAIN_QUERY = Expected(Owed.QUERY)
PLAIN_FUNCTION_CALL = Expected(Owed.FUNCTION_CALL)
COPY_END = Expected(Owed.COPY_END)
"""Entries that hold nothing of their own are shared; their `index` is never moved."""

HIDDEN_PARSE = Expected(Owed.PARSE, hidden=True)
HIDDEN_BIND = Expected(Owed.BIND, hidden=True)
HIDDEN_CLOSE = Expected(Owed.CLOSE, hidden=True)


class Queue:
    """Everything the server owes, the oldest first. What is asked of it for every message takes the same time whatever
    its length: a pipeline may be thousands of messages long."""

    __slots__ = ("_closes", "_entries", "_twins", "batch", "head", "readies")

    def __init__(self) -> None:
        self._entries: deque[Expected] = deque()
        self.head: Expected | None = None
        """What the server answers next; None: it owes nothing."""
        self.readies = 0
        """ReadyForQuery messages it owes."""
        self.batch = 0
        """Another number behind each message that ends a batch: if one of a batch fails, the rest of it is skipped."""
        self._twins = 0
        """Entries that make a twin."""
        self._closes = 0
        """Entries with `closes`."""

    def __iter__(self) -> Iterator[Expected]:
        return iter(self._entries)

    def append(self, entry: Expected) -> None:
        self._entries.append(entry)
        if self.head is None:
            self.head = entry
        if entry.ready:
            self.readies += 1
            self.batch += 1
        elif entry.makes_twin:
            self._twins += 1
        elif entry.closes:
            self._closes += 1

    def extend(self, entries: Iterable[Expected]) -> None:
        for entry in entries:
            self.append(entry)

    def popleft(self) -> Expected:
        entries = self._entries
        entry = entries.popleft()
        self.head = entries[0] if entries else None
        if entry.ready:
            self.readies -= 1
        elif entry.makes_twin:
            self._twins -= 1
        elif entry.closes:
            self._closes -= 1
        return entry

    def makes_twin_of(self, prepared: Prepared) -> bool:
        """Whether another copy of a prepared statement is still to be made."""
        return self._twins > 0 and any(
            entry.makes_twin and entry.previous is prepared for entry in self._entries
        )

    def closes(self, name: bytes) -> bool:
        """Whether what a prepared statement's name means is still to go; see `Expected.closes`."""
        return self._closes > 0 and any(entry.closes and entry.statement == name for entry in self._entries)

    def copy_begins(self) -> bool:
        """The server reads the head's copy data: Syncs sent before its end are not answered.

        Returns whether that end was sent already.
        """
        entries = list(self._entries)
        first = 1 if entries else 0
        end = next((i for i in range(first, len(entries)) if entries[i].owed is Owed.COPY_END), len(entries))
        kept = [entry for entry in entries[first:end] if entry.owed is not Owed.SYNC]
        self._refill([*entries[:first], *kept, *entries[end + 1 :]])
        return end < len(entries)

    def _refill(self, entries: list[Expected]) -> None:
        self._entries.clear()
        self.head = None
        self.readies = self._twins = self._closes = 0
        self.extend(entries)
