"""The byte path of a connection whose writes are captured: both directions, message by message.

What it adds to a plain relay is invisible at the client: spliced statements lose their extra column on the way back,
and a commit goes to the server only once what it would make durable there is safe on this side too. Nothing here
does I/O; `proxy.session.requests` reads what the client says, this module what the server answers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import IntEnum
from time import perf_counter_ns
from typing import Protocol

from proxy.admin.counters import BYTES_FROM_SERVER, OWN_SHARE, OWN_SHARE_SUM, Counters
from proxy.mirror.effects import Cause, Image, TableId, Truncation, Unseen
from proxy.mirror.port import MirrorPort
from proxy.mirror.transaction import Transaction, UnknownSavepoint
from proxy.mirror.versions import pack, parse_lsn
from proxy.session.expected import READY, Expected, Owed, Queue
from proxy.session.planner import Step
from proxy.session.plans import Plans, SessionPlans
from proxy.session.prepared import Portal, Prepared
from proxy.session.relay import ReportWhen, Write, nowhere
from proxy.sql.model import Kind
from proxy.wire import messages, rewriting
from proxy.wire.framing import MAX_MESSAGE_LENGTH

IDLE_STATUS = ord("I")

_DESCRIBES = frozenset({Owed.DESCRIBE_PORTAL, Owed.DESCRIBE_STATEMENT})

_UNEVENTFUL = frozenset({Kind.WRITE, Kind.READ, Kind.EXECUTE, Kind.BEGIN, Kind.OTHER, Kind.CALL})
"""Statements whose success changes nothing but rows."""

Look = Callable[[bytes, int, int], bytes | None]

_SWALLOW = b""

POSITION_QUERY = (
    "SELECT pg_catalog.pg_current_wal_insert_lsn()::pg_catalog.text, "
    "pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), "
    "pg_catalog.pg_current_xact_id()::pg_catalog.text"
)
"""What is asked behind a TRUNCATE, which can return nothing itself."""

PREPARED_QUERY = (
    "SELECT name, statement, parameter_types::pg_catalog.oid[]::pg_catalog.text "
    "FROM pg_catalog.pg_prepared_statements"
)


class Stalled(IntEnum):
    """Why the client's messages wait."""

    NOT = 0
    REPLIES = 1
    """Until the server has answered everything it was sent."""
    DISK = 2
    """Until the transaction's effects are secured."""


class CaptureOwner(Protocol):
    """What a capturing relay reports to and asks for."""

    def may_end(self) -> None:
        """What `report_when` waited for has come about."""

    def may_switch(self) -> None:
        """What `switch_when_idle` waited for has come about."""

    def pass_on_eof(self) -> None:
        """The client has ended its side, and all it said has gone out now."""

    def hold_client(self) -> None:
        """Do not read from the client; more is waiting than should be."""

    def release_client(self) -> None: ...

    def hold_server(self) -> None:
        """Do not read from the server: its replies wait for the store."""

    def release_server(self) -> None: ...


class Replies:
    """The server's direction, and the state both directions share."""

    __slots__ = (
        "_ack",
        "_acking",
        "_collected",
        "_counters",
        "_defined",
        "_ended",
        "_eof",
        "_expected",
        "_failed",
        "_held",
        "_intent",
        "_learning",
        "_looks",
        "_need",
        "_out_client",
        "_owner",
        "_passing",
        "_report_when",
        "_sealed",
        "_skipping",
        "_stalled",
        "_strict",
        "block",
        "client_terminated",
        "copying",
        "database",
        "high_water",
        "mirror",
        "plans",
        "portals",
        "shared",
        "statements",
        "status",
        "switch_when_idle",
        "to_client",
        "to_server",
        "transaction",
        "unobserved",
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
        self.to_client: Write = nowhere
        self.to_server: Write = nowhere
        self.shared = shared
        self.plans = plans
        self.mirror = mirror
        self.database = plans.database
        self.high_water = high_water
        self._owner = owner
        self._counters = counters
        self._report_when = ReportWhen.NEVER
        self._expected: Queue = deque()
        self.status = status
        """The transaction status of the last ReadyForQuery."""
        self.block = status != IDLE_STATUS
        """Whether the session is certainly in a transaction block, whatever is still under way."""
        self.copying = False
        self.statements: dict[bytes, Prepared] = {}
        self.portals: dict[bytes, Portal] = {}
        self.transaction: Transaction | None = None
        """What the session has written and PostgreSQL not yet decided about; made before the first such statement goes
        out."""
        self._strict = False
        """Whether the transaction touches a table whose effects must be durable before the commit."""
        self._ack: float | None = None
        """Seconds the reply to the commit waits for the store."""
        self._intent: Transaction | None = None
        """What may be lost while a commit that cannot be held back is under way."""
        self._sealed = False
        """Whether something was sent that may commit the transaction and is not answered yet."""
        self._failed = False
        """Whether the server reported an error since its last ReadyForQuery."""
        self._skipping = False
        """Whether the server skips everything up to a Sync that was not sent yet."""
        self._stalled = Stalled.NOT
        self._collected = bytearray()
        """The beginning of a message of the server that is needed whole."""
        self._need = 0
        self._passing = 0
        """Bytes still to come of a message that is handed on without a look."""
        self._acking = 0
        """How many things the reply to a commit still waits for: the store, a look at the catalogue."""
        self._defined = False
        """Whether the transaction has changed what may be a mirrored table."""
        self._held: list[bytes] = []
        """What the server sent while the reply to a commit waits for the store."""
        self._out_client: list[bytes] = []
        self._learning: list[tuple[bytes, bytes, bytes]] | None = None
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
        self._ended = False
        self._eof = False
        """Whether the client has ended its side while messages of it were waiting."""
        self.switch_when_idle = False
        """Whether the owner is told when a plain relay could take this one's place."""
        self.unobserved = False
        self.client_terminated = False

    # The server's direction.

    def from_server(self, data: bytes) -> None:
        """Bytes of the server, in the order they came."""
        started = perf_counter_ns()
        size = len(data)
        if self._acking:
            self._held.append(data)
            if sum(map(len, self._held)) > self.high_water:
                self._owner.hold_server()
            return
        self._read(data)
        self._go_on()
        path = self._counters.path
        path[BYTES_FROM_SERVER] += size
        spent = perf_counter_ns() - started
        path[OWN_SHARE_SUM] += spent
        path[OWN_SHARE + spent.bit_length()] += 1

    def _go_on(self) -> None:
        """Let the client's messages go on once all they wait for has come; copy data never waits for replies."""
        if (
            self._stalled is Stalled.REPLIES
            and (self.copying or not self._expected)
            and not self._acking
            and not self._ended
        ):
            self._replies_in()

    def _read(self, data: bytes) -> None:
        if self.unobserved:
            self.to_client(data)
            return
        if self._passing:
            if len(data) <= self._passing:
                self._passing -= len(data)
                self.to_client(data)
                return
            self.to_client(data[: self._passing])
            data = data[self._passing :]
            self._passing = 0
        if self._collected:
            self._collected += data
            if len(self._collected) < self._need:
                return
            data = bytes(self._collected)
            self._collected.clear()
        out = self._out_client
        looks, expected = self._looks, self._expected
        start = position = 0
        size = len(data)
        while size - position >= 5:
            kind = data[position]
            length = int.from_bytes(data[position + 1 : position + 5], "big")
            end = position + 1 + length
            if not 4 <= length <= MAX_MESSAGE_LENGTH or kind not in looks:
                self._lose_sight("invalid_backend_message")
                position = size
                break
            look = looks[kind]
            if look is None or (kind == messages.DATA_ROW and not (expected and expected[0].rows)):
                if end > size:
                    self._passing = end - size
                    position = size
                    break
                position = end
                continue
            if end > size:
                self._need = end - position
                break
            answer = look(data, position, end)
            expected = self._expected
            if self._acking:
                if start < position:
                    out.append(data[start:position])
                self._held = [data[position:end] if answer is None else answer, data[end:]]
                self._flush_client()
                return
            if answer is not None:
                if start < position:
                    out.append(data[start:position])
                if answer:
                    out.append(answer)
                start = end
            position = end
        if position < size:
            if size - position < 5:
                self._need = 5
            self._collected += data[position:]
        if start == 0 and position == size and not out:
            self.to_client(data)
            return
        if start < position:
            out.append(data[start:position])
        self._flush_client()

    def _flush_client(self) -> None:
        out = self._out_client
        if out:
            self.to_client(out[0] if len(out) == 1 else b"".join(out))
            out.clear()

    # One method for each message that is looked at: what the client gets in its place; None: the message as it is.

    def _acknowledged(self, data: bytes, position: int, end: int) -> bytes | None:
        """ParseComplete, BindComplete, CloseComplete."""
        if not self._expected:
            return None
        return _SWALLOW if self._expected.popleft().hidden else None

    def _no_data(self, data: bytes, position: int, end: int) -> bytes | None:
        head = self._expected[0] if self._expected else None
        if head is not None and head.owed in _DESCRIBES:
            self._expected.popleft()
            return _SWALLOW if head.hidden or head.simple else None
        return None

    def _parameters_described(self, data: bytes, position: int, end: int) -> bytes | None:
        return _SWALLOW if self._expected and self._expected[0].hidden else None

    def _stopped(self, data: bytes, position: int, end: int) -> bytes | None:
        """PortalSuspended, EmptyQueryResponse."""
        head = self._expected[0] if self._expected else None
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
        return None

    def _described(self, data: bytes, position: int, end: int) -> bytes | None:
        """RowDescription."""
        head = self._expected[0] if self._expected else None
        if head is None:
            return None
        step = head.step
        if head.owed in _DESCRIBES:
            self._expected.popleft()
            if head.hidden:
                return _SWALLOW
            if step is None or not step.captured:
                return None
            if step.hidden:
                return _SWALLOW if head.simple else rewriting.NO_DATA
            stripped = rewriting.without_last_field(data[position:end])
            return _SWALLOW if head.simple and stripped is rewriting.NO_DATA else stripped
        if head.hidden:
            return _SWALLOW
        if step is None or not step.captured:
            return None
        return rewriting.without_last_field(data[position:end]) if step.returning else _SWALLOW

    def _row(self, data: bytes, position: int, end: int) -> bytes | None:
        """A DataRow that holds our column, or answers a question of ours."""
        head = self._expected[0]
        step = head.step
        if step is not None and step.hidden:
            value = data[position + 11 : end]
            shown = _SWALLOW
        elif step is not None and step.captured:
            shown, value = rewriting.cut_last_column(data[position:end])
        else:
            row = data[position:end]
            if self._learning is not None and head.owed is Owed.QUERY:
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
        lsn, wal_file, xid = rewriting.values_of(row)
        if lsn is None or wal_file is None or xid is None:
            raise rewriting.MalformedMessage("a WAL position that is NULL")
        version = pack(int(wal_file[:8], 16), parse_lsn(lsn.decode("ascii")))
        tx = self._begun()
        tx.add((Truncation(tables, version),))
        if tx.xid is None:
            tx.xid = int(xid)

    def _completed(self, data: bytes, position: int, end: int) -> bytes | None:
        """CommandComplete."""
        head = self._expected[0] if self._expected else None
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
        step = head.step
        if head.owed is Owed.EXECUTE:
            self._expected.popleft()
        elif head.steps:
            head.advance()
        if step is not None and (step.configures or step.kind not in _UNEVENTFUL):
            self._done(step, tag[:-1])
        return _SWALLOW if head.hidden else None

    def _done(self, step: Step, tag: bytes) -> None:
        raise NotImplementedError

    def _ready(self, data: bytes, position: int, end: int) -> bytes | None:
        """ReadyForQuery."""
        status = data[position + 5]
        expected = self._expected
        head: Expected | None = None
        while expected:
            head = expected.popleft()
            if head.owed in READY:
                break
            self._undo(head)
        while expected and expected[0].owed is Owed.COPY_END:
            expected.popleft()
        self.status = status
        self.copying = False
        failed, self._failed = self._failed, False
        if head is not None and head.hidden and self._learning is not None:
            learned, self._learning = self._learning, None
            self._learned(learned)
            return _SWALLOW
        self.block = status != IDLE_STATUS and not (expected and any(e.owed in READY for e in expected))
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
                if not failed and not self.shared.defined(self.database, self._acked):
                    self._acking += 1
        if not self._acking:
            self._report()
        return None

    def _age_portals(self, *, idle: bool) -> None:
        """Portals end with their transaction; those of a later batch live on."""
        for name, bound in tuple(self.portals.items()):
            if bound.ahead:
                bound.ahead -= 1
            elif idle:
                del self.portals[name]

    def _report(self) -> None:
        if self._report_when is not ReportWhen.NEVER and self.may_end:
            self._owner.may_end()
        elif self.switch_when_idle and self.replaceable:
            self._owner.may_switch()

    def _error(self, data: bytes, position: int, end: int) -> bytes | None:
        """ErrorResponse."""
        message = data[position:end]
        head = self._expected[0] if self._expected else None
        self._counters.errors[messages.sqlstate_of(message[5:])[:2]] += 1
        self._failed = True
        self.copying = False
        expected = self._expected
        if head is None:
            return None
        if head.owed not in READY and head.owed is not Owed.COPY_END:
            dropped: list[Expected] = []
            while expected and expected[0].owed is not Owed.SYNC:
                dropped.append(expected.popleft())
            for entry in reversed(dropped):
                self._undo(entry)
            self._skipping = not expected
        step = head.step
        if step is not None and step.kind is Kind.PREPARE_TRANSACTION and self.transaction is not None:
            # A PREPARE TRANSACTION that fails rolls back, as a COMMIT that fails does.
            self._discard()
        if head.offset:
            return rewriting.moved_position(message, head.offset)
        return None

    def _undo(self, entry: Expected) -> None:
        """The server did not carry out what `entry` stands for."""
        if entry.owed in (Owed.PARSE, Owed.CLOSE) and entry.statement is not None and not entry.hidden:
            if entry.previous is None:
                self.statements.pop(entry.statement, None)
            else:
                self.statements[entry.statement] = entry.previous

    def _copy_in(self, data: bytes, position: int, end: int) -> bytes | None:
        """The server reads copy data, sent already or still to come: Syncs sent before its end are not answered."""
        expected = list(self._expected)
        first = 1 if expected else 0
        ends = [i for i in range(first, len(expected)) if expected[i].owed is Owed.COPY_END]
        until = ends[0] if ends else len(expected)
        self.copying = not ends
        kept = [entry for entry in expected[first:until] if entry.owed is not Owed.SYNC]
        self._expected = deque(expected[:first] + kept + expected[until + 1 :])
        return None

    # The transaction.

    def _begun(self) -> Transaction:
        if self.transaction is None:
            self.transaction = self.mirror.begin(self.database)
        return self.transaction

    def _commit(self) -> None:
        """PostgreSQL has committed; sets `_acking` where the reply has to wait for the store."""
        tx, self.transaction = self.transaction, None
        ack, self._ack = self._ack, None
        self._strict = self._sealed = False
        if tx is not None:
            if self._intent is not None and not tx.empty:
                self.mirror.secure_now(tx)  # before the intent goes
            if tx.empty:
                self.mirror.aborted(tx)
            elif ack is None:
                self.mirror.committed(tx)
            elif not self.mirror.committed(tx, self._acked, ack):
                self._acking += 1
        self._drop_intent()

    def _discard(self) -> None:
        """PostgreSQL has rolled back."""
        self._defined = False
        tx, self.transaction = self.transaction, None
        self._ack = None
        self._strict = self._sealed = False
        if tx is not None:
            self.mirror.aborted(tx)
        self._drop_intent()

    def _drop_intent(self) -> None:
        if self._intent is not None:
            self.mirror.aborted(self._intent)
            self._intent = None

    def _acked(self) -> None:
        """The store has the transaction, or the time is up, or the catalogue is fresh: hand on what was held."""
        if self._ended or not self._acking:
            return
        self._acking -= 1
        if self._acking:
            return
        held, self._held = self._held, []
        self._owner.release_server()
        self.to_client(held[0])
        rest = b"".join(held[1:])
        if rest:
            self._read(rest)
        if not self._acking:
            self._report()
        self._go_on()

    def _savepoint(self, act: Callable[[str], None], name: str) -> None:
        try:
            act(name)
        except UnknownSavepoint:
            # Our story of the transaction is not PostgreSQL's: nothing of it can be relied on.
            self._unseen_everywhere("a savepoint that was not seen")

    def _unseen_everywhere(self, detail: str) -> None:
        ground = self.plans.ground
        if ground is not None and ground.tables:
            tables = dict.fromkeys(mirrored.table for mirrored in ground.tables.values())
            self._begun().add([Unseen(Cause.UNOBSERVED, table, None, detail) for table in tables])
            self._strict = self._strict or ground.strict

    # What sessions and drains ask.

    @property
    def idle(self) -> bool:
        return (
            self.status == IDLE_STATUS
            and not self._expected
            and not self._stalled
            and not self._acking
            and not self.unobserved
            and self._client_at_boundary()
        )

    @property
    def untouched(self) -> bool:
        return False

    @property
    def replaceable(self) -> bool:
        raise NotImplementedError

    @property
    def reply_at_boundary(self) -> bool:
        return not self._passing and not self._collected and not self._acking

    @property
    def report_when(self) -> ReportWhen:
        return self._report_when

    @report_when.setter
    def report_when(self, moment: ReportWhen) -> None:
        self._report_when = moment

    @property
    def may_end(self) -> bool:
        match self._report_when:
            case ReportWhen.NEVER:
                return False
            case ReportWhen.IDLE:
                return self.idle
            case ReportWhen.ANSWERED:
                return not self._expected and not self._stalled and self.reply_at_boundary

    def ended(self) -> None:
        """The connection is over; what became of an open transaction is PostgreSQL's to say."""
        if self._ended:
            return
        self._ended = True
        tx, self.transaction = self.transaction, None
        if self._sealed:
            unanswered = [
                Unseen(Cause.UNOBSERVED, table, None, "the connection was lost before its reply")
                for entry in self._expected
                for step in entry.steps[entry.index :]
                if step.captured
                for table in step.tables
            ]
            if unanswered:
                tx = tx or self.mirror.begin(self.database)
                tx.add(list(dict.fromkeys(unanswered)))
        if tx is not None:
            if tx.empty:
                self.mirror.aborted(tx)
            elif self._sealed:
                self.mirror.doubtful(tx)
            else:
                self.mirror.aborted(tx)
        if self._intent is not None:
            intent, self._intent = self._intent, None
            if self._sealed:
                self.mirror.doubtful(intent)
            else:
                self.mirror.aborted(intent)

    def _lose_sight(self, reason: str) -> None:
        """The stream is not what it should be: hand on from here without a look, and say what may be missing."""
        if self.unobserved:
            return
        self.unobserved = True
        self._counters.streams_unobserved[reason] += 1
        self._unseen_everywhere("a stream that stopped making sense")
        tx, self.transaction = self.transaction, None
        if tx is not None:
            self.mirror.doubtful(tx)

    def _client_at_boundary(self) -> bool:
        raise NotImplementedError

    def _replies_in(self) -> None:
        raise NotImplementedError

    def _learned(self, statements: list[tuple[bytes, bytes, bytes]]) -> None:
        raise NotImplementedError
