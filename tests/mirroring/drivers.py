"""One face for several drivers and protocols, so that every action can be run in each of them.

Statements are written with `$1`, as PostgreSQL has it. `Lost` is what any driver's client gets when the connection
has gone; `Refused` carries the SQLSTATE of an error.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol, cast
from uuid import UUID

import asyncpg
import psycopg

CONNECT_SECONDS = 10

MODES = ("simple", "extended", "prepared", "binary", "pipeline", "asyncpg")
"""The drivers' ways of sending a statement; each is one more way through the proxy."""

Arguments = Sequence[Any]


class Lost(Exception):
    """The connection is gone; whether the statement took effect is not known."""


class Refused(Exception):
    """PostgreSQL (or the proxy) answered with an error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


@dataclass(frozen=True)
class Address:
    host: str
    port: int
    database: str
    user: str = "postgres"

    @property
    def dsn(self) -> str:
        return (
            f"host={self.host} port={self.port} dbname='{self.database}' user={self.user}"
            f" connect_timeout={CONNECT_SECONDS}"
        )


class Client(Protocol):
    """One connection."""

    mode: str
    slowest: float
    """Seconds the slowest statement took."""

    async def run(self, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
        """One statement; its rows, if it gives any."""
        ...

    async def script(self, sql: str) -> None:
        """Several statements in one simple query."""
        ...

    async def batch(self, statements: Sequence[tuple[str, Arguments]]) -> None:
        """The statements one after the other, in a pipeline where the driver has one."""
        ...

    async def copy(self, sql: str, data: bytes) -> None:
        """COPY FROM STDIN."""
        ...

    async def close(self) -> None: ...


def literal(value: Any) -> str:
    """`value` in the text of a statement."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | Decimal):
        return str(value) if value >= 0 else f"({value})"
    if isinstance(value, bytes):
        return f"'\\x{value.hex()}'"
    if isinstance(value, str | UUID):
        return "'" + str(value).replace("'", "''") + "'"
    raise TypeError(type(value))


def inlined(sql: str, arguments: Arguments) -> str:
    for number in range(len(arguments), 0, -1):
        sql = sql.replace(f"${number}", literal(arguments[number - 1]))
    return sql


class _Psycopg:
    def __init__(self, connection: psycopg.AsyncConnection[tuple[Any, ...]], mode: str) -> None:
        self._connection = connection
        self.mode = mode
        self.slowest = 0.0

    async def run(self, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
        with self._errors():
            if self.mode == "simple":
                cursor = await self._connection.execute(inlined(sql, arguments))
            else:
                cursor = await self._raw(sql, arguments)
            return await cursor.fetchall() if cursor.description else []

    async def script(self, sql: str) -> None:
        with self._errors():
            await self._connection.execute(sql)

    async def batch(self, statements: Sequence[tuple[str, Arguments]]) -> None:
        with self._errors():
            if self.mode != "pipeline":
                for sql, arguments in statements:
                    await self.run(sql, *arguments)
                return
            async with self._connection.pipeline():
                for sql, arguments in statements:
                    await self._raw(sql, arguments)

    async def copy(self, sql: str, data: bytes) -> None:
        with self._errors():
            async with self._connection.cursor().copy(sql) as copy:
                for at in range(0, len(data), 50):
                    await copy.write(data[at : at + 50])

    async def close(self) -> None:
        await self._connection.close()

    async def _raw(self, sql: str, arguments: Arguments) -> psycopg.AsyncCursor[tuple[Any, ...]]:
        cursor = psycopg.AsyncRawCursor(self._connection)
        # Without a parameter psycopg would use the simple protocol.
        await cursor.execute(
            sql,
            list(arguments),
            prepare=self.mode in ("prepared", "binary"),
            binary=self.mode == "binary",
        )
        return cursor

    @contextmanager
    def _errors(self) -> Any:
        started = time.monotonic()
        try:
            yield
        except psycopg.Error as error:
            if self._connection.closed:
                raise Lost(str(error)) from error
            if error.sqlstate is None:
                raise
            raise Refused(error.sqlstate, str(error)) from error
        finally:
            self.slowest = max(self.slowest, time.monotonic() - started)


class _Asyncpg:
    mode = "asyncpg"

    def __init__(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        self._connection = connection
        self.slowest = 0.0

    async def run(self, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
        with self._errors():
            return [tuple(row) for row in await self._connection.fetch(sql, *arguments)]

    async def script(self, sql: str) -> None:
        with self._errors():
            await self._connection.execute(sql)

    async def batch(self, statements: Sequence[tuple[str, Arguments]]) -> None:
        for sql, arguments in statements:
            await self.run(sql, *arguments)

    async def copy(self, sql: str, data: bytes) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            for at in range(0, len(data), 50):
                yield data[at : at + 50]

        with self._errors():
            # asyncpg writes the COPY statement itself, except here.
            await self._connection._copy_in(sql, pieces(), 30)  # type: ignore[attr-defined]

    async def close(self) -> None:
        try:
            await self._connection.close(timeout=5)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
            self._connection.terminate()

    @contextmanager
    def _errors(self) -> Any:
        started = time.monotonic()
        try:
            yield
        except asyncpg.PostgresError as error:
            if self._connection.is_closed():
                raise Lost(str(error)) from error
            raise Refused(str(error.sqlstate), str(error)) from error
        except (OSError, asyncpg.InterfaceError) as error:
            if self._connection.is_closed() or isinstance(error, OSError):
                raise Lost(str(error)) from error
            raise
        finally:
            self.slowest = max(self.slowest, time.monotonic() - started)


async def connect(address: Address, mode: str) -> Client:
    """Lost if nobody takes the connection."""
    try:
        if mode == "asyncpg":
            return cast(
                Client,
                _Asyncpg(
                    await asyncpg.connect(
                        host=address.host,
                        port=address.port,
                        user=address.user,
                        database=address.database,
                        ssl=cast(ssl.SSLContext, False),
                        timeout=CONNECT_SECONDS,
                    )
                ),
            )
        connection = await psycopg.AsyncConnection.connect(address.dsn + " sslmode=disable", autocommit=True)
        return cast(Client, _Psycopg(connection, mode))
    except (OSError, psycopg.Error, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
        raise Lost(str(error)) from error


@asynccontextmanager
async def connected(address: Address, mode: str) -> AsyncIterator[Client]:
    client = await connect(address, mode)
    try:
        yield client
    finally:
        await client.close()
