"""Tasks of which only so many run at once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self


class Crew:
    """The first task that fails ends the others; who begins or waits is told. Used in `async with`."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Returns once it runs: there may have to be room for it first. Raises what another has failed with."""
        try:
            while len(self._tasks) >= self._size:
                await self._one()
        except BaseException:
            work.close()
            raise
        self._tasks.add(asyncio.create_task(work))

    async def wait(self) -> None:
        """Returns once all have ended; raises what one has failed with."""
        while self._tasks:
            await self._one()

    async def _one(self) -> None:
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        self._tasks -= done
        for task in done:
            task.result()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tasks = list(self._tasks)
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
