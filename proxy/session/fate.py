"""The transaction of a captured session: what it has written, and what becomes of that."""

from __future__ import annotations

from collections.abc import Callable

from proxy.mirror.effects import Cause, Unseen
from proxy.mirror.port import MirrorPort
from proxy.mirror.transaction import Transaction, UnknownSavepoint
from proxy.session.plans import SessionPlans


class Fate:
    """What the session has written and PostgreSQL not yet decided about, and what it decides."""

    __slots__ = (
        "_ack",
        "_acking",
        "_defined",
        "_intent",
        "_sealed",
        "_stored",
        "_strict",
        "database",
        "mirror",
        "plans",
        "transaction",
    )

    def __init__(self, plans: SessionPlans, mirror: MirrorPort) -> None:
        self.plans = plans
        self.mirror = mirror
        self.database = plans.database
        self.transaction: Transaction | None = None
        """Made before the first statement that writes goes out."""
        self._strict = False
        """Whether the transaction touches a table whose effects must be durable before the commit."""
        self._ack: float | None = None
        """Seconds the reply to the commit waits for the store."""
        self._acking = 0
        """How many things the reply to a commit still waits for: the store, a look at the catalogue."""
        self._intent: Transaction | None = None
        """What may be lost while a commit that cannot be held back is under way."""
        self._sealed = False
        """Whether something was sent that may commit the transaction and is not answered yet."""
        self._defined = False
        """Whether the transaction has changed what may be a mirrored table."""
        self._stored: Callable[[], None] | None = None
        """Who hears of each commit once the store has it; see `MirrorPort.committed`."""

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
                self.mirror.committed(tx, stored=self._stored)
            elif not self.mirror.committed(tx, self._acked, ack, self._stored):
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

    def _savepoint(self, act: Callable[[str], None], name: str) -> None:
        try:
            act(name)
        except UnknownSavepoint:
            # Our story of the transaction is not PostgreSQL's: nothing of it can be relied on.
            self._unseen_everywhere("a savepoint that was not seen")

    def _unseen_everywhere(self, detail: str) -> None:
        ground = self.plans.ground
        if ground is not None and ground.tables:
            self._begun().add([Unseen(Cause.UNOBSERVED, table, None, detail) for table in ground.mirrored])
            self._strict = self._strict or ground.strict

    def _acked(self) -> None:
        """One of the things the reply waits for has come about."""
        raise NotImplementedError
