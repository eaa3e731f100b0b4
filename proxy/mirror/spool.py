"""A spool this process owns: its own, or one it has taken over from a process that ended."""

from __future__ import annotations

import asyncio
from collections import deque

from proxy.mirror.effects import Effect
from proxy.mirror.held import Held
from proxy.mirror.journal import Journal, cost
from proxy.mirror.packing import Damaged, unpack
from proxy.mirror.spool_file import Entry, SpoolFailed, SpoolFile, SpoolState
from proxy.mirror.transaction import EFFECT_OVERHEAD

PAGE_BYTES = 512 << 10
PAGE_ENTRIES = 500
"""Bounds of what is read at once."""


class Spool:
    """What is parked in it comes back page by page."""

    def __init__(self, file: SpoolFile, journal: Journal, *, adopted: bool = False) -> None:
        self.file = file
        self.journal = journal
        self.adopted = adopted
        """Of a process that ended: what it holds may have been carried out in part."""
        self.parked = False
        """Whether there may be parked entries."""
        self.parked_since = 0.0
        """Monotonic time of the first of them, while `parked`."""
        self.floors: dict[str, int] = {}
        """Per database a version that nothing parked is older than, while `parked`."""
        self.in_memory = 0
        """Held objects whose entries are here."""
        self._parkings = 0
        self._parts: deque[tuple[Entry, int]] = deque()
        """Parts to be read next, with their entry."""
        self._left: dict[int, int] = {}
        """Of entries with parts: Held objects that are not finished, or not read."""

    def park(self, database: str, version: int, now: float) -> None:
        """An entry of this version is parked from now on."""
        self._parkings += 1
        if not self.parked:
            self.parked = True
            self.parked_since = now
        known = self.floors.get(database)
        if known is None or version < known:
            self.floors[database] = version

    async def page(self, now: float) -> list[tuple[Held, Entry, Damaged | None]]:
        """What was parked longest, at most about PAGE_BYTES; empty once nothing is. Raises SpoolFailed.

        What cannot be read comes with the reason and without effects.
        """
        if self._parts:
            entry, number = self._parts[0]
            data = await asyncio.to_thread(self.file.part, number)
            self._parts.popleft()
            return [self._held(entry, data, number, now)]
        parkings = self._parkings
        await self.journal.flushed()  # until then the file may still call entries of the last page parked
        if self.journal.failure:
            raise SpoolFailed(self.journal.failure)
        rows = await asyncio.to_thread(self.file.parked, max_bytes=PAGE_BYTES, max_entries=PAGE_ENTRIES)
        if not rows:
            if parkings == self._parkings:
                self.parked = False
                self.floors.clear()
            return []
        numbers = {
            entry.id: await asyncio.to_thread(self.file.parts, entry.id) for entry, _ in rows if entry.parts
        }
        page = []
        for entry, data in rows:
            self.journal.mark(entry.id, SpoolState.COMMITTED)
            if entry.id in numbers:
                self._left[entry.id] = len(numbers[entry.id]) + 1
                self._parts.extend((entry, number) for number in numbers[entry.id])
            page.append(self._held(entry, data, 0, now))
        return page

    def finished(self, held: Held) -> None:
        """The store has everything of it."""
        self.in_memory -= 1
        left = self._left.get(held.entry)
        if left is None:
            self.journal.done(held.entry, held.disk)
            return
        if held.part:
            self.journal.part_done(held.part, held.disk)
        if left > 1:
            self._left[held.entry] = left - 1
            if not held.part:
                self.journal.bytes -= held.disk  # the entry itself leaves with its last part
            return
        del self._left[held.entry]
        self.journal.done(held.entry, 0 if held.part else held.disk, parts=True)

    @property
    def empty(self) -> bool:
        return not self.journal.entries

    def _held(self, entry: Entry, data: bytes, part: int, now: float) -> tuple[Held, Entry, Damaged | None]:
        effects: list[Effect] = []
        damage: Damaged | None = None
        try:
            effects = unpack(data)
        except Damaged as error:
            damage = error
        held = Held(
            entry.database,
            effects,
            len(data) + EFFECT_OVERHEAD * len(effects),
            entry.version,
            min(now, self.parked_since or now),
            replay=self.adopted,
        )
        held.spool = self
        held.entry = entry.id
        held.part = part
        held.disk = cost(data)
        held.marked = True
        self.in_memory += 1
        return held, entry, damage
