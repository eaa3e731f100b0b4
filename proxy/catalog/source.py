"""One database of the source as the catalogue, the mirror and the gaps ask it: few connections, short transactions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from proxy.catalog.introspect import Reading, read_digest, read_snapshot
from proxy.catalog.limits import CatalogueLimits
from proxy.catalog.model import Relation, Snapshot, TypeInfo
from proxy.mirror.effects import TableId
from proxy.mirror.versions import pack, parse_lsn

if TYPE_CHECKING:
    from asyncpg import Connection, Pool, Record

SETTINGS: Mapping[str, str] = {
    "application_name": "causeway",
    "default_transaction_read_only": "on",
    "row_security": "off",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "client_encoding": "UTF8",
    "jit": "off",
}
"""Of every connection: it writes nothing, a row that row security would hide is an error, text output is exact, and
no time goes into compiling queries that are estimated far too high."""


class SourceError(Exception):
    """What was asked of the source could not be answered."""

    def __init__(self, database: str, reason: str) -> None:
        super().__init__(f"database {database}: {reason}")
        self.database = database
        self.reason = reason


class SourceUnavailable(SourceError):
    """The source cannot be reached or does not answer in time: the same question may be answered later."""


class SourceRefused(SourceError):
    """The source answered with an error: a privilege, a table that is gone, a setting."""

    def __init__(self, database: str, reason: str, sqlstate: str) -> None:
        super().__init__(database, f"{reason} (SQLSTATE {sqlstate})")
        self.sqlstate = sqlstate


FUTURE = "future"
"""`xact_status` of an id that this server has not given to any transaction: it was lost before it reached the disk."""


class SourceDatabase:
    """Connections to one database, made when needed. Belongs to one event loop.

    Every method raises SourceUnavailable or SourceRefused, and waits no longer than the limits say.
    """

    def __init__(self, dsn: str, database: str, limits: CatalogueLimits | None = None) -> None:
        self.database = database
        self._dsn = dsn
        self._limits = limits or CatalogueLimits()
        self._pool: Pool[Record] | None = None
        self._opening = asyncio.Lock()
        self._closed = False

    async def snapshot(
        self, names: Iterable[TableId], previous: Snapshot | None = None, *, roles: Iterable[str] = ()
    ) -> Reading:
        """See `read_snapshot`."""
        async with self._connection() as connection, asyncio.timeout(self._limits.query_timeout):
            return await read_snapshot(connection, names, previous, limits=self._limits, roles=roles)

    async def digest(self, names: Iterable[TableId], snapshot: Snapshot) -> str:
        """See `read_digest`."""
        async with self._connection() as connection:
            return await read_digest(connection, names, snapshot)

    async def insert_position(self) -> int:
        """The version of what would be written now; see `proxy.mirror.versions`."""
        async with self._connection() as connection:
            row = await connection.fetchrow(
                "SELECT lsn::text AS lsn, pg_catalog.left(pg_catalog.pg_walfile_name(lsn), 8) AS timeline"
                "  FROM pg_catalog.pg_current_wal_insert_lsn() lsn"
            )
        assert row is not None
        return pack(int(row["timeline"], 16), parse_lsn(row["lsn"]))

    async def running_horizon(self) -> int:
        """An xid8 larger than that of any transaction that has written something by now.

        They have all ended once `oldest_running` is not below it. Uses up a transaction id.
        """
        async with self._connection() as connection:
            return int(await connection.fetchval("SELECT pg_catalog.pg_current_xact_id()::text"))

    async def oldest_running(self) -> int:
        """Every transaction with a smaller xid8 has ended. One that is prepared has not."""
        async with self._connection() as connection:
            return int(
                await connection.fetchval(
                    "SELECT pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())::text"
                )
            )

    async def xact_status(self, xids: Iterable[int]) -> dict[int, str | None]:
        """By xid8: `committed`, `aborted`, `in progress`, `future`; None where the server has forgotten it."""
        import asyncpg

        wanted = list(dict.fromkeys(xids))
        found: dict[int, str | None] = {}
        async with self._connection() as connection:
            for start in range(0, len(wanted), self._limits.batch):
                batch = wanted[start : start + self._limits.batch]
                try:
                    found |= await _statuses(connection, batch)
                except asyncpg.InvalidParameterValueError:
                    for xid in batch:
                        try:
                            found |= await _statuses(connection, [xid])
                        except asyncpg.InvalidParameterValueError:
                            found[xid] = FUTURE
        return found

    async def rows(
        self,
        relation: Relation,
        columns: Sequence[str],
        values: Sequence[Sequence[str | None]],
        *,
        types: Mapping[int, TypeInfo],
        limit: int,
        text: bool = False,
    ) -> list[bytes]:
        """The rows in which `columns` have one of `values`, as records like those of images.

        `values` are text and are read as the columns' types; what no value of the type can be matches nothing. Header
        fields other than tableoid and, where `text` is asked for, TEXT are NULL. At most `limit` + 1 rows: more than
        `limit` says that there are more. Of an inheritance parent only its own rows.
        """
        found: list[bytes] = []
        seen: set[bytes] = set()
        async with self._connection() as connection:
            for start in range(0, len(values), self._limits.batch):
                batch = list(values[start : start + self._limits.batch])
                for record in await _matching(
                    connection, relation, columns, batch, types, limit + 1 - len(found), text
                ):
                    if record not in seen:
                        seen.add(record)
                        found.append(record)
                if len(found) > limit:
                    break
        return found

    async def fetch(self, query: str, *arguments: Any, timeout: float | None = None) -> list[Record]:
        """The rows of one read-only query, in a transaction of its own. `timeout` in seconds, else that of all."""
        async with self._connection() as connection:
            return await connection.fetch(query, *arguments, timeout=timeout)

    async def is_empty(self, relation: Relation) -> bool:
        """Whether the table, its partitions included, has no row, nor a transaction that may be adding one.

        A writer keeps its lock until its rows are visible, so the locks are looked at first.
        """
        async with self._connection() as connection:
            writers = await connection.fetchval(
                "SELECT pg_catalog.count(*) FROM pg_catalog.pg_locks"
                " WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' AND relation = ANY ($1::oid[])"
                "   AND database = (SELECT oid FROM pg_catalog.pg_database"
                "                    WHERE datname = pg_catalog.current_database())",
                (relation.oid, *relation.children),
            )
            if writers:
                return False
            some = await connection.fetchval(f"SELECT true FROM {table_sql(relation)} LIMIT 1")
        return some is None

    async def close(self) -> None:
        """Ends every connection, those in use too."""
        self._closed = True
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.terminate()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection[Record]]:
        """A connection; errors of whatever is done with it are translated."""
        import asyncpg

        try:
            pool = await self._opened()
            async with pool.acquire(timeout=self._limits.connect_timeout) as connection:
                yield connection  # type: ignore[misc]  # the stub's proxy is a Connection in all but name
        except TimeoutError:
            raise SourceUnavailable(self.database, "no answer in time") from None
        except ValueError as error:  # asyncpg's, on a DSN it cannot read
            raise SourceRefused(self.database, str(error), "-----") from error
        # InternalClientError: the server has ended the connection between two questions, which asyncpg mistakes for a
        # fault of its own.
        except (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
            raise SourceUnavailable(self.database, str(error) or type(error).__name__) from error
        except asyncpg.PostgresError as error:
            reason, code = str(error), getattr(error, "sqlstate", None) or "-----"
            if code[:2] in ("08", "53", "57", "58") or code == "25006":
                raise SourceUnavailable(self.database, f"{reason} (SQLSTATE {code})") from error
            raise SourceRefused(self.database, reason, code) from error

    async def _opened(self) -> Pool[Record]:
        import asyncpg

        async with self._opening:
            if self._closed:
                raise SourceUnavailable(self.database, "closed")
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self._dsn,
                    database=self.database,
                    min_size=0,
                    max_size=self._limits.connections,
                    timeout=self._limits.connect_timeout,
                    command_timeout=self._limits.query_timeout,
                    statement_cache_size=0,
                    server_settings=dict(SETTINGS),
                )
            return self._pool


async def _statuses(connection: Connection[Record], xids: Sequence[int]) -> dict[int, str | None]:
    rows = await connection.fetch(
        "SELECT x, pg_catalog.pg_xact_status(x::xid8) AS status FROM pg_catalog.unnest($1::text[]) x",
        [str(xid) for xid in xids],
    )
    return {int(row["x"]): row["status"] for row in rows}


async def _matching(
    connection: Connection[Record],
    relation: Relation,
    columns: Sequence[str],
    values: Sequence[Sequence[str | None]],
    types: Mapping[int, TypeInfo],
    limit: int,
    text: bool,
) -> list[bytes]:
    """One query; where a value cannot be read as its column's type, or domain, halves until it stands alone and is left
    out."""
    import asyncpg

    if not values or limit <= 0:
        return []
    query, arguments = rows_query(relation, columns, values, types, limit=limit, text=text)
    try:
        return [row[0] for row in await connection.fetch(query, *arguments)]
    except (asyncpg.DataError, asyncpg.CheckViolationError):
        if len(values) == 1:
            return []
    middle = len(values) // 2
    first = await _matching(connection, relation, columns, values[:middle], types, limit, text)
    rest = await _matching(connection, relation, columns, values[middle:], types, limit - len(first), text)
    return first + rest


def rows_query(
    relation: Relation,
    columns: Sequence[str],
    values: Sequence[Sequence[str | None]],
    types: Mapping[int, TypeInfo],
    *,
    limit: int,
    text: bool,
) -> tuple[str, list[Any]]:
    """The query of `SourceDatabase.rows` and its arguments."""
    by_name = {attribute.name: attribute for attribute in relation.attributes}
    infos = [types[by_name[column].type_oid] for column in columns]
    casts = [_type_sql(info) for info in infos]
    names = [f"t.{_quoted(column)}" for column in columns]
    whole = [value for value in values if None not in value]
    arguments: list[Any] = [list(each) for each in zip(*whole, strict=True)]
    conditions: list[str] = []
    if whole and len(columns) == 1 and infos[0].category != "A":  # there are no arrays of arrays
        conditions.append(f"{names[0]} = ANY (CAST($1::pg_catalog.text[] AS {casts[0]}[]))")
    elif whole:
        parameters = ", ".join(f"${n}::pg_catalog.text[]" for n in range(1, len(columns) + 1))
        aliases = ", ".join(f"v{n}" for n in range(1, len(columns) + 1))
        read = ", ".join(f"CAST(v{n} AS {cast})" for n, cast in enumerate(casts, 1))
        conditions.append(
            f"({', '.join(names)}) IN (SELECT {read} FROM ROWS FROM ("
            + ", ".join(f"pg_catalog.unnest({parameter})" for parameter in parameters.split(", "))
            + f") AS v({aliases}))"
        )
    for value in values:
        if None not in value:
            continue
        parts = []
        for name, cast, one in zip(names, casts, value, strict=True):
            if one is None:
                parts.append(f"{name} IS NULL")
            else:
                arguments.append(one)
                parts.append(f"{name} = CAST(${len(arguments)}::pg_catalog.text AS {cast})")
        conditions.append(f"({' AND '.join(parts)})")
    query = (
        f"SELECT {record_sql(text=text)}"
        f" FROM {table_sql(relation)} AS t WHERE {' OR '.join(conditions)} LIMIT {limit}"
    )
    return query, arguments


def record_sql(*, text: bool) -> str:
    """A row of the table `t` as one column, as images have it; with the row's text output where it is asked for."""
    shown = "CAST(ROW(t.*) AS pg_catalog.text)" if text else "NULL::pg_catalog.text"
    return (
        "pg_catalog.record_send(ROW(t.tableoid, NULL::pg_catalog.pg_lsn, NULL::pg_catalog.text,"
        f" NULL::pg_catalog.xid8, NULL::pg_catalog.text, {shown}, NULL::pg_catalog.bytea, t.*))"
    )


def table_sql(relation: Relation) -> str:
    """As FROM takes it: of an inheritance parent its own rows, of a partitioned table all."""
    name = f"{_quoted(relation.schema)}.{_quoted(relation.name)}"
    return name if relation.kind == "p" else f"ONLY {name}"


def _type_sql(info: TypeInfo) -> str:
    return f"{_quoted(info.schema)}.{_quoted(info.name)}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
