"""`max_connections` over the processes of one proxy."""

from __future__ import annotations

import mmap
import os
import tempfile
from typing import Protocol

_SLOT = 8


class ConnectionLimit(Protocol):
    """Who may still have a server connection."""

    @property
    def limit(self) -> int:
        """`max_connections`."""

    def take(self) -> bool:
        """One more connection, if there is room."""

    def give_back(self) -> None:
        """A connection that was taken has ended."""


class LocalLimit:
    """The limit of a proxy that is one process."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0

    def take(self) -> bool:
        if self.held >= self.limit:
            return False
        self.held += 1
        return True

    def give_back(self) -> None:
        self.held -= 1


class SharedLimit:
    """One limit over several processes, without a lock: each counts in a slot of its own and reads the others'.

    A process counts first and looks then, and takes it back when the sum is too high: two that reach for the last
    place at once may both be refused, but never both be let in.
    """

    def __init__(self, limit: int, slots: int, slot: int, fd: int) -> None:
        """`fd` is a file of `SharedLimit.create`; the slot is reset, as its former owner is gone."""
        self.limit = limit
        self._map = mmap.mmap(fd, slots * _SLOT)
        self._held = memoryview(self._map).cast("q")
        self._slot = slot
        self._held[slot] = 0

    @staticmethod
    def create(slots: int) -> int:
        """A new shared area; the descriptor is handed to the processes."""
        with tempfile.TemporaryFile() as file:
            file.truncate(slots * _SLOT)
            return os.dup(file.fileno())

    def take(self) -> bool:
        held, slot = self._held, self._slot
        held[slot] += 1
        if sum(held) > self.limit:
            held[slot] -= 1
            return False
        return True

    def give_back(self) -> None:
        self._held[self._slot] -= 1
