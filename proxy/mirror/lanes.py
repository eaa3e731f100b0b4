"""Writes on their way to the store: in bulk, several collections at once, again until the store takes them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Hashable, Sequence

from proxy.logs import get_logger
from proxy.mirror.effects import Cause, TableId, Unseen
from proxy.mirror.held import Held
from proxy.mirror.lane import Lane, Pending, RowsOf
from proxy.mirror.meters import Meters, TableMeter
from proxy.mirror.port import GapSink, MirrorLimits
from proxy.stores.protocol import (
    Namespace,
    Outcome,
    Poison,
    Store,
    StoreRefused,
    StoreUnavailable,
    Write,
)

log = get_logger(__name__)

FIRST_BACKOFF = 0.05
"""Seconds before the second attempt; doubled with every further one."""


class Lanes:
    """All collections of a process. Belongs to one event loop."""

    def __init__(
        self,
        store: Store,
        limits: MirrorLimits,
        gaps: GapSink,
        meters: Meters,
        finished: Callable[[Held], None],
        *,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`finished` is called for each Held of which the store has everything."""
        self._store = store
        self._limits = limits
        self._gaps = gaps
        self._meters = meters
        self._finished = finished
        self._chance = chance
        self._loop = asyncio.get_running_loop()
        self._lanes: dict[Namespace, Lane] = {}
        self._active: dict[Lane, None] = {}
        """Those with something to send, the one whose turn is next first."""
        self._running = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._soon: asyncio.Handle | None = None
        self._stopped = False

    def lane(self, namespace: Namespace, database: str, table: TableId, meter: TableMeter) -> Lane:
        lane = self._lanes.get(namespace)
        if lane is None:
            lane = Lane(namespace, database, table, meter, self._limits.mirror_batch)
            self._lanes[namespace] = lane
        return lane

    def put(self, lane: Lane, write: Write, held: Held, rows_of: RowsOf) -> None:
        held.open += 1
        lane.meter.queued += 1
        token = write.key.token
        pending = Pending(write, held)
        known = lane.waiting.get(token)
        if known is None:
            if not lane.waiting and not lane.attempts:
                lane.due = self._loop.time() + self._limits.mirror_linger
            lane.waiting[token] = (pending, rows_of)
        else:
            lane.meter.coalesced += 1
            known[0].newer(pending)
        self._wake(lane, held.urgent)

    def truncate(self, lane: Lane, version: int, held: Held) -> None:
        held.open += 1
        lane.meter.queued += 1
        lane.truncations.append((version, held))
        self._wake(lane, held.urgent)

    async def stop(self) -> None:
        """Let what is under way end, start nothing more."""
        self._stopped = True
        for handle in (self._timer, self._soon):
            if handle is not None:
                handle.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._limits.store_timeout)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _wake(self, lane: Lane, urgent: bool) -> None:
        self._active[lane] = None
        if urgent and not lane.attempts:
            lane.due = 0.0
        if (urgent or len(lane.waiting) >= lane.batch) and not lane.attempts:
            if self._soon is None and not self._stopped:
                self._soon = self._loop.call_soon(self._pump)
        elif self._timer is None or lane.due < self._timer_at:
            self._at(lane.due)

    def _at(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._stopped:
            self._timer_at = when
            self._timer = self._loop.call_at(when, self._pump)

    def _pump(self) -> None:
        """Start every operation that may be started."""
        self._soon = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._stopped:
            return
        now = self._loop.time()
        next_due: float | None = None
        for lane in list(self._active):
            if not lane.waiting and not lane.truncations:
                del self._active[lane]
                continue
            if self._running >= self._limits.mirror_lanes:
                return  # the end of an operation comes back here
            full = len(lane.waiting) >= lane.batch and not lane.attempts
            if lane.due > now and not full:
                next_due = lane.due if next_due is None else min(next_due, lane.due)
                continue
            if self._start(lane, now):
                del self._active[lane]  # to the end: every collection has its turn
                self._active[lane] = None
        if next_due is not None:
            self._at(next_due)

    def _start(self, lane: Lane, now: float) -> bool:
        """Start operations of a lane. While the store does not answer: one, to see whether it does again."""
        started = False
        if lane.truncations and not lane.running:
            truncations, lane.truncations = lane.truncations, []
            self._run(lane, self._truncate(lane, truncations))
            started = True
        while self._running < self._limits.mirror_lanes and lane.waiting:
            if lane.running and (lane.attempts or len(lane.waiting) - len(lane.busy) < lane.batch):
                break
            batch = lane.take()
            if not batch:
                break
            self._run(lane, self._send(lane, batch))
            started = True
        return started

    def _run(self, lane: Lane, operation: object) -> None:
        lane.running += 1
        self._running += 1
        task: asyncio.Task[None] = self._loop.create_task(operation)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._ended(lane, done))

    def _ended(self, lane: Lane, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        lane.running -= 1
        self._running -= 1
        if not task.cancelled() and (error := task.exception()) is not None:
            log.exception("mirror_lane_failed", error, collection=str(lane.namespace))
        if lane.waiting or lane.truncations:
            # Another lane's turn may have found this one empty while its batch was under way.
            self._active[lane] = None
        if self._soon is None and not self._stopped and (self._active or lane.waiting or lane.truncations):
            self._soon = self._loop.call_soon(self._pump)

    async def _send(self, lane: Lane, batch: list[tuple[Hashable, Pending, RowsOf]]) -> None:
        turn = id(batch)
        lane.in_flight[turn] = min(pending.since for _, pending, _ in batch)
        try:
            await self._apply(lane, batch)
        except (StoreUnavailable, StoreRefused, TimeoutError) as error:
            lane.meter.retried += len(batch)
            lane.put_back(batch)
            self._back_off(lane, error)
        except asyncio.CancelledError:
            lane.put_back(batch)
            raise
        finally:
            del lane.in_flight[turn]

    async def _apply(self, lane: Lane, batch: list[tuple[Hashable, Pending, RowsOf]]) -> None:
        """Carry out; what is done leaves `batch`. A write at which the store itself stumbles is found by halving."""
        writes = [pending.write for _, pending, _ in batch]
        replay = any(pending.replay for _, pending, _ in batch)
        outcomes: Sequence[Outcome | Poison]
        started = self._loop.time()
        try:
            async with asyncio.timeout(2 * self._limits.store_timeout):
                outcomes = await self._store.apply(lane.namespace, writes, replay=replay)
        except (StoreUnavailable, StoreRefused, TimeoutError):
            raise
        except Exception as error:  # whatever one document does must not stop the others
            log.exception("store_write_failed", error, collection=str(lane.namespace), writes=len(batch))
            if len(batch) > 1:
                for _, pending, _ in batch:
                    pending.replay = True
                half = batch[len(batch) // 2 :]
                del batch[len(batch) // 2 :]
                try:
                    await self._apply(lane, batch)
                    await self._apply(lane, half)
                finally:
                    batch += half  # what of it is not done yet
                return
            outcomes = [Poison(f"the store driver failed with {type(error).__qualname__}")]
        self._answered(lane, started)
        self._done(lane, batch, outcomes)
        batch.clear()

    def _done(
        self,
        lane: Lane,
        batch: list[tuple[Hashable, Pending, RowsOf]],
        outcomes: Sequence[Outcome | Poison],
    ) -> None:
        meter = lane.meter
        newest = meter.last_applied_version
        applied, stale = Outcome.APPLIED, Outcome.STALE
        for (token, pending, rows_of), outcome in zip(batch, outcomes, strict=True):
            lane.busy.discard(token)
            if outcome is applied:
                meter.applied += 1
            elif outcome is stale:
                meter.stale += 1
            else:
                meter.poisoned += 1
                assert isinstance(outcome, Poison)
                unseen = Unseen(Cause.POISON, lane.table, rows_of(pending.write), outcome.reason)
                self._gaps.record(lane.database, unseen, pending.write.version)
            newest = max(newest, pending.write.version)
            holds = pending.holds
            meter.queued -= len(holds)
            for held in holds:
                held.open -= 1
                if not held.open:
                    self._finished(held)
        meter.last_applied_version = newest
        meter.last_applied_at = self._loop.time()

    async def _truncate(self, lane: Lane, truncations: list[tuple[int, Held]]) -> None:
        turn = id(truncations)
        lane.in_flight[turn] = min(held.since for _, held in truncations)
        started = self._loop.time()
        version = max(version for version, _ in truncations)
        try:
            async with asyncio.timeout(2 * self._limits.store_timeout):
                await self._store.truncate(lane.namespace, version)
        except (StoreUnavailable, StoreRefused, TimeoutError) as error:
            lane.meter.retried += len(truncations)
            lane.truncations += truncations
            self._back_off(lane, error)
        except asyncio.CancelledError:
            lane.truncations += truncations
            raise
        except Exception as error:  # it must not stop what comes after it
            log.exception("store_truncate_failed", error, collection=str(lane.namespace))
            reason = f"the store driver failed with {type(error).__qualname__}"
            self._gaps.record(lane.database, Unseen(Cause.TRUNCATE, lane.table, None, reason), version)
            self._let_go(lane, truncations)
        else:
            self._answered(lane, started)
            lane.meter.last_applied_version = max(lane.meter.last_applied_version, version)
            lane.meter.last_applied_at = self._loop.time()
            self._let_go(lane, truncations)
        finally:
            del lane.in_flight[turn]

    def _let_go(self, lane: Lane, truncations: list[tuple[int, Held]]) -> None:
        lane.meter.queued -= len(truncations)
        for _, held in truncations:
            held.open -= 1
            if not held.open:
                self._finished(held)

    def _answered(self, lane: Lane, started: float) -> None:
        lane.meter.took(self._loop.time() - started)
        lane.batch = min(lane.batch * 2, self._limits.mirror_batch)
        if lane.attempts:
            lane.attempts = 0
            lane.due = 0.0
        if self._meters.store != "ok":
            if self._meters.store != "unknown":
                log.info("store_back")
            self._meters.store = "ok"
            self._meters.store_error = ""

    def _back_off(self, lane: Lane, error: BaseException) -> None:
        state = "refused" if isinstance(error, StoreRefused) else "away"
        reason = str(error) or f"no answer within {2 * self._limits.store_timeout:g} s"
        if self._meters.store != state:
            log.warning(f"store_{state}", error=reason, collection=str(lane.namespace))
        self._meters.store = "refused" if state == "refused" else "away"
        self._meters.store_error = reason
        longest = min(FIRST_BACKOFF * 2**lane.attempts, self._limits.retry_backoff_max)
        lane.attempts = min(lane.attempts + 1, 32)
        lane.batch = max(1, lane.batch // 2)
        lane.due = self._loop.time() + longest * (0.5 + self._chance() / 2)
