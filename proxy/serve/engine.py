"""Runs reads of sessions on the store: `ServePort`. Whatever cannot be answered exactly and in time is declined.

A result is served only where PostgreSQL could give no other: rows whose order among themselves is not fixed may come
in any, but a LIMIT that cuts through them, and whatever else the compiled read doubts, is PostgreSQL's to decide.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from proxy.admin.serving import ServingReport
from proxy.logs import get_logger
from proxy.mirror.tables import MirroredTable, TableBook
from proxy.phases import Phase
from proxy.serve.binary import Unencodable
from proxy.serve.breaker import Breaker
from proxy.serve.encode import formats_of
from proxy.serve.meters import ServeMeters
from proxy.serve.plans import Known, ServingPlans
from proxy.serve.port import Declined, Handle, Read, Served
from proxy.serve.reader import ServingReader
from proxy.serve.reasons import (
    AWAY,
    BREAKER,
    BROKEN,
    BUSY,
    CUT,
    FOREIGN,
    LARGE,
    RAISES,
    REFUSED,
    REJECTED,
    TIMEOUT,
)
from proxy.shadow.candidates import Candidate
from proxy.shadow.sample import SampledRead
from proxy.stores.mongo_commands import Link
from proxy.stores.mongo_errors import CommandRejected
from proxy.stores.protocol import StoreRefused, StoreUnavailable
from proxy.translate.api import (
    BoundRead,
    ForeignDocument,
    Inexact,
    Reader,
    ReadError,
    ReadLimits,
    Result,
    TooMuch,
)

log = get_logger(__name__)


class Shadow(Protocol):
    """See `proxy.shadow.host.ShadowHost`."""

    def admit(self, database: str, found: Candidate) -> bool: ...
    def submit(self, read: SampledRead, found: Candidate) -> None: ...


class Doors(Protocol):
    """See `proxy.serve.conditions.Conditions`."""

    def closed(self, database: str, table: str) -> str: ...


class ServeEngine:
    """Belongs to one event loop. See `ServePort`."""

    def __init__(
        self,
        link: Link,
        doors: Doors,
        shadow: Shadow | None = None,
        *,
        breaker: Breaker | None = None,
        plans: ServingPlans | None = None,
        reader: Callable[[float], Reader] | None = None,
        clock: Callable[[], float] = time.monotonic,
        dice: Callable[[], float] = random.random,
    ) -> None:
        """`shadow`: who compares a sample of served reads. `reader`: given the seconds a read has."""
        self.breaker = breaker or Breaker()
        self.plans = ServingPlans() if plans is None else plans
        self.meters = ServeMeters()
        self.wanted = False
        """Whether any table was ever in `primary_switch`."""
        self._doors = doors
        self._shadow = shadow
        self._clock = clock
        self._dice = dice
        self._reader = reader or (lambda seconds: ServingReader(link, seconds))
        self._running: set[_Running] = set()
        self._at_once: dict[tuple[str, str], int] = {}

    def use(self, book: TableBook) -> None:
        """Other rules, catalogues or phases."""
        self.plans.use(book)
        self.wanted = self.wanted or any(True for _ in served_tables(book))

    # What sessions ask.

    def supported(
        self, database: str, text: str, parameter_types: tuple[int, ...], search_path: tuple[str, ...]
    ) -> str:
        return self.plans.get(database, text, parameter_types, search_path).reason

    def open(self, database: str, tables: Sequence[str]) -> str:
        if self.breaker.refuses(self._clock()):
            return BREAKER
        for table in tables:
            reason = self._doors.closed(database, table)
            if reason:
                return reason
        return ""

    def serve(self, read: Read, then: Callable[[Served | Declined], None]) -> Handle:
        running = _Running(self, read, then)
        known = self.plans.get(read.database, read.text, read.parameter_types, read.search_path)
        reason = known.reason or self._full(known)
        if reason:
            running.declined(reason)
            return running
        now = self._clock()
        number = self.breaker.enter(now)
        if not number:
            running.declined(BREAKER)
            return running
        running.start(known, number, now)
        return running

    def count(self, database: str, tables: Sequence[str], source: str, reason: str) -> None:
        self.meters.count(database, tables, source, reason)

    def _full(self, known: Known) -> str:
        at_once = self._at_once
        for place, most in zip(known.places, known.concurrency, strict=True):
            if at_once.get(place, 0) >= most:
                return BUSY
        return ""

    # What others ask.

    def report(self) -> ServingReport | None:
        """None while no table was ever in `primary_switch`."""
        if not self.wanted:
            return None
        return self.meters.report(
            breaker=self.breaker.state.value,
            opened=self.breaker.opened,
            running=len(self._running),
            plans=len(self.plans),
            hits=self.plans.hits,
            misses=self.plans.misses,
        )

    async def stop(self) -> None:
        """No session is left by now."""
        running = tuple(self._running)
        for one in running:
            one.cancel()
        await asyncio.gather(*(one.task for one in running if one.task is not None), return_exceptions=True)

    # What a read under way does.

    def began(self, running: _Running, known: Known) -> None:
        self._running.add(running)
        for place in known.places:
            self._at_once[place] = self._at_once.get(place, 0) + 1

    def ended(self, running: _Running, known: Known) -> None:
        self._running.discard(running)
        for place in known.places:
            left = self._at_once[place] - 1
            if left:
                self._at_once[place] = left
            else:
                del self._at_once[place]

    def now(self) -> float:
        return self._clock()

    def reader(self, seconds: float) -> Reader:
        return self._reader(seconds)

    def served(self, read: Read, known: Known, served: Served, ties: tuple[int, ...], began: float) -> None:
        seconds = self._clock() - began
        self.meters.took(read.database, read.tables, seconds)
        share = read.limits.reverse_shadow
        if not share or self._shadow is None or self._dice() >= share:
            return
        if self._shadow.admit(read.database, known.candidate):
            self._shadow.submit(_sampled(read, known.candidate, served, ties, seconds), known.candidate)


class _Running:
    """A read from `serve` to its end."""

    __slots__ = ("_began", "_engine", "_known", "_number", "_read", "_soon", "_then", "task")

    def __init__(self, engine: ServeEngine, read: Read, then: Callable[[Served | Declined], None]) -> None:
        self._engine = engine
        self._read = read
        self._then: Callable[[Served | Declined], None] | None = then
        self._soon: asyncio.Handle | None = None
        """Its deadline, or its refusal."""
        self._known: Known | None = None
        self._number = 0
        """Of the breaker; 0 once that has been told."""
        self._began = 0.0
        self.task: asyncio.Task[None] | None = None

    def declined(self, reason: str) -> None:
        """In a later turn of the loop."""
        self._soon = asyncio.get_running_loop().call_soon(self._settle, Declined(reason))

    def start(self, known: Known, number: int, now: float) -> None:
        loop = asyncio.get_running_loop()
        self._known, self._number, self._began = known, number, now
        self._engine.began(self, known)
        self._soon = loop.call_later(self._read.limits.timeout, self._late)
        self.task = loop.create_task(self._run(known))
        self.task.add_done_callback(self._ended)

    def cancel(self) -> None:
        self._then = None
        if self._soon is not None:
            self._soon.cancel()
        if self.task is not None:
            self.task.cancel()

    def _late(self) -> None:
        self._failed()
        self._settle(Declined(TIMEOUT))
        assert self.task is not None
        self.task.cancel()

    def _settle(self, outcome: Served | Declined) -> None:
        then, self._then = self._then, None
        if self._soon is not None:
            self._soon.cancel()
        if then is not None:
            then(outcome)

    def _left(self) -> None:
        """The store is not asked any more."""
        known, self._known = self._known, None
        if known is not None:
            self._engine.ended(self, known)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if self._number:  # cancelled by the session: nothing was learned of the store
            self._engine.breaker.left(self._number)
        self._left()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.exception("served_read_failed", error, database=self._read.database)

    def _failed(self) -> None:
        number, self._number = self._number, 0
        if number:
            self._engine.breaker.failed(number, self._engine.now())

    def _answered(self) -> None:
        number, self._number = self._number, 0
        if number:
            self._engine.breaker.succeeded(number, self._engine.now())

    async def _run(self, known: Known) -> None:
        try:
            outcome, ties = await self._outcome(known)
        except StoreUnavailable:
            self._failed()
            outcome, ties = Declined(AWAY), ()
        except StoreRefused:
            self._failed()
            outcome, ties = Declined(REFUSED), ()
        except CommandRejected:
            self._answered()
            outcome, ties = Declined(REJECTED), ()
        except Exception as error:  # whatever it is, PostgreSQL answers; it is of this read alone
            log.exception("served_read_failed", error, database=self._read.database)
            outcome, ties = Declined(BROKEN), ()
        wanted = self._then is not None
        self._left()
        self._settle(outcome)
        if wanted and isinstance(outcome, Served):
            self._engine.served(self._read, known, outcome, ties, self._began)

    async def _outcome(self, known: Known) -> tuple[Served | Declined, tuple[int, ...]]:
        """And its ties."""
        read = self._read
        limits = read.limits
        assert known.plan is not None
        try:
            encoder = known.encoder(read.result_formats, read.settings)
            bound = known.plan.bind(read.parameters, read.formats, read.settings)
        except (Inexact, Unencodable) as error:
            return Declined(error.reason), ()
        except ReadError:
            return Declined(RAISES), ()
        found = await self._result(bound, ReadLimits(limits.max_rows, limits.max_bytes))
        self._answered()
        if isinstance(found, Declined):
            return found, ()
        if found.indeterminate:
            return Declined(found.indeterminate), ()
        if (found.loose_head or found.loose_tail) and not known.constant:
            return Declined(CUT), ()
        count = len(found.rows)
        if count > limits.max_rows:
            return Declined(LARGE), ()
        ties = found.ties
        suspended = 0 < read.rows <= count
        if suspended:
            ties, cut = first_runs(ties, read.rows)
            if cut and not known.constant:
                return Declined(CUT), ()
            count = read.rows
        rows = encoder.rows(found.rows[:count] if suspended else found.rows)
        if len(rows) > limits.max_bytes:
            return Declined(LARGE), ()
        return Served(encoder.description, rows, b"SELECT %d" % count, suspended), ties

    async def _result(self, bound: BoundRead, limits: ReadLimits) -> Result | Declined:
        try:
            return await bound.run(self._engine.reader(self._read.limits.timeout), limits, texts=False)
        except Inexact as error:
            return Declined(error.reason)
        except ReadError:
            return Declined(RAISES)
        except TooMuch:
            return Declined(LARGE)
        except ForeignDocument:
            return Declined(FOREIGN)


def first_runs(ties: tuple[int, ...], count: int) -> tuple[tuple[int, ...], bool]:
    """Of runs of rows whose order is not fixed those of the first `count` rows, and whether one of them is cut."""
    found: list[int] = []
    for size in ties:
        if count <= 0:
            break
        found.append(min(size, count))
        count -= size
    return tuple(found), count < 0


def _sampled(
    read: Read, found: Candidate, served: Served, ties: tuple[int, ...], seconds: float
) -> SampledRead:
    """What the shadow must know to ask PostgreSQL."""
    session = read.settings
    return SampledRead(
        number=0,
        database=read.database,
        user=read.user,
        text=read.text,
        search_path=read.search_path,
        tables=read.tables,
        limits=found.limits,
        settings=(
            ("TimeZone", session.time_zone),
            ("DateStyle", session.date_style),
            ("IntervalStyle", session.interval_style),
            ("extra_float_digits", str(session.extra_float_digits)),
            ("bytea_output", session.bytea_output),
        ),
        description=served.description,
        rows=served.rows,
        count=sum(ties),
        partial=served.suspended,
        seconds=seconds,
        parameter_types=read.parameter_types,
        parameters=read.parameters,
        formats=formats_of(read.formats, len(read.parameters)),
        result_formats=read.result_formats,
        served=True,
        ties=ties,
    )


def served_tables(book: TableBook) -> Iterator[MirroredTable]:
    """Those in effective `primary_switch` or later."""
    for table in book.mirrored():
        holding = book.holding(table.database, table.relation.schema, table.relation.name)
        if holding is not None and holding.effective >= Phase.PRIMARY_SWITCH:
            yield table
