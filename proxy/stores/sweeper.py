"""Looks again, some time after anything that may have left writes under way; see `convergence`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from proxy.logs import EventLogger, get_logger
from proxy.stores.protocol import Namespace, StoreRefused, StoreUnavailable

log = get_logger(__name__)

DEFAULT_LATE_SWEEP: Final = 60.0
"""Seconds after which no write that was given up can be under way any more."""
CLOCKS_APART: Final = timedelta(minutes=2)
"""How much the clocks of those who write tombstones may differ."""
BEFORE_START: Final = timedelta(minutes=15)
"""Before a start, what predecessors deleted may have come back by what they left under way: longer than a process that
ends again and again is kept waiting before its next start."""


class Sweeper:
    """One timer for all tables of a store: each is swept once `delay` has passed without a new need. For one loop."""

    def __init__(
        self,
        sweep: Callable[[Namespace, datetime], Awaitable[int]],
        delay: float,
        *,
        log: EventLogger = log,
    ) -> None:
        self._sweep = sweep
        self._delay = delay
        self._log = log
        self._needs: dict[Namespace, tuple[datetime, float]] = {}
        """Since when, by the wall clock, and when it is due, by the loop's."""
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self.swept = asyncio.Event()
        """Set while no table needs to be swept."""

    def need(self, namespace: Namespace, ago: timedelta = CLOCKS_APART) -> None:
        """Something may still be written to this table that was begun before now; what was deleted less than `ago` may
        come back by it."""
        loop = asyncio.get_running_loop()
        known = self._needs.pop(namespace, None)
        since = datetime.now(UTC) - ago
        if known is not None:
            since = min(since, known[0])
        self._needs[namespace] = (since, loop.time() + self._delay)
        self.swept.clear()
        self._set_timer()

    async def close(self) -> None:
        self._needs.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def _set_timer(self) -> None:
        if self._timer is None and self._task is None and self._needs:
            loop = asyncio.get_running_loop()
            first = next(iter(self._needs.values()))[1]  # the oldest need: each new one goes to the end
            self._timer = loop.call_at(first, self._begin)

    def _begin(self) -> None:
        self._timer = None
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled():
            task.result()
            self._set_timer()
            if not self._needs:
                self.swept.set()

    async def _run(self) -> None:
        now = asyncio.get_running_loop().time()
        for namespace, (since, due) in list(self._needs.items()):
            if due > now:
                continue
            del self._needs[namespace]
            try:
                removed = await self._sweep(namespace, since)
            except (StoreUnavailable, StoreRefused):
                # What could not be looked at is looked at later; the mirror says what is wrong with the store.
                self.need(namespace)
                self._needs[namespace] = (since, self._needs[namespace][1])
            else:
                if removed:
                    self._log.info("late_writes_removed", collection=str(namespace), documents=removed)
