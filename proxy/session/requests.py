"""What the client of a captured connection says, and what of it goes to the server, when, and in which words.

Three things may happen to a message: it goes on as it is; it goes on spliced; or it waits, because it may commit a
transaction whose effects are not known or not safe yet.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns

from proxy.admin.counters import BYTES_FROM_CLIENT, OWN_SHARE, OWN_SHARE_SUM, Counters
from proxy.mirror.port import MirrorPort
from proxy.session.capture import PREPARED, PREPARED_QUERY, CaptureOwner
from proxy.session.copying import CopyData
from proxy.session.expected import (
    PLAIN_BIND,
    PLAIN_FUNCTION_CALL,
    PLAIN_PARSE,
    PLAIN_QUERY,
    Expected,
    Owed,
)
from proxy.session.plan import Step
from proxy.session.plans import SessionPlans
from proxy.session.prepared import Prepared
from proxy.session.queries import nothing
from proxy.session.waiting import STEP, SplitStep
from proxy.sql.model import Kind
from proxy.wire import messages, rewriting
from proxy.wire.splitting import PIECE, Splitter

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


_OVERSIZE = {
    messages.QUERY: PLAIN_QUERY,
    messages.BIND: PLAIN_BIND,
    messages.FUNCTION_CALL: PLAIN_FUNCTION_CALL,
}


class CapturingRelay(CopyData):
    """Both directions of one connection whose statements are looked at."""

    __slots__ = ("_handlers", "_splitter")

    def __init__(
        self,
        owner: CaptureOwner,
        counters: Counters,
        plans: SessionPlans,
        mirror: MirrorPort,
        *,
        status: int,
        high_water: int,
    ) -> None:
        super().__init__(owner, counters, plans, mirror, status=status, high_water=high_water)
        self._splitter = Splitter(plans.shared.max_message)
        self._copy_keys = None
        self._copy_step = None
        self._twins = 0
        self._bound_taps = {}
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
        }

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
            if self._waiting_bytes:
                self._gathered()
        path = self._counters.path
        path[BYTES_FROM_CLIENT] += size
        spent = perf_counter_ns() - started
        path[OWN_SHARE_SUM] += spent
        path[OWN_SHARE + spent.bit_length()] += 1

    def _request(self, kind: int, message: bytes | SplitStep, whole: bool) -> bool:
        """Deals with one message; False if it must wait, and will be asked about again."""
        if kind >= STEP:
            return self._run_step(message) if isinstance(message, SplitStep) else self._finish_query(message)
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

    def _function_call(self, message: bytes) -> bool:
        unseen = self.plans.unseen_functions()
        if unseen:
            if self._settle():
                return False
            if not self._cleared:
                self._begun().add(unseen)
                self._strict = self._strict or self.plans.strict
            if not self.block:
                if self._hold():
                    return False
                self._sealed = True
        self._cleared = False
        self._out.append(message)
        self._expected.append(PLAIN_FUNCTION_CALL)
        return True

    def _oversize(self, kind: int, piece: bytes) -> bool:
        if kind == PIECE:
            self._out.append(piece)
            return True
        self.plans.shared.limit_reached("max_message")
        unseen = self.plans.unseen_everywhere("a message that is too long to be looked at")
        if kind in (messages.QUERY, messages.PARSE) and unseen:
            if self._settle():
                return False
            self._cleared = False
            self._begun().add(unseen)
            self._strict = self._strict or self.plans.strict
            self.mirror.secure_now(self._begun())
            self._sealed = True
        if kind == messages.COPY_DATA and self._copy_keys is not None:
            self._copy_keys.failure = "a CopyData message that is too long to be looked at"
        if kind == messages.QUERY:
            self._forget_unnamed()
        self._out.append(piece)
        if kind == messages.PARSE:
            self._expected.append(self._prepared_unseen(piece))
        elif kind in _OVERSIZE:
            self._expected.append(_OVERSIZE[kind])
        else:
            return True
        self._unsynced = kind != messages.QUERY
        return True

    def _prepared_unseen(self, piece: bytes) -> Expected:
        """For a Parse of which this is the first piece: what the name meant is gone."""
        name, end, _ = piece[5:].partition(b"\x00")
        if not end:
            return PLAIN_PARSE
        if not name:
            self._left_unnamed = False
        return Expected(Owed.PARSE, statement=name, previous=self.statements.pop(name, None))

    def _done(self, step: Step, tag: bytes) -> None:
        kind = step.kind
        if step.configures:
            self.plans.configured(step.configures)
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
                self._nothing_left()
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
                self._nothing_left()
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
                if self.taps is not None:
                    self.taps.discarded()
            case Kind.SET:
                self.plans.set(step.statement)
                if self.taps is not None:
                    self.taps.set(step.statement.name, step.statement.value)
            case Kind.DDL:
                if self.plans.concerns(step.statement):
                    self._defined = True
                    if self.taps is not None:
                        self.taps.defined(step.statement.tag)
                else:
                    self.plans.shared.defined(self.database, nothing)
            case _:
                pass

    def _park(self, gid: str) -> None:
        tx, self.transaction = self.transaction, None
        self._ack = None
        self._strict = self._sealed = False
        if tx is not None:
            if tx.empty:
                self.mirror.aborted(tx)
            else:
                self.mirror.prepared(tx, gid)
        self._drop_intent()

    def _register(self, step: Step) -> None:
        prepared = self._made(step)
        if prepared is not None:
            self.statements[self.plans.encode(step.statement.name)] = prepared

    def _deallocate(self, name: bytes) -> None:
        if name:
            self.statements.pop(name, None)
        else:
            unnamed = self.statements.get(b"")
            self.statements.clear()
            if unnamed is not None:
                self.statements[b""] = unnamed

    def reconsider(self) -> None:
        """Rules or catalogue may have changed."""

    def cancel_read(self) -> bool:
        """The client cancels what runs; whether that is not the server's."""
        return False

    def learn(self) -> None:
        """Ask the server which statements the session has prepared: this relay has not seen them made.

        Only while the connection is idle. Whatever the client sends meanwhile waits. Asked in the extended protocol:
        a Query would destroy the unnamed statement, which the answer does not have.
        """
        self._unnamed_before = True
        self._learning = []
        self._ask(PREPARED, PREPARED_QUERY)
        self._flush()

    def _learned(self, statements: list[tuple[bytes, bytes, bytes]] | None) -> None:
        self._named_before = statements is None
        for name, text, types in statements or ():
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
