"""What the server answers, message by message: what the client gets of it, and what it says about the transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from proxy.admin.counters import Counters
from proxy.mirror.effects import Cause, Image, TableId, Truncation, Unseen
from proxy.mirror.port import MirrorPort
from proxy.mirror.versions import VersionOverflow, pack, parse_lsn
from proxy.session.expected import Expected, Owed, Queue
from proxy.session.fate import Fate
from proxy.session.plan import Step
from proxy.session.plans import SessionPlans
from proxy.session.prepared import Portal, Prepared
from proxy.session.relay import ReportWhen
from proxy.sql.model import Kind
from proxy.wire import messages, rewriting

if TYPE_CHECKING:
    from proxy.shadow.tap import SessionTap

IDLE_STATUS = ord("I")
FAILED_STATUS = ord("E")

_DESCRIBES = frozenset({Owed.DESCRIBE_PORTAL, Owed.DESCRIBE_STATEMENT})

_UNEVENTFUL = frozenset({Kind.WRITE, Kind.READ, Kind.EXECUTE, Kind.BEGIN, Kind.OTHER, Kind.CALL})
"""Statements whose success changes nothing but rows."""

Look = Callable[[bytes, int, int], bytes | None]

_SWALLOW = b""


class Answers(Fate):
    """One method for each message that is looked at: what the client gets in its place; None: the message as it is."""

    __slots__ = (
        "_counters",
        "_expected",
        "_failed",
        "_learning",
        "_left_unnamed",
        "_looks",
        "_named_before",
        "_report_due",
        "_report_when",
        "_skipping",
        "_unnamed_before",
        "_withheld",
        "block",
        "copying",
        "portals",
        "statements",
        "status",
        "switch_when_idle",
        "taps",
    )

    def __init__(self, counters: Counters, plans: SessionPlans, mirror: MirrorPort, *, status: int) -> None:
        super().__init__(plans, mirror)
        self._counters = counters
        self._report_when = ReportWhen.NEVER
        self._expected = Queue()
        self.status = status
        """The transaction status of the last ReadyForQuery."""
        self.block = status != IDLE_STATUS
        """Whether the session is certainly in a transaction block, whatever is still under way."""
        self.copying = False
        self.statements: dict[bytes, Prepared] = {}
        self.portals: dict[bytes, Portal] = {}
        self._failed = False
        """Whether the server reported an error since its last ReadyForQuery."""
        self._skipping = False
        """Whether the server skips everything up to a Sync that was not sent yet."""
        self._withheld = b""
        """A RowDescription that PostgreSQL would send later than it was asked for: once the statement has run."""
        self._learning: list[tuple[bytes, bytes, bytes]] | None = None
        self._left_unnamed = False
        """Whether a Query that was sent statement by statement, and failed, has left the server an unnamed statement
        that no client made."""
        self._unnamed_before = False
        """Whether the server may have an unnamed statement that this relay has not seen made."""
        self._named_before = False
        """The same of statements with names: they have been asked for in vain."""
        self._report_due = False
        """Whether a ReadyForQuery has come that somebody may wait for: they are told once it has been handed on."""
        self.switch_when_idle = False
        """Whether the owner is told when a plain relay could take this one's place."""
        self.taps: SessionTap | None = None
        """What samples reads; None: nothing does."""
        self._looks: dict[int, Look | None] = {
            **dict.fromkeys(messages.BACKEND_TYPES, None),
            messages.DATA_ROW: self._row,
            messages.COMMAND_COMPLETE: self._completed,
            messages.READY_FOR_QUERY: self._ready,
            messages.PARSE_COMPLETE: self._acknowledged,
            messages.BIND_COMPLETE: self._acknowledged,
            messages.CLOSE_COMPLETE: self._acknowledged,
            messages.ROW_DESCRIPTION: self._described,
            messages.NO_DATA: self._no_data,
            messages.PARAMETER_DESCRIPTION: self._parameters_described,
            messages.ERROR_RESPONSE: self._error,
            messages.PORTAL_SUSPENDED: self._stopped,
            messages.EMPTY_QUERY_RESPONSE: self._stopped,
            messages.COPY_IN_RESPONSE: self._copy_in,
            messages.COPY_BOTH_RESPONSE: self._copies_both,
            messages.PARAMETER_STATUS: self._parameter,
        }
        """By type: what looks at a message of the server; None: it is handed on without a look."""

    def _acknowledged(self, data: bytes, position: int, end: int) -> bytes | None:
        """ParseComplete, BindComplete, CloseComplete."""
        if self._expected.head is None:
            return None
        entry = self._expected.popleft()
        if entry.made is not None:
            entry.made.unsure = False
        return _SWALLOW if entry.hidden else None

    def _no_data(self, data: bytes, position: int, end: int) -> bytes | None:
        head = self._expected.head
        if head is not None and head.owed in _DESCRIBES:
            self._expected.popleft()
            return _SWALLOW if head.hidden or head.simple else None
        return None

    def _parameters_described(self, data: bytes, position: int, end: int) -> bytes | None:
        head = self._expected.head
        return _SWALLOW if head is not None and head.hidden else None

    def _stopped(self, data: bytes, position: int, end: int) -> bytes | None:
        """PortalSuspended, EmptyQueryResponse."""
        head = self._expected.head
        if head is not None and head.tap is not None:
            head.tap.partial()
        if head is not None and head.owed is Owed.EXECUTE:
            self._expected.popleft()
            return _SWALLOW if head.hidden else None
        if head is not None and head.steps:
            head.advance()
        return None

    def _copies_both(self, data: bytes, position: int, end: int) -> bytes | None:
        self._lose_sight("copy_both")
        return None

    def _parameter(self, data: bytes, position: int, end: int) -> bytes | None:
        name, _, value = data[position + 5 : end - 1].partition(b"\x00")
        self.plans.reported(name, value)
        if self.taps is not None:
            self.taps.reported(name, value)
        return None

    def _described(self, data: bytes, position: int, end: int) -> bytes | None:
        """RowDescription."""
        head = self._expected.head
        if head is None:
            return None
        step = head.step
        if head.tap is not None:
            head.tap.described(data[position:end])
        if head.owed in _DESCRIBES:
            self._expected.popleft()
            if head.hidden:
                return _SWALLOW
            if step is not None and head.simple:
                return self._described_in_query(step, data[position:end])
            if step is None or not step.captured:
                return None
            return rewriting.NO_DATA if step.hidden else rewriting.without_last_field(data[position:end])
        if head.hidden:
            return _SWALLOW
        if step is None or not step.captured:
            return None
        return rewriting.without_last_field(data[position:end]) if step.returning else _SWALLOW

    def _described_in_query(self, step: Step, message: bytes) -> bytes | None:
        """Of a statement of a simple query that was sent in the extended protocol."""
        if step.hidden:
            return _SWALLOW
        if step.captured:
            message = rewriting.without_last_field(message)
            if message is rewriting.NO_DATA:
                return _SWALLOW
        elif step.streams:
            return None
        self._withheld = message
        if self._expected.head is not None:
            self._expected.head.rows = True
        return _SWALLOW

    def _row(self, data: bytes, position: int, end: int) -> bytes | None:
        """A DataRow that holds our column, or answers a question of ours."""
        head = self._expected.head
        assert head is not None
        step = head.step
        if step is not None and step.hidden:
            value = data[position + 11 : end]
            shown = _SWALLOW
        elif step is not None and step.captured:
            shown, value = rewriting.cut_last_column(data[position:end])
            if self._withheld:
                shown, self._withheld = self._withheld + shown, b""
        elif not head.hidden:
            withheld, self._withheld = self._withheld, b""
            head.rows = False
            return withheld + data[position:end]
        else:
            row = data[position:end]
            if self._learning is not None:
                name, text, types = rewriting.values_of(row)
                self._learning.append((name or b"", text or b"", types or b""))
            elif head.truncates:
                self._truncated(head.truncates, row)
            return _SWALLOW
        tx = self.transaction or self._begun()
        tx.add((Image(step.verb, value if value[:1] == b"\x00" else rewriting.bytea(value)),))
        if tx.size > self.mirror.limits.transaction_memory:
            self.mirror.spill(tx)
        return _SWALLOW if head.hidden else shown

    def _truncated(self, tables: tuple[TableId, ...], row: bytes) -> None:
        """Where a TRUNCATE stands. The client never asked: an answer that cannot be read costs a gap, no connection."""
        tx = self._begun()
        try:
            lsn, wal_file, xid = (value or b"" for value in rewriting.values_of(row))
            version = pack(int(wal_file[:8], 16), parse_lsn(lsn.decode("ascii")))
            number = int(xid)
        except (VersionOverflow, ValueError) as error:
            tx.add([Unseen(Cause.TRUNCATE, table, None, f"its WAL position: {error}") for table in tables])
            return
        tx.add((Truncation(tables, version),))
        if tx.xid is None:
            tx.xid = number

    def _completed(self, data: bytes, position: int, end: int) -> bytes | None:
        """CommandComplete."""
        head = self._expected.head
        if head is None:
            return None
        tag = data[position + 5 : end]
        if not head.hidden:
            verb = tag.partition(b" ")[0]
            statements = self._counters.statements
            if verb in statements:
                statements[verb] += 1
            else:
                self._counters.new_verb(verb)
        self.copying = False
        if head.tap is not None:
            head.tap.complete(tag[:-1])
        step = head.step
        if head.owed is Owed.EXECUTE:
            self._expected.popleft()
        elif head.steps:
            head.advance()
        if step is not None and (step.configures or step.kind not in _UNEVENTFUL):
            self._done(step, tag[:-1])
        if self._withheld:
            withheld, self._withheld = self._withheld, b""
            return withheld + data[position:end]
        return _SWALLOW if head.hidden else None

    def _done(self, step: Step, tag: bytes) -> None:
        raise NotImplementedError

    def _ready(self, data: bytes, position: int, end: int) -> bytes | None:
        """ReadyForQuery."""
        status = data[position + 5]
        expected = self._expected
        head: Expected | None = None
        while expected.head is not None:
            head = expected.popleft()
            if head.ready:
                break
            self._undo(head)
        while expected.head is not None and expected.head.owed is Owed.COPY_END:
            expected.popleft()
        self.status = status
        self.copying = False
        failed, self._failed = self._failed, False
        if head is not None and head.hidden and self._learning is not None:
            learned, self._learning = self._learning, None
            self._learned(None if failed else learned)
            return _SWALLOW
        self.block = status != IDLE_STATUS and not expected.readies
        self._sealed = False
        if self.portals:
            self._age_portals(idle=status == IDLE_STATUS)
        if status == IDLE_STATUS:
            self.plans.transaction_ended(committed=not failed)
            if self.transaction is not None or self._intent is not None:
                if failed:
                    self._discard()
                else:
                    self._commit()
            if self._defined:
                self._defined = False
                if not failed and not self.plans.shared.defined(self.database, self._acked):
                    self._acking += 1
        self._report_due = not self._acking
        return None

    def _age_portals(self, *, idle: bool) -> None:
        """Portals end with their transaction; those of a later batch live on."""
        for name, bound in tuple(self.portals.items()):
            if bound.ahead:
                bound.ahead -= 1
            elif idle:
                del self.portals[name]

    def _error(self, data: bytes, position: int, end: int) -> bytes | None:
        """ErrorResponse."""
        message = data[position:end]
        head = self._expected.head
        self._counters.errors[messages.sqlstate_of(message[5:])[:2]] += 1
        self._failed = True
        self._withheld = b""
        self._nothing_left()
        self.copying = False
        expected = self._expected
        if head is None:
            return None
        if head.tap is not None:
            head.tap.failed()
        if head.simple and b"" not in self.statements:  # else the client has made one behind it
            self._left_unnamed = True
        if not head.ready and head.owed is not Owed.COPY_END:
            dropped: list[Expected] = []
            while expected.head is not None and expected.head.owed is not Owed.SYNC:
                dropped.append(expected.popleft())
            for entry in reversed(dropped):
                self._undo(entry)
            self._skipping = expected.head is None
        step = head.step
        if step is not None and step.kind is Kind.PREPARE_TRANSACTION and self.transaction is not None:
            # A PREPARE TRANSACTION that fails rolls back, as a COMMIT that fails does.
            self._discard()
        if self._learning is not None and head.hidden and goes_on(message[5:]):
            return _SWALLOW
        if head.offset:
            return rewriting.moved_position(message, head.offset)
        if head.shifts:
            return rewriting.unshifted_position(message, head.shifts)
        return None

    def _nothing_left(self) -> None:
        """What portals have written since the last savepoint is undone, and so are the rows left in them."""
        for bound in self.portals.values():
            bound.unfetched = False

    def _undo(self, entry: Expected) -> None:
        """The server did not carry out what `entry` stands for."""
        if entry.tap is not None:
            entry.tap.failed()
        if entry.owed in (Owed.PARSE, Owed.CLOSE) and entry.statement is not None and not entry.hidden:
            if entry.previous is None:
                self.statements.pop(entry.statement, None)
                self._unnamed_before = self._unnamed_before or not entry.statement
            else:
                self.statements[entry.statement] = entry.previous
        elif entry.owed is Owed.PARSE and entry.previous is not None:
            twins = entry.previous.twins
            entry.previous.twins = {
                spliced: name for spliced, name in twins.items() if name != entry.statement
            }

    def _copy_in(self, data: bytes, position: int, end: int) -> bytes | None:
        """The server reads copy data, sent already or still to come: Syncs sent before its end are not answered."""
        self.copying = not self._expected.copy_begins()
        return None

    def _report(self) -> None:
        """A ReadyForQuery has come: somebody may wait for that."""
        raise NotImplementedError

    def _lose_sight(self, reason: str) -> None:
        """The stream is not what it should be."""
        raise NotImplementedError

    def _learned(self, statements: list[tuple[bytes, bytes, bytes]] | None) -> None:
        """(name, text, parameter types) of what the session had prepared; None: the server would not tell."""
        raise NotImplementedError


def goes_on(body: bytes) -> bool:
    """Whether the session goes on behind an ErrorResponse."""
    fields = messages.error_fields(body)
    return fields.get("V", fields.get("S")) == "ERROR"
