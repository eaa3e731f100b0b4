"""PostgreSQL connections to DocumentDB, and how their errors become MongoDB's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import asyncpg

from devstack.gateway import error_codes
from devstack.gateway.errors import CommandError, from_postgres
from devstack.gateway.limits import Limits

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = PoolConnectionProxy[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]
else:
    Connection = Any
    Pool = Any

_SETTINGS = {
    "application_name": "documentdb gateway",
    "search_path": "documentdb_api_catalog, documentdb_api, documentdb_core, public",
    "timezone": "UTC",
    # A deadlock is retried here as a whole, so it must not be hidden in one statement's write error.
    "documentdb.throwDeadlockOnCRUD": "on",
    "documentdb.maxWriteBatchSize": "100000",
    "deadlock_timeout": "50ms",
    "jit": "off",
}


async def _keep(_: object) -> None:
    """Nothing to reset: a connection that held a cursor or a transaction is cleaned where that ends."""


class Backend:
    """A bounded pool of connections."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @classmethod
    async def open(cls, dsn: str, limits: Limits) -> Backend:
        return cls(
            await asyncpg.create_pool(
                dsn,
                min_size=2,
                max_size=limits.backends,
                max_inactive_connection_lifetime=300,
                statement_cache_size=200,
                server_settings=_SETTINGS,
                reset=_keep,
            )
        )

    async def close(self) -> None:
        self._pool.terminate()

    async def take(self) -> Connection:
        """A connection of one's own, to be given back with `give_back`."""
        with translated():
            return await self._pool.acquire()

    async def give_back(self, connection: Connection, *, clean_up: str | None = None) -> None:
        """Return a connection; `clean_up` is run on it first. One that cannot be cleaned is closed."""
        try:
            if clean_up is not None and not connection.is_closed():
                await connection.execute(clean_up, timeout=10)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
            connection.terminate()
        except asyncio.CancelledError:
            connection.terminate()
            raise
        finally:
            await self._pool.release(connection)

    @asynccontextmanager
    async def borrowed(self) -> AsyncIterator[Connection]:
        connection = await self.take()
        try:
            yield connection
        finally:
            await self.give_back(connection)

    @property
    def in_use(self) -> int:
        return self._pool.get_size() - self._pool.get_idle_size()


@contextmanager
def translated() -> Iterator[None]:
    """Errors of PostgreSQL and of the way to it, as MongoDB's clients know them."""
    try:
        yield
    except asyncpg.PostgresError as error:
        raise from_postgres(error) from error
    except TimeoutError as error:
        raise CommandError(error_codes.MAX_TIME_MS_EXPIRED, "operation exceeded time limit") from error
    except (asyncpg.InterfaceError, OSError) as error:
        raise CommandError(6, f"DocumentDB cannot be reached: {error}") from error
