"""Multi-document transactions: one PostgreSQL transaction on one connection for each session that has one.

Snapshot isolation is PostgreSQL's REPEATABLE READ. MongoDB fails a statement at once that meets another
transaction's write; PostgreSQL would wait for that one's end, so the wait is bounded by `lock_timeout`.
"""

from __future__ import annotations

import asyncio
import enum
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from devstack.gateway import error_codes
from devstack.gateway.backend import Backend, Connection, translated
from devstack.gateway.cursors import Cursors
from devstack.gateway.errors import CommandError
from devstack.gateway.limits import Limits

_WAIT_SECONDS = 5.0
_ROLLBACK = "ROLLBACK"


class State(enum.Enum):
    IN_PROGRESS = "in progress"
    COMMITTED = "committed"
    ABORTED = "aborted"


class Transaction:
    """A session's latest transaction."""

    def __init__(self, session: bytes, number: int) -> None:
        self.session = session
        self.number = number
        self.state = State.IN_PROGRESS
        self.connection: Connection | None = None
        self.started = time.monotonic()
        self.lock = asyncio.Lock()
        """Held by the statement that runs: a session runs one at a time."""


class Transactions:
    """The transactions of all sessions."""

    def __init__(self, backend: Backend, cursors: Cursors, limits: Limits) -> None:
        self._backend = backend
        self._cursors = cursors
        self._limits = limits
        self._by_session: OrderedDict[bytes, Transaction] = OrderedDict()
        self._slots = asyncio.Semaphore(limits.transactions)
        self.committed = 0
        self.aborted = 0

    @property
    def open(self) -> int:
        return sum(1 for item in self._by_session.values() if item.state is State.IN_PROGRESS)

    @asynccontextmanager
    async def statement(self, session: bytes, number: int, *, start: bool) -> AsyncIterator[Transaction]:
        """The transaction a statement belongs to, begun by its first one. An error inside aborts it."""
        if start:
            transaction = await self._start(session, number)
        else:
            transaction = self._find(session, number)
        async with transaction.lock:
            if transaction.state is not State.IN_PROGRESS:
                raise self._gone(transaction, number)
            try:
                if transaction.connection is None:
                    await self._begin(transaction)
                yield transaction
            except CommandError as error:
                await self._end(transaction, State.ABORTED)
                raise error.in_transaction() from error
            except BaseException:
                await self._end(transaction, State.ABORTED)
                raise

    async def commit(self, session: bytes, number: int) -> None:
        """Commit; again with the same number is no error."""
        transaction = self._by_session.get(session)
        if transaction is None or transaction.number != number:
            raise self._gone(transaction, number)
        async with transaction.lock:
            if transaction.state is State.COMMITTED:
                return
            if transaction.state is State.ABORTED:
                raise self._gone(transaction, number)
            try:
                if transaction.connection is not None:
                    with translated():
                        await transaction.connection.execute("COMMIT")
            except CommandError as error:
                await self._end(transaction, State.ABORTED)
                raise error.in_transaction() from error
            except BaseException:
                await self._end(transaction, State.ABORTED)
                raise
            await self._end(transaction, State.COMMITTED)

    async def abort(self, session: bytes, number: int) -> None:
        transaction = self._by_session.get(session)
        if transaction is None or transaction.number != number:
            raise self._gone(transaction, number)
        async with transaction.lock:
            if transaction.state is not State.IN_PROGRESS:
                raise self._gone(transaction, number)
            await self._end(transaction, State.ABORTED)

    async def abort_session(self, session: bytes) -> None:
        """The session is ended: so is its open transaction."""
        transaction = self._by_session.get(session)
        if transaction is not None:
            async with transaction.lock:
                await self._end(transaction, State.ABORTED)
            self._by_session.pop(session, None)

    async def abort_expired(self) -> None:
        """Abort what lives longer than allowed and has no statement running."""
        oldest = time.monotonic() - self._limits.transaction_seconds
        for transaction in list(self._by_session.values()):
            if transaction.state is not State.IN_PROGRESS or transaction.started >= oldest:
                continue
            if not transaction.lock.locked():
                async with transaction.lock:
                    await self._end(transaction, State.ABORTED)

    async def abort_all(self) -> None:
        for session in list(self._by_session):
            await self.abort_session(session)

    async def give_up(self, transaction: Transaction) -> None:
        """Abort from inside a statement that replies with write errors rather than with an error of its own."""
        await self._end(transaction, State.ABORTED)

    def _find(self, session: bytes, number: int) -> Transaction:
        transaction = self._by_session.get(session)
        if transaction is None or transaction.number != number or transaction.state is not State.IN_PROGRESS:
            raise self._gone(transaction, number)
        return transaction

    async def _start(self, session: bytes, number: int) -> Transaction:
        previous = self._by_session.get(session)
        if previous is not None:
            if previous.number > number:
                raise CommandError(
                    error_codes.TRANSACTION_TOO_OLD,
                    f"Cannot start transaction {number} because a newer transaction {previous.number} has "
                    "already started on this session.",
                )
            if previous.number == number:
                raise CommandError(
                    error_codes.CONFLICTING_OPERATION_IN_PROGRESS,
                    f"Transaction {number} has already been started on this session",
                )
            async with previous.lock:
                await self._end(previous, State.ABORTED)
        transaction = Transaction(session, number)
        self._by_session[session] = transaction
        self._by_session.move_to_end(session)
        while len(self._by_session) > self._limits.sessions:
            oldest = next(iter(self._by_session.values()))
            if oldest.state is State.IN_PROGRESS:
                break
            del self._by_session[oldest.session]
        return transaction

    async def _begin(self, transaction: Transaction) -> None:
        try:
            await asyncio.wait_for(self._slots.acquire(), _WAIT_SECONDS)
        except TimeoutError as error:
            raise CommandError(
                error_codes.LOCK_TIMEOUT,
                f"{self._limits.transactions} transactions are open (limit --transactions)",
            ) from error
        try:
            connection = await self._backend.take()
        except BaseException:
            self._slots.release()
            raise
        transaction.connection = connection
        with translated():
            await connection.execute(
                "BEGIN ISOLATION LEVEL REPEATABLE READ; "
                f"SET LOCAL lock_timeout = {self._limits.transaction_lock_milliseconds}"
            )

    async def _end(self, transaction: Transaction, state: State) -> None:
        if transaction.state is not State.IN_PROGRESS:
            return
        transaction.state = state
        if state is State.COMMITTED:
            self.committed += 1
        else:
            self.aborted += 1
        self._cursors.forget_transaction(transaction)
        connection, transaction.connection = transaction.connection, None
        if connection is not None:
            try:
                await self._backend.give_back(
                    connection, clean_up=_ROLLBACK if state is State.ABORTED else None
                )
            finally:
                self._slots.release()

    def _gone(self, transaction: Transaction | None, number: int) -> CommandError:
        if transaction is not None and transaction.number == number and transaction.state is State.COMMITTED:
            return CommandError(
                error_codes.TRANSACTION_COMMITTED, f"Transaction {number} has been committed."
            )
        if transaction is not None and transaction.number == number:
            text = f"Transaction with {{ txnNumber: {number} }} has been aborted."
        else:
            active = transaction.number if transaction is not None else -1
            text = (
                f"Given transaction number {number} does not match any in-progress transactions. "
                f"The active transaction number is {active}"
            )
        return CommandError(error_codes.NO_SUCH_TRANSACTION, text).in_transaction()
