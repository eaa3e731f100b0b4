"""The extended protocol: prepared statements, portals, and the Sync that may commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.mirror.effects import Cause
from proxy.session.expected import (
    HIDDEN_BIND,
    HIDDEN_CLOSE,
    HIDDEN_PARSE,
    PLAIN_BIND,
    PLAIN_CLOSE,
    PLAIN_DESCRIBE_PORTAL,
    PLAIN_DESCRIBE_STATEMENT,
    PLAIN_EXECUTE,
    PLAIN_SYNC,
    Expected,
    Owed,
)
from proxy.session.pinned import parameter_text
from proxy.session.plan import ENDS
from proxy.session.prepared import Portal, Prepared
from proxy.session.queries import OWN, SimpleQueries
from proxy.sql.model import Kind, Literal
from proxy.wire import rewriting

if TYPE_CHECKING:
    from proxy.shadow.tap import Tap


class ExtendedQueries(SimpleQueries):
    """Parse, Bind, Describe, Execute, Close and Sync messages."""

    __slots__ = ("_bound_taps", "_twins")

    _twins: int
    """Spliced copies made so far."""
    _bound_taps: dict[bytes, Tap]
    """By portal: sampled reads that were bound and not executed yet."""

    def _parse(self, message: bytes) -> bool:
        if self._undecided():
            return False
        name, text, rest = rewriting.split_parse(message)
        if not name:
            self._left_unnamed = self._unnamed_before = False
        plan = self.plans.plan(text)
        previous = self.statements.get(name)
        prepared = Prepared(text, rest, plan, self.plans.generation, spliced=False)
        if plan is not None and len(plan.steps) == 1 and plan.spliced:
            message = rewriting.parse(name, self.plans.encode(plan.whole()), rest)
            prepared.spliced = plan.steps[0].kind is Kind.WRITE
        prepared.origin = prepared.step if prepared.spliced else None
        if previous is not None:
            prepared.unsure = prepared.spliced or previous.spliced or previous.unsure
        else:
            prepared.unsure = self._expected.closes(name)
        prepared.batch = self._expected.batch
        self.statements[name] = prepared
        self._expected.append(Expected(Owed.PARSE, statement=name, previous=previous, made=prepared))
        self._out.append(message)
        self._unsynced = True
        return True

    def _bind(self, message: bytes) -> bool:
        if self._undecided():
            return False
        portal, name = rewriting.bind_names(message)
        self._unsynced = True
        if portal in self.portals:
            if self._unsure(portal):
                return False
            self._fetch_rest(portal)
        prepared = self.statements.get(name)
        if self._expected.readies and self._unsettled_name(name, prepared):
            return False
        if (
            prepared is None
            and (self._named_before if name else self._unnamed_before)
            and self._bound_unseen()
        ):
            return False
        if self._left_unnamed and not name and prepared is None:
            self._drop_left()
        if prepared is not None:
            if prepared.twins and self._making_twin(prepared) and self._settle():
                return False
            self._refresh(prepared)
        if self._bound_taps:
            self._untap_portal(portal)
        if prepared is None or (prepared.plan is None and not prepared.spliced):
            self.portals.pop(portal, None)
            if self.taps is not None and prepared is not None:
                apart = self.transaction is None
                tap = self.taps.bound(prepared.text, prepared.rest, message, apart=apart)
                if tap is not None:
                    self._bound_taps[portal] = tap
            self._out.append(message)
            self._expected.append(PLAIN_BIND)
            return True
        step = prepared.step
        if step is not None:
            step = self._resolved(step, self.statements)
        bound = Portal(step, prepared.origin, self._expected.readies)
        wanted = step is not None and step.captured
        if step is not None and step.kind is Kind.EXECUTE:
            bound.shown = step if wanted else None
            if wanted and step.returning:
                message = rewriting.bind_with(message, extra_binary=True)
        elif wanted is prepared.spliced:
            if prepared.origin is not None and prepared.origin.returning:
                message = rewriting.bind_with(message, extra_binary=True)
        else:
            bound.shown = step if wanted else None
            message = self._bind_twin(prepared, message, spliced=wanted)
        if step is not None and step.pins:
            parameters = rewriting.bind_parameters(message)
            bound.pinned = tuple(
                tuple(
                    value.text
                    if isinstance(value, Literal)
                    else parameter_text(parameters, value.number, prepared.rest, oid, text)
                    for value, oid, text in zip(pins.values, pins.oids, pins.texts, strict=True)
                )
                for pins in step.pins
            )
        self.portals[portal] = bound
        self._out.append(message)
        self._expected.append(PLAIN_BIND)
        return True

    def _bound_unseen(self) -> bool:
        """What is bound was prepared unseen: so is all that it may write. True: it must wait."""
        unseen = self.plans.unseen_everywhere(
            "a statement prepared before the session was captured", Cause.UNPREPARED
        )
        if unseen:
            if self._sealed and self._settle():
                return True
            self._cleared = False
            self._begun().add(unseen)
            self._strict = self._strict or self.plans.strict
        return False

    def _bind_twin(self, prepared: Prepared, message: bytes, *, spliced: bool) -> bytes:
        """Binds another copy of a statement: spliced, where its table was not mirrored when the client prepared it;
        as the client wrote it, where a splice would fail now."""
        name = prepared.twins.get(spliced, b"")
        plan = prepared.plan
        if not name:
            self._twins += 1
            name = prepared.twins[spliced] = OWN + b"_%d" % self._twins
            text = self.plans.encode(plan.whole()) if spliced and plan is not None else prepared.text
            self._out.append(rewriting.parse(name, text, prepared.rest))
            self._expected.append(Expected(Owed.PARSE, hidden=True, statement=name, previous=prepared))
        returning = spliced and plan is not None and plan.steps[0].returning
        return rewriting.bind_with(message, statement=name, extra_binary=returning)

    def _making_twin(self, prepared: Prepared) -> bool:
        """Whether an earlier batch, which may fail, is still to make one."""
        return self._expected.readies > 0 and self._expected.makes_twin_of(prepared)

    def _drop_left(self) -> None:
        """Before what would find it: a simple query leaves no unnamed statement."""
        self._left_unnamed = False
        self._out.append(rewriting.close(b"S", b""))
        self._expected.append(HIDDEN_CLOSE)

    def _unsettled_name(self, name: bytes, prepared: Prepared | None) -> bool:
        """True if the message at hand must wait: an earlier batch, which may fail, decides what the name means, and
        with it whether the results hold our column. What this batch prepares itself decides nothing: if that fails,
        the server skips the rest."""
        if prepared is None:
            return self._expected.closes(name) and self._settle()
        return prepared.unsure and prepared.batch != self._expected.batch and self._settle()

    def _describe(self, message: bytes) -> bool:
        kind, name = rewriting.target(message)
        prepared = self.statements.get(name) if kind == b"S" else None
        if kind == b"S" and self._expected.readies and self._unsettled_name(name, prepared):
            return False
        if self._left_unnamed and kind == b"S" and not name and prepared is None:
            self._drop_left()
        self._unsynced = True
        self._out.append(message)
        if kind == b"S":
            shown = None if prepared is None else prepared.origin
            if prepared is not None and prepared.step is not None and prepared.step.kind is Kind.EXECUTE:
                shown = self._resolved(prepared.step, self.statements)
            if shown is None or not shown.captured:
                self._expected.append(PLAIN_DESCRIBE_STATEMENT)
            else:
                self._expected.append(Expected(Owed.DESCRIBE_STATEMENT, steps=(shown,)))
            return True
        bound = self.portals.get(name)
        if name in self._bound_taps:
            self._expected.append(Expected(Owed.DESCRIBE_PORTAL, tap=self._bound_taps[name]))
        elif bound is None or bound.shown is None:
            self._expected.append(PLAIN_DESCRIBE_PORTAL)
        else:
            self._expected.append(Expected(Owed.DESCRIBE_PORTAL, steps=(bound.shown,)))
        return True

    def _execute(self, message: bytes) -> bool:
        portal, limit = rewriting.split_execute(message)
        bound = self.portals.get(portal)
        step = bound.step if bound is not None else None
        if bound is None or (step is None and bound.shown is None):
            self._out.append(message)
            tap = self._bound_taps.pop(portal, None) if self._bound_taps else None
            self._expected.append(PLAIN_EXECUTE if tap is None else Expected(Owed.EXECUTE, tap=tap))
            self._unsynced = True
            return True
        shown = bound.shown
        if step is not None:
            if step.writes:
                if self._sealed and self._settle():
                    return False
                self._cleared = False
                self._writing(step)
                for pins, values in zip(step.pins, bound.pinned, strict=False):
                    self._pinned(pins, list(values))
                if step.copy is not None:
                    self._begin_copy(step)
            if step.kind in ENDS and self.transaction is not None:
                if step.kind is not Kind.ROLLBACK:
                    if self._unsure(*self.portals):
                        return False
                    self._fetch_all_rest()
                if self._hold():
                    return False
                self._sealed = True
            if step.kind in ENDS:
                self.block = False
        if shown is not None and shown.hidden:
            if bound.ran:
                self._replace_portal(portal)
            bound.ran = True
        if shown is not None and limit > 0:
            if shown.returning:
                bound.unfetched = True
            else:
                message = rewriting.execute(portal)
        self._out.append(message)
        self._unsynced = True
        run = shown or step
        self._expected.append(Expected(Owed.EXECUTE, steps=(run,) if run is not None else ()))
        if step is not None:
            self._sent(step)
            if step.truncates:
                self._ask_position(step, simple=False)
        return True

    def _replace_portal(self, portal: bytes) -> None:
        """Before a second Execute of what returns no rows, and so cannot run again: spliced, it could.

        In the portal's place goes another that returns nothing and has run, so that the server refuses this one. Its
        error undoes what the other did.
        """
        name = OWN + b"_again"
        if portal:
            self._out.append(rewriting.close(b"P", portal))
            self._expected.append(HIDDEN_CLOSE)
        self._out += (
            rewriting.parse(name, b"UNLISTEN " + OWN),
            rewriting.bind(portal, name, binary=False),
            rewriting.execute(portal),
            rewriting.close(b"S", name),
        )
        self._expected.extend((HIDDEN_PARSE, HIDDEN_BIND, Expected(Owed.EXECUTE, hidden=True), HIDDEN_CLOSE))

    def _close(self, message: bytes) -> bool:
        kind, name = rewriting.target(message)
        self._unsynced = True
        if kind == b"P":
            if self._unsure(name):
                return False
            self._fetch_rest(name)
            self.portals.pop(name, None)
            if self._bound_taps:
                self._untap_portal(name)
            self._out.append(message)
            self._expected.append(PLAIN_CLOSE)
            return True
        if not name:
            self._unnamed_before = False
        previous = self.statements.pop(name, None)
        self._out.append(message)
        self._expected.append(
            PLAIN_CLOSE if previous is None else Expected(Owed.CLOSE, statement=name, previous=previous)
        )
        if previous is not None:
            for twin in previous.twins.values():
                self._out.append(rewriting.close(b"S", twin))
                self._expected.append(HIDDEN_CLOSE)
            previous.twins.clear()
        return True

    def _sync(self, message: bytes) -> bool:
        if self.copying and not self._skipping:
            self._out.append(message)
            return True
        if not self._skipping and not self.block:
            self._fetch_all_rest()
            if self.transaction is not None:
                if self._strict and self._hold():
                    return False
                self._sealed = True
        self._cleared = False
        self._skipping = False
        if self._bound_taps:
            self._untap_portal(*self._bound_taps)
        self._out.append(message)
        self._expected.append(PLAIN_SYNC)
        self._unsynced = False
        return True

    def _untap_portal(self, *names: bytes) -> None:
        """What was bound there and never executed."""
        for name in names:
            tap = self._bound_taps.pop(name, None)
            if tap is not None:
                tap.failed()

    def _untap(self) -> None:
        self._untap_portal(*self._bound_taps)
        super()._untap()
