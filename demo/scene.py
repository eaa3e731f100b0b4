"""Everything the steps of the story share: the stage, the applications on it, and what is known of them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from functools import cached_property

from demo.documents import Documents
from demo.errors import DemoError
from demo.pace import Pace
from demo.pgbench import Pgbench, Run
from demo.shop_process import ShopProcess
from demo.stage import DATABASE, Stage
from demo.state import State, Waiting
from proxy.admin.mirror import MirrorOverview

_CHECK_SECONDS = 0.5


@dataclass
class Scene:
    state: State
    pace: Pace
    runs: list[Run] = field(default_factory=list)
    """Of pgbench."""
    opened: float | None = None
    """time.monotonic() when the shop had filled its tables; None while it is closed."""
    _shop: ShopProcess | None = None

    @cached_property
    def stage(self) -> Stage:
        return Stage(self.state)

    @cached_property
    def pgbench(self) -> Pgbench:
        return Pgbench(self.stage.databases.postgres.pg_bin, self.stage.through("pgbench"))

    @cached_property
    def documents(self) -> Documents:
        return Documents(self.stage.databases.document_store.uri, DATABASE)

    @property
    def shop(self) -> ShopProcess:
        if self._shop is None:
            raise DemoError("the shop is not open")
        return self._shop

    @shop.setter
    def shop(self, shop: ShopProcess) -> None:
        self._shop = shop

    async def watch(self, seconds: float) -> None:
        """Let the applications run. Raises DemoError where the shop is gone."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.shop.check()
            await asyncio.sleep(min(left, _CHECK_SECONDS))

    async def mirror(self) -> MirrorOverview:
        """What the proxy says of its mirroring now. Raises DemoError where it does not mirror."""
        status = await self.stage.sample()
        if status.mirror is None:
            raise DemoError("the proxy does not mirror")
        return status.mirror

    async def drained(self, *, patience: float) -> float:
        """Seconds until nothing waits for the store any more, once nobody writes."""
        began = time.monotonic()
        await self.stage.until(
            lambda: self.waiting.images == 0 and self.waiting.spooled == 0,
            f"images still wait for the document store after {patience:.0f} s",
            patience=patience,
        )
        return time.monotonic() - began

    @property
    def waiting(self) -> Waiting:
        """For the store, at the last look."""
        return self.state.waiting[-1] if self.state.waiting else Waiting(0.0)
