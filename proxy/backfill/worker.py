"""Takes part in the backfill of one table: claims chunks, copies them, finishes them, until the run is over.

Chunks are copied by `concurrency` slots at once, so one chunk is read while another is written. Between two chunks a
slot changes the run once: it finishes one and claims the next. A process that is killed has at most one chunk in each
slot that is copied again.

A source or store that does not answer is waited for; what no repetition mends fails the run, with its reason.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Protocol, TypeVar

from proxy.backfill.board import NoRun, RunBoard
from proxy.backfill.chunks import boundary_of
from proxy.backfill.company import Company
from proxy.backfill.copying import Copier, Done, Host, Shifted
from proxy.backfill.gate import Refused
from proxy.backfill.joining import Wanted, last_modified, take_part
from proxy.backfill.member import MemberError
from proxy.backfill.moves import claim_next, fail, finish, leave, say, take_over
from proxy.backfill.passing import HeldUp, Passing
from proxy.backfill.rate import TokenBucket, chunk_rows, share_of_rate
from proxy.backfill.run import Boundary, Claim, Mode, Run, Status
from proxy.backfill.stopping import Stopped, any_of, or_stop
from proxy.backfill.sweeping import LateSweep
from proxy.backfill.throttle import ThrottleError, rest_after, slow_store
from proxy.backfill.watching import LOOK_EVERY, Watch
from proxy.catalog.source import SourceRefused, SourceUnavailable
from proxy.fleet.cancelling import end_if_cancelled
from proxy.mirror.gap import backoff
from proxy.mirror.reread_rows import CatalogueBehind, NotRereadable
from proxy.names import TableName
from proxy.stores.protocol import StoreRefused, StoreUnavailable
from proxy.stores.sweeper import DEFAULT_LATE_SWEEP

MAX_SHIFTS = 5  # how often a chunk is read again because the table has changed
LAST_WORDS = 5.0  # seconds that giving back what is claimed may take at the end

FINAL = (SourceRefused, StoreRefused, MemberError, HeldUp, ThrottleError, Shifted, NotRereadable)
"""What fails the run."""

_Result = TypeVar("_Result")
_Finished = tuple[Claim, Done] | None  # a chunk that is copied, and not yet said to be


class Member(Host, Protocol):
    """What of `proxy.backfill.member.Member` is needed beside."""

    passing: Passing

    @property
    def system(self) -> str: ...
    async def refresh(self, database: str) -> None: ...


class TableWorker:
    """One process at one table. Belongs to one event loop; used once."""

    def __init__(
        self,
        member: Member,
        name: TableName,
        wanted: Wanted,
        *,
        stop: asyncio.Event,
        tell: Callable[[str], None] = lambda text: None,
        backoff_max: float = 30.0,
        reread_rows: int = 10_000,
        look_every: float = LOOK_EVERY,
        late_sweep: float = DEFAULT_LATE_SWEEP,
        company: Company | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`stop`: set when the process is to end after the chunks under way. `tell`: lines for people.
        `late_sweep`: seconds after which nothing of a worker that was lost can be under way."""
        self._late_sweep = late_sweep
        self._doubtful: set[int] = set()
        """Numbers of chunks of which a write has failed."""
        self._member = member
        self._name = name
        self._wanted = wanted
        self._stop = stop
        self._tell = tell
        self._backoff_max = backoff_max
        self._reread_rows = reread_rows
        self._look_every = look_every
        self._clock = clock
        self._now = now
        self.board = RunBoard(member.store, str(name))
        self._company = company or Company(member.store, member.proxy, source=member.system)
        self._bucket = TokenBucket()
        self._row_bytes = 0.0
        self._rest_until = float("-inf")
        self._rest_because = ""
        self._claiming = asyncio.Lock()
        self._active: set[int] = set()
        """Numbers of the chunks that slots of this process are copying."""
        self._copier: Copier | None = None
        self._watch: Watch
        self._doubts: LateSweep
        self.took_part = False  # not where the run was over already
        self.repeated = 0  # chunks copied again: of workers that were gone, or after an error

    async def work(self) -> Run:
        """The run as it is left: over, failed, or with others. Raises Refused, and what the start meets."""
        table = self._member.table(self._name)
        try:
            run, self._row_bytes = await or_stop(
                take_part(
                    self._member,
                    self._company,
                    self.board,
                    table,
                    self._wanted,
                    say=self._tell,
                    now=self._now,
                ),
                self._stop,
            )
        except Stopped:
            raise Refused(f"the backfill of {self._name} was told to end before it began") from None
        if run.status.is_over:
            return run
        self.took_part = True
        self._watch = Watch(
            self._member,
            self._company,
            self.board,
            table,
            offline=self._wanted.offline,
            tell=self._tell,
            now=self._now,
            look_every=self._look_every,
        )
        self._doubts = LateSweep(
            self._member.store,
            self.board,
            table.mapping.namespace,
            late=self._late_sweep,
            tell=self._tell,
            now=self._now,
        )
        try:
            await self._until_over(run.number)
        except FINAL as error:
            reason = str(error)
            await self.board.change(lambda current: fail(current, reason, self._now()))
        except NoRun:
            raise Refused(f"the backfill of {self._name} was removed while it was going on") from None
        except Stopped:
            pass
        finally:
            with suppress(StoreUnavailable, StoreRefused, TimeoutError, NoRun):
                async with asyncio.timeout(LAST_WORDS):
                    await self.board.change(lambda current: leave(current, self._member.proxy, self._now()))
        return self.board.run

    async def _until_over(self, number: int) -> None:
        """Slots and what goes on beside them; the first that fails ends all."""
        if self._wanted.mode is Mode.REFRESH:
            # What was written unseen until now is to be found: images from before it must be in the store by then.
            position = await self._patiently(lambda: self._member.position(self._database))
            await self._patiently(lambda: self._fleet_passes(position))
        await self._patiently(self._watch.turn)  # nothing is read before it is known whether to wait
        watch = asyncio.create_task(self._patiently(self._watch.run), name="backfill watch")
        slots: dict[int, asyncio.Task[None]] = {}
        try:
            while True:
                if not self._ending(number):
                    for index in range(self.board.run.tuning.concurrency):
                        if index not in slots or slots[index].done():
                            slots[index] = asyncio.create_task(
                                self._slot(index, number), name="backfill slot"
                            )
                running = {task for task in slots.values() if not task.done()}
                if not running and self._ending(number):
                    return
                await self._patiently(self._doubts.look)
                done, _ = await asyncio.wait(
                    {watch, *running}, timeout=self._look_every, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    task.result()
        finally:
            for task in (watch, *slots.values()):
                task.cancel()
            await asyncio.gather(watch, *slots.values(), return_exceptions=True)

    async def _fleet_passes(self, position: int) -> None:
        passes = self._member.wait_passed(self._database, position)
        await or_stop(passes, self._stop, waiting=lambda: self._member.passing.waiting, tell=self._tell)

    @property
    def _database(self) -> str:
        assert self._name.database is not None
        return self._name.database

    def _ending(self, number: int) -> bool:
        run = self.board.run
        return (
            self._stop.is_set()
            or run.number != number
            or run.status in (Status.DONE, Status.CANCELLED, Status.FAILED)
        )

    async def _slot(self, index: int, number: int) -> None:
        finished: _Finished = None
        while True:
            end_if_cancelled()
            going = not self._ending(number) and index < self.board.run.tuning.concurrency
            wait, why = self._must_wait()
            claim: Claim | None = None
            if finished is not None or (going and not wait):
                step = partial(self._next, finished, why, claiming=going and not wait)
                claim = await self._patiently(step)
                finished = None
            if claim is not None:
                finished = claim, await self._copy(claim)
            elif not going:
                return
            else:
                await self._sleep(wait or self._look_every)

    def _must_wait(self) -> tuple[float, str]:
        """Seconds until it is worth looking again, 0 where a chunk may be begun; and what for."""
        run, now = self.board.run, self._clock()
        if run.status is not Status.RUNNING:
            return self._look_every, ""
        if self._watch.source_throttle:
            return self._look_every, self._watch.source_throttle
        if self._rest_until > now:
            return min(self._rest_until - now, self._look_every), self._rest_because
        wait = self._bucket.wait(share_of_rate(run), now)
        return min(wait, self._look_every), f"rate {run.tuning.rate:g}/s" if wait else ""

    async def _next(self, finished: _Finished, why: str, *, claiming: bool) -> Claim | None:
        """Finishes a chunk and, if `claiming`, claims another, in one change where nobody comes between."""
        async with self._claiming:
            while True:
                end_if_cancelled()
                boundary = await self._boundary() if claiming else None
                claims: list[Claim | None] = []
                await self.board.change(partial(self._step, finished, why, boundary, claims, claiming))
                if finished is not None:
                    self._active.discard(finished[0].number)
                    finished = None
                if claims and (claim := claims[-1]) is not None:
                    self._active.add(claim.number)
                    return claim
                run = self.board.run
                if not claiming or run.exhausted or run.status is not Status.RUNNING:
                    return None

    def _step(
        self,
        finished: _Finished,
        why: str,
        boundary: Boundary | None,
        claims: list[Claim | None],
        claiming: bool,
        run: Run,
    ) -> Run:
        """The run after a chunk is finished and another claimed, which is the last of `claims` then."""
        me = self._member.proxy
        after = run
        if finished is not None:
            chunk, done = finished
            doubtful = chunk.number in self._doubtful
            ended = finish(run, me, chunk.number, done.counts, done.position, self._now(), doubtful=doubtful)
            after = run if ended is None else ended
        if claiming:
            after, claim = self._claimed(after, boundary)
            claims.append(claim)
        return say(after, me, why)

    def _claimed(self, run: Run, boundary: Boundary | None) -> tuple[Run, Claim | None]:
        me = self._member.proxy
        if run.status is not Status.RUNNING:
            return run, None
        for claim in run.claims:
            # An error may have left open whether it was claimed; no slot is at it.
            if claim.owner == me and claim.number not in self._active:
                self.repeated += 1
                return run, claim
        owners = {claim.owner for claim in run.claims} | set(run.workers)
        after, taken = take_over(run, me, self._company.gone(owners), self._now())
        if taken is not None:
            self.repeated += 1
            return after, taken
        if boundary is None:
            return after, None
        return claim_next(after, me, boundary, self._now())

    async def _boundary(self) -> Boundary | None:
        """The end of the next chunk; None where there is none to be claimed now."""
        run = self.board.run
        if run.exhausted or run.status is not Status.RUNNING:
            return None
        low = run.cursor
        query, arguments = self._current(run).pages.boundary(low, chunk_rows(run, self._row_bytes), run.end)
        return boundary_of(low, await self._member.source(self._database).fetch(query, *arguments))

    async def _copy(self, claim: Claim) -> Done:
        """Tried until it is done; what is to be copied again is copied again as a whole."""

        async def attempt() -> Done:
            for _ in range(MAX_SHIFTS):
                try:
                    return await self._copy_once(claim)
                except (Shifted, CatalogueBehind):
                    await self._member.refresh(self._database)
                except StoreUnavailable:
                    self._doubtful.add(claim.number)
                    raise
            return await self._copy_once(claim)

        done = await self._patiently(attempt, again=True)
        run, now = self.board.run, self._clock()
        self._bucket.spend(done.counts.rows, share_of_rate(run), now)
        rest = rest_after(done.slowest, run.tuning.max_store_latency)
        if rest:
            self._rest_until = now + rest
            self._rest_because = slow_store(done.slowest, run.tuning.max_store_latency)
        return done

    async def _copy_once(self, claim: Claim) -> Done:
        copier = self._current(self.board.run)
        copy = copier.refresh if self._wanted.mode is Mode.REFRESH else copier.seed
        return await copier.settle(self._until_back, claim, await copy(claim))

    async def _until_back(self) -> None:
        # The fleet waits for this process again then.
        while self._member.lost():
            await self._sleep(self._look_every)
            if self._stop.is_set():
                raise Stopped

    def _current(self, run: Run) -> Copier:
        """For the table as the catalogue has it now. Refused by way of MemberError where it is another one."""
        table = self._member.table(self._name)
        if table.relation.oid != run.relation:
            raise MemberError(
                f"{self._name} was dropped and made anew while it was copied; cancel, then begin again"
            )
        if table.mapping.key_columns != run.columns:
            raise MemberError(
                f"the key of {self._name} has changed while it was copied; cancel, then begin again"
            )
        if self._copier is None or self._copier.table is not table:
            self._copier = Copier(
                self._member,
                table,
                since=last_modified(table, self._wanted),
                reread_rows=self._reread_rows,
                clock=self._clock,
            )
        return self._copier

    async def _patiently(self, step: Callable[[], Awaitable[_Result]], *, again: bool = False) -> _Result:
        """What `step` gives, tried again while source or store are away. Raises Stopped if that is to end."""
        attempts = 0
        while True:
            try:
                result = await step()
            except (SourceUnavailable, StoreUnavailable) as error:
                end_if_cancelled()
                attempts += 1
                self.repeated += again
                if self._stop.is_set():
                    raise Stopped from None
                wait = backoff(attempts, self._backoff_max)
                self._tell(f"trying again in {wait:.1f}s: {error}")
                await self._sleep(wait, only_stop=True)
            else:
                return result

    async def _sleep(self, seconds: float, *, only_stop: bool = False) -> None:
        """Ends early when there is news of the run, or the process is to end."""
        if only_stop:
            await any_of(seconds, self._stop)
        else:
            self.board.news.clear()
            await any_of(seconds, self._stop, self.board.news)
