"""What goes on beside the copying: news of the run, of the fleet, and of what says to wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from proxy.backfill.board import RunBoard
from proxy.backfill.company import Company
from proxy.backfill.copying import Host, open_gap
from proxy.backfill.gate import Refused, complaint, judge, pass_gate
from proxy.backfill.joining import MAX_PROXIES
from proxy.backfill.moves import pause, resume, say
from proxy.backfill.run import Run, Status
from proxy.backfill.throttle import Replicas, probe
from proxy.fleet.cancelling import end_if_cancelled
from proxy.mirror.effects import Cause, Unseen
from proxy.mirror.tables import MirroredTable

LOOK_EVERY = 1.0
"""Seconds between two looks at the run and the fleet."""
PROBE_EVERY = 2.0
"""Seconds between two looks at what says to wait."""


class Watch:
    """Looks after one run while this process takes part in it. Belongs to one event loop."""

    def __init__(
        self,
        host: Host,
        company: Company,
        board: RunBoard,
        table: MirroredTable,
        *,
        offline: bool,
        tell: Callable[[str], None],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        look_every: float = LOOK_EVERY,
    ) -> None:
        self._host = host
        self._company = company
        self._board = board
        self._table = table
        self._offline = offline
        self._tell = tell
        self._now = now
        self._look_every = look_every
        self._probed = float("-inf")
        self._replicas = Replicas()
        self._gating: asyncio.Task[None] | None = None
        self.source_throttle = ""
        """What of the source says to wait."""

    async def run(self) -> None:
        """Until cancelled. Raises what store and source raise, and ThrottleError; may be called again then."""
        try:
            while True:
                end_if_cancelled()
                await self.turn()
                await asyncio.sleep(self._look_every)
        finally:
            if self._gating is not None:
                self._gating.cancel()
                await asyncio.gather(self._gating, return_exceptions=True)

    async def turn(self) -> None:
        """Looks at everything once."""
        await self._board.read()
        await self._company.look()
        await self._look_at_proxies()
        loop = asyncio.get_running_loop()
        if loop.time() - self._probed >= PROBE_EVERY:
            self._probed = loop.time()
            await self._probe()

    async def _look_at_proxies(self) -> None:
        run = self._board.run
        name = str(self._table.name)
        verdict = judge(self._company.proxies(), self._table.database, self._table.relation.id)
        fault = complaint(verdict, name, offline=self._offline)
        if fault and run.status is Status.RUNNING:
            if verdict.missing:
                # What it has written already may be of rows in chunks that are done.
                why = "a proxy that did not mirror the table was there while it was copied"
                unseen = Unseen(Cause.UNOBSERVED, self._table.relation.id, None, why)
                position = await self._host.position(self._table.database)
                await open_gap(self._host.store, self._host.proxy, self._table.database, unseen, position)
            await self._board.change(lambda current: pause(current, fault, self._now(), held=True))
            self._tell(f"paused: {fault}")
        elif not fault and run.status is Status.PAUSED and run.held:
            if self._gating is not None and self._gating.done():
                done, self._gating = self._gating, None
                done.result()
            elif self._gating is None:
                self._gating = asyncio.create_task(self._pass_gate(), name="backfill gate")

    async def _pass_gate(self) -> None:
        try:
            proxies = await pass_gate(
                self._company,
                self._host.source(self._table.database),
                self._table.database,
                self._table.relation.id,
                str(self._table.name),
                known=self._board.run.proxies,
                offline=self._offline,
                say=self._tell,
            )
        except Refused:
            return  # it is looked at again

        def going_on(run: Run) -> Run | None:
            if not run.held:
                return None
            known = tuple(sorted({*run.proxies, *proxies}))[:MAX_PROXIES]
            return resume(replace(run, proxies=known), self._now())

        if await self._board.change(going_on) is not None:
            self._tell("going on: every proxy mirrors the table")

    async def _probe(self) -> None:
        run = self._board.run
        before = self.source_throttle
        self.source_throttle = await probe(
            self._host.source(self._table.database), run.tuning, self._replicas
        )
        if self.source_throttle != before:
            if bool(self.source_throttle) != bool(before):
                self._tell(f"waiting: {self.source_throttle}" if self.source_throttle else "going on")
            await self.say(self.source_throttle)
            self._board.news.set()

    async def say(self, throttled: str) -> None:
        """Lets everybody know what holds this process back."""
        await self._board.change(lambda run: say(run, self._host.proxy, throttled))
