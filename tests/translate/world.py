"""A schema in PostgreSQL and the same rows as documents, and a comparison of what both answer.

`World.same(sql, parameters)` compiles the read, runs it on the document store, and compares rows, their order as far as
it is fixed, errors and the row description with what PostgreSQL itself says.
"""

from __future__ import annotations

import json
import math
import struct
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import asyncpg
from psycopg import pq

from proxy.catalog.introspect import read_snapshot
from proxy.documents.records import parse_image
from proxy.mirror.effects import TableId
from proxy.mirror.tables import Surroundings, TableBook
from proxy.phases import Phase
from proxy.rulefiles.compile import RuleText, compile_rules
from proxy.shadow.reader import StoreReader
from proxy.stores.mongo import MongoStore
from proxy.stores.protocol import Write
from proxy.translate.api import (
    BoundRead,
    Inexact,
    OutputColumn,
    ReadError,
    ReadLimits,
    ReadPlan,
    Result,
    SessionSettings,
    compile_read,
)
from tests.translate.schema import SCHEMA

IMAGE = (
    "SELECT pg_catalog.record_send(ROW(t.tableoid, NULL::pg_catalog.pg_lsn, NULL::pg_catalog.text, "
    "NULL::pg_catalog.xid8, NULL::pg_catalog.text, {text}, NULL::pg_catalog.bytea, t.*)) FROM {table} t"
)


class Different(AssertionError):
    """Both sides do not answer alike."""


@dataclass(frozen=True)
class Answer:
    """What PostgreSQL says."""

    columns: tuple[OutputColumn, ...]
    parameter_types: tuple[int, ...]
    rows: list[tuple[str | None, ...]]
    sqlstate: str = ""


def encoded(value: Any) -> bytes | None:
    """A parameter in text form."""
    if value is None:
        return None
    if isinstance(value, bool):
        return b"t" if value else b"f"
    return str(value).encode()


class Oracle:
    """A session of PostgreSQL, asked as a driver asks."""

    def __init__(self, dsn: str) -> None:
        self.connection = pq.PGconn.connect(dsn.encode())
        assert self.connection.status == pq.ConnStatus.OK, self.connection.error_message
        self.execute("SET TimeZone = 'UTC'; SET max_parallel_workers_per_gather = 0")

    def execute(self, sql: str) -> None:
        result = self.connection.exec_(sql.encode())
        assert result.status in (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK), result.error_message

    def begin(self) -> int:
        """Begins a transaction: its time in microseconds since 2000."""
        self.execute("BEGIN")
        result = self.connection.exec_(
            b"SELECT (extract(epoch from now()) * 1000000)::bigint - 946684800000000"
        )
        return int(result.get_value(0, 0) or b"0")

    def end(self) -> None:
        if self.connection.transaction_status != pq.TransactionStatus.IDLE:
            self.execute("ROLLBACK")

    def ask(
        self,
        sql: str,
        parameters: Sequence[bytes | None],
        types: Sequence[int],
        formats: Sequence[int] | None = None,
    ) -> Answer:
        prepared = self.connection.prepare(b"", sql.encode(), list(types) or None)
        if prepared.status != pq.ExecStatus.COMMAND_OK:
            return Answer((), (), [], _sqlstate(prepared))
        described = self.connection.describe_prepared(b"")
        columns = tuple(
            OutputColumn(
                (described.fname(n) or b"").decode(),
                described.ftype(n),
                described.fmod(n),
                described.ftable(n),
                described.ftablecol(n),
            )
            for n in range(described.nfields)
        )
        oids = tuple(described.param_type(n) for n in range(described.nparams))
        given = [pq.Format(code) for code in formats] if formats else None
        result = self.connection.exec_prepared(b"", cast("Sequence[bytes]", parameters), given)
        if result.status != pq.ExecStatus.TUPLES_OK:
            return Answer(columns, oids, [], _sqlstate(result))
        rows = [
            tuple(_text(result.get_value(row, column)) for column in range(result.nfields))
            for row in range(result.ntuples)
        ]
        return Answer(columns, oids, rows)


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


def _sqlstate(result: pq.abc.PGresult) -> str:
    return (result.error_field(pq.DiagnosticField.SQLSTATE) or b"?????").decode()


class World:
    """One database, its documents, and a catalogue of it."""

    def __init__(self, oracle: Oracle, book: TableBook, database: str, store: MongoStore) -> None:
        self.oracle = oracle
        self.book = book
        self.database = database
        self.store = store
        self.reader = StoreReader(store.link)
        self.session = SessionSettings()
        self.limits = ReadLimits(max_rows=50_000)
        self.path: tuple[str, ...] = ("public",)

    def set(self, name: str, value: str) -> None:
        """A setting of the session, on both sides."""
        self.oracle.execute(f"SET {name} = '{value}'")
        if name == "TimeZone":
            self.session = replace(self.session, time_zone=value)
        else:
            assert name == "bytea_output"
            self.session = replace(self.session, bytea_output=value)

    def compile(self, sql: str, types: Sequence[int] = (), *, push_down: bool = True) -> ReadPlan:
        return compile_read(sql, self.book, self.database, self.path, types, push_down=push_down)

    async def run(self, bound: BoundRead) -> Result:
        return await bound.run(self.reader, self.limits)

    async def same(
        self,
        sql: str,
        parameters: Sequence[Any] = (),
        types: Sequence[int] = (),
        *,
        binary: Sequence[int] = (),
    ) -> Result | None:
        """The result, or None where both sides fail alike. Unsupported and Inexact come through; Different where the
        sides do not agree. `binary`: places of parameters that are bytes already, in binary form."""
        given = [value if place in binary else encoded(value) for place, value in enumerate(parameters)]
        formats = [1 if place in binary else 0 for place in range(len(given))] if binary else []
        plans = [self.compile(sql, types, push_down=push) for push in (True, False)]
        if "now" in plans[0].order.volatile:
            self.session = replace(self.session, now=self.oracle.begin())
        answer = self.oracle.ask(sql, given, types, formats)
        self.oracle.end()
        if answer.columns or not answer.sqlstate:
            for plan in plans:
                if plan.columns != answer.columns:
                    raise Different(f"{sql}\n described {plan.columns}\n not       {answer.columns}")
                if plan.parameter_types != answer.parameter_types:
                    raise Different(f"{sql}\n {plan.parameter_types} not {answer.parameter_types}")
        result = None
        for plan in plans:
            result = await self._compared(sql, given, formats, plan, answer)
        return result

    async def _compared(
        self, sql: str, given: list[bytes | None], formats: list[int], plan: ReadPlan, answer: Answer
    ) -> Result | None:
        try:
            result = await self.run(plan.bind(given, formats, self.session))
        except Inexact:
            raise
        except ReadError as error:
            if answer.sqlstate != error.sqlstate:
                raise Different(f"{sql}\n {error.sqlstate} {error}, not {answer.sqlstate!r}") from None
            return None
        if answer.sqlstate:
            raise Different(f"{sql}\n no error, but PostgreSQL says {answer.sqlstate}: {result.texts[:5]}")
        reason = difference(result, answer.rows)
        if reason:
            raise Different(f"{sql} {given}\n {reason}\n {result.texts[:20]}\n {answer.rows[:20]}")
        return result


def difference(result: Result, rows: list[tuple[str | None, ...]]) -> str:
    """Why rows are not those of `result`; empty where they may be."""
    if len(rows) != len(result.texts):
        return f"{len(result.texts)} rows, not {len(rows)}"
    if result.indeterminate:
        return ""
    position = 0
    for place, size in enumerate(result.ties):
        loose = (place == 0 and result.loose_head) or (place == len(result.ties) - 1 and result.loose_tail)
        ours = [rounded(row, result) for row in result.texts[position : position + size]]
        theirs = [rounded(row, result) for row in rows[position : position + size]]
        if not loose and Counter(ours) != Counter(theirs):
            return f"rows {position} to {position + size} differ"
        position += size
    return ""


def rounded(row: Sequence[str | None], result: Result) -> tuple[str | None, ...]:
    """Floats that depend on the order of addition, to twelve digits."""
    made: list[str | None] = []
    for value, column, loose in zip(row, result.columns, result.approximate, strict=True):
        if value is not None and loose and column.type_oid in (700, 701):
            number = float(value)
            digits = 12 if column.type_oid == 701 else 5
            value = value if not math.isfinite(number) else f"{number:.{digits}g}"
        made.append(value)
    return tuple(made)


def int8(value: int) -> bytes:
    return struct.pack(">q", value)


async def make_world(dsn: str, database: str, store: MongoStore, script: str = SCHEMA) -> World:
    """Runs the script, and copies every table it has made to the store."""
    connection = await asyncpg.connect(dsn, server_settings={"TimeZone": "UTC", "DateStyle": "ISO"})
    try:
        await connection.execute(script)
        names = [
            (row["schema"], row["name"])
            for row in await connection.fetch(
                "SELECT n.nspname AS schema, c.relname AS name FROM pg_class c "
                "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') "
                "AND NOT c.relispartition AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2"
            )
        ]
        tables = {f'"{schema}"."{name}"': {"phase": "dual_write"} for schema, name in names}
        text = json.dumps({"tables": tables})
        rules = compile_rules([RuleText("rules.yaml", text.encode())], last_built=Phase.DUAL_WRITE)
        reading = await read_snapshot(connection, [TableId(schema, name) for schema, name in names])
        book = TableBook(
            rules, {database: reading.snapshot}, Surroundings(True, True, True), last_built=Phase.DUAL_WRITE
        )
        for schema, name in names:
            await _copy(connection, book, database, schema, name, store)
    finally:
        await connection.close()
    return World(Oracle(dsn), book, database, store)


async def _copy(
    connection: Any, book: TableBook, database: str, schema: str, name: str, store: MongoStore
) -> None:
    table = book.named(database, schema, name)
    assert table is not None, [str(problem) for ruled in book.ruled.values() for problem in ruled.refused]
    mapping = table.mapping
    text = "ROW(t.*)::pg_catalog.text" if mapping.needs_text else "NULL::pg_catalog.text"
    writes = []
    for row in await connection.fetch(IMAGE.format(text=text, table=mapping.table)):
        header, _, fields = parse_image(row[0])
        document, extra = mapping.document(fields, header.text)
        writes.append(Write(mapping.key(fields), document, 1, extra))
    for start in range(0, len(writes), 500):
        answers = await store.apply(mapping.namespace, writes[start : start + 500])
        assert not [answer for answer in answers if not hasattr(answer, "value")], answers
