"""What was used last, in a mapping that never grows beyond a number of entries and of characters."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

CHARACTERS_PER_ENTRY = 2048
"""n entries may have n times so many characters together."""

_K = TypeVar("_K")
_V = TypeVar("_V")


class Bounded(Generic[_K, _V]):
    """The entries used last, bounded in number and weight (characters)."""

    __slots__ = ("_entries", "_room", "_size")

    def __init__(self, size: int) -> None:
        """`size`: entries kept at most; 0 keeps nothing."""
        self._size = size
        self._room = size * CHARACTERS_PER_ENTRY
        self._entries: OrderedDict[_K, tuple[_V, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: _K) -> _V | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def put(self, key: _K, value: _V, weight: int = 0) -> None:
        """Keep the value in place of what was there, unless it is heavier than all there is room for."""
        known = self._entries.pop(key, None)
        if known is not None:
            self._room += known[1]
        if weight > self._size * CHARACTERS_PER_ENTRY:
            return
        self._entries[key] = value, weight
        self._room -= weight
        while self._entries and (len(self._entries) > self._size or self._room < 0):
            _, (_, freed) = self._entries.popitem(last=False)
            self._room += freed
