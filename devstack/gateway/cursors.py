"""Open cursors: where each goes on, and which PostgreSQL connection it holds, if any."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from devstack.gateway import error_codes
from devstack.gateway.backend import Backend, Connection
from devstack.gateway.errors import CommandError
from devstack.gateway.limits import Limits

_CLOSE = "CLOSE ALL"


@dataclass
class Cursor:
    """One open cursor."""

    id: int
    namespace: str
    continuation: bytes
    """What DocumentDB goes on from."""
    connection: Connection | None
    """Held where DocumentDB keeps the rest of the result in a portal of the connection (`persistconnection`)."""
    session: bytes | None
    transaction: object | None
    """The transaction it lives and dies with; its connection is then not this cursor's own."""
    expires: bool = True
    in_use: bool = False
    last_used: float = field(default_factory=time.monotonic)


class Cursors:
    """All open cursors of the gateway, the least recently used first."""

    def __init__(self, backend: Backend, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._backend = backend
        self._limits = limits
        self._clock = clock
        self._cursors: OrderedDict[int, Cursor] = OrderedDict()

    def __len__(self) -> int:
        return len(self._cursors)

    @property
    def pinned(self) -> int:
        return sum(1 for cursor in self._cursors.values() if cursor.connection is not None)

    async def add(self, cursor: Cursor) -> None:
        """Keep `cursor`; where a limit is passed, close those that were idle longest."""
        self._cursors[cursor.id] = cursor
        while len(self._cursors) > self._limits.cursors:
            if not await self._evict(pinned_only=False):
                break
        while self.pinned > self._limits.pinned_cursors:
            if not await self._evict(pinned_only=True):
                break

    def check_out(self, cursor_id: int, namespace: str, transaction: object | None) -> Cursor:
        """The cursor for one getMore; `check_in` or `close` it afterwards."""
        cursor = self._cursors.get(cursor_id)
        if cursor is None:
            raise CommandError(error_codes.CURSOR_NOT_FOUND, f"cursor id {cursor_id} not found")
        if cursor.namespace != namespace:
            raise CommandError(
                error_codes.UNAUTHORIZED,
                f"Requested getMore on namespace '{namespace}', but cursor belongs to a different namespace "
                f"{cursor.namespace}",
            )
        if cursor.in_use:
            raise CommandError(error_codes.CURSOR_IN_USE, f"cursor id {cursor_id} is already in use")
        if cursor.transaction is not transaction:
            inside = "in another transaction or outside one" if transaction else "in a transaction"
            raise CommandError(50740, f"Cannot run getMore on cursor {cursor_id}, which was created {inside}")
        cursor.in_use = True
        return cursor

    def check_in(self, cursor: Cursor, continuation: bytes) -> None:
        cursor.continuation = continuation
        cursor.in_use = False
        cursor.last_used = self._clock()
        if cursor.id in self._cursors:
            self._cursors.move_to_end(cursor.id)

    async def close(self, cursor: Cursor) -> None:
        self._cursors.pop(cursor.id, None)
        connection, cursor.connection = cursor.connection, None
        if connection is not None:
            await self._backend.give_back(connection, clean_up=_CLOSE)

    async def kill(self, cursor_id: int, namespace: str) -> bool:
        """False where there is no such cursor of that collection."""
        cursor = self._cursors.get(cursor_id)
        if cursor is None or cursor.namespace != namespace:
            return False
        await self._end(cursor)
        return True

    async def close_session(self, session: bytes) -> None:
        for cursor in [cursor for cursor in self._cursors.values() if cursor.session == session]:
            await self._end(cursor)

    def forget_transaction(self, transaction: object) -> None:
        """The transaction is over, and PostgreSQL has closed its portals."""
        for cursor in [cursor for cursor in self._cursors.values() if cursor.transaction is transaction]:
            del self._cursors[cursor.id]

    async def close_idle(self) -> None:
        """Close what was idle for longer than the limit."""
        oldest = self._clock() - self._limits.cursor_seconds
        for cursor in list(self._cursors.values()):
            if cursor.last_used < oldest and cursor.expires and not cursor.in_use:
                await self.close(cursor)

    async def close_all(self) -> None:
        for cursor in list(self._cursors.values()):
            await self._end(cursor)

    async def _end(self, cursor: Cursor) -> None:
        """Close; where a getMore runs on it, that one closes it when it comes back."""
        if cursor.in_use:
            self._cursors.pop(cursor.id, None)
        else:
            await self.close(cursor)

    def holds(self, cursor: Cursor) -> bool:
        """False where the cursor was killed while a getMore had it."""
        return self._cursors.get(cursor.id) is cursor

    async def _evict(self, *, pinned_only: bool) -> bool:
        for cursor in self._cursors.values():
            if not cursor.in_use and (cursor.connection is not None or not pinned_only):
                await self.close(cursor)
                return True
        return False
