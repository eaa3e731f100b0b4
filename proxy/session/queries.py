"""Simple queries that write.

Outside a transaction block they are sent as their statements one by one in the extended protocol, with one Sync
behind the last: only so can their commit be held back until their images are on disk. In a block, and where nothing
must be on disk, they stay what they are, spliced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from proxy.mirror.effects import Cause, Unseen
from proxy.session.answers import FAILED_STATUS
from proxy.session.capture import POSITION_QUERY
from proxy.session.expected import (
    HIDDEN_CLOSE,
    PLAIN_QUERY,
    PLAIN_SYNC,
    Expected,
    Owed,
)
from proxy.session.plan import ENDS, Plan, Step
from proxy.session.prepared import Prepared
from proxy.session.waiting import FINISH, STEP, SplitStep, Waiting
from proxy.sql.model import Kind
from proxy.wire import rewriting

OWN = b"_causeway"
"""Leads the names of the statements and portals the proxy makes for itself."""


_NEEDS_BLOCK = frozenset({Kind.SAVEPOINT, Kind.RELEASE, Kind.ROLLBACK_TO})


class SimpleQueries(Waiting):
    """Query messages."""

    __slots__ = ()

    def _query(self, message: bytes) -> bool:
        if self._undecided() or self._unsure(b""):
            return False
        plan = self.plans.plan(message[5:-1])
        if plan is None:
            if self.transaction is not None and not self.block:
                if self._hold():
                    return False
                self._sealed = True
            self._forget_unnamed()
            self._out.append(message)
            tap = None
            if self.taps is not None:
                tap = self.taps.query(message[5:-1], apart=self.transaction is None)
            self._expected.append(PLAIN_QUERY if tap is None else Expected(Owed.QUERY, tap=tap))
            self._unsynced = False
            return True
        steps = self._all_resolved(plan.steps)
        writes = any(step.writes for step in steps)
        if not writes and not plan.ends:
            if self.transaction is not None and not self.block:
                if self._hold():
                    return False
                self._sealed = True
            return self._send_query(plan, steps)
        if self._settle():
            return False
        if self._skipping:
            self._cleared = False
            self._out.append(message)
            return True
        outside = not self.block
        strict = self._strict or any(step.strict and step.writes for step in steps)
        position = any(step.truncates for step in steps)
        splittable = all(step.splittable for step in steps) and not (outside and _lacks_block(steps))
        if self.status == FAILED_STATUS:
            splittable = False
        if splittable and (position or (strict and writes and (outside or plan.ends))):
            self._cleared = False
            self._forget_unnamed()
            in_block = self.block or any(step.kind is Kind.BEGIN for step in steps)
            self._waiting.extendleft(
                [
                    (FINISH, b"B" if in_block else b"", True),
                    *((STEP, SplitStep(plan, step), True) for step in reversed(steps)),
                ]
            )
            return self._consumed()
        if not self._cleared:
            for step in steps:
                if step.writes and not step.copy:
                    self._writing(step)
                    for table in step.truncates:
                        self._begun().add((Unseen(Cause.TRUNCATE, table, None, "not alone"),))
                    self._pin_literals(step)
                elif step.copy:
                    self._writing(step)
            if strict and outside and any(step.captured for step in steps):
                # The commit cannot be held back: say beforehand what a kill would lose.
                self._intend(steps)
        if plan.ends and any(step.kind in ENDS and step.kind is not Kind.ROLLBACK for step in steps):
            self._fetch_all_rest()
        if (outside or plan.ends) and self._hold():
            return False
        self._cleared = False
        if outside or plan.ends:
            self._sealed = True
        if plan.ends:
            self.block = False
        return self._send_query(plan, steps)

    def _consumed(self) -> bool:
        """The message was replaced by others that wait at the head of the queue now."""
        self._resume()
        return True

    def _send_query(self, plan: Plan, steps: tuple[Step, ...]) -> bool:
        self._forget_unnamed()
        text = plan.whole() if plan.spliced else plan.text
        self._out.append(rewriting.query(self.plans.encode(text)))
        self._expected.append(Expected(Owed.QUERY, steps=steps, shifts=plan.shifts() if plan.spliced else ()))
        self._unsynced = False
        for step in steps:
            self._sent(step)
            if step.copy is not None:
                self._begin_copy(step)
        return True

    def _intend(self, steps: tuple[Step, ...]) -> None:
        tables = dict.fromkeys(table for step in steps if step.captured for table in step.tables)
        if self._intent is None:
            self._intent = self.mirror.begin(self.database)
        self._intent.add(
            [
                Unseen(Cause.UNOBSERVED, table, None, "a kill during a query that cannot be held")
                for table in tables
            ]
        )
        self.mirror.secure_now(self._intent)

    def _forget_unnamed(self) -> None:
        """A simple query destroys the unnamed statement and portal."""
        self._left_unnamed = self._unnamed_before = False
        self._fetch_rest(b"")
        self.statements.pop(b"", None)
        self.portals.pop(b"", None)

    def _run_step(self, job: SplitStep) -> bool:
        """One statement of a simple query."""
        if self._skipping:
            self._cleared = False
            return True  # an earlier one has failed
        step = job.step
        if step.writes and self._sealed and self._settle():
            return False
        if step.kind in ENDS and self.transaction is not None:
            if step.kind is not Kind.ROLLBACK:
                self._fetch_all_rest()
            if self._hold():
                return False
            self._sealed = True
        self._cleared = False
        out, expected = self._out, self._expected
        captured = step.captured
        offset = step.statement.start
        if step.writes:
            self._writing(step)
            self._pin_literals(step)
        if step.kind in ENDS:
            self.block = False
        text = job.plan.single(step)
        out += (
            rewriting.parse(b"", self.plans.encode(text)),
            rewriting.bind(b"", b"", binary=captured and not step.returning),
        )
        expected.append(Expected(Owed.PARSE, hidden=True, offset=offset))
        expected.append(Expected(Owed.BIND, hidden=True, simple=True, offset=offset))
        if not captured or step.returning:
            out.append(rewriting.describe(b"P", b""))
            expected.append(Expected(Owed.DESCRIBE_PORTAL, steps=(step,), simple=True, offset=offset))
        out.append(rewriting.execute(b""))
        expected.append(Expected(Owed.EXECUTE, steps=(step,), simple=True, offset=offset))
        self._unsynced = True
        self._sent(step)
        if step.truncates:
            self._ask_position(step, simple=True)
        return True

    def _finish_query(self, in_block: bytes) -> bool:
        """The end of a simple query that was sent in the extended protocol.

        Its last portal goes with the transaction, but not if that goes on (`in_block` is not empty).
        """
        if not self._skipping:
            if self.transaction is not None:
                if self._hold():
                    return False
                self._sealed = True
            self._out.append(rewriting.close(b"S", b""))
            self._expected.append(HIDDEN_CLOSE)
            if in_block:
                self._out.append(rewriting.close(b"P", b""))
                self._expected.append(HIDDEN_CLOSE)
        self._cleared = False
        self._skipping = False
        self._out.append(rewriting.SYNC)
        self._expected.append(PLAIN_SYNC)
        self._unsynced = False
        return True

    def _ask_position(self, step: Step, *, simple: bool) -> None:
        """Behind a TRUNCATE, in its transaction: where in the WAL it stands. `simple`: it is part of a simple query."""
        name = OWN + b"_position"
        self._out += (
            rewriting.parse(name, POSITION_QUERY.encode()),
            rewriting.bind(name, name, binary=False),
            rewriting.execute(name),
            rewriting.close(b"P", name),
            rewriting.close(b"S", name),
        )
        self._expected.extend(
            (
                Expected(Owed.PARSE, hidden=True, simple=simple),
                Expected(Owed.BIND, hidden=True, simple=simple),
                Expected(Owed.EXECUTE, hidden=True, simple=simple, truncates=step.truncates),
                HIDDEN_CLOSE,
                HIDDEN_CLOSE,
            )
        )

    def _all_resolved(self, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        """Those of one text, which may run what it has prepared itself."""
        if not any(step.kind is Kind.PREPARE for step in steps):
            return tuple(self._resolved(step, self.statements) for step in steps)
        statements, found = dict(self.statements), list[Step]()
        for step in steps:
            found.append(self._resolved(step, statements))
            if step.kind is Kind.PREPARE and (made := self._made(step)) is not None:
                statements[self.plans.encode(step.statement.name)] = made
        return tuple(found)

    def _made(self, step: Step) -> Prepared | None:
        """What a PREPARE makes."""
        made = step.prepares
        if made is None:
            return None
        prepared = Prepared(b"", b"\x00\x00", Plan("", (made,)), self.plans.generation, spliced=made.captured)
        prepared.origin = made if made.captured else None
        return prepared

    def _resolved(self, step: Step, statements: Mapping[bytes, Prepared]) -> Step:
        """The step with what an EXECUTE runs put in its place."""
        if step.kind is not Kind.EXECUTE:
            if step.runs:
                hidden = statements.get(self.plans.encode(step.runs))
                return step if hidden is None else step.hiding(hidden.step)
            return step
        prepared = statements.get(self.plans.encode(step.statement.name))
        if prepared is None:
            return step
        self._refresh(prepared)
        return step.executing(prepared.step, prepared.origin)

    def _refresh(self, prepared: Prepared) -> None:
        """Plans a prepared statement again where rules or catalogue are others than they were."""
        if prepared.generation != self.plans.generation and prepared.text:
            prepared.plan = self.plans.plan(prepared.text)
            prepared.generation = self.plans.generation

    def _begin_copy(self, step: Step) -> None:
        raise NotImplementedError


def _lacks_block(steps: Sequence[Step]) -> bool:
    """Whether a savepoint is asked for outside a block, which each protocol refuses in words of its own."""
    for step in steps:
        if step.kind is Kind.BEGIN:
            return False
        if step.kind in _NEEDS_BLOCK:
            return True
    return False


def nothing() -> None:
    """For what nobody waits for."""
