"""The same bytes to PostgreSQL and to a proxy that mirrors every table: the replies must be the same bytes.

As `test_replies`, with capture on: `durability: strict`, a real store, conversations that write. Masked beside what no
two sessions share are, where tables are made or changed, the OIDs of tables and types in row descriptions.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings

from devstack.document_store import DocumentStore
from devstack.installation import system_major
from devstack.postgres import PostgresServer
from devstack.rootfs import POSTGRES_MAJOR
from proxy.wire.messages import TERMINATE_MESSAGE
from tests.differential.writes import (
    BARE,
    COPIES,
    DDL,
    PARAMETERS,
    READS,
    RESET,
    RULED,
    SEVERAL,
    STATE,
    TABLES,
    WRITES,
    WRITES_18,
    WRONG,
    conversations,
)
from tests.support.conversation import SYNC, bind, describe, execute, parse
from tests.support.instance import RunningInstance
from tests.support.raw import Message, RawClient
from tests.support.transcript import query, startup_message
from tests.support.versions import EVERY, server_of

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

QUICKLY = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

EXAMPLES = int(os.environ.get("CAUSEWAY_TEST_DIFFERENTIAL_EXAMPLES", "120"))

_TEMPORARY = re.compile(rb"pg_temp_\d+")
"""The schema of a session's temporary tables, in errors."""

FIRST_OID = 16384
"""Of what is not PostgreSQL's own."""


@dataclass(frozen=True)
class Pair:
    """One database, reached straight and through a proxy."""

    postgres: PostgresServer
    proxy: RunningInstance
    database: str
    direct: psycopg.Connection[Any]

    @property
    def newest(self) -> bool:
        """Whether it knows MERGE with RETURNING; of OLD and NEW, 17 says where the error is."""
        return self.postgres.major >= 17

    def replies(self, port: int, sent: bytes) -> list[Message]:
        """Everything that is said to `sent` by who listens there."""
        with RawClient(("127.0.0.1", port)) as client:
            client.send(startup_message(user="postgres", database=self.database))
            client.until("Z")
            client.send(sent + SYNC + TERMINATE_MESSAGE)
            return [
                (kind, body[4:] if kind == "A" else _TEMPORARY.sub(b"pg_temp", body))
                for kind, body in client.rest()
            ]

    def both(self, sent: bytes) -> tuple[list[Message], list[Message]]:
        """(PostgreSQL's replies, the proxy's), each beginning with the same rows."""
        found = []
        for port in (self.postgres.port, self.proxy.port):
            self.direct.execute(RESET)
            found.append(self.replies(port, sent))
            if ("C", b"PREPARE TRANSACTION\x00") in found[-1]:
                self.direct.execute("rollback prepared 'differential'")
        return found[0], found[1]

    def refreshed(self) -> None:
        """Returns once the proxy knows the tables as they are."""

        async def refreshed() -> None:
            assert self.proxy.instance.mirroring is not None
            await self.proxy.instance.mirroring.catalogue.refresh(self.database)

        self.proxy.call(refreshed())

    def captured(self) -> int:
        return sum(table.captured for table in self.proxy.report().tables)


@pytest.fixture(scope="module", params=EVERY)
def source(request: pytest.FixtureRequest) -> PostgresServer:
    """Every supported version."""
    return server_of(request)


@pytest.fixture(scope="module")
def pair(
    source: PostgresServer, document_store: DocumentStore, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    directory = tmp_path_factory.mktemp("captured")
    with source.database(f"differential_{source.major}") as database:
        with psycopg.connect(source.dsn(database), autocommit=True) as connection:
            connection.execute(TABLES)
            connection.execute("create role differential_writer")
            connection.execute(
                "grant insert, update, delete, truncate on all tables in schema public to differential_writer"
            )
        with mirroring(source, database, document_store, directory) as proxy:
            with psycopg.connect(source.dsn(database), autocommit=True) as connection:
                yield Pair(source, proxy, database, connection)
        with psycopg.connect(source.dsn(database), autocommit=True) as connection:
            connection.execute("drop owned by differential_writer")
            connection.execute("drop role differential_writer")


def mirroring(
    source: PostgresServer, database: str, document_store: DocumentStore, directory: Path
) -> RunningInstance:
    rules = directory / "rules.yaml"
    tables = "".join(f"  '{name}':\n" for name in RULED)
    rules.write_text(f"defaults: {{phase: dual_write}}\ntables:\n{tables}", encoding="utf-8")
    return RunningInstance(
        upstream=f"postgresql://{source.host}:{source.port}/?sslmode=disable",
        store=document_store.uri,
        control_dsn=source.dsn(database),
        rules=rules,
        spool=directory / "spool",
    )


def difference(sent: bytes, direct: list[Message], through: list[Message]) -> str:
    """Where they begin to differ."""
    at = next((i for i, (a, b) in enumerate(zip(direct, through, strict=False)) if a != b), None)
    at = min(len(direct), len(through)) if at is None else at
    shown = f"{at} of PostgreSQL {direct[at : at + 2]}\n  of the proxy {through[at : at + 2]}"
    return f"{sent!r}\n  reply {shown}\n  before {direct[max(at - 4, 0) : at]}"


def alone(newest: bool) -> list[bytes]:
    """Every statement by itself, in both protocols, text and binary, with and without row limits."""
    more = WRITES_18 if newest else []
    parts = [query(text) for text in WRITES + WRONG + SEVERAL + READS + STATE + more]
    parts += COPIES
    for text in WRITES + BARE + WRONG + more:
        for formats in ((0,), (1,)):
            bound = bind(results=formats) + describe("P") + execute()
            parts.append(parse(text) + describe("S") + bound + SYNC)
    for text in PARAMETERS:
        for binary, limit in ((0, 0), (1, 2)):
            bound = bind((b"1", b"v"), results=(binary,)) + describe("P")
            parts.append(parse(text) + describe("S") + bound + execute("", limit) + execute() + SYNC)
    return parts


def in_blocks(parts: list[bytes]) -> Iterator[bytes]:
    """A few at a time, each in a transaction block of its own."""
    for at in range(0, len(parts), 6):
        yield b"".join(
            query("begin") + part + query("select 'still there'") + query("rollback")
            for part in parts[at : at + 6]
        )


def test_each_statement_alone(pair: Pair) -> None:
    before = pair.captured()
    parts = alone(pair.newest)
    wrong = []
    for sent in (*(b"".join(parts[at : at + 3]) for at in range(0, len(parts), 3)), *in_blocks(parts)):
        direct, through = pair.both(sent)
        if direct != through:
            wrong.append(difference(sent, direct, through))
    assert not wrong, "\n".join(wrong)
    assert pair.captured() > before + 100


def test_any_conversation(pair: Pair) -> None:
    before = pair.captured()

    usual = pair.postgres.major in (system_major(), POSTGRES_MAJOR)
    examples = EXAMPLES if usual else EXAMPLES // 4

    @settings(QUICKLY, max_examples=examples)
    @given(conversation=conversations(pair.newest))
    def holds(conversation: list[bytes]) -> None:
        sent = b"".join(conversation)
        direct, through = pair.both(sent)
        assert direct == through, difference(sent, direct, through)

    holds()
    assert pair.captured() > before + examples // 4  # many conversations fail early, or write nothing


def around(ddl: str) -> bytes:
    """Statements prepared before DDL and run after it; plain ones behind it, and DDL inside a block."""
    prepared = (
        parse("update goods set name = 'p' where id = 1 returning *", "all")
        + parse("update goods set name = 'q' where id = 2 returning id", "one")
        + parse("insert into goods (id) values ($1)", "none")
        + parse("delete from offers where id = $1 returning note", "gone")
        + SYNC
        + query("prepare up as update offers set note = 'q' where id = 11 returning id")
    )
    run = b"".join(
        bind(values, statement=name, results=(binary,)) + describe("P") + execute() + SYNC
        for binary in (0, 1)
        for name, values in (("all", ()), ("one", ()), ("none", (b"70%d" % binary,)), ("gone", (b"10",)))
    )
    plain = b"".join(
        query(text)
        for text in (
            "execute up",
            "insert into goods (id) values (710), (711) returning *",
            "update goods set price = price + 1",
            "insert into offers (id, good) values (12, 1); delete from offers where id = 12 returning *",
            "insert into loud (word) values ('later') returning *",
            "insert into parts values (6, '2031-01-01', 'y')",
            "table goods",
        )
    )
    return prepared + query(ddl) + run + plain + query("begin") + run + plain + query("rollback") + plain


def without_oids(messages: list[Message]) -> list[Message]:
    """Row descriptions without the OIDs of tables, and of types that were made here; refusals in a failed block without
    the line of PostgreSQL's source, which says at which message it noticed: a statement may have to be parsed again."""
    return [
        (kind, described(body) if kind == "T" else b"25P02" if b"C25P02" in body else body)
        for kind, body in messages
    ]


def described(body: bytes) -> bytes:
    at, out = 2, body[:2]
    for _ in range(int.from_bytes(body[:2], "big")):
        end = body.index(b"\x00", at) + 1
        oid = int.from_bytes(body[end + 6 : end + 10], "big")
        kept = oid if oid < FIRST_OID else 0
        out += body[at:end] + b"\x00" * 4 + body[end + 4 : end + 6] + kept.to_bytes(4, "big")
        out += body[end + 10 : end + 18]
        at = end + 18
    return out


def test_ddl_in_between(pair: Pair) -> None:
    wrong = []
    for ddl in DDL:
        before = pair.captured()
        sent = around(ddl)
        found = []
        for port in (pair.postgres.port, pair.proxy.port):
            pair.direct.execute(
                "drop schema if exists other cascade; drop schema public cascade; create schema public"
            )
            pair.direct.execute(TABLES + RESET)
            pair.refreshed()
            found.append(without_oids(pair.replies(port, sent)))
        if found[0] != found[1]:
            wrong.append(f"{ddl}: {difference(sent, *found)}")
        assert pair.captured() > before, ddl
    assert not wrong, "\n".join(wrong)
