"""Waiting until every queue of the fleet has passed a position of the source: for so long, and no longer.

A proxy that lives but cannot write to the store, or one of whose sessions keeps a transaction with writes open, holds
its position for as long as that lasts. Whoever waits for it is told who it is, and gives up in the end. From then on a
wait is short, until one has come to its end: a command that meets a proxy that is stuck meets it in each of its steps.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from proxy.fleet.beats import PROXY, Beat
from proxy.units import format_duration

SHORT_BEATS = 4
"""Heartbeats that a wait takes at most once one has failed; a fleet that is well needs two."""
SAY_AFTER = 3.0
"""Seconds of waiting after which it is said for whom."""


class HeldUp(Exception):
    """Somebody has not passed a position in time; the text says who, and what to look at."""


class Wait(Protocol):
    """`Heartbeat.wait_passed`."""

    async def __call__(self, database: str, version: int, *, late: Callable[[list[Beat]], None]) -> None: ...


class Passing:
    """The waits of one process."""

    def __init__(
        self,
        wait: Wait,
        timeout: float,
        heartbeat_interval: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Times in seconds."""
        self._wait = wait
        self._timeout = timeout
        self._short = min(timeout, SHORT_BEATS * heartbeat_interval)
        self._clock = clock
        self._failed = False
        self._saying: dict[object, str] = {}

    @property
    def waiting(self) -> str:
        """Who is waited for, where that has taken a while; else empty."""
        return next(iter(self._saying.values()), "")

    async def wait(self, database: str, version: int) -> None:
        """Raises HeldUp, and what reading the fleet's state raises."""
        mark = object()
        late = partial(self._late, mark, self._clock(), self._short if self._failed else self._timeout)
        try:
            await self._wait(database, version, late=late)
        finally:
            self._saying.pop(mark, None)
        self._failed = False

    def _late(self, mark: object, began: float, timeout: float, beats: list[Beat]) -> None:
        waited = self._clock() - began
        if waited >= timeout:
            self._failed = True
            raise HeldUp(f"after {format_duration(round(waited, 1))}: {described(beats)}")
        if waited >= SAY_AFTER:
            self._saying[mark] = described(beats)


def described(beats: Sequence[Beat]) -> str:
    """Who has not passed the position, and what may be the matter with them."""
    names = ", ".join(map(_one, beats[:3]))
    more = f" and {len(beats) - 3} more" if len(beats) > 3 else ""
    have = "has" if len(beats) == 1 else "have"
    return (
        f"{names}{more} {have} not yet written what was captured before: the store is slow or out of reach from "
        "there, or a session keeps a transaction with writes open (`causeway status` there says which)"
    )


def _one(beat: Beat) -> str:
    who = "proxy" if beat.role == PROXY else f"a running `{beat.role}`,"
    return (
        f"{who} {beat.proxy[:8]} (version {beat.version}, {beat.queued} images queued, last heard of "
        f"{beat.at:%Y-%m-%d %H:%M:%S}Z)"
    )
