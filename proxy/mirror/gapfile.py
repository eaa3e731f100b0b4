"""Gaps on the disk of this proxy until they are in the store's ledger, and what one incarnation leaves to the next.

One SQLite file in WAL mode, beside the spool, of one process. What `put` has returned from survives the end of the
process; with `fsync` also that of the machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from proxy.mirror.effects import Cause, Rows, TableId, Unseen

_SCHEMA = """
CREATE TABLE IF NOT EXISTS gaps (
    id TEXT PRIMARY KEY, database TEXT NOT NULL, table_schema TEXT NOT NULL, table_name TEXT NOT NULL,
    cause TEXT NOT NULL, rows TEXT, detail TEXT NOT NULL, owner TEXT NOT NULL, version INTEGER NOT NULL,
    count INTEGER NOT NULL, first_seen REAL NOT NULL, last_seen REAL NOT NULL, in_ledger INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
GROUP_FILE = "group.id"
_PUT = "INSERT OR REPLACE INTO gaps VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class StoredGap:
    """One gap as the file has it."""

    id: str
    database: str
    unseen: Unseen
    owner: str
    version: int
    count: int
    """Sightings that the ledger has not been told of."""
    first_seen: datetime
    last_seen: datetime
    in_ledger: bool


class GapFile:
    """The file. Methods raise sqlite3.Error for what the disk does; they are quick enough for the event loop."""

    def __init__(self, path: Path, *, fsync: bool = False) -> None:
        self._path = path
        self._connection = sqlite3.connect(path, isolation_level=None)
        try:
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if fsync else 'NORMAL'}")
            self._connection.executescript(_SCHEMA)
        except sqlite3.Error:
            self._connection.close()
            raise

    @property
    def group(self) -> str:
        """The same for all processes with a file in the same directory: one may take over what another has left.

        OSError where the directory cannot be written.
        """
        place = self._path.with_name(GROUP_FILE)
        new = self._path.with_name(f"{GROUP_FILE}.{uuid.uuid4().hex}")
        if not place.exists():
            new.write_text(uuid.uuid4().hex)
            with contextlib.suppress(FileExistsError):
                os.link(new, place)  # whole, or not at all
            new.unlink()
        return place.read_text()

    def put(self, gap: StoredGap) -> None:
        rows = gap.unseen.rows
        self._connection.execute(
            _PUT,
            (
                gap.id,
                gap.database,
                gap.unseen.table.schema,
                gap.unseen.table.name,
                gap.unseen.cause.value,
                None if rows is None else json.dumps([rows.columns, rows.values]),
                gap.unseen.detail,
                gap.owner,
                gap.version,
                gap.count,
                gap.first_seen.timestamp(),
                gap.last_seen.timestamp(),
                gap.in_ledger,
            ),
        )

    def remove(self, gap_id: str) -> None:
        self._connection.execute("DELETE FROM gaps WHERE id = ?", (gap_id,))

    def gaps(self) -> Iterator[StoredGap]:
        for row in self._connection.execute("SELECT * FROM gaps ORDER BY first_seen").fetchall():
            yield _gap(row)

    def note(self, name: str) -> Any:
        """What `set_note` was given, None where nothing was. JSON values."""
        found = self._connection.execute("SELECT value FROM notes WHERE name = ?", (name,)).fetchone()
        return None if found is None else json.loads(found[0])

    def set_note(self, name: str, value: Any) -> None:
        self._connection.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, json.dumps(value)))

    def close(self) -> None:
        self._connection.close()


def _gap(row: tuple[Any, ...]) -> StoredGap:
    gap_id, database, schema, name, cause, rows, detail, owner, version, count, first, last, in_ledger = row
    return StoredGap(
        gap_id,
        database,
        Unseen(
            Cause(cause), TableId(schema, name), None if rows is None else rows_of(json.loads(rows)), detail
        ),
        owner,
        version,
        count,
        datetime.fromtimestamp(first, UTC),
        datetime.fromtimestamp(last, UTC),
        bool(in_ledger),
    )


def rows_of(pair: Any) -> Rows:
    """Of `[columns, values]`."""
    columns, values = pair
    return Rows(tuple(columns), tuple(tuple(value) for value in values))
