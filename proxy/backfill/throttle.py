"""What makes a backfill wait: the source's replicas, its sessions, a query of the user's, and the store's latency."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from proxy.backfill.run import Tuning
from proxy.units import format_duration, format_size

PROBE_TIMEOUT = 10.0
"""Seconds for one probe."""
MAX_PAUSE = 10.0
"""Seconds of rest after one slow write to the store, at most."""

SEES_ALL = "SELECT pg_catalog.pg_has_role(CURRENT_USER, 'pg_read_all_stats', 'USAGE')"
LAG = """
SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), '0/0')::int8 AS current,
       pg_catalog.pg_wal_lsn_diff(replay_lsn, '0/0')::int8 AS replayed,
       extract(epoch FROM replay_lag)::float8 AS seconds
  FROM pg_catalog.pg_stat_replication
 WHERE replay_lsn IS NOT NULL
"""
MAX_MOMENTS = 1000
"""Positions of the source that are remembered with their time."""
SESSIONS = """
SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity
 WHERE state = 'active' AND backend_type = 'client backend' AND application_name <> 'causeway'
"""


class ThrottleError(Exception):
    """A throttle cannot be looked at; the text says why and what to do."""


class Asked(Protocol):
    """The part of `SourceDatabase` that is needed."""

    async def fetch(self, query: str, *arguments: Any, timeout: float | None = None) -> Sequence[Any]: ...


class Replicas:
    """How far the source's replicas are behind, from one look to the next.

    PostgreSQL's own `replay_lag` is measured when a replica replays something. Of one that had caught up and then
    stands still it says nothing, so the time is also told from when the source was first seen to be further on.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._moments: deque[tuple[float, int]] = deque()
        """(when, the source's position then), oldest first; those that all replicas have replayed are left out."""

    def look(self, rows: Sequence[tuple[int, int, float | None]]) -> tuple[int, float]:
        """(bytes, seconds) of the slowest. `rows`: the source's position, the replica's, and its `replay_lag`."""
        if not rows:
            self._moments.clear()
            return 0, 0.0
        now = self._clock()
        replayed = min(row[1] for row in rows)
        while self._moments and self._moments[0][1] <= replayed:
            self._moments.popleft()
        if len(self._moments) < MAX_MOMENTS:
            self._moments.append((now, rows[0][0]))
        behind = rows[0][0] - replayed
        stands = now - self._moments[0][0] if behind > 0 else 0.0
        return behind, max(stands, *(row[2] or 0.0 for row in rows))


async def probe(source: Asked, tuning: Tuning, replicas: Replicas) -> str:
    """What of the source says to wait; empty where nothing does. Raises ThrottleError and SourceError."""
    if tuning.max_lag_bytes or tuning.max_lag_seconds or tuning.max_sessions:
        [[allowed]] = [tuple(row) for row in await source.fetch(SEES_ALL, timeout=PROBE_TIMEOUT)]
        if not allowed:
            raise ThrottleError(
                "the role of `control_dsn` may not see the sessions of others; GRANT pg_read_all_stats TO it, "
                "or leave out the limits on lag and sessions"
            )
    return (
        await _lag(source, tuning.max_lag_bytes, tuning.max_lag_seconds, replicas)
        or await _sessions(source, tuning.max_sessions)
        or await _query(source, tuning.query, tuning.query_limit)
    )


async def _lag(source: Asked, most_bytes: int, most_seconds: float, replicas: Replicas) -> str:
    if not most_bytes and not most_seconds:
        return ""
    rows = await source.fetch(LAG, timeout=PROBE_TIMEOUT)
    size, seconds = replicas.look([(row[0], row[1], row[2]) for row in rows])
    if most_bytes and size > most_bytes:
        return f"replication lag of {_size(size)} > {format_size(most_bytes)}"
    if most_seconds and seconds > most_seconds:
        return f"replication lag of {round(seconds, 1)}s > {format_duration(most_seconds)}"
    return ""


async def _sessions(source: Asked, most: int) -> str:
    if not most:
        return ""
    [[count]] = [tuple(row) for row in await source.fetch(SESSIONS, timeout=PROBE_TIMEOUT)]
    return f"{count} active sessions > {most}" if count > most else ""


async def _query(source: Asked, query: str, most: float) -> str:
    if not query:
        return ""
    rows = [tuple(row) for row in await source.fetch(query, timeout=PROBE_TIMEOUT)]
    try:
        [[value]] = rows
        number = float(value)
    except (ValueError, TypeError):
        raise ThrottleError("the throttle's query must give one row of one number") from None
    if math.isnan(number):
        raise ThrottleError("the throttle's query gave no number")
    return f"the throttle's query gave {number:g} > {most:g}" if number > most else ""


def rest_after(seconds: float, most: float) -> float:
    """How long to rest after a write to the store that took so long: the longer, the more it is over the limit."""
    if not most or seconds <= most:
        return 0.0
    return min(seconds * seconds / most, MAX_PAUSE)


def slow_store(seconds: float, most: float) -> str:
    return f"the store took {round(seconds * 1000)}ms for a write > {format_duration(most)}"


def _size(size: float) -> str:
    return f"{size / (1 << 20):.1f}MiB"
