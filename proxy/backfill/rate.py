"""How fast a process may copy: a token bucket, and the size of chunks that suits it. Pure."""

from __future__ import annotations

from proxy.backfill.run import Run

TARGET_BYTES = 4 << 20
"""Bytes of rows that a chunk should have at most; a guess from what was read so far."""
SMOOTH = 1.0
"""Seconds of the permitted rate that a chunk should last at most."""


class TokenBucket:
    """Lets `rate` rows a second through, 0: any number. What was spent beyond is waited for afterwards.

    Nothing is saved up: a process that has rested does not catch up.
    """

    def __init__(self) -> None:
        self._free_at = float("-inf")

    def spend(self, rows: int, rate: float, now: float) -> None:
        """`rows` have been copied."""
        if rate > 0:
            self._free_at = max(self._free_at, now) + rows / rate

    def wait(self, rate: float, now: float) -> float:
        """Seconds until more may be copied."""
        if rate <= 0:
            self._free_at = float("-inf")
        return max(0.0, self._free_at - now)


def share_of_rate(run: Run) -> float:
    """What each of the run's processes may do; 0: anything."""
    return run.tuning.rate / max(1, len(run.workers))


def chunk_rows(run: Run, row_bytes: float) -> int:
    """Keys of the next chunk. `row_bytes`: of one row, as far as is known before any was read."""
    if run.totals.rows:
        row_bytes = run.totals.bytes / run.totals.rows
    rows = run.tuning.chunk_rows
    if row_bytes > 0:
        rows = min(rows, int(TARGET_BYTES / row_bytes))
    rate = share_of_rate(run) / max(1, run.tuning.concurrency)
    if rate > 0:
        rows = min(rows, int(rate * SMOOTH))
    return max(1, rows)
