"""What the client of a captured connection says, and what of it goes to the server, when, and in which words.

Three things may happen to a message: it goes on as it is; it goes on spliced; or it waits, because it may commit a
transaction whose effects are not known or not safe yet. A simple query that writes, outside a transaction block, is
sent as its statements one by one in the extended protocol, with one Sync behind the last: only so can its commit be
held back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter_ns
from typing import TYPE_CHECKING

from proxy.admin.counters import BYTES_FROM_CLIENT, OWN_SHARE, OWN_SHARE_SUM, Counters
from proxy.mirror.effects import Cause, Rows, Unseen
from proxy.mirror.port import MirrorPort
from proxy.session.capture import (
    POSITION_QUERY,
    PREPARED_QUERY,
    CaptureOwner,
    Replies,
    Stalled,
)
from proxy.session.expected import (
    COPY_END,
    HIDDEN_BIND,
    HIDDEN_CLOSE,
    HIDDEN_PARSE,
    PLAIN_BIND,
    PLAIN_CLOSE,
    PLAIN_DESCRIBE_PORTAL,
    PLAIN_DESCRIBE_STATEMENT,
    PLAIN_EXECUTE,
    PLAIN_FUNCTION_CALL,
    PLAIN_QUERY,
    PLAIN_SYNC,
    Expected,
    Owed,
)
from proxy.session.pinned import parameter_text
from proxy.session.planner import ENDS, SPLITTABLE, KeyPins, Plan, Step
from proxy.session.plans import Plans, SessionPlans
from proxy.session.prepared import Portal, Prepared
from proxy.sql.model import Kind, Literal
from proxy.wire import messages, rewriting
from proxy.wire.splitting import PIECE, Splitter

if TYPE_CHECKING:
    from proxy.sql.copydata import CopyKeys

LARGEST_COLLECTED = 64 << 20
"""Bytes of a client's message up to which it is collected; a longer one is handed on in pieces, without a look."""

_STEP, _FINISH = 1000, 1001
"""Kinds of the entries in the queue of waiting messages that no client sent: a statement of a simple query, its end."""

_OWN = b"_causeway"
"""Leads the names of the statements and portals the proxy makes for itself."""

_SKIPPED = frozenset(
    {
        messages.PARSE,
        messages.BIND,
        messages.DESCRIBE,
        messages.EXECUTE,
        messages.CLOSE,
        messages.FLUSH,
        messages.QUERY,
        messages.FUNCTION_CALL,
    }
)
"""What the server throws away between an error in the extended protocol and the next Sync."""


@dataclass(frozen=True, slots=True)
class SplitStep:
    """One statement of a simple query that is sent in the extended protocol."""

    plan: Plan
    step: Step


class CapturingRelay(Replies):
    """Both directions of one connection whose statements are looked at."""

    __slots__ = (
        "_cleared",
        "_copy_keys",
        "_copy_step",
        "_handlers",
        "_out",
        "_splitter",
        "_twins",
        "_unsynced",
        "_waiting",
        "_waiting_bytes",
    )

    def __init__(
        self,
        owner: CaptureOwner,
        counters: Counters,
        shared: Plans,
        plans: SessionPlans,
        mirror: MirrorPort,
        *,
        status: int,
        high_water: int,
    ) -> None:
        super().__init__(owner, counters, shared, plans, mirror, status=status, high_water=high_water)
        self._splitter = Splitter(LARGEST_COLLECTED)
        self._out: list[bytes] = []
        """What goes to the server with the next write."""
        self._waiting: deque[tuple[int, bytes | SplitStep, bool]] = deque()
        self._waiting_bytes = 0
        self._cleared = False
        """Whether the message at the head has waited for everything it had to."""
        self._unsynced = False
        """Whether messages of the extended protocol were sent since the last Sync."""
        self._copy_keys: CopyKeys | None = None
        self._copy_step: Step | None = None
        self._twins = 0
        self._handlers: dict[int, Callable[[bytes], bool]] = {
            messages.QUERY: self._query,
            messages.PARSE: self._parse,
            messages.BIND: self._bind,
            messages.DESCRIBE: self._describe,
            messages.EXECUTE: self._execute,
            messages.CLOSE: self._close,
            messages.SYNC: self._sync,
            messages.FUNCTION_CALL: self._function_call,
            messages.COPY_DATA: self._copy_data,
            messages.COPY_DONE: self._copy_ends,
            messages.COPY_FAIL: self._copy_ends,
            messages.TERMINATE: self._terminate,
        }

    # The client's direction.

    def from_client(self, data: bytes) -> None:
        """Bytes of the client, in the order they came."""
        started = perf_counter_ns()
        size = len(data)
        if self.unobserved:
            self.to_server(data)
        else:
            waiting = self._waiting
            for kind, message, whole in self._splitter.feed(data):
                if waiting or self._stalled:
                    waiting.append((kind, message, whole))
                    self._waiting_bytes += len(message)
                    if not self._stalled:
                        self._resume()
                elif not self._request(kind, message, whole):
                    waiting.appendleft((kind, message, whole))
                    self._waiting_bytes += len(message)
                    if not self._stalled:
                        self._resume()
            if self._splitter.broken:
                self._lose_sight("invalid_frontend_length")
            self._flush()
            if self._waiting_bytes > self.high_water:
                self._owner.hold_client()
        path = self._counters.path
        path[BYTES_FROM_CLIENT] += size
        spent = perf_counter_ns() - started
        path[OWN_SHARE_SUM] += spent
        path[OWN_SHARE + spent.bit_length()] += 1

    def _flush(self) -> None:
        out = self._out
        if out:
            self.to_server(out[0] if len(out) == 1 else b"".join(out))
            out.clear()

    def _request(self, kind: int, message: bytes | SplitStep, whole: bool) -> bool:
        """Deals with one message; False if it must wait, and will be asked about again."""
        if kind >= _STEP:
            return self._run_step(message) if isinstance(message, SplitStep) else self._finish_query()
        assert isinstance(message, bytes)
        if self._skipping and kind in _SKIPPED:
            self._out.append(message)
            return True
        if not whole:
            return self._oversize(kind, message)
        handler = self._handlers.get(kind)
        if handler is not None:
            try:
                return handler(message)
            except rewriting.MalformedMessage:
                # The server will say what is wrong with it, and end the connection.
                self._out.append(message)
                self._lose_sight("malformed_frontend_message")
                return True
        if kind not in messages.FRONTEND_TYPES:
            self._out.append(message)
            self._lose_sight("unknown_frontend_message")
            return True
        self._out.append(message)
        return True

    # Waiting.

    def _settle(self) -> bool:
        """True if the message at hand must wait until the server has answered everything."""
        if self._cleared or not self._expected or self.copying:
            return False
        if self._unsynced:
            self._out.append(rewriting.FLUSH)
        self._stalled = Stalled.REPLIES
        return True

    def _hold(self) -> bool:
        """As `_settle`, and until the effects are secured: what goes out next may commit them."""
        if self._cleared or not self._strict:
            self._cleared = False
            return False
        if self._settle():
            return True
        return self._secure()

    def _secure(self) -> bool:
        tx = self.transaction
        if tx is None or tx.empty or not self._strict:
            return False
        if self.mirror.secure(tx, self._secured):
            return False
        self._stalled = Stalled.DISK
        return True

    def _secured(self) -> None:
        if self._ended:
            return
        self._stalled = Stalled.NOT
        self._cleared = True
        self._resume()

    def _replies_in(self) -> None:
        """The server has answered everything; the head of the queue may still have to wait for the disk."""
        self._stalled = Stalled.NOT
        self._resume()

    def _resume(self) -> None:
        waiting = self._waiting
        while waiting and not self._stalled:
            item = waiting.popleft()
            if isinstance(item[1], bytes):
                self._waiting_bytes -= len(item[1])
            if not self._request(*item):
                waiting.appendleft(item)
                if isinstance(item[1], bytes):
                    self._waiting_bytes += len(item[1])
        self._flush()
        if self._waiting_bytes <= self.high_water:
            self._owner.release_client()

    def _writing(self, step: Step) -> None:
        """A statement that writes is about to go out."""
        tx = self._begun()
        self._strict = self._strict or step.strict
        if step.ack_timeout is not None:
            self._ack = max(self._ack or 0.0, step.ack_timeout)
        if step.unseen:
            tx.add(step.unseen)

    # Simple queries.

    def _query(self, message: bytes) -> bool:
        plan = self.plans.plan(message[5:-1])
        if plan is None:
            if self.transaction is not None and not self.block:
                if self._hold():
                    return False
                self._sealed = True
            self._forget_unnamed()
            self._out.append(message)
            self._expected.append(PLAIN_QUERY)
            self._unsynced = False
            return True
        steps = tuple(self._resolved(step) for step in plan.steps)
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
        splittable = all(
            step.kind in SPLITTABLE and not step.statement.parameters for step in steps
        ) and not any(step.copy for step in steps)
        if splittable and (position or (strict and writes and (outside or plan.ends))):
            self._cleared = False
            self._forget_unnamed()
            self._waiting.extendleft(
                [(_FINISH, b"", True), *((_STEP, SplitStep(plan, step), True) for step in reversed(steps))]
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
        self._expected.append(Expected(Owed.QUERY, steps=steps))
        self._unsynced = False
        for step in steps:
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
        # Nothing waits for it: the spool takes entries in order, and what follows in this turn comes after it.
        self.mirror.secure(self._intent, _nothing)

    def _forget_unnamed(self) -> None:
        """A simple query destroys the unnamed statement and portal."""
        self._fetch_rest(b"")
        self.statements.pop(b"", None)
        self.portals.pop(b"", None)

    def _run_step(self, job: SplitStep) -> bool:
        """One statement of a simple query."""
        if self._skipping:
            self._cleared = False
            return True  # an earlier one has failed
        step = job.step
        if step.kind in ENDS and self.transaction is not None:
            if self._hold():
                return False
            self._sealed = True
        self._cleared = False
        out, expected = self._out, self._expected
        captured = bool(step.captured)
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
        expected.append(Expected(Owed.BIND, hidden=True, offset=offset))
        if not captured or step.returning:
            out.append(rewriting.describe(b"P", b""))
            expected.append(Expected(Owed.DESCRIBE_PORTAL, steps=(step,), simple=True, offset=offset))
        out.append(rewriting.execute(b""))
        expected.append(Expected(Owed.EXECUTE, steps=(step,), simple=True, offset=offset))
        self._unsynced = True
        if step.truncates:
            self._ask_position(step)
        return True

    def _finish_query(self) -> bool:
        """The end of a simple query that was sent in the extended protocol."""
        if not self._skipping:
            if self.transaction is not None:
                if self._hold():
                    return False
                self._sealed = True
            if not self._skipping:
                self._out.append(rewriting.close(b"S", b""))
                self._expected.append(HIDDEN_CLOSE)
        self._cleared = False
        self._skipping = False
        self._out.append(rewriting.SYNC)
        self._expected.append(PLAIN_SYNC)
        self._unsynced = False
        return True

    def _ask_position(self, step: Step) -> None:
        """Behind a TRUNCATE, in its transaction: where in the WAL it stands."""
        name = _OWN + b"_position"
        self._out += (
            rewriting.parse(name, POSITION_QUERY.encode()),
            rewriting.bind(name, name, binary=False),
            rewriting.execute(name),
            rewriting.close(b"P", name),
            rewriting.close(b"S", name),
        )
        self._expected.extend(
            (
                HIDDEN_PARSE,
                HIDDEN_BIND,
                Expected(Owed.EXECUTE, hidden=True, truncates=step.truncates),
                HIDDEN_CLOSE,
                HIDDEN_CLOSE,
            )
        )

    def _pin_literals(self, step: Step) -> None:
        for pins in step.pins:
            self._pinned(pins, [value.text if isinstance(value, Literal) else None for value in pins.values])

    def _pinned(self, pins: KeyPins, values: list[str | None]) -> None:
        """The old key of an UPDATE that changes it: to be read again once it has committed."""
        tx = self._begun()
        if any(value is None for value in values):
            tx.add((Unseen(Cause.KEY_CHANGE, pins.table, None, "the old key is not known"),))
        else:
            tx.add((Unseen(Cause.KEY_CHANGE, pins.table, Rows(pins.columns, (tuple(values),))),))

    # The extended protocol.

    def _parse(self, message: bytes) -> bool:
        name, text, rest = rewriting.split_parse(message)
        plan = self.plans.plan(text)
        previous = self.statements.get(name)
        prepared = Prepared(text, rest, plan, self.plans.generation, spliced=False)
        if plan is not None and len(plan.steps) == 1 and plan.spliced:
            message = rewriting.parse(name, self.plans.encode(plan.whole()), rest)
            prepared.spliced = plan.steps[0].kind is Kind.WRITE
        prepared.origin = prepared.step if prepared.spliced else None
        self.statements[name] = prepared
        self._expected.append(Expected(Owed.PARSE, statement=name, previous=previous))
        self._out.append(message)
        self._unsynced = True
        return True

    def _bind(self, message: bytes) -> bool:
        portal, name = rewriting.bind_names(message)
        self._unsynced = True
        if portal in self.portals:
            self._fetch_rest(portal)
        prepared = self.statements.get(name)
        if prepared is not None:
            self._refresh(prepared)
        if prepared is None or (prepared.plan is None and not prepared.spliced):
            self.portals.pop(portal, None)
            self._out.append(message)
            self._expected.append(PLAIN_BIND)
            return True
        step = prepared.step
        if step is not None:
            step = self._resolved(step)
        bound = Portal(step, prepared.origin)
        if prepared.origin is not None:
            if prepared.origin.returning:
                message = rewriting.bind_with(message, extra_binary=True)
        elif step is not None and step.captured:
            bound.shown = step
            if step.kind is Kind.WRITE:
                message = self._bind_twin(prepared, step, message)
            elif step.returning:
                message = rewriting.bind_with(message, extra_binary=True)
        if step is not None and step.pins:
            parameters = rewriting.bind_parameters(message)
            bound.pinned = tuple(
                tuple(
                    value.text
                    if isinstance(value, Literal)
                    else parameter_text(parameters, value.number, prepared.rest)
                    for value in pins.values
                )
                for pins in step.pins
            )
        self.portals[portal] = bound
        self._out.append(message)
        self._expected.append(PLAIN_BIND)
        return True

    def _bind_twin(self, prepared: Prepared, step: Step, message: bytes) -> bytes:
        """Binds a spliced copy of a statement that was prepared when its table was not mirrored."""
        if not prepared.twin and prepared.plan is not None:
            self._twins += 1
            prepared.twin = _OWN + b"_%d" % self._twins
            text = self.plans.encode(prepared.plan.whole())
            self._out.append(rewriting.parse(prepared.twin, text, prepared.rest))
            self._expected.append(HIDDEN_PARSE)
        return rewriting.bind_with(message, statement=prepared.twin, extra_binary=step.returning)

    def _describe(self, message: bytes) -> bool:
        kind, name = rewriting.target(message)
        self._unsynced = True
        self._out.append(message)
        if kind == b"S":
            prepared = self.statements.get(name)
            if prepared is None or prepared.origin is None:
                self._expected.append(PLAIN_DESCRIBE_STATEMENT)
            else:
                self._expected.append(Expected(Owed.DESCRIBE_STATEMENT, steps=(prepared.origin,)))
            return True
        bound = self.portals.get(name)
        if bound is None or bound.shown is None:
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
            self._expected.append(PLAIN_EXECUTE)
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
                if self._hold():
                    return False
                self._sealed = True
            if step.kind in ENDS:
                self.block = False
        if shown is not None and limit > 0:
            if shown.returning:
                bound.unfetched = True
            else:
                message = rewriting.execute(portal)
        self._out.append(message)
        self._unsynced = True
        run = shown or step
        self._expected.append(Expected(Owed.EXECUTE, steps=(run,) if run is not None else ()))
        if step is not None and step.truncates:
            self._ask_position(step)
        return True

    def _fetch_rest(self, portal: bytes) -> None:
        """Take the images of rows the client never fetched, before the portal goes."""
        bound = self.portals.get(portal)
        if bound is not None and bound.unfetched and bound.shown is not None and not self._skipping:
            bound.unfetched = False
            self._out.append(rewriting.execute(portal))
            self._expected.append(Expected(Owed.EXECUTE, hidden=True, steps=(bound.shown,)))
            self._unsynced = True

    def _fetch_all_rest(self) -> None:
        for name, bound in self.portals.items():
            if bound.unfetched:
                self._fetch_rest(name)

    def _close(self, message: bytes) -> bool:
        kind, name = rewriting.target(message)
        self._unsynced = True
        if kind == b"P":
            self._fetch_rest(name)
            self.portals.pop(name, None)
            self._out.append(message)
            self._expected.append(PLAIN_CLOSE)
            return True
        previous = self.statements.pop(name, None)
        self._out.append(message)
        self._expected.append(
            PLAIN_CLOSE if previous is None else Expected(Owed.CLOSE, statement=name, previous=previous)
        )
        if previous is not None and previous.twin:
            self._out.append(rewriting.close(b"S", previous.twin))
            self._expected.append(HIDDEN_CLOSE)
            previous.twin = b""
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
        self._out.append(message)
        self._expected.append(PLAIN_SYNC)
        self._unsynced = False
        return True

    def _function_call(self, message: bytes) -> bool:
        unseen = self.plans.unseen_functions()
        if unseen:
            if self._settle():
                return False
            if not self._cleared:
                self._begun().add(unseen)
                self._strict = True
            if not self.block:
                if self._hold():
                    return False
                self._sealed = True
        self._cleared = False
        self._out.append(message)
        self._expected.append(PLAIN_FUNCTION_CALL)
        return True

    def _terminate(self, message: bytes) -> bool:
        self.client_terminated = True
        self._out.append(message)
        return True

    # COPY.

    def _begin_copy(self, step: Step) -> None:
        copy = step.copy
        if copy is None:
            return
        from proxy.sql.copydata import CopyKeys

        self._copy_step = step
        self._copy_keys = CopyKeys(
            copy.layout, copy.positions, max_rows=self.shared.max_copy_keys, encoding=self.plans.codec
        )

    def _copy_data(self, message: bytes) -> bool:
        if self._copy_keys is not None:
            self._copy_keys.feed(message[5:])
        self._out.append(message)
        return True

    def _copy_ends(self, message: bytes) -> bool:
        if self._copy_keys is not None and message[0] == messages.COPY_DONE:
            if not self._cleared:
                self._copied()
            if self._strict and not self._cleared and self._secure():
                return False
        self._cleared = False
        self._copy_keys = self._copy_step = None
        self._out.append(message)
        if self.copying:
            self.copying = False
        elif self._expected:
            self._expected.append(COPY_END)
        return True

    def _copied(self) -> None:
        step, keys = self._copy_step, self._copy_keys
        if step is None or keys is None or step.copy is None:
            return
        found = keys.finish()
        copy = step.copy
        if found is None:
            effect = Unseen(Cause.COPY, copy.table, None, "the keys could not be taken from the data")
        elif not found:
            return
        else:
            effect = Unseen(Cause.COPY, copy.table, Rows(copy.key, tuple(found)))
        self._begun().add((effect,))

    # What is too long to be looked at.

    def _oversize(self, kind: int, piece: bytes) -> bool:
        if kind == PIECE:
            self._out.append(piece)
            return True
        unseen = self.plans.unseen_everywhere("a message that is too long to be looked at")
        if kind in (messages.QUERY, messages.PARSE) and unseen:
            if self._settle():
                return False
            self._cleared = False
            self._begun().add(unseen)
            ground = self.plans.ground
            self._strict = self._strict or (ground is not None and ground.strict)
            self.mirror.secure(self._begun(), _nothing)
            self._sealed = True
        if kind == messages.COPY_DATA and self._copy_keys is not None:
            self._copy_keys.give_up()
        self._out.append(piece)
        owed = {
            messages.QUERY: PLAIN_QUERY,
            messages.PARSE: Expected(Owed.PARSE),
            messages.BIND: PLAIN_BIND,
            messages.FUNCTION_CALL: PLAIN_FUNCTION_CALL,
        }.get(kind)
        if owed is not None:
            self._expected.append(owed)
            self._unsynced = kind != messages.QUERY
        return True

    # What completed statements change.

    def _resolved(self, step: Step) -> Step:
        """The step with what an EXECUTE runs put in its place."""
        if step.kind is not Kind.EXECUTE:
            return step
        prepared = self.statements.get(self.plans.encode(step.statement.name))
        if prepared is None:
            return step
        self._refresh(prepared)
        return step.executing(prepared.step, prepared.origin)

    def _refresh(self, prepared: Prepared) -> None:
        """Plans a prepared statement again where rules or catalogue are others than they were."""
        if prepared.generation != self.plans.generation and prepared.text:
            prepared.plan = self.plans.plan(prepared.text)
            prepared.generation = self.plans.generation

    def _done(self, step: Step, tag: bytes) -> None:
        kind = step.kind
        if kind in (Kind.WRITE, Kind.READ, Kind.EXECUTE):
            return
        tx = self.transaction
        name = step.statement.name
        match kind:
            case Kind.COMMIT | Kind.ROLLBACK | Kind.PREPARE_TRANSACTION:
                if tag == b"COMMIT":
                    self._commit()
                elif tag == b"PREPARE TRANSACTION":
                    self._park(name)
                else:
                    self._discard()
                self.plans.transaction_ended(committed=tag != b"ROLLBACK")
            case Kind.SAVEPOINT:
                if tx is not None:
                    self._savepoint(tx.savepoint, name)
                else:
                    self._begun().savepoint(name)
            case Kind.RELEASE if tx is not None:
                self._savepoint(tx.release, name)
            case Kind.ROLLBACK_TO:
                if tx is not None:
                    self._savepoint(tx.rollback_to, name)
                self._failed = False
                self.plans.rolled_back_to()
            case Kind.COMMIT_PREPARED | Kind.ROLLBACK_PREPARED:
                self.mirror.settle_prepared(name)
            case Kind.PREPARE:
                self._register(step)
            case Kind.DEALLOCATE:
                self._deallocate(self.plans.encode(name))
            case Kind.DISCARD:
                self._deallocate(b"")
                self.portals.clear()
                self.plans.discarded()
            case Kind.SET:
                self.plans.set(step.statement)
            case Kind.DDL:
                self.plans.defined(step.statement)
            case _:
                pass

    def _park(self, gid: str) -> None:
        tx, self.transaction = self.transaction, None
        self._ack, self._strict = None, False
        if tx is not None:
            if tx.empty:
                self.mirror.aborted(tx)
            else:
                self.mirror.prepared(tx, gid)
        self._drop_intent()

    def _register(self, step: Step) -> None:
        made = step.prepares
        if made is None:
            return
        prepared = Prepared(b"", b"\x00\x00", Plan("", (made,)), self.plans.generation, spliced=made.captured)
        prepared.origin = made if made.captured else None
        self.statements[self.plans.encode(step.statement.name)] = prepared

    def _deallocate(self, name: bytes) -> None:
        if name:
            self.statements.pop(name, None)
        else:
            unnamed = self.statements.get(b"")
            self.statements.clear()
            if unnamed is not None:
                self.statements[b""] = unnamed

    # From and to a plain relay.

    def learn(self) -> None:
        """Ask the server which statements the session has prepared: this relay has not seen them made.

        Only while the connection is idle. Whatever the client sends meanwhile waits.
        """
        self._learning = []
        self._out.append(rewriting.query(PREPARED_QUERY.encode()))
        self._expected.append(Expected(Owed.QUERY, hidden=True))
        self._stalled = Stalled.REPLIES
        self._flush()

    def _learned(self, statements: list[tuple[bytes, bytes, bytes]]) -> None:
        for name, text, types in statements:
            oids = [int(oid) for oid in types.strip(b"{}").split(b",") if oid]
            rest = len(oids).to_bytes(2, "big") + b"".join(oid.to_bytes(4, "big") for oid in oids)
            plan = self.plans.plan(text)
            prepared = Prepared(text, rest, plan, self.plans.generation, spliced=False)
            self.statements[name] = prepared

    @property
    def replaceable(self) -> bool:
        """Whether a plain relay could take over: nothing the server has is spliced."""
        return (
            self.idle
            and self.reply_at_boundary
            and not self.portals
            and not any(prepared.spliced for prepared in self.statements.values())
        )

    def _client_at_boundary(self) -> bool:
        return self._splitter.at_boundary and not self._waiting


def _nothing() -> None:
    """The spool has it: nobody waited."""
