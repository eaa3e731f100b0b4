"""One sampled read from its reply to its outcome: run on the store, compared, looked at again where it differs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from proxy.backfill.lookups import Side
from proxy.logs import get_logger
from proxy.mirror.tables import MirroredTable
from proxy.rulefiles.schema import Ignore
from proxy.shadow import ledger as ledgers
from proxy.shadow.answers import Answered, Asker, Failed
from proxy.shadow.compare import Comparison, Shape, compare, first_rows
from proxy.shadow.differing import Differing, differing, masked
from proxy.shadow.judge import PAUSES, Look, Verdict, verdict
from proxy.shadow.ledger import Ledger, Mismatch
from proxy.shadow.locate import MOST, locate
from proxy.shadow.outcomes import Done, Outcome
from proxy.shadow.plans import Known, ShadowPlans
from proxy.shadow.reader import RecordingReader, StoreReader
from proxy.shadow.rows import Row, Unreadable, described_otherwise, description, width
from proxy.shadow.sample import SampledRead
from proxy.shadow.source import Answer, ReadSource, SourceFailed
from proxy.stores.protocol import StoreRefused, StoreUnavailable
from proxy.translate.api import ReadPlan, TooMuch, Unsupported

log = get_logger(__name__)

LOOKS_AT_ONCE = 4
"""Questions of one process, to PostgreSQL or the store, for reads that are looked at again."""
PATIENCE = 60.0
"""Seconds a read is waited for to be behind every mirror, at most."""


NOTICED_AFTER = 5.0
"""Seconds within which the catalogue's poll has usually noticed DDL: until then another description may be that."""
DESCRIPTION = ("(description)",)
"""Stands for columns where the row description differs."""


class Surroundings(Side, Protocol):
    """What an engine must be given."""

    async def wait_passed(self, database: str, version: int) -> None:
        """See `Heartbeat.wait_passed`."""

    async def open_gap(self, database: str, tables: Sequence[str]) -> str:
        """What of these tables is known not to be in the documents; empty: nothing."""


class Accepted(Exception):
    """A rule says that the difference is known; the text is the rule."""


@dataclass(slots=True)
class Case:
    """A read under way."""

    read: SampledRead
    known: Known
    plan: ReadPlan
    asker: Asker
    ignored: tuple[tuple[MirroredTable, Ignore], ...]
    plans: ShadowPlans
    """What it was compiled by: others mean other rules, or another catalogue."""
    seconds: float | None = None
    """The store's time."""
    source_seconds: float | None = None
    """PostgreSQL's time."""

    def done(self, outcome: Outcome, reason: str = "", accepted: str = "") -> Done:
        read, known = self.read, self.known
        return Done(
            read.number,
            read.database,
            read.tables,
            outcome,
            reason,
            known.fingerprint,
            known.statement,
            self.source_seconds,
            self.seconds,
            accepted,
        )


class Engine:
    """Belongs to one event loop."""

    def __init__(
        self,
        plans: ShadowPlans,
        reader: StoreReader,
        source: ReadSource,
        surroundings: Surroundings,
        ledger: Ledger,
        *,
        clock: Callable[[], float] = time.perf_counter,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.plans = plans
        self._reader = reader
        self._source = source
        self._around = surroundings
        self._ledger = ledger
        self._clock = clock
        self._now = now
        self._sleep = sleep
        self._looking = asyncio.Semaphore(LOOKS_AT_ONCE)

    async def first(self, read: SampledRead) -> Done | Case:
        """Runs the read where it was not run before, and compares; a case where that must be looked at again."""
        plain = Done(read.number, read.database, read.tables, Outcome.SKIPPED)
        if not read.served:
            plain = replace(plain, source_seconds=read.seconds)
        try:
            known = self.plans.get(read)
        except Unsupported as error:
            return replace(plain, outcome=Outcome.UNSUPPORTED, reason=error.reason)
        plain = replace(plain, fingerprint=known.fingerprint, statement=known.statement)
        if known.plan is None:
            return replace(plain, outcome=Outcome.UNSUPPORTED, reason=known.reason)
        plan = known.plan
        ignored = tuple((table, table.rule.shadow.ignore) for table in plan.tables)
        types = plan.tables[0].snapshot.types if plan.tables else {}
        case = Case(read, known, plan, Asker(read, plan, types), ignored, self.plans)
        if read.served:
            case.seconds = read.seconds
            return await self._first_served(case)
        case.source_seconds = read.seconds
        if read.session().extra_float_digits < 1:
            return case.done(Outcome.SKIPPED, "extra_float_digits below 1")
        if "now" in plan.order.volatile or self._described_otherwise(read, plan):
            return case
        try:
            ours = await self._asked(case, self._reader)
            theirs = case.asker.reply()
        except Unreadable as error:
            return case.done(Outcome.ERROR, str(error))
        except Failed as error:
            return case.done(error.outcome, error.reason) if error.outcome else case
        case.seconds = ours.seconds
        rows: Sequence[Row] = ours.shown()
        shape = ours.shape
        if read.partial:
            rows, shape = first_rows(rows, shape, read.count)
        found = compare(theirs, rows, shape)
        if found.equal:
            return case.done(Outcome.MATCH)
        if found.doubt:
            return case.done(Outcome.NONDETERMINISTIC, found.doubt)
        return self._accepted(case)

    async def _first_served(self, case: Case) -> Done | Case:
        """The other way round: PostgreSQL is asked for what the store has answered."""
        read, plan = case.read, case.plan
        if "user" in plan.order.volatile:
            return case.done(Outcome.SKIPPED, "it depends on the session's user")
        began = self._clock()
        try:
            ours = case.asker.served()
            answer = await self._source_says(case, twice=False)
        except (SourceFailed, Unreadable) as error:
            return case.done(Outcome.ERROR, str(error))
        except (TooMuch, Unsupported) as error:
            return case.done(Outcome.SKIPPED, str(error))
        case.source_seconds = self._clock() - began
        if answer.described != tuple((column.name, column.type_oid) for column in plan.columns):
            return case
        shape = Shape(tuple(column.type_oid for column in plan.columns), read.ties)
        theirs = answer.rows[: read.count] if read.partial else answer.rows
        if compare(theirs, ours, shape).equal:
            return case.done(Outcome.MATCH)
        return self._accepted(case)

    @staticmethod
    def _accepted(case: Case) -> Done | Case:
        """Of a difference: what a rule says of all such, or the case itself."""
        if "user" in case.plan.order.volatile:
            return case.done(Outcome.SKIPPED, "it differs, and depends on the session's user")
        for table, ignore in case.ignored:
            if ignore.table:
                return case.done(
                    Outcome.IGNORED, accepted=f"table {table.relation.schema}.{table.relation.name}"
                )
            if case.known.fingerprint in ignore.fingerprints:
                return case.done(Outcome.IGNORED, accepted=f"fingerprint {case.known.fingerprint}")
        return case

    @staticmethod
    def _described_otherwise(read: SampledRead, plan: ReadPlan) -> bool:
        """Whether PostgreSQL's row description is not the plan's: the rows need not be looked at, then."""
        if width(read.rows) not in (None, len(plan.columns)):
            return True
        try:
            return read.description is not None and bool(
                described_otherwise(description(read.description), plan.columns)
            )
        except Unreadable:
            return True

    async def again(self, case: Case) -> Done:
        """Looks at both sides until it is known whether the difference lasts."""
        try:
            return await self._judged(case)
        except (SourceFailed, Unreadable) as error:
            return case.done(Outcome.ERROR, str(error))
        except TooMuch as error:
            return case.done(Outcome.SKIPPED, str(error))
        except (StoreUnavailable, StoreRefused):
            return case.done(Outcome.ERROR, "the store could not be asked")
        except Accepted as error:
            return case.done(Outcome.IGNORED, accepted=str(error))
        except Failed as error:
            return case.done(error.outcome or Outcome.ERROR, error.reason)
        except TimeoutError:
            return case.done(Outcome.TRANSIENT, "the mirror did not pass it in time")

    async def _asked(
        self, case: Case, reader: StoreReader | RecordingReader, now: int | None = None
    ) -> Answered:
        began = self._clock()
        answered = await case.asker.store(reader, now=now)
        answered.seconds = self._clock() - began
        return answered

    async def _judged(self, case: Case) -> Done:
        looks: list[Look] = []
        timed = "now" in case.plan.order.volatile
        while True:
            await self._sleep(PAUSES[len(looks)])
            answer = await self._source_says(case, twice=False)
            async with asyncio.timeout(PATIENCE):
                await self._around.wait_passed(case.read.database, answer.position)
            seen = RecordingReader(self._reader, MOST)
            look, comparison, columns = await self._look(case, answer, seen)
            looks.append(look)
            match verdict(looks):
                case Verdict.EQUAL:
                    if timed and len(looks) == 1:
                        return case.done(Outcome.MATCH)
                    return case.done(Outcome.TRANSIENT)
                case Verdict.DOUBT:
                    return case.done(Outcome.NONDETERMINISTIC, look.doubt)
                case Verdict.UNSETTLED:
                    return case.done(Outcome.TRANSIENT, "it changed whenever it was looked at")
                case Verdict.LASTS if comparison is None and not columns:
                    # PostgreSQL may raise the same for other rows first, or last: no mismatch by itself.
                    return case.done(Outcome.ERROR, str(look.store))
                case Verdict.LASTS:
                    if columns == DESCRIPTION:
                        await self._sleep(NOTICED_AFTER)
                    if self.plans is not case.plans:
                        return case.done(Outcome.TRANSIENT, "rules or catalogue have changed")
                    return await self._mismatch(case, comparison, columns, seen)
                case Verdict.AGAIN:
                    pass

    async def _source_says(self, case: Case, *, twice: bool) -> Answer:
        read = case.read
        async with self._looking:
            return await self._source.ask(
                read.database,
                case.asker.query(case.known.source),
                read.search_path,
                case.asker.session,
                timeout=max(read.limits.timeout, 1.0),
                max_bytes=read.limits.max_bytes,
                twice=twice,
            )

    async def _look(
        self, case: Case, answer: Answer, seen: RecordingReader
    ) -> tuple[Look, Comparison | None, tuple[str, ...]]:
        """The look, what differs, and, where that is not in the rows, in which columns."""
        columns = case.plan.columns
        told = tuple((column.name, column.type_oid) for column in columns)
        if answer.described != told:
            after = await self._source_says(case, twice=False)
            same = after.described == answer.described
            return Look(False, "", same, answer.described, told), None, DESCRIPTION
        ours: Answered | None = None
        failure = ""
        place: tuple[str, ...] = ()
        try:
            async with self._looking:
                ours = await self._asked(case, seen, answer.now)
        except Failed as error:
            if error.outcome is not None:
                raise
            failure, place = error.reason, error.columns
        if ours is not None:
            case.seconds = case.seconds or ours.seconds
            if compare(answer.rows, ours.texts, ours.shape).equal:
                return Look(True), None, ()
        after = await self._source_says(case, twice=True)
        steady = _rows(after.rows) == _rows(answer.rows)
        if ours is None:
            return Look(False, "", steady, _rows(answer.rows), failure), None, place
        assert after.again is not None
        if not compare(after.rows, after.again, ours.shape).equal:
            return Look(False, "PostgreSQL disagrees with itself"), None, ()
        steady = compare(after.rows, answer.rows, ours.shape).equal
        comparison = compare(after.rows, ours.texts, ours.shape)
        if comparison.equal:
            return Look(True), None, ()
        if not comparison.order:
            rows, accepted = masked(after.rows, columns, case.ignored)
            if accepted and compare(rows, masked(ours.texts, columns, case.ignored)[0], ours.shape).equal:
                raise Accepted(", ".join(f"column {name}" for name in accepted))
        return (
            Look(False, comparison.doubt, steady, _rows(after.rows), _rows(ours.texts)),
            comparison,
            (),
        )

    async def _mismatch(
        self, case: Case, comparison: Comparison | None, places: tuple[str, ...], seen: RecordingReader
    ) -> Done:
        read, plan = case.read, case.plan
        if comparison is None:
            kind = "description" if places == DESCRIPTION else "document"
            found = Differing(kind, places, (), (), ())
        else:
            found = differing(comparison, plan.columns, plan.tables)
        keys = await locate(self._around, plan.tables, seen, found.wanted) or found.keys
        columns = tuple(dict.fromkeys(column for one in keys for column in one.columns)) or found.columns
        salt = (
            f"{plan.tables[0].snapshot.system_identifier}/{read.database}".encode() if plan.tables else b"-"
        )
        how = read.limits.redaction
        now = self._now()
        keys = tuple(keys[: ledgers.MAX_KEYS])
        entry = Mismatch(
            id=ledgers.identifier(read.database, case.known.fingerprint, found.kind, columns, keys),
            database=read.database,
            fingerprint=case.known.fingerprint,
            statement=case.known.statement,
            tables=read.tables,
            kind=found.kind,
            columns=columns,
            keys=keys,
            values=tuple(
                ledgers.DifferingValue(
                    name, ledgers.redacted(one, how, salt), ledgers.redacted(other, how, salt)
                )
                for name, one, other in found.values
            ),
            redaction=how.value,
            rows=0 if comparison is None else comparison.count,
            note=await self._around.open_gap(read.database, read.tables),
            count=1,
            first_seen=now,
            last_seen=now,
        )
        kept = await self._ledger.record(entry)
        log.warning(
            "shadow_mismatch",
            database=read.database,
            tables=list(read.tables),
            fingerprint=entry.fingerprint,
            kind=entry.kind,
            columns=list(columns),
            rows=entry.rows,
            kept=kept,
        )
        return case.done(Outcome.MISMATCH, found.kind)


def _rows(rows: Sequence[Row]) -> int:
    """To be compared with those of another look, whatever their order."""
    return hash(tuple(sorted(rows, key=repr)))
