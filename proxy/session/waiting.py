"""How messages of the client wait: for the server's answers, and until what they would commit is on disk."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from proxy.admin.counters import Counters
from proxy.mirror.effects import Cause, Rows, Unseen
from proxy.mirror.port import MirrorPort
from proxy.session.capture import CaptureOwner, Replies, Stalled
from proxy.session.expected import HIDDEN_BIND, HIDDEN_CLOSE, HIDDEN_PARSE, Expected, Owed
from proxy.session.plan import ENDS, KeyPins, Plan, Step
from proxy.session.plans import SessionPlans
from proxy.sql.model import Kind, Literal
from proxy.wire import rewriting

STEP, FINISH = 1000, 1001
"""Kinds of the entries in the queue of waiting messages that no client sent: a statement of a simple query, its end."""


@dataclass(frozen=True, slots=True)
class SplitStep:
    """One statement of a simple query that is sent in the extended protocol."""

    plan: Plan
    step: Step


class Waiting(Replies):
    """The client's direction, as far as it is the same for every message."""

    __slots__ = ("_cleared", "_out", "_unsettled", "_unsynced", "_waiting", "_waiting_bytes")

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
        self._out: list[bytes] = []
        """What goes to the server with the next write."""
        self._waiting: deque[tuple[int, bytes | SplitStep, bool]] = deque()
        self._waiting_bytes = 0
        self._cleared = False
        """Whether the message at the head has waited for everything it had to."""
        self._unsettled = False
        """Whether something was sent that decides how what follows is planned."""
        self._unsynced = False
        """Whether messages of the extended protocol were sent since the last Sync."""

    def _request(self, kind: int, message: bytes | SplitStep, whole: bool) -> bool:
        """Deals with one message; False if it must wait, and will be asked about again."""
        raise NotImplementedError

    def _gathered(self) -> None:
        """More of the client's messages wait."""
        if self._waiting_bytes > self.high_water:
            self._owner.hold_client()

    def delays_eof(self) -> bool:
        """The client has ended its side; whether that must not reach the server yet. Then `pass_on_eof` says when."""
        self._eof = bool(self._waiting)
        return self._eof

    def _flush(self) -> None:
        out = self._out
        if out:
            self.to_server(out[0] if len(out) == 1 else b"".join(out))
            out.clear()

    def _settle(self) -> bool:
        """True if the message at hand must wait until the server has answered everything."""
        if self._cleared or self._expected.head is None or self.copying:
            return False
        if self._unsynced:
            self._out.append(rewriting.FLUSH)
        self._stalled = Stalled.REPLIES
        return True

    def _ask(self, name: bytes, question: str) -> None:
        """A question of ours, by itself, under a name of its own. What its failure has left is closed before it."""
        self._out += (
            rewriting.close(b"S", name),
            rewriting.parse(name, question.encode()),
            rewriting.bind(name, name, binary=False),
            rewriting.execute(name),
            rewriting.close(b"P", name),
            rewriting.close(b"S", name),
            rewriting.SYNC,
        )
        self._expected.extend(
            (
                HIDDEN_CLOSE,
                HIDDEN_PARSE,
                HIDDEN_BIND,
                Expected(Owed.EXECUTE, hidden=True),
                HIDDEN_CLOSE,
                HIDDEN_CLOSE,
                Expected(Owed.SYNC, hidden=True),
            )
        )
        self._stalled = Stalled.REPLIES

    def _undecided(self) -> bool:
        """True if the message at hand must wait until it can be planned."""
        if self._unsettled:
            if self._settle():
                return True
            self._unsettled = False
        return False

    def _sent(self, step: Step) -> None:
        if step.stateful or (step.kind in ENDS and self.plans.changed):
            self._unsettled = True
        if step.kind is Kind.SAVEPOINT:
            self._leave_portals()

    def _hold(self) -> bool:
        """As `_settle`, and until the effects are secured: what goes out next may commit them.

        Once it has gone out nothing of the transaction can be written any more, so nothing more is waited for.
        """
        if self._cleared or not self._strict or self._sealed:
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
        if self._eof and not waiting and not self._stalled:
            self._eof = False
            self._owner.pass_on_eof()

    def _writing(self, step: Step) -> None:
        """A statement that writes is about to go out."""
        tx = self._begun()
        self._strict = self._strict or step.strict
        if step.ack_timeout is not None:
            self._ack = max(self._ack or 0.0, step.ack_timeout)
        if step.unseen:
            tx.add(step.unseen)

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

    def _fetch_rest(self, portal: bytes) -> None:
        """Take the images of rows the client never fetched, before the portal goes."""
        bound = self.portals.get(portal)
        if bound is not None and bound.unfetched and bound.shown is not None and not self._skipping:
            bound.unfetched = False
            self._out.append(rewriting.execute(portal))
            self._expected.append(Expected(Owed.EXECUTE, hidden=True, steps=(bound.shown,)))
            self._unsynced = True

    def _unsure(self, *portals: bytes) -> bool:
        """True if the message at hand, before which rows left in these portals are to be fetched, must wait: something
        under way may fail, and the portals with it."""
        left = any(bound.unfetched for name in portals if (bound := self.portals.get(name)) is not None)
        return left and self._expected.readies > 0 and self._settle()

    def _leave_portals(self) -> None:
        """Before a savepoint: the rows left in portals are the client's to fetch behind it, where a rollback to it
        would undo what they told, but not what was written."""
        for bound in self.portals.values():
            if bound.unfetched and bound.shown is not None:
                bound.unfetched = False
                detail = "rows that the client had not fetched at a savepoint"
                self._begun().add(
                    [Unseen(Cause.UNOBSERVED, table, None, detail) for table in bound.shown.tables]
                )

    def _fetch_all_rest(self) -> None:
        for name, bound in self.portals.items():
            if bound.unfetched:
                self._fetch_rest(name)
