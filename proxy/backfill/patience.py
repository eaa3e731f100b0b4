"""Trying again where source or store cannot be reached for a while, or the catalogue is behind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from proxy.catalog.source import SourceUnavailable
from proxy.mirror.gap import backoff
from proxy.mirror.reread_rows import CatalogueBehind
from proxy.stores.protocol import StoreUnavailable

PATIENCE = 300.0
"""Seconds after which a step that never worked is given up."""
LONGEST_PAUSE = 15.0

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Patience:
    """How the steps of one piece of work are tried again."""

    refresh: Callable[[], Awaitable[None]]
    """Looks at the catalogue again."""
    say: Callable[[str], None] = lambda reason: None
    """Given the reason of each wait, and "" once a step has worked after one."""
    seconds: float = PATIENCE

    async def of(self, step: Callable[[], Awaitable[Result]]) -> Result:
        """What `step` gives; it must be such that it can be begun anew. Raises what it failed with at last."""
        attempts, began = 0, time.monotonic()
        while True:
            try:
                result = await step()
            except (StoreUnavailable, SourceUnavailable, CatalogueBehind) as error:
                attempts += 1
                if time.monotonic() - began > self.seconds:
                    raise
                self.say(str(error))
                await asyncio.sleep(backoff(attempts, LONGEST_PAUSE))
                if isinstance(error, CatalogueBehind):
                    await self.refresh()
            else:
                if attempts:
                    self.say("")
                return result
