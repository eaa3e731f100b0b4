"""The splice on real servers: the statement does what it did, and the image is the row."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from devstack.postgres import PostgresServer
from proxy.sql.analysis import analyse
from proxy.sql.model import Statement, Verb
from proxy.sql.splice import HEADER_FIELDS, insertion, spliced
from tests.sql.corpus import CASES, SCHEMA, TABLES, Case
from tests.support.versions import EVERY, server_of

pytestmark = pytest.mark.integration

_EVERYTHING = " UNION ALL ".join(
    f"SELECT row(x.tableoid::regclass, {'x.id, x.a, x.b, x.d' if name == 't' else 'x.*'})::text FROM {name} AS x"
    for name in TABLES
)
"""Every row of every table, without the default of `t.c`: the time at which the transaction began."""

Record = tuple[tuple[int, bytes | None], ...]


@dataclass(frozen=True)
class Place:
    server: PostgresServer
    database: str

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[asyncpg.Connection[Any]]:
        connection: asyncpg.Connection[Any] = await asyncpg.connect(
            self.server.dsn(self.database), statement_cache_size=0
        )
        try:
            yield connection
        finally:
            await connection.close()


@pytest.fixture(scope="module", params=EVERY)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    server = server_of(request)
    with server.database() as database:
        server.psql(SCHEMA, database)
        yield Place(server, database)


def parse_record(data: bytes) -> Record:
    """What record_send writes: count, then (type oid, length, bytes) of every field."""
    (count,) = struct.unpack_from("!i", data)
    fields = []
    at = 4
    for _ in range(count):
        oid, length = struct.unpack_from("!Ii", data, at)
        at += 8
        fields.append((oid, None if length < 0 else data[at : at + length]))
        at += max(length, 0)
    assert at == len(data)
    return tuple(fields)


@dataclass
class Outcome:
    """What running a statement gave and left behind."""

    rows: list[tuple[object, ...]]
    tag: str
    columns: list[tuple[str, str]]
    parameters: list[str]
    before: Counter[Record]
    after: Counter[Record]
    everything: list[str]


async def contents(connection: asyncpg.Connection[Any], table: str) -> Counter[Record]:
    """Its rows, each behind the oid of the table it stands in."""
    rows = await connection.fetch(f"SELECT record_send(ROW(x.tableoid, x.*)) FROM {table} AS x")
    return Counter(parse_record(row[0]) for row in rows)


async def run(connection: asyncpg.Connection[Any], case: Case, text: str, table: str) -> Outcome:
    """In a transaction that is rolled back."""
    await connection.execute("SELECT setval('i_id_seq', 100), setval('g_id_seq', 100)")
    transaction = connection.transaction()
    await transaction.start()
    try:
        if case.before:
            await connection.execute(case.before)
        before = await contents(connection, table)
        prepared = await connection.prepare(text)
        rows = [tuple(row) for row in await prepared.fetch(*case.arguments)]
        everything = sorted(row[0] for row in await connection.fetch(_EVERYTHING))
        return Outcome(
            rows=rows,
            tag=prepared.get_statusmsg() or "",
            columns=[(item.name, item.type.name) for item in prepared.get_attributes()],
            parameters=[item.name for item in prepared.get_parameters()],
            before=before,
            after=await contents(connection, table),
            everything=everything,
        )
    finally:
        await transaction.rollback()


def only(text: str) -> Statement:
    (statement,) = analyse(text).statements
    return statement


def check_header(header: Record, verb: Verb, case: Case, *, text: bool) -> str:
    """The verb the image is of."""
    assert [oid for oid, _ in header] == [26, 3220, 25, 5069, 25, 25, 17]
    values = [value for _, value in header]
    tableoid, lsn, walfile, xid, action, row_text, _ = values
    assert tableoid is not None
    assert lsn is not None
    assert walfile is not None
    assert xid is not None
    assert len(tableoid) == 4
    assert len(lsn) == 8
    assert len(xid) == 8
    assert int(walfile[:8], 16) == 1
    assert (row_text is not None) is text
    if verb is not Verb.MERGE:
        assert action is None
        return verb.name
    assert action in (b"INSERT", b"UPDATE", b"DELETE")
    return action.decode()


@pytest.mark.parametrize("case", CASES, ids=[f"{number}" for number in range(len(CASES))])
async def test_a_spliced_statement_does_what_it_did(place: Place, case: Case) -> None:
    if case.since > place.server.major:
        pytest.skip(f"since PostgreSQL {case.since}")
    statement = only(case.text)
    write = statement.write
    assert write is not None
    target = ".".join(f'"{part}"' for part in (write.target.schema, write.target.name) if part)
    async with place.connect() as connection:
        plain = await run(connection, case, case.text, target)
        for text, old in ((False, False), (True, False), (True, True)):
            if old and (place.server.major < 18 or (write.old_hidden and write.returning)):
                continue
            changed = spliced(case.text, [(statement.end, insertion(write, text=text, old=old))])
            outcome = await run(connection, case, changed, target)
            assert outcome.tag == plain.tag
            assert outcome.parameters == plain.parameters
            assert outcome.columns[:-1] == plain.columns
            assert outcome.columns[-1][1] == "bytea"
            if write.returning:
                assert [row[:-1] for row in outcome.rows] == plain.rows
            else:
                assert plain.rows == []
            assert outcome.everything == plain.everything
            check_images(outcome, write.verb, case, text=text, old=old)


def check_images(outcome: Outcome, verb: Verb, case: Case, *, text: bool, old: bool) -> None:
    assert len(outcome.rows) == int(outcome.tag.split()[-1])
    written: Counter[Record] = Counter()
    removed: Counter[Record] = Counter()
    for row in outcome.rows:
        data = row[-1]
        assert isinstance(data, bytes)
        record = parse_record(data)
        header, image = record[:HEADER_FIELDS], record[HEADER_FIELDS:]
        done = check_header(header, verb, case, text=text)
        (removed if done == "DELETE" else written)[header[:1] + image] += 1
        before = header[-1][1]
        assert (before is not None) is old
        if before is not None:
            former = parse_record(before)
            assert [oid for oid, _ in former] == [oid for oid, _ in image]
            inserted = all(value is None for _, value in former)
            was = {row[1:] for row in outcome.before}
            if image:
                assert inserted == (done == "INSERT" and former not in was)
            assert inserted or former in was
    assert written <= outcome.after
    assert removed <= outcome.before
    assert outcome.after - outcome.before <= written


@pytest.mark.parametrize(
    "ddl",
    [
        "ALTER TABLE d ADD COLUMN c int DEFAULT 7",
        "ALTER TABLE d DROP COLUMN b",
        "ALTER TABLE d ALTER COLUMN b TYPE bigint",
        "ALTER TABLE d RENAME COLUMN b TO z",
    ],
)
@pytest.mark.parametrize(
    "text",
    [
        "UPDATE d SET a = a || 'x' WHERE id = $1",
        "INSERT INTO d (id) VALUES ($1 + 1)",
        "DELETE FROM d WHERE id = $1 + 5",
    ],
)
async def test_a_prepared_statement_outlives_ddl(place: Place, ddl: str, text: str) -> None:
    statement = only(text)
    assert statement.write is not None
    async with place.connect() as connection:
        await connection.execute("DROP TABLE IF EXISTS d; CREATE TABLE d (id int PRIMARY KEY, a text, b int)")
        await connection.execute("INSERT INTO d VALUES (1, 'a', 2), (6, 'b', 3), (16, 'c', 4)")
        prepared = await connection.prepare(
            spliced(text, [(statement.end, insertion(statement.write, text=True, old=False))])
        )
        first = await prepared.fetch(1)
        await connection.execute(ddl)
        second = await prepared.fetch(1 if text.startswith("UPDATE") else 11)
        images = [parse_record(rows[0][0])[HEADER_FIELDS:] for rows in (first, second)]
        expected = await connection.fetch("SELECT record_send(ROW(d.*)) FROM d WHERE id IN (1, 12)")
        if not text.startswith("DELETE"):
            assert images[1] in [parse_record(row[0]) for row in expected]
        assert (images[0] == images[1]) is False


async def test_names_beside_each_other_that_returning_cannot_tell_apart(place: Place) -> None:
    """Why such a statement is no WRITE: the splice would make it fail."""
    text = "UPDATE t SET a = 'x' FROM s.t WHERE true"
    assert only(text).write is None
    async with place.connect() as connection:
        await connection.execute(f"BEGIN; {text}; ROLLBACK")
        with pytest.raises(asyncpg.AmbiguousAliasError):
            await connection.execute(f"{text} RETURNING t.*")
