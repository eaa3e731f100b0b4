"""The gateway's state, and the way of one command through it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from devstack.gateway import error_codes
from devstack.gateway.backend import Backend
from devstack.gateway.cursors import Cursors
from devstack.gateway.documents import decode, encode
from devstack.gateway.errors import CommandError
from devstack.gateway.limits import Limits
from devstack.gateway.request import Client, Request
from devstack.gateway.retries import RetryableWrites
from devstack.gateway.transactions import Transactions
from devstack.gateway.wire import Message

log = logging.getLogger(__name__)

Handler = Callable[[Request], Awaitable[bytes | Mapping[str, Any]]]


@dataclass(frozen=True)
class Command:
    """One row of the dispatch table."""

    handler: Handler
    transactional: bool = False
    """Allowed in a multi-document transaction; others get 263."""
    write: bool = False
    """Retryable, and not cancelled when the client goes away."""
    admin_only: bool = False


class Gateway:
    """What all connections share."""

    def __init__(self, backend: Backend, limits: Limits, commands: Mapping[str, Command]) -> None:
        self.backend = backend
        self.limits = limits
        self.commands = commands
        self.cursors = Cursors(backend, limits)
        self.transactions = Transactions(backend, self.cursors, limits)
        self.retryable_writes = RetryableWrites(limits.sessions)
        self.started = time.time()
        self.connections = 0
        self.connections_total = 0
        self.calls: Counter[str] = Counter()
        self.failures: Counter[int] = Counter()

    def lookup(self, name: str) -> Command | None:
        """The row of the table; names of old commands come in several spellings."""
        return self.commands.get(name.lower())

    async def execute(self, client: Client, message: Message) -> bytes:
        """The reply document of one command; never raises for what is the command's own fault."""
        try:
            return await self._execute(client, message)
        except CommandError as error:
            self.failures[error.code] += 1
            return encode(error.document())
        except Exception:
            log.exception("client %d: internal error", client.number)
            self.failures[error_codes.INTERNAL_ERROR] += 1
            return encode(CommandError(error_codes.INTERNAL_ERROR, "internal error; see the log").document())

    async def _execute(self, client: Client, message: Message) -> bytes:
        request = Request.parse(self, client, message)
        command = self.lookup(request.name)
        if command is None:
            raise CommandError(error_codes.COMMAND_NOT_FOUND, f"no such command: '{request.name}'")
        self.calls[request.name] += 1
        if command.admin_only and request.database != "admin":
            raise CommandError(
                error_codes.UNAUTHORIZED, f"{request.name} may only be run against the admin database."
            )
        if request.in_transaction and request.name not in ("commitTransaction", "abortTransaction"):
            return await self._in_transaction(command, request)
        if command.write and request.session is not None and request.number is not None:
            return await self.retryable_writes.run(
                request.session, request.number, lambda: _reply(command, request)
            )
        return await _reply(command, request)

    async def _in_transaction(self, command: Command, request: Request) -> bytes:
        assert request.session is not None
        assert request.number is not None
        statement = self.transactions.statement(
            request.session, request.number, start=request.starts_transaction
        )
        async with statement as transaction:
            if not command.transactional:
                raise CommandError(
                    error_codes.OPERATION_NOT_SUPPORTED_IN_TRANSACTION,
                    f"Cannot run '{request.name}' in a multi-document transaction.",
                )
            request.transaction = transaction
            reply = await _reply(command, request)
            if command.write and b"writeErrors" in reply:
                await self._fail_on_write_errors(request, reply)
            return reply

    async def _fail_on_write_errors(self, request: Request, reply: bytes) -> None:
        """A write error ends the transaction; a conflict is the command's error, not one statement's."""
        for error in decode(reply).get("writeErrors", ()):
            if error["code"] in (error_codes.WRITE_CONFLICT, error_codes.LOCK_TIMEOUT):
                raise CommandError(
                    error_codes.WRITE_CONFLICT,
                    "Caused by :: Write conflict during plan execution and yielding is disabled. :: "
                    "Please retry your operation or multi-document transaction.",
                )
            assert request.transaction is not None
            await self.transactions.give_up(request.transaction)

    async def end_session(self, session: bytes) -> None:
        await self.transactions.abort_session(session)
        await self.cursors.close_session(session)
        self.retryable_writes.forget_session(session)

    async def pause(self, seconds: float) -> None:
        """Between two attempts of a write that met another."""
        await asyncio.sleep(seconds)

    async def expire(self, every: float = 1.0) -> None:
        """Runs for ever: ends what was idle for too long."""
        while True:
            await asyncio.sleep(every)
            await self.transactions.abort_expired()
            await self.cursors.close_idle()

    async def close(self) -> None:
        await self.transactions.abort_all()
        await self.cursors.close_all()
        await self.backend.close()


async def _reply(command: Command, request: Request) -> bytes:
    reply = await command.handler(request)
    return reply if isinstance(reply, bytes) else encode(reply)
