"""Waits until the fleet has passed a version, many at once: one question at a time, for all who wait by then."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class Passing:
    """Of one database. Belongs to one event loop."""

    def __init__(self, ask: Callable[[int], Awaitable[None]]) -> None:
        """`ask` returns once the version, and with it every older one, has been passed; raises where that fails."""
        self._ask = ask
        self._passed = -1
        self._wanted = -1
        self._running: asyncio.Task[None] | None = None

    async def reach(self, version: int) -> None:
        """Raises what the question that it waited for has raised."""
        while self._passed < version:
            self._wanted = max(self._wanted, version)
            if self._running is None or self._running.done():
                self._running = asyncio.get_running_loop().create_task(self._go(self._wanted))
            # One who gives up must not end it for the others.
            await asyncio.shield(self._running)

    async def _go(self, version: int) -> None:
        await self._ask(version)
        self._passed = max(self._passed, version)
