"""One command on its way through the gateway."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from devstack.gateway import error_codes
from devstack.gateway.backend import Connection, translated
from devstack.gateway.documents import encode, integer, lazy, string
from devstack.gateway.errors import CommandError
from devstack.gateway.wire import OP_QUERY, Message

if TYPE_CHECKING:
    import asyncpg

    from devstack.gateway.gateway import Gateway
    from devstack.gateway.transactions import Transaction

_OF_THE_GATEWAY = frozenset(
    {
        "lsid",
        "txnNumber",
        "autocommit",
        "startTransaction",
        "stmtId",
        "stmtIds",
        "recoveryToken",
        "readConcern",
        "writeConcern",
        "maxTimeMS",
        "apiVersion",
        "apiStrict",
        "apiDeprecationErrors",
        "$db",
        "$clusterTime",
        "$readPreference",
    }
)
"""Fields that are settled here and mean nothing to DocumentDB."""


@dataclass(frozen=True)
class Client:
    """A client connection."""

    number: int
    address: str


@dataclass
class Request:
    """A command with what belongs to it."""

    gateway: Gateway
    client: Client
    name: str
    """As the client wrote it."""
    command: Mapping[str, Any]
    """Top level decoded; sub-documents are lazy."""
    sequences: Mapping[str, bytes]
    database: str
    session: bytes | None
    number: int | None
    """txnNumber."""
    in_transaction: bool
    starts_transaction: bool
    max_seconds: float | None
    transaction: Transaction | None = None

    @classmethod
    def parse(cls, gateway: Gateway, client: Client, message: Message) -> Request:
        command = lazy(message.body)
        name = next(iter(command), "")
        database = "admin" if message.op_code == OP_QUERY else string(command, "$db")
        lsid = command.get("lsid")
        session = bytes(lsid["id"]) if isinstance(lsid, Mapping) and "id" in lsid else None
        number = command.get("txnNumber")
        milliseconds = command.get("maxTimeMS") or 0
        autocommit = command.get("autocommit")
        if autocommit is not None and (session is None or number is None):
            raise CommandError(
                error_codes.INVALID_OPTIONS, "'autocommit' needs 'lsid' and 'txnNumber' with it"
            )
        return cls(
            gateway=gateway,
            client=client,
            name=name,
            command=command,
            sequences=message.sequences,
            database=database,
            session=session,
            number=None if number is None else integer(number, "txnNumber"),
            in_transaction=autocommit is False,
            starts_transaction=bool(command.get("startTransaction")),
            max_seconds=integer(milliseconds, "maxTimeMS") / 1000 or None,
        )

    @property
    def collection(self) -> str:
        """The command's own value, where that names a collection."""
        return string(self.command, self.name)

    @property
    def namespace(self) -> str:
        return f"{self.database}.{self.collection}"

    def spec(self, *, without: frozenset[str] = frozenset(), **replaced: Any) -> bytes:
        """The command as DocumentDB takes it."""
        fields = {
            name: value
            for name, value in self.command.items()
            if name not in _OF_THE_GATEWAY and name not in without
        }
        return encode({**fields, **replaced})

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """The transaction's connection, or one for this statement."""
        if self.transaction is not None:
            if self.transaction.connection is None:
                raise CommandError(error_codes.NO_SUCH_TRANSACTION, "the transaction has been aborted")
            yield self.transaction.connection
        else:
            async with self.gateway.backend.borrowed() as connection:
                yield connection

    async def fetch(self, sql: str, *arguments: object) -> asyncpg.Record | None:
        """The first row of `sql`, within the command's time limit (50 MaxTimeMSExpired)."""
        with translated():
            async with self.connection() as connection:
                return await connection.fetchrow(sql, *arguments, timeout=self.max_seconds)

    async def fetch_result(self, sql: str, *arguments: object) -> bytes:
        """The column `result` of the one row that `sql` gives."""
        row = await self.fetch(sql, *arguments)
        if row is None or row["result"] is None:
            raise CommandError(error_codes.INTERNAL_ERROR, f"DocumentDB gave no answer to {self.name}")
        result: bytes = row["result"]
        return result

    async def fetch_write(self, sql: str, *arguments: object) -> asyncpg.Record:
        """As `fetch`, but a deadlock or write conflict outside a transaction is tried again, as MongoDB does."""
        for attempt in range(20):
            try:
                row = await self.fetch(sql, *arguments)
            except CommandError as error:
                if error.code != error_codes.WRITE_CONFLICT or self.transaction is not None or attempt == 19:
                    raise
                await self.gateway.pause(random.uniform(0.0, 0.01 * (attempt + 1)))
                continue
            if row is None:
                raise CommandError(error_codes.INTERNAL_ERROR, f"DocumentDB gave no answer to {self.name}")
            return row
        raise AssertionError("unreachable")
