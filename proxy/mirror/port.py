"""The doors of the mirror: what sessions call, and what the mirror tells the keeper of gaps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from proxy.mirror.effects import Unseen
from proxy.mirror.transaction import Transaction


@dataclass(frozen=True, slots=True)
class MirrorLimits:
    """Bounds of one proxy process. Sizes in bytes, times in seconds."""

    spool_size: int = 1 << 30
    """Images in this process' spool; what does not fit becomes a gap."""
    spool_fsync: bool = False
    """Whether an image must be on the disk itself before its COMMIT: survives a loss of power, not only a kill."""
    mirror_memory: int = 64 << 20
    """Images of committed transactions in memory; those beyond wait in the spool."""
    transaction_memory: int = 8 << 20
    """Images of one open transaction in memory; past it `MirrorPort.spill` is called."""
    mirror_lanes: int = 4
    """Store operations that run at once."""
    mirror_batch: int = 500
    """Writes in one store operation."""
    mirror_linger: float = 0.05
    """How long writes nobody waits for may gather before they are sent."""
    store_timeout: float = 10.0
    """One store operation."""
    retry_backoff_max: float = 30.0
    """Between two attempts."""


class MirrorPort(Protocol):
    """What sessions see. Every call returns at once, on the event loop; none raises for what a store or disk does."""

    limits: MirrorLimits

    def begin(self, database: str) -> Transaction:
        """A transaction for what a session is about to write: called before its first captured statement is sent,
        so that `watermark` covers images that are still on their way from PostgreSQL."""

    def secure(self, tx: Transaction, then: Callable[[], None]) -> bool:
        """Make the effects durable, where they must be, before COMMIT is sent.

        True: nothing to wait for. False: `then` is called once, in a later turn of the event loop, when they are
        durable, or became gaps because they could not be made so. May be called again after more effects.
        """

    def secure_now(self, tx: Transaction) -> None:
        """The same where nothing can be held back: the effects are on disk when it returns, unless a write to the
        disk itself (`spool_fsync`, a checkpoint) is under way, behind which they go."""

    def spill(self, tx: Transaction) -> None:
        """Move the effects in memory to the spool, or to gaps where there is none: the transaction is too big."""

    def committed(
        self,
        tx: Transaction,
        then: Callable[[], None] | None = None,
        timeout: float = 0.0,
        stored: Callable[[], None] | None = None,
    ) -> bool:
        """PostgreSQL has confirmed the commit. With `then`: True if the store has it all already; else `then` is
        called once, in a later turn, when it has, or after `timeout` seconds.

        `stored` is called once, in a later turn, when the store has it or gaps say what it lacks, and before `then`;
        never where nothing had to be stored, nor for what waits on disk only, of which `watermark` tells."""

    def aborted(self, tx: Transaction) -> None:
        """PostgreSQL has rolled it back."""

    def doubtful(self, tx: Transaction) -> None:
        """The connection was lost while a COMMIT was under way: the source is asked what became of it."""

    def prepared(self, tx: Transaction, gid: str) -> None:
        """PREPARE TRANSACTION has succeeded."""

    def settle_prepared(self, gid: str) -> None:
        """COMMIT PREPARED or ROLLBACK PREPARED has succeeded, in whatever session."""

    def watermark(self, database: str) -> int | None:
        """The oldest version that an image still held anywhere in this process can have, those of open transactions
        and of statements under way included; None: nothing is held."""


class GapSink(Protocol):
    """Who keeps gaps. Never raises; when `record` returns, the gap outlives a kill of the process where there is a
    disk that takes it."""

    def record(self, database: str, unseen: Unseen, version: int) -> None:
        """`version`: the newest on the source that is known to the mirror, so that what was written before is
        covered by the gap; 0: not known."""
