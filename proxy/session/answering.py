"""How reads are answered from the store in the server's place, or go to PostgreSQL after all. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from proxy.serve.candidates import Reading
from proxy.serve.port import Declined, Read, Served, ServeLimits
from proxy.session.answers import IDLE_STATUS
from proxy.session.batches import Batch, BoundRead
from proxy.session.capture import Stalled
from proxy.session.expected import HIDDEN_BIND, Expected, Owed
from proxy.session.outlook import NOTIFIED, Outlook
from proxy.session.queries import OWN
from proxy.wire import messages, rewriting

if TYPE_CHECKING:
    from proxy.admin.counters import Counters
    from proxy.mirror.port import MirrorPort
    from proxy.serve.port import ServePort
    from proxy.session.capture import CaptureOwner
    from proxy.session.plans import SessionPlans

TOO_LARGE: Final = "the results of the batch are too large"

_SWALLOW: Final = b""
_FAILING: Final = OWN + b": canceling statement due to user request"
"""No prepared statement is called this: binding it fails a transaction block."""


class ServedAnswers(Outlook):
    """What is held at the head of the client's messages, from when it is asked of the store to its end."""

    __slots__ = ("_batch", "_passed", "_passed_binds", "_unnamed_gone")

    def __init__(
        self,
        owner: CaptureOwner,
        counters: Counters,
        plans: SessionPlans,
        mirror: MirrorPort,
        port: ServePort,
        *,
        status: int,
        high_water: int,
        thrown: float,
    ) -> None:
        super().__init__(
            owner, counters, plans, mirror, port, status=status, high_water=high_water, thrown=thrown
        )
        self._batch: Batch | None = None
        """What is held, or being answered."""
        self._passed: bytes | None = None
        """The Query at the head of those that wait that goes to PostgreSQL whatever it is."""
        self._passed_binds = 0
        """The same for so many Bind messages."""
        self._unnamed_gone = False
        """Whether a served Query would have destroyed the unnamed statement, which the server still has."""

    def _begin(self) -> None:
        batch = self._batch
        assert batch is not None
        self._stalled = Stalled.STORE
        self._run(batch)

    def _run(self, batch: Batch) -> None:
        read = batch.next()
        batch.handle = self._port.serve(self._described_read(read), self._served)

    def _described_read(self, read: BoundRead) -> Read:
        known, reading = self._known, read.reading
        limits = reading.limits
        assert known is not None
        assert limits is not None
        if 0 < known.statement_timeout < limits.timeout:
            limits = ServeLimits(
                known.statement_timeout, limits.max_rows, limits.max_bytes, limits.reverse_shadow
            )
        return Read(
            self.database,
            reading.text,
            read.types,
            read.parameters,
            read.formats,
            read.results,
            self.plans.identity.path or (),
            known.session,
            known.user,
            reading.tables,
            limits,
            read.limit,
        )

    def _served(self, result: Served | Declined) -> None:
        """The store has answered, or will not."""
        batch = self._batch
        if batch is None or self._ended or self.unobserved or batch.cancelled or batch.declined:
            return
        batch.handle = None
        if isinstance(result, Declined):
            batch.declined = result.reason
        else:
            batch.declined = batch.found(result, block=self._in_block())
            if not batch.declined and not batch.done:
                if batch.size > self.high_water:
                    batch.declined = TOO_LARGE
                elif not batch.refused:
                    self._run(batch)
                    return
        self._progress()

    def _go_on(self) -> None:
        if self._stalled is Stalled.STORE:
            self._progress()
        else:
            super()._go_on()

    def _progress(self) -> None:
        """Ends what is held, where nothing stands in the way any more."""
        batch = self._batch
        if batch is None or self._ended or not self.reply_at_boundary:
            return
        if batch.refused:
            self._finish(batch, b"")
        elif not batch.synced:
            return
        elif batch.cancelled:
            if self.status == IDLE_STATUS or batch.broken:
                self._counters.errors["57"] += 1
                self._finish(batch, batch.reply(self.status))
            else:
                self._fail_block(batch)
        elif batch.declined:
            self._release(batch.declined)
        elif batch.done:
            statements = self._counters.statements
            for number in batch.order:
                self._count(batch.reads[number].reading, "")
                if b"SELECT" in statements:
                    statements[b"SELECT"] += 1
                else:
                    self._counters.new_verb(b"SELECT")
            self._finish(batch, batch.reply(self.status))

    def _finish(self, batch: Batch, reply: bytes) -> None:
        """The client has its answer; what it has sent since goes on."""
        for _ in range(batch.messages):
            message = self._waiting.popleft()[1]
            assert isinstance(message, bytes)
            self._waiting_bytes -= len(message)
        if batch.reads and not batch.reads[0].bind and not batch.refused:
            # A simple query destroys the unnamed statement and portal.
            self._unnamed_gone = self._unnamed_gone or self._unnamed_before or b"" in self.statements
            self._unnamed_before = False
            self.statements.pop(b"", None)
            self.portals.pop(b"", None)
        self._batch = None
        self._stalled = Stalled.NOT
        if reply:
            self.to_client(reply)
        self._resume()
        if not self._stalled:
            self._report()

    def _count(self, reading: Reading, reason: str) -> None:
        self._port.count(self.database, reading.tables, "postgres" if reason else "store", reason)

    # What may come between.

    def cancel_read(self) -> bool:
        """The client cancels what runs; whether that was a read from the store, so that the server need not know."""
        batch = self._batch
        if batch is None or self._stalled is not Stalled.STORE:
            return False
        if not (batch.cancelled or batch.refused or batch.declined or batch.done):
            if batch.handle is not None:
                batch.handle.cancel()
                batch.handle = None
            batch.cancelled = True
            self._progress()
        return True

    def _fail_block(self, batch: Batch) -> None:
        """Makes the server fail the transaction block of a read that was cancelled."""
        self._out += (rewriting.bind(b"", _FAILING, binary=False), rewriting.SYNC)
        self._expected.extend((HIDDEN_BIND, Expected(Owed.SYNC, hidden=True)))
        batch.broken, batch.synced = True, False
        self._apart = True
        self._flush()

    def _hidden(self) -> bool:
        batch = self._batch
        if batch is not None and batch.broken:
            head = self._expected.head
            return head is not None and head.hidden
        return super()._hidden()

    def _hidden_ready(self, data: bytes, position: int, end: int) -> bytes | None:
        failed, batch = self._failed, self._batch
        self._ready(data, position, end)
        self._note_ready(failed=failed)
        if batch is None:
            return _SWALLOW
        batch.synced = True
        if failed and not batch.broken:
            batch.refused = True
            if batch.handle is not None:
                batch.handle.cancel()
                batch.handle = None
            return None
        return _SWALLOW

    def _notified(self, data: bytes, position: int, end: int) -> bytes | None:
        batch = self._batch
        if batch is not None and self._stalled is Stalled.STORE and not batch.cancelled:
            if batch.handle is not None:
                batch.handle.cancel()
                batch.handle = None
            batch.declined = batch.declined or NOTIFIED
        return super()._notified(data, position, end)

    def _release(self, reason: str) -> None:
        """What is held goes to PostgreSQL as it came."""
        batch, self._batch = self._batch, None
        if batch is not None and batch.handle is not None:
            batch.handle.cancel()
        self._stalled = Stalled.NOT
        head = self._waiting[0] if self._waiting else None
        if head is not None and isinstance(head[1], bytes):
            if head[0] == messages.QUERY:
                self._passed = head[1]
            else:
                self._passed_binds = 1
        if batch is not None and batch.reads:
            self._count(batch.reads[0].reading, reason)
        elif head is not None and isinstance(head[1], bytes):
            self._count_bind(head[1], reason)
        self._resume()
        if not self._stalled:
            self._report()

    def _count_bind(self, message: bytes, reason: str) -> None:
        prepared = self.statements.get(rewriting.bind_names(message)[1])
        if prepared is not None:
            reading = self._reading(prepared.text)
            if reading.tables:
                self._count(reading, reason)

    def ended(self) -> None:
        batch, self._batch = self._batch, None
        if batch is not None and batch.handle is not None:
            batch.handle.cancel()
        super().ended()

    def _lose_sight(self, reason: str) -> None:
        super()._lose_sight(reason)
        batch, self._batch = self._batch, None
        if batch is None:
            return
        if batch.handle is not None:
            batch.handle.cancel()
        self._stalled = Stalled.NOT
        for _, message, _ in self._waiting:
            if isinstance(message, bytes):
                self._out.append(message)
        self._waiting.clear()
        self._waiting_bytes = 0
        self._flush()
        self._owner.release_client()
