"""A read asked of PostgreSQL again: in a transaction that writes nothing, with the settings of its session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxy.catalog.source import SETTINGS
from proxy.mirror.versions import pack, parse_lsn
from proxy.shadow.rows import Row, copied
from proxy.translate.api import SessionSettings, TooMuch

if TYPE_CHECKING:
    from asyncpg import Connection, Pool, Record

CONNECTIONS = 4
"""To one database, at most."""
CONNECT_TIMEOUT = 10.0

_EPOCH = "2000-01-01 00:00:00+00"


class SourceFailed(Exception):
    """PostgreSQL could not be asked again; the reason holds no value."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What PostgreSQL says now."""

    rows: list[Row]
    """In text, with the session's settings, extra_float_digits 1 and bytea_output hex."""
    again: list[Row] | None
    """The same in the same snapshot, where it was asked twice."""
    described: tuple[tuple[str, int], ...]
    """(name, type oid) of each column."""
    now: int
    """The transaction's timestamp in microseconds since 2000."""
    position: int
    """A version that nothing this answer rests on is newer than."""


class ReadSource:
    """Connections to the databases of one source, made when needed. Belongs to one event loop."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._pools: dict[str, Pool[Record]] = {}
        self._opening = asyncio.Lock()

    async def ask(
        self,
        database: str,
        query: str,
        path: Sequence[str],
        session: SessionSettings,
        *,
        timeout: float,
        max_bytes: int,
        twice: bool = False,
    ) -> Answer:
        """`query`: one SELECT without parameters. Raises SourceFailed and TooMuch."""
        async with self._connection(database) as connection:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                await connection.execute(_settings(path, session, timeout))
                statement = await connection.prepare(query)
                described = tuple((one.name, one.type.oid) for one in statement.get_attributes())
                rows = copied(await _copy(connection, query, max_bytes))
                again = copied(await _copy(connection, query, max_bytes)) if twice else None
                now = await connection.fetchval(
                    "SELECT (EXTRACT(epoch FROM pg_catalog.now() - $1::pg_catalog.text::pg_catalog.timestamptz)"
                    " * 1000000)::pg_catalog.int8",
                    _EPOCH,
                )
                place = await connection.fetchrow(
                    "SELECT lsn::pg_catalog.text AS lsn,"
                    " pg_catalog.left(pg_catalog.pg_walfile_name(lsn), 8) AS timeline"
                    "  FROM pg_catalog.pg_current_wal_insert_lsn() lsn"
                )
        assert place is not None
        return Answer(
            rows, again, described, int(now), pack(int(place["timeline"], 16), parse_lsn(place["lsn"]))
        )

    async def close(self) -> None:
        for pool in self._pools.values():
            pool.terminate()
        self._pools.clear()

    @asynccontextmanager
    async def _connection(self, database: str) -> AsyncIterator[Connection[Record]]:
        import asyncpg

        try:
            async with self._opening:
                pool = self._pools.get(database)
                if pool is None:
                    pool = self._pools[database] = await asyncpg.create_pool(
                        self._dsn,
                        database=database,
                        min_size=0,
                        max_size=CONNECTIONS,
                        timeout=CONNECT_TIMEOUT,
                        statement_cache_size=0,
                        server_settings={**SETTINGS, "application_name": "causeway shadow"},
                    )
            async with pool.acquire(timeout=CONNECT_TIMEOUT) as connection:
                yield connection  # type: ignore[misc]  # the stub's proxy is a Connection in all but name
        except asyncpg.QueryCanceledError as error:
            raise SourceFailed("PostgreSQL did not answer again in time") from error
        except asyncpg.PostgresError as error:
            raise SourceFailed(f"PostgreSQL refused the read (SQLSTATE {error.sqlstate})") from error
        except (OSError, asyncpg.InterfaceError, ValueError, TimeoutError) as error:
            raise SourceFailed("PostgreSQL could not be reached") from error


async def _copy(connection: Connection[Record], query: str, max_bytes: int) -> bytes:
    data = bytearray()
    size = 0

    async def take(chunk: bytes) -> None:
        # An error raised here would leave the connection waiting: what is too much is not kept, and has an end.
        nonlocal size
        size += len(chunk)
        if size <= max_bytes:
            data.extend(chunk)

    # A line comment at the end of the query must not swallow the bracket.
    await connection.copy_from_query(f"{query}\n", output=take, format="text")
    if size > max_bytes:
        raise TooMuch("the result is larger than max_bytes")
    return bytes(data)


def _settings(path: Sequence[str], session: SessionSettings, timeout: float) -> str:
    schemas = ", ".join(map(_literal, path)) or "''"
    return ";".join(
        f"SET LOCAL {name} = {value}"
        for name, value in (
            ("search_path", schemas),
            ("TimeZone", _literal(session.time_zone)),
            ("DateStyle", _literal(session.date_style)),
            ("IntervalStyle", _literal(session.interval_style)),
            ("standard_conforming_strings", "on"),
            ("statement_timeout", str(max(1, round(timeout * 1000)))),
        )
    )


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
