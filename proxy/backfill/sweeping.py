"""Settles the doubt that chunks which were given up have left; `proxy.backfill.moves` says which."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from proxy.backfill.board import RunBoard
from proxy.backfill.moves import needs_sweep, swept
from proxy.stores.protocol import Namespace, Store
from proxy.stores.sweeper import CLOCKS_APART, DEFAULT_LATE_SWEEP


class LateSweep:
    """Of one run, in one process."""

    def __init__(
        self,
        store: Store,
        board: RunBoard,
        namespace: Namespace,
        *,
        late: float = DEFAULT_LATE_SWEEP,
        tell: Callable[[str], None],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`late`: seconds after which nothing of a worker that was lost can be under way."""
        self._store = store
        self._board = board
        self._namespace = namespace
        self._late = late
        self._tell = tell
        self._now = now
        self._told: datetime | None = None

    async def look(self) -> None:
        """Sweeps if all is copied and it is late enough. Raises StoreUnavailable, StoreRefused; to be called again."""
        run = self._board.run
        doubt = run.doubt
        if doubt is None or not needs_sweep(run):
            return
        wait = self._late - (self._now() - doubt).total_seconds()
        if wait > 0:
            if self._told != doubt:
                self._tell(
                    f"all is copied; waiting {wait:.0f}s for what a worker that was lost may have left"
                )
                self._told = doubt
            return
        await self._store.sweep(self._namespace, (run.doubted_from or run.started) - CLOCKS_APART)
        await self._board.change(lambda current: swept(current, doubt, self._now()))
