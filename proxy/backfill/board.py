"""The run of one table as this process knows it: read, changed by compare-and-set, and news of it passed on."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace

from proxy.backfill.run import KIND, Run, parse_run
from proxy.fleet.cancelling import end_if_cancelled
from proxy.stores.protocol import Document, Store, StoreRefused, StoreUnavailable

MAX_TRIES = 100
MAX_PAUSE = 0.2
"""Seconds between two attempts of a change that others were faster with."""


class NoRun(Exception):
    """There is no run of this table; it was never begun, or is gone."""


class RunBoard:
    """Belongs to one event loop. What it does raises StoreUnavailable and StoreRefused."""

    def __init__(self, store: Store, table: str) -> None:
        """`table`: database.schema.table, as `str(TableName)` writes it."""
        self._store = store
        self._table = table
        self._run: Run | None = None
        self._turn = asyncio.Lock()
        self.news = asyncio.Event()
        """Set whenever another state of the run has become known; whoever waits for it clears it first."""

    @property
    def run(self) -> Run:
        """As it was known last. NoRun before the first `read` that found one."""
        if self._run is None:
            raise NoRun(f"there is no backfill of {self._table}")
        return self._run

    async def read(self) -> Run | None:
        """As the store has it now; None: there is none."""
        document = await self._store.state(KIND, self._table)
        self._take(None if document is None else _parsed(self._table, document))
        return self._run

    async def begin(self, run: Run) -> bool:
        """Puts a run in the place of the one that is known, or of none. False: somebody was faster."""
        expected = 0 if self._run is None else self._run.revision
        return await self._swap(expected, run)

    async def change(self, change: Callable[[Run], Run | None]) -> Run | None:
        """Applies `change` to the newest state; None, without changing anything, where it gives None.

        It may be called several times. An error leaves open whether the change was made. Raises NoRun.
        """
        async with self._turn:
            for attempt in range(MAX_TRIES):
                end_if_cancelled()
                run = self.run
                after = change(run)
                if after is None or after is run:
                    return after
                if await self._swap(run.revision, after):
                    return self._run
                await asyncio.sleep(random.uniform(0, min(0.005 * 2**attempt, MAX_PAUSE)))
                await self.read()
        raise StoreUnavailable(f"the backfill of {self._table} is being changed by too many at once")

    async def _swap(self, expected: int, run: Run) -> bool:
        try:
            done = await self._store.swap_state(KIND, self._table, expected, run.document())
        except (StoreUnavailable, StoreRefused):
            # It may have been done all the same: nothing may be decided by the state that is known.
            await self._reread_later()
            raise
        if done:
            self._take(replace(run, revision=expected + 1))
        return done

    async def _reread_later(self) -> None:
        try:
            await self.read()
        except (StoreUnavailable, StoreRefused):
            return

    def _take(self, run: Run | None) -> None:
        if run != self._run:
            self._run = run
            self.news.set()


def _parsed(table: str, document: Document) -> Run:
    try:
        return parse_run(document)
    except (LookupError, ValueError, TypeError) as error:
        raise StoreRefused(
            f"what the store has of the backfill of {table} cannot be read ({type(error).__name__}); "
            "another version may have written it: use that, or remove the document from _causeway.backfill"
        ) from error
