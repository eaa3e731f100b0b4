"""One spool file: an SQLite database of transactions whose effects the store does not have yet.

One process owns a file and is its only writer. WAL mode: what `write` has committed survives a kill of the process
at any instant; with `fsync` also a loss of power. Checkpoints are `checkpoint`'s business, never a commit's.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from proxy.mirror.packing import FORMAT

PART_BYTES = 1 << 20
"""Of one part of a transaction that outgrew memory, about."""

LOG_KEPT = 4 << 20
"""Bytes to which a write-ahead log that has grown larger is cut once it is empty."""

ENTRY_OVERHEAD = 100
"""Bytes on disk counted for an entry or a part beside its data."""

_SCHEMA = """
CREATE TABLE entries (
    id INTEGER PRIMARY KEY,
    state INTEGER NOT NULL,
    xid INTEGER,
    version INTEGER NOT NULL,
    parts INTEGER NOT NULL,
    database TEXT NOT NULL,
    gid TEXT,
    data BLOB NOT NULL
);
CREATE INDEX parked ON entries (id) WHERE state = 5;
CREATE TABLE parts (
    id INTEGER PRIMARY KEY,
    entry INTEGER NOT NULL,
    start INTEGER NOT NULL,
    data BLOB NOT NULL
);
CREATE INDEX parts_of ON parts (entry, start);
"""


class SpoolState(IntEnum):
    """What is known of an entry's transaction. All take one byte, so that a change of state rewrites no data."""

    OPEN = 2
    """Still running; only parts of it are here."""
    PENDING = 3
    """Its effects are complete; its COMMIT may have been sent."""
    COMMITTED = 4
    """And in the memory of the process that owns the file."""
    PARKED = 5
    """Committed, and only here."""
    PREPARED = 6
    """By PREPARE TRANSACTION, under `gid`."""


class SpoolFailed(Exception):
    """The disk or the file does not do what it should: full, read-only, damaged."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A transaction without its data."""

    id: int
    state: SpoolState
    xid: int | None
    version: int
    parts: int
    database: str
    gid: str | None
    size: int
    """Bytes of its own data."""


@dataclass(slots=True)
class SpoolBatch:
    """What one `write` carries out, in this order."""

    cuts: list[tuple[int, int]] = field(default_factory=list)
    """(entry, start): parts from that effect on go."""
    entries: list[tuple[int, int, int | None, int, int, str, str | None, bytes]] = field(default_factory=list)
    """Columns as the table has them; an entry that is there already is replaced."""
    parts: list[tuple[int, int, bytes]] = field(default_factory=list)
    """(entry, start, data)."""
    states: list[tuple[int, int]] = field(default_factory=list)
    """(state, entry)."""
    prepared: list[tuple[str, int]] = field(default_factory=list)
    """(gid, entry)."""
    done: list[int] = field(default_factory=list)
    """Entries without parts that are not needed any more."""
    done_with_parts: list[int] = field(default_factory=list)
    parts_done: list[int] = field(default_factory=list)
    """Numbers of single parts."""

    def __bool__(self) -> bool:
        return bool(
            self.entries
            or self.done
            or self.states
            or self.parts
            or self.cuts
            or self.prepared
            or self.done_with_parts
            or self.parts_done
        )


class SpoolFile:
    """Reads have a connection of their own, so that they may run in a thread beside `write`."""

    def __init__(self, path: Path, *, fsync: bool = False) -> None:
        """Opens or creates the file. Raises SpoolFailed."""
        self.path = path
        with _failing(path):
            self._writer = _connect(path)
            self._writer.execute(f"PRAGMA synchronous={'FULL' if fsync else 'NORMAL'}")
            self._create()
            self._reader = _connect(path)
            self._cleaner = _connect(path)

    def _create(self) -> None:
        (version,) = self._writer.execute("PRAGMA user_version").fetchone()
        if version == 0:
            self._writer.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version={FORMAT}; COMMIT")
        elif version != FORMAT:
            raise SpoolFailed(f"{self.path} has format {version}; this version of causeway reads {FORMAT}")

    def write(self, batch: SpoolBatch) -> None:
        """All of it or nothing. Raises SpoolFailed."""
        run = self._writer.executemany
        with _failing(self.path):
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                if batch.cuts:
                    run("DELETE FROM parts WHERE entry = ? AND start >= ?", batch.cuts)
                if batch.entries:
                    run("INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)", batch.entries)
                if batch.parts:
                    run("INSERT INTO parts (entry, start, data) VALUES (?, ?, ?)", batch.parts)
                if batch.prepared:
                    run(
                        f"UPDATE entries SET state = {SpoolState.PREPARED:d}, gid = ? WHERE id = ?",
                        batch.prepared,
                    )
                if batch.states:
                    run("UPDATE entries SET state = ? WHERE id = ?", batch.states)
                if batch.done:
                    run("DELETE FROM entries WHERE id BETWEEN ? AND ?", _runs(batch.done))
                if batch.parts_done:
                    run("DELETE FROM parts WHERE id BETWEEN ? AND ?", _runs(batch.parts_done))
                if batch.done_with_parts:
                    run("DELETE FROM parts WHERE entry BETWEEN ? AND ?", _runs(batch.done_with_parts))
                    run("DELETE FROM entries WHERE id BETWEEN ? AND ?", _runs(batch.done_with_parts))
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    def parked(self, *, max_bytes: int, max_entries: int) -> list[tuple[Entry, bytes]]:
        """The oldest parked entries: at least one if there is one, about `max_bytes` of data at most."""
        page: list[tuple[Entry, bytes]] = []
        size = 0
        with _failing(self.path):
            rows = self._reader.execute(
                f"SELECT id, state, xid, version, parts, database, gid, length(data), data FROM entries"
                f" INDEXED BY parked WHERE state = {SpoolState.PARKED:d} ORDER BY id LIMIT ?",
                (max_entries,),
            )
            for row in rows:
                page.append((_entry(row), row[8]))
                size += len(row[8])
                if size >= max_bytes:
                    break
            rows.close()
        return page

    def parts(self, entry: int) -> list[int]:
        """Numbers of an entry's parts, in order."""
        with _failing(self.path):
            return [
                number
                for (number,) in self._reader.execute(
                    "SELECT id FROM parts WHERE entry = ? ORDER BY start", (entry,)
                )
            ]

    def part(self, number: int) -> bytes:
        with _failing(self.path):
            row = self._reader.execute("SELECT data FROM parts WHERE id = ?", (number,)).fetchone()
        return b"" if row is None else bytes(row[0])

    def data(self, entry: int) -> bytes:
        """The data of the entry itself, without its parts."""
        with _failing(self.path):
            row = self._reader.execute("SELECT data FROM entries WHERE id = ?", (entry,)).fetchone()
        return b"" if row is None else bytes(row[0])

    def recover(self) -> list[Entry]:
        """After the process that owned the file has ended: park what it had in memory; what is not decided yet."""
        with _failing(self.path):
            self._writer.execute(
                "UPDATE entries SET state = ? WHERE state = ?", (SpoolState.PARKED, SpoolState.COMMITTED)
            )
            rows = self._writer.execute(
                "SELECT id, state, xid, version, parts, database, gid, length(data) FROM entries"
                " WHERE state IN (?, ?, ?)",
                (SpoolState.OPEN, SpoolState.PENDING, SpoolState.PREPARED),
            )
            return [_entry(row) for row in rows]

    def content(self) -> tuple[int, int, int]:
        """Number of entries, bytes of their data as the size cap counts them, and the largest number given."""
        with _failing(self.path):
            count, size, last = self._reader.execute(
                f"SELECT count(*), coalesce(sum(length(data) + {ENTRY_OVERHEAD}), 0), coalesce(max(id), 0)"
                " FROM entries"
            ).fetchone()
            (parts,) = self._reader.execute(
                f"SELECT coalesce(sum(length(data) + {ENTRY_OVERHEAD}), 0) FROM parts"
            ).fetchone()
        return int(count), int(size) + int(parts), int(last)

    def oldest(self) -> dict[str, int]:
        """Per database the oldest version of any entry."""
        with _failing(self.path):
            return dict(self._reader.execute("SELECT database, min(version) FROM entries GROUP BY database"))

    def parked_left(self) -> bool:
        with _failing(self.path):
            row = self._reader.execute(
                f"SELECT 1 FROM entries INDEXED BY parked WHERE state = {SpoolState.PARKED:d} LIMIT 1"
            ).fetchone()
        return row is not None

    def checkpoint(self) -> None:
        """Move what is in the write-ahead log into the file. Blocks for the disk; may run in a thread beside
        everything else. If nothing is written meanwhile, the next write begins the log anew."""
        with _failing(self.path):
            self._cleaner.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def wal_size(self) -> int:
        try:
            return self.path.with_name(self.path.name + "-wal").stat().st_size
        except OSError:
            return 0

    def close(self) -> None:
        for connection in (self._cleaner, self._reader, self._writer):
            connection.close()


def _runs(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """First and last of each run of neighbours: what the store took at once was mostly written at once."""
    numbers.sort()
    first = last = numbers[0]
    for number in numbers:
        if number > last + 1:
            yield first, last
            first = number
        last = number
    yield first, last


def _entry(row: Sequence[object]) -> Entry:
    return Entry(row[0], SpoolState(row[1]), *row[2:8])  # type: ignore[arg-type]


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.execute(f"PRAGMA journal_size_limit={LOG_KEPT}")
    return connection


@contextmanager
def _failing(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise SpoolFailed(f"the spool file {path}: {error}") from error
