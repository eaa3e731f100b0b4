"""The limits of a backfill as they are written on the command line. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from proxy.units import parse_duration, parse_size

MAX_CONCURRENCY = 64
MAX_CHUNK_ROWS = 100_000


class Impossible(ValueError):
    """A limit that makes no sense; the text says which, and what would."""


def read_tuning(
    *,
    rate: float | None = None,
    concurrency: int | None = None,
    chunk_rows: int | None = None,
    max_lag: str | None = None,
    max_lag_bytes: str | None = None,
    max_sessions: int | None = None,
    max_store_latency: str | None = None,
    throttle_query: str | None = None,
    throttle_limit: float | None = None,
) -> dict[str, Any]:
    """Fields of `run.Tuning`, of what is given alone. Raises Impossible."""
    if rate is not None and not (rate >= 0 and math.isfinite(rate)):
        raise Impossible("--rate is a number of rows a second; 0 is no limit")
    _between("--concurrency", concurrency, 1, MAX_CONCURRENCY)
    _between("--chunk-rows", chunk_rows, 1, MAX_CHUNK_ROWS)
    _between("--max-sessions", max_sessions, 0, 1_000_000)
    if throttle_query and throttle_limit is None:
        raise Impossible(
            "--throttle-query needs --throttle-limit, the largest number that is no reason to wait"
        )
    if throttle_limit is not None and not math.isfinite(throttle_limit):
        raise Impossible("--throttle-limit is a number")
    found = {
        "rate": rate,
        "concurrency": concurrency,
        "chunk_rows": chunk_rows,
        "max_lag_seconds": _read("--max-lag", max_lag, parse_duration),
        "max_lag_bytes": _read("--max-lag-bytes", max_lag_bytes, parse_size),
        "max_sessions": max_sessions,
        "max_store_latency": _read("--max-store-latency", max_store_latency, parse_duration),
        "query": throttle_query,
        "query_limit": throttle_limit,
    }
    return {name: value for name, value in found.items() if value is not None}


def _between(flag: str, value: int | None, least: int, most: int) -> None:
    if value is not None and not least <= value <= most:
        raise Impossible(f"{flag} lies between {least} and {most:,}")


def _read(flag: str, text: str | None, parse: Callable[[str], Any]) -> Any:
    try:
        return None if text is None else parse(text)
    except ValueError as error:
        raise Impossible(f"{flag}: {error}") from None
