"""What a gap is: its name, its bounds, and how it looks in the ledger."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from proxy.mirror.effects import Rows, TableId, Unseen
from proxy.mirror.gapfile import StoredGap
from proxy.names import TableName, parse_table_name
from proxy.stores.protocol import GapEntry

MAX_ROWS_BYTES = 1 << 20
"""Text of the values of one gap; what is larger holds for the whole table."""

MAX_ALL_ROWS_BYTES = 64 << 20
"""The same of all gaps with rows in one process together."""

CLOSED_BY_OTHERS = datetime.fromtimestamp(0, UTC)
"""Stands for the last sighting of a gap that is not in the ledger any more."""

GapCounts = dict[tuple[str, str, str], int]
"""(database, table as in GapEntry, cause) -> open gaps."""


@dataclass(frozen=True, slots=True)
class GapLimits:
    """Bounds of one process. Times in seconds."""

    max_reread_rows: int = 10_000
    """Rows of one gap that are read again; a gap with more holds for the whole table."""
    max_reread_gaps: int = 1_000
    """Gaps with rows kept in memory; where there are more, those of a table are put together, and what is more
    than can be put together holds for the whole table."""
    reread_linger: float = 0.1
    """How long gaps with rows may gather before the rows are read again."""
    ledger_after: float = 5.0
    """A gap that closes by itself goes to the ledger if it is older than this."""
    retry_backoff_max: float = 30.0
    """Between two attempts."""
    adopt_after: float = 120.0
    """A gap with rows that is in the ledger and was not seen for so long is read again by any proxy."""
    ledger_poll: float = 30.0
    """Between two looks at the ledger."""


def gap_id(database: str, unseen: Unseen, owner: str = "") -> str:
    """The same for the same database, table, cause and scope. `owner`: a proxy, where the gap is about it alone."""
    rows = None if unseen.rows is None else [unseen.rows.columns, unseen.rows.values]
    parts = [database, unseen.table.schema, unseen.table.name, unseen.cause.value, rows, owner]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]


class Gap:
    """One open gap this process has to do with."""

    __slots__ = ("attempts", "due", "sightings", "since", "state", "told")

    def __init__(self, state: StoredGap, now: float) -> None:
        self.state = state
        self.sightings = 1
        """Grows with every sighting."""
        self.told = 0
        """How many of them the ledger has been told of."""
        self.since = now
        self.due = now
        """When its rows are to be read (again); monotonic."""
        self.attempts = 0

    @property
    def untold(self) -> bool:
        return self.told < self.sightings


def entry_of(state: StoredGap, proxy: str) -> GapEntry:
    """As the ledger has it."""
    rows = state.unseen.rows
    return GapEntry(
        id=state.id,
        database=state.database,
        table=table_name(state.unseen.table),
        cause=state.unseen.cause.value,
        scope="table" if rows is None else "rows",
        rows=None
        if rows is None
        else {"columns": list(rows.columns), "values": [list(value) for value in rows.values]},
        detail=state.unseen.detail,
        proxy=proxy,
        version=state.version,
        count=state.count,
        first_seen=state.first_seen,
        last_seen=state.last_seen,
    )


def size_of(rows: Rows) -> int:
    """Characters of all values."""
    return sum(len(text or "") for value in rows.values for text in value)


def foldable(states: Iterable[StoredGap]) -> list[list[StoredGap]]:
    """Those with rows that differ in their values alone, oldest first."""
    groups: dict[tuple[object, ...], list[StoredGap]] = {}
    for state in states:
        unseen = state.unseen
        if unseen.rows is not None:
            same = (state.database, unseen.table, unseen.cause, unseen.rows.columns, state.owner)
            groups.setdefault(same, []).append(state)
    return [group for group in groups.values() if len(group) > 1]


def folded(states: Iterable[StoredGap], max_rows: int) -> list[list[StoredGap]]:
    """In parts that are not too large for one gap each."""
    parts: list[list[StoredGap]] = []
    room: list[tuple[int, int]] = []
    """Of each part: values and characters."""
    for state in states:
        assert state.unseen.rows is not None
        values, size = len(state.unseen.rows.values), size_of(state.unseen.rows)
        for place, (free_values, free_size) in enumerate(room):
            if values <= free_values and size <= free_size:
                parts[place].append(state)
                room[place] = free_values - values, free_size - size
                break
        else:
            parts.append([state])
            room.append((max_rows - values, MAX_ROWS_BYTES - size))
    return parts


def merged(states: Sequence[StoredGap]) -> StoredGap:
    """One gap for all of them."""
    values: dict[tuple[str | None, ...], None] = {}
    for state in states:
        assert state.unseen.rows is not None
        values.update(dict.fromkeys(state.unseen.rows.values))
    first = states[0]
    assert first.unseen.rows is not None
    unseen = replace(first.unseen, rows=Rows(first.unseen.rows.columns, tuple(values)))
    return replace(
        first,
        id=gap_id(first.database, unseen, first.owner),
        unseen=unseen,
        version=max(state.version for state in states),
        count=sum(state.count for state in states),
        first_seen=min(state.first_seen for state in states),
        last_seen=max(state.last_seen for state in states),
        in_ledger=False,
    )


def backoff(attempts: int, most: float) -> float:
    """Seconds to wait after so many attempts: doubling from 0.1 up to `most`, a quarter of it at random."""
    wait = min(0.1 * 2.0 ** min(attempts - 1, 30), most)
    return wait * random.uniform(0.75, 1.0)


def parse_table(name: str) -> TableId:
    """The way back from `GapEntry.table`."""
    parsed = parse_table_name(name)
    return TableId(parsed.schema, parsed.name)


def table_name(table: TableId) -> str:
    return str(TableName(table.schema, table.name))
