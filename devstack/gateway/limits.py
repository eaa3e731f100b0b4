"""How much the gateway takes on. Every limit has a command-line flag of the same name."""

from __future__ import annotations

from dataclasses import dataclass

MAX_BSON_OBJECT_SIZE = 16 * 1024 * 1024
"""Bytes of one document, announced in `hello` (`maxBsonObjectSize`)."""
MAX_MESSAGE_SIZE = 48_000_000
"""Bytes of one message, announced in `hello` (`maxMessageSizeBytes`)."""
MAX_WRITE_BATCH = 100_000
"""Statements of one write command, announced in `hello` (`maxWriteBatchSize`)."""


@dataclass(frozen=True)
class Limits:
    """What a gateway is started with."""

    connections: int = 1000
    """Client connections; one more is closed at once."""
    backends: int = 100
    """PostgreSQL connections."""
    cursors: int = 10_000
    """Open cursors; past it the one that was idle longest is closed."""
    pinned_cursors: int = 40
    """Open cursors that hold a PostgreSQL connection; past it the one that was idle longest is closed."""
    transactions: int = 40
    """Open transactions, each of which holds a PostgreSQL connection; past it a new one waits, then fails."""
    sessions: int = 10_000
    """Sessions whose last retryable write is remembered; past it the least recently used is forgotten."""
    cursor_seconds: float = 600.0
    """An idle cursor's life (MongoDB: `cursorTimeoutMillis`)."""
    transaction_seconds: float = 60.0
    """A transaction's life (MongoDB: `transactionLifetimeLimitSeconds`)."""
    transaction_lock_milliseconds: int = 50
    """How long a statement of a transaction waits for a lock before it is a write conflict."""

    def __post_init__(self) -> None:
        if self.pinned_cursors + self.transactions >= self.backends:
            raise ValueError(
                f"backends ({self.backends}) must exceed pinned_cursors + transactions "
                f"({self.pinned_cursors + self.transactions}), or no connection is left for other commands"
            )
