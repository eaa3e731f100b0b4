"""The oldest version among many things that come and go, without looking at each of them. Pure."""

from __future__ import annotations

PER_TIDE = 256


class Tide:
    """A run of neighbours: how many of them are still there, and the oldest version any of them had."""

    __slots__ = ("here", "oldest")

    def __init__(self) -> None:
        self.here = 0
        self.oldest = 0


class Tides:
    """What is held of one database. `oldest` may be older than the oldest thing still held, by one run at most: by what
    had come before the question that was asked before this one."""

    __slots__ = ("_came", "_current", "_past")

    def __init__(self) -> None:
        self._current = Tide()
        self._came = 0
        self._past: set[Tide] = set()

    def come(self, version: int) -> Tide:
        tide = self._current
        if self._came >= PER_TIDE or (self._came and not tide.here):
            if tide.here:
                self._past.add(tide)
            tide = self._current = Tide()
            self._came = 0
        if not self._came or version < tide.oldest:
            tide.oldest = version
        self._came += 1
        tide.here += 1
        return tide

    def go(self, tide: Tide) -> None:
        tide.here -= 1
        if not tide.here:
            self._past.discard(tide)

    @property
    def oldest(self) -> int | None:
        """None: nothing is held. What comes after the question is in another run: where something is always held, the
        answer would else stand still until a whole run has come."""
        if self._current.here:
            self._past.add(self._current)
            self._current = Tide()
            self._came = 0
        return min((tide.oldest for tide in self._past), default=None)
