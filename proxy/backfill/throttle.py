"""What makes a backfill wait: the source's replicas, its sessions, a query of the user's, and the store's latency."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

from proxy.backfill.run import Tuning
from proxy.units import format_duration, format_size

PROBE_TIMEOUT = 10.0
"""Seconds for one probe."""
MAX_PAUSE = 10.0
"""Seconds of rest after one slow write to the store, at most."""

SEES_ALL = "SELECT pg_catalog.pg_has_role(CURRENT_USER, 'pg_read_all_stats', 'USAGE')"
LAG = """
SELECT pg_catalog.max(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), replay_lsn))::float8 AS bytes,
       pg_catalog.max(extract(epoch FROM replay_lag))::float8 AS seconds
  FROM pg_catalog.pg_stat_replication
"""
SESSIONS = """
SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity
 WHERE state = 'active' AND backend_type = 'client backend' AND application_name <> 'causeway'
"""


class ThrottleError(Exception):
    """A throttle cannot be looked at; the text says why and what to do."""


class Asked(Protocol):
    """The part of `SourceDatabase` that is needed."""

    async def fetch(self, query: str, *arguments: Any, timeout: float | None = None) -> Sequence[Any]: ...


async def probe(source: Asked, tuning: Tuning) -> str:
    """What of the source says to wait; empty where nothing does. Raises ThrottleError and SourceError."""
    if tuning.max_lag_bytes or tuning.max_lag_seconds or tuning.max_sessions:
        [[allowed]] = [tuple(row) for row in await source.fetch(SEES_ALL, timeout=PROBE_TIMEOUT)]
        if not allowed:
            raise ThrottleError(
                "the role of `control_dsn` may not see the sessions of others; GRANT pg_read_all_stats TO it, "
                "or leave out the limits on lag and sessions"
            )
    return (
        await _lag(source, tuning.max_lag_bytes, tuning.max_lag_seconds)
        or await _sessions(source, tuning.max_sessions)
        or await _query(source, tuning.query, tuning.query_limit)
    )


async def _lag(source: Asked, most_bytes: int, most_seconds: float) -> str:
    if not most_bytes and not most_seconds:
        return ""
    [[size, seconds]] = [tuple(row) for row in await source.fetch(LAG, timeout=PROBE_TIMEOUT)]
    if most_bytes and (size or 0) > most_bytes:
        return f"replication lag of {_size(size)} > {format_size(most_bytes)}"
    if most_seconds and (seconds or 0) > most_seconds:
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
