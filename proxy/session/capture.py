"""The byte path of a connection whose writes are captured: both directions, message by message.

What it adds to a plain relay is invisible at the client: spliced statements lose their extra column on the way back,
and a commit goes to the server only once what it would make durable there is safe on this side too. Nothing here
does I/O; `proxy.session.requests` reads what the client says, this module what the server answers.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from time import perf_counter_ns
from typing import TYPE_CHECKING, Protocol

from proxy.admin.counters import BYTES_FROM_SERVER, OWN_SHARE, OWN_SHARE_SUM, Counters
from proxy.mirror.effects import Cause, Unseen
from proxy.mirror.port import MirrorPort
from proxy.session.answers import IDLE_STATUS, Answers
from proxy.session.expected import Owed
from proxy.session.plans import SessionPlans
from proxy.session.relay import ReportWhen, Write, nowhere
from proxy.wire import messages
from proxy.wire.framing import MAX_MESSAGE_LENGTH, run_end

if TYPE_CHECKING:
    from proxy.shadow.tap import Tap

_HEADER = Struct("!BI").unpack_from
"""Type and length of a message."""

POSITION_QUERY = (
    "SELECT pg_catalog.pg_current_wal_insert_lsn()::pg_catalog.text, "
    "pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), "
    "pg_catalog.pg_current_xact_id()::pg_catalog.text"
)
"""What is asked behind a TRUNCATE, which can return nothing itself."""

PREPARED = b"_causeway_prepared"
"""The name of the question below, which is one of its answers."""
PREPARED_QUERY = (
    "SELECT name, statement, parameter_types::pg_catalog.oid[]::pg_catalog.text "
    "FROM pg_catalog.pg_prepared_statements "
    f"WHERE name OPERATOR(pg_catalog.<>) '{PREPARED.decode()}'"
)


class Stalled(IntEnum):
    """Why the client's messages wait."""

    NOT = 0
    REPLIES = 1
    """Until the server has answered everything it was sent."""
    DISK = 2
    """Until the transaction's effects are secured."""
    BATCH = 3
    """Until the end of a batch that may be served has come."""
    STORE = 4
    """Until the store has answered in the server's place."""


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

    def client_backlog(self) -> int:
        """Bytes that wait to be taken by the client."""


class Replies(Answers):
    """The server's direction, and the state both directions share."""

    __slots__ = (
        "_collected",
        "_ended",
        "_eof",
        "_held",
        "_need",
        "_out_client",
        "_owner",
        "_passing",
        "_stalled",
        "_tapped",
        "high_water",
        "to_client",
        "to_server",
        "unobserved",
    )

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
        super().__init__(counters, plans, mirror, status=status)
        self.to_client: Write = nowhere
        self.to_server: Write = nowhere
        self.high_water = high_water
        self._owner = owner
        self._stalled = Stalled.NOT
        self._collected = bytearray()
        """The beginning of a message of the server that is needed whole."""
        self._need = 0
        self._passing = 0
        """Bytes still to come of a message that is handed on without a look."""
        self._tapped: Tap | None = None
        """Where they are kept, too."""
        self._held: list[bytes] = []
        """What the server sent while the reply to a commit waits for the store."""
        self._out_client: list[bytes] = []
        self._ended = False
        self._eof = False
        """Whether the client has ended its side while messages of it were waiting."""
        self.unobserved = False

    # The server's direction.

    def from_server(self, data: bytes) -> None:
        """Bytes of the server, in the order they came."""
        started = perf_counter_ns()
        size = len(data)
        if self._acking:
            self._held.append(data)
            if sum(map(len, self._held)) > self.high_water:
                self._owner.hold_server()
        else:
            self._read(data)
            if self._report_due:
                self._report_due = False
                self._report()
            if self._stalled:
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
            and (self.copying or self._expected.head is None)
            and not self._acking
            and not self._ended
        ):
            self._replies_in()

    def _read(self, data: bytes) -> None:
        if self.unobserved:
            self.to_client(data)
            return
        if self._passing:
            if self._tapped is not None:
                self._tapped.keep(data[: self._passing])
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
            kind, length = _HEADER(data, position)
            end = position + 1 + length
            if not 4 <= length <= MAX_MESSAGE_LENGTH or kind not in looks:
                self._lose_sight("invalid_backend_message")
                position = size
                break
            look = looks[kind]
            if look is None or (
                kind == messages.DATA_ROW and (expected.head is None or not expected.head.rows)
            ):
                tap = expected.head.tap if kind == messages.DATA_ROW and expected.head is not None else None
                if end > size:
                    self._passing = end - size
                    self._tapped = tap
                    if tap is not None:
                        tap.keep(data[position:])
                    position = size
                    break
                run = run_end(data, position)
                if tap is not None:
                    tap.keep(data[position:run])
                position = run
                continue
            if end > size:
                self._need = end - position
                break
            answer = look(data, position, end)
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

    def _report(self) -> None:
        if self._report_when is not ReportWhen.NEVER and self.may_end:
            self._owner.may_end()
        elif self.switch_when_idle and self.replaceable:
            self._owner.may_switch()

    # The transaction.

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

    # What sessions and drains ask.

    @property
    def idle(self) -> bool:
        return (
            self.status == IDLE_STATUS
            and self._expected.head is None
            and not self._stalled
            and not self._acking
            and not self.unobserved
            and self._client_at_boundary()
        )

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
                return self._expected.head is None and not self._stalled and self.reply_at_boundary

    def ended(self) -> None:
        """The connection is over; what became of an open transaction is PostgreSQL's to say."""
        if self._ended:
            return
        self._ended = True
        self._untap()
        self._let_go()
        tx, self.transaction = self.transaction, None
        if self._sealed:
            unanswered = [
                Unseen(Cause.UNOBSERVED, table, None, "the connection was lost before its reply")
                for entry in self._expected
                if entry.owed in (Owed.EXECUTE, Owed.QUERY)
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

    def _let_go(self) -> None:
        """What the server said before its end is the client's: nothing is waited for any more."""
        self._report_when, self.switch_when_idle = ReportWhen.NEVER, False
        while self._acking:
            held, self._held, self._acking = self._held, [], 0
            self.to_client(held[0])
            self._read(b"".join(held[1:]))

    def _lose_sight(self, reason: str) -> None:
        """The stream is not what it should be: hand on from here without a look, and say what may be missing."""
        if self.unobserved:
            return
        self.unobserved = True
        self._untap()
        self._counters.streams_unobserved[reason] += 1
        self._unseen_everywhere("a stream that stopped making sense")
        tx, self.transaction = self.transaction, None
        if tx is not None:
            self.mirror.doubtful(tx)

    def _untap(self) -> None:
        """No reply will be read to its end any more."""
        for entry in self._expected:
            if entry.tap is not None:
                entry.tap.failed()

    def _client_at_boundary(self) -> bool:
        raise NotImplementedError

    def _replies_in(self) -> None:
        raise NotImplementedError
