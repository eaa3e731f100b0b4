"""A capturing relay that has reads answered from the store, in the server's place. No I/O.

What may be served waits at the head of the client's messages. Either its reply is written in one piece, between two
messages of the server, and it never goes out; or it goes to PostgreSQL as it came, and nothing was said of it.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Final

from proxy.serve.candidates import UNKNOWN, Reading
from proxy.session.answering import ServedAnswers
from proxy.session.batches import Batch, BoundRead, same_meaning, simple
from proxy.session.capture import Stalled
from proxy.session.expected import HIDDEN_CLOSE, Expected, Owed
from proxy.sql.model import Kind
from proxy.wire import messages, rewriting

if TYPE_CHECKING:
    from proxy.session.prepared import Prepared

BUSY: Final = "other statements are under way before it"
INCOMPLETE: Final = "a batch without an end"
NAMED_PORTAL: Final = "a portal with a name"
WRITES: Final = "the statement may write"
UNPROVEN: Final = "the statement was prepared before its tables were served"

_PREFIX: Final = frozenset({Owed.PARSE, Owed.BIND, Owed.CLOSE, Owed.DESCRIBE_STATEMENT})
"""What may have been sent of a batch that is served all the same: nothing of it has run."""


class ServingRelay(ServedAnswers):
    """Both directions of one connection, some of whose reads are served."""

    __slots__ = ()

    def _switched(self) -> None:
        handlers: dict[int, Callable[[bytes], bool]] = {
            messages.QUERY: self._query,
            messages.PARSE: self._parse,
            messages.BIND: self._bind,
            messages.DESCRIBE: self._describe,
            messages.FUNCTION_CALL: self._function_call,
        }
        if self._on:
            self._unnamed_gone = False
            handlers = {
                messages.QUERY: self._serve_query,
                messages.PARSE: self._serve_parse,
                messages.BIND: self._serve_bind,
                messages.DESCRIBE: self._serve_describe,
                messages.FUNCTION_CALL: self._serve_function_call,
            }
        self._handlers.update(handlers)

    # What the client says.

    def _serve_query(self, message: bytes) -> bool:
        reading = self._reading(message[5:-1])
        if self._passed is not message:
            if (reading.tables or reading.begins) and self._must_ask():
                return False
            if reading.tables:
                busy = self._busy() or self._unsynced
                reason = BUSY if busy and not self._only_begun() else self._obstacle(reading, ())
                if not reason and busy:
                    self._stalled = Stalled.REPLIES
                    return False
                if not reason:
                    self._batch = simple(reading)
                    self._begin()
                    return False
                self._count(reading, reason)
                self._passed = message
        self._note_sent(reading)
        done = self._query(message)
        if done:
            self._unnamed_gone = False
            if self._passed is message:
                self._passed = None
        return done

    def _only_begun(self) -> bool:
        """Whether the server owes no more than the answer to a BEGIN that was sent in one go with what is at hand."""
        if self._unsynced or self._skipping or self.copying or self._acking:
            return False
        return all(
            entry.owed is Owed.QUERY and entry.steps and all(step.kind is Kind.BEGIN for step in entry.steps)
            for entry in self._expected
        )

    def _serve_function_call(self, message: bytes) -> bool:
        self._note_sent(UNKNOWN)
        return self._function_call(message)

    def _serve_parse(self, message: bytes) -> bool:
        name, text, _ = rewriting.split_parse(message)
        reading = self._reading(text)
        if (reading.tables or reading.begins) and self._must_ask():
            return False
        done = self._parse(message)
        if done:
            if not name:
                self._unnamed_gone = False
            if reading.tables:
                self.statements[name].versions = reading.versions
        return done

    def _serve_describe(self, message: bytes) -> bool:
        if self._unnamed_gone:
            self._destroy_unnamed()
        return self._describe(message)

    def _serve_bind(self, message: bytes) -> bool:
        portal, name = rewriting.bind_names(message)
        prepared = self.statements.get(name)
        reading = UNKNOWN if prepared is None or not prepared.text else self._reading(prepared.text)
        if not self._passed_binds and prepared is not None:
            if (reading.tables or reading.begins) and self._must_ask():
                return False
            if reading.tables:
                reason = self._unservable(portal, prepared, reading)
                if not reason:
                    self._batch = Batch()
                    self._stalled = Stalled.BATCH
                    return False
                self._count(reading, reason)
                self._passed_binds = 1
        self._note_sent(reading)
        if self._unnamed_gone:
            self._destroy_unnamed()
        done = self._bind(message)
        if done and self._passed_binds:
            self._passed_binds -= 1
        return done

    def _unservable(self, portal: bytes, prepared: Prepared, reading: Reading) -> str:
        """Why a batch is not held for what it binds first; empty: it is."""
        if not self._only_prefix():
            return BUSY
        if prepared.plan is not None:
            return WRITES
        if not same_meaning(prepared, reading):
            self._trials.append((prepared, reading.versions))
            return UNPROVEN
        if portal and self._in_block():
            return NAMED_PORTAL
        return self._hindrance(reading)

    def _only_prefix(self) -> bool:
        """Whether what the server owes are answers to this batch, of which nothing has run but a BEGIN."""
        if self._expected.readies or self._skipping or self.copying or self._acking:
            return False
        for entry in self._expected:
            if entry.owed in _PREFIX:
                continue
            if entry.owed is Owed.EXECUTE and entry.step is not None and entry.step.kind is Kind.BEGIN:
                continue
            return False
        return True

    def _destroy_unnamed(self) -> None:
        """Before what would miss it: the unnamed statement goes, as a Query that was served would have it."""
        self._unnamed_gone = False
        self._out.append(rewriting.close(b"S", b""))
        self._expected.append(HIDDEN_CLOSE)
        self._unsynced = True

    # How a batch is held.

    def _gathered(self) -> None:
        super()._gathered()
        if self._stalled is Stalled.BATCH:
            self._look_at_batch()

    def _resume(self) -> None:
        super()._resume()
        if self._stalled is Stalled.BATCH:
            self._look_at_batch()

    def _look_at_batch(self) -> None:
        batch = self._batch
        assert batch is not None
        for kind, message, whole in list(islice(self._waiting, batch.messages, None)):
            if not isinstance(message, bytes) or not whole:
                self._release("a batch with other messages")
                return
            try:
                reason = self._bound(message) if kind == messages.BIND else ""
                if kind not in (messages.BIND, messages.SYNC):
                    reason = batch.take(kind, message)
            except rewriting.MalformedMessage:
                reason = "a malformed message"
            if reason:
                self._release(reason)
                return
            batch.messages += 1
            if kind == messages.SYNC:
                self._decide(batch)
                return
        if self._eof or self._skipping or self._waiting_bytes > self.high_water:
            self._release(INCOMPLETE)

    def _bound(self, message: bytes) -> str:
        """A Bind of the batch; why it cannot be served."""
        batch = self._batch
        assert batch is not None
        portal, name = rewriting.bind_names(message)
        prepared = self.statements.get(name)
        if prepared is None or not prepared.text or (not name and self._unnamed_gone):
            return "a batch that executes something else"
        reading = self._reading(prepared.text)
        if not reading.tables:
            return "a batch that executes something else"
        if prepared.plan is not None:
            return WRITES
        if not same_meaning(prepared, reading):
            return UNPROVEN
        if portal and (self._in_block() or portal in batch.portals):
            return NAMED_PORTAL
        read = BoundRead(reading, prepared.rest, message)
        reason = self._obstacle(reading, read.types)
        if not reason:
            batch.bind(portal, read)
        return reason

    def _decide(self, batch: Batch) -> None:
        """All of the batch has come."""
        if reason := batch.whole():
            self._release(reason)
            return
        if self._unsynced or self._expected.head is not None:
            self._out.append(rewriting.SYNC)
            self._expected.append(Expected(Owed.SYNC, hidden=True))
            self._unsynced = False
            batch.synced = False
            self._flush()
        self._begin()

    def delays_eof(self) -> bool:
        delayed = super().delays_eof()
        if self._stalled is Stalled.BATCH:
            self._look_at_batch()
        return delayed and self._eof
