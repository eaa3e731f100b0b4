"""What the unclean end of one incarnation of a proxy may have lost; judged by the next one, from what it left behind.

An incarnation notes on its own disk which tables it mirrors, before it captures any write to them, and at its end
that it held nothing any more. Where the second note is missing:

* a table with `durability: fast` had images in memory only: a gap;
* a table with `durability: strict` had them in the spool, which outlives the process. It outlives the machine only
  with `spool_fsync`; whether the machine was started again is seen by the kernel's boot id.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from proxy.fleet.beats import TableFact
from proxy.logs import EventLogger, get_logger
from proxy.mirror.effects import Cause, TableId, Unseen
from proxy.mirror.gapfile import GapFile
from proxy.mirror.gaps import GapKeeper

log = get_logger(__name__)

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
MAX_LINEAGE = 100
"""Incarnations before this one that are remembered."""


@dataclass(frozen=True, slots=True)
class Incarnation:
    """One run of a proxy process, as it stands on its disk."""

    id: str
    boot_id: str
    """Empty where the system has none."""
    fsync: bool
    tables: Mapping[tuple[str, TableId], str]
    """(database, table) -> durability, of every table mirrored at any time; `fast` if it ever was."""
    lineage: tuple[str, ...]
    """This and earlier incarnations, newest first, since the last that may have lost something of the spool."""
    clean: bool = False

    def note(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "id": self.id,
            "boot_id": self.boot_id,
            "fsync": self.fsync,
            "tables": [
                [database, table.schema, table.name, durability]
                for (database, table), durability in self.tables.items()
            ],
            "lineage": list(self.lineage),
            "clean": self.clean,
        }


def parse_note(note: Mapping[str, Any]) -> Incarnation:
    return Incarnation(
        note["id"],
        note["boot_id"],
        note["fsync"],
        {(database, TableId(schema, name)): kept for database, schema, name, kept in note["tables"]},
        tuple(note["lineage"]),
        note["clean"],
    )


def spool_survived(previous: Incarnation, boot_id: str) -> bool:
    """Whether all that `previous` had in its spool is still there."""
    return previous.clean or previous.fsync or (boot_id != "" and previous.boot_id == boot_id)


def losses(previous: Incarnation, boot_id: str) -> list[tuple[str, TableId, str]]:
    """(database, table, why) of what `previous` may have lost."""
    if previous.clean:
        return []
    found = []
    survived = spool_survived(previous, boot_id)
    for (database, table), durability in previous.tables.items():
        if durability == "fast":
            found.append((database, table, "this proxy ended without writing what it held in memory"))
        elif not survived:
            found.append(
                (database, table, "the machine went down, and the spool was not flushed to its disk")
            )
    return found


def successor(previous: Incarnation | None, boot_id: str, *, fsync: bool) -> Incarnation:
    """The incarnation that begins now."""
    new = uuid.uuid4().hex
    earlier = () if previous is None or not spool_survived(previous, boot_id) else previous.lineage
    return Incarnation(new, boot_id, fsync, {}, (new, *earlier)[:MAX_LINEAGE])


def read_boot_id(path: Path = BOOT_ID) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


class Lifetime:
    """Keeps the notes of this incarnation. Without a file it is remembered by the other proxies alone."""

    def __init__(self, file: GapFile | None, *, fsync: bool, boot_id: str, log: EventLogger = log) -> None:
        """Reads what the previous incarnation has left. sqlite3.Error or OSError if that cannot be done."""
        self._file = file
        self._log = log
        proxy = file.note("proxy") if file is not None else None
        self.proxy: str = proxy or uuid.uuid4().hex
        """The id of this proxy."""
        self.group: str = self.proxy if file is None else file.group
        """Of all processes that share its spool directory."""
        left = file.note("incarnation") if file is not None else None
        self.previous = None if left is None else parse_note(left)
        self._boot_id = boot_id
        self._mirrored: frozenset[tuple[str, TableId]] = frozenset()
        self.current = successor(self.previous, boot_id, fsync=fsync)

    def begin(self, keeper: GapKeeper) -> None:
        """Records what the previous incarnation may have lost, then takes its place. sqlite3.Error as above."""
        if self.previous is not None:
            found = losses(self.previous, self._boot_id)
            for database, table, why in found:
                keeper.record(database, Unseen(Cause.UNCLEAN_END, table, None, why), 0, owner=self.proxy)
            if not self.previous.clean:
                self._log.warning("unclean_end_found", tables=len(found), previous=self.previous.id)
        if self._file is not None:
            self._file.set_note("proxy", self.proxy)
            self._file.set_note("incarnation", self.current.note())

    def mirrors(self, facts: Iterable[TableFact]) -> list[tuple[str, TableId]]:
        """Notes the tables mirrored from now on; to be called before anything of them is captured.

        Returns those that are not mirrored any more: what is written to them from now on, nobody sees.
        """
        tables = dict(self.current.tables)
        before, now = self._mirrored, set()
        for fact in facts:
            place = (fact.database, fact.table)
            now.add(place)
            if tables.get(place) != "fast":
                tables[place] = fact.durability
        if tables != self.current.tables:
            self._note(replace(self.current, tables=tables))
        self._mirrored = frozenset(now)
        return [place for place in self.current.tables if place in before and place not in now]

    def end(self) -> None:
        """Notes that nothing is held any more; the process ends."""
        self._note(replace(self.current, clean=True))

    def _note(self, incarnation: Incarnation) -> None:
        self.current = incarnation
        if self._file is None:
            return
        try:
            self._file.set_note("incarnation", incarnation.note())
        except sqlite3.Error as error:
            self._log.error("incarnation_note_failed", reason=str(error))
