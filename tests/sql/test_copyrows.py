from __future__ import annotations

import random
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise
from typing import Any, cast

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstack.postgres import PostgresServer
from tests.sql.copying import layout, read
from tests.support.versions import AND_OLDEST, server_of


@pytest.mark.parametrize(
    ("options", "data", "keys"),
    [
        ("", "1\ta\n2\tb\n", [("1",), ("2",)]),
        ("", "1\n2", [("1",), ("2",)]),
        ("", "", []),
        ("", "\n", [("",)]),
        ("", "1\ta\r\n2\tb\r\n", [("1",), ("2",)]),
        ("", "1\ta\r2\tb\r", [("1",), ("2",)]),
        ("", "1\ta\n\\.\n2\tb\n", [("1",)]),
        ("", "a\\tb\\\\c\\nd\\x41\\101\\q\tz\n", [("a\tb\\c\ndAAq",)]),
        ("", "a\\\nb\tz\n", [("a\nb",)]),
        ("", "a\\\tb\tz\n", [("a\tb",)]),
        ("(DELIMITER '|', NULL 'x')", "\\N|b\n", [("N",)]),
        ("(HEADER)", "id\ta\n1\tb\n", [("1",)]),
        ("CSV", '1,a\n"2","b\n,"\n', [("1",), ("2",)]),
        ("CSV", '"a""b,\nc",x\n', [('a"b,\nc',)]),
        ("CSV", 'a"b,c"d,x\n', [("ab,cd",)]),
        ("CSV", '"",x\r\n', [("",)]),
        ("CSV HEADER", '"id\n",a\n1,b\n', [("1",)]),
        ("CSV ESCAPE '\\'", '"a\\"b\\\\c\\d",x\n', [('a"b\\cd'.replace("cd", "c\\d"),)]),
        ("CSV QUOTE '$' DELIMITER ';' NULL 'N'", "$a;b$;x\nc;y\n", [("a;b",), ("c",)]),
        ("", "größe€\tx\n", [("größe€",)]),
    ],
)
def test_keys(options: str, data: str, keys: list[tuple[str, ...]]) -> None:
    whole = data.encode()
    assert read(layout(options), [whole]) == keys
    assert read(layout(options), [bytes([byte]) for byte in whole]) == keys


def test_keys_of_several_columns_in_their_order() -> None:
    assert read(layout(), [b"1\t2\t3\n4\t5\t6\n"], (2, 0)) == [("3", "1"), ("6", "4")]


@pytest.mark.parametrize(
    ("options", "data", "reason"),
    [
        ("", b"\\N\ta\n", "NULL"),
        ("CSV", b",a\n", "NULL"),
        ("(FORMAT csv, DEFAULT 'D')", b"D,a\n", "default"),
        ("(DEFAULT 'D')", b"D\ta\n", "default"),
        ("CSV", b'"open,a\n', "does not end"),
        ("CSV", b"\\.\n1,a\n", "end marker"),
        ("", b"caf\xe9\n", "encoding"),
        ("", b"caf\\351\n", "bytes"),
        ("", b"1\\.\n", "end marker"),
        ("(ENCODING 'mule_internal')", b"1\n", "encoding"),
        ("", b"1\n" * 101, "100 rows"),
        ("", b"x" * 2000, "longer than 1000"),
        ("CSV", b'"' + b"\n" * 2000, "longer than 1000"),
    ],
)
def test_what_is_given_up(options: str, data: bytes, reason: str) -> None:
    found = read(layout(options), [data, b"5\n"], max_record=1000)
    assert isinstance(found, str)
    assert reason in found


def test_what_is_behind_the_key_does_not_matter() -> None:
    assert read(layout(), [b"1\t\\351\\N\n"]) == [("1",)]


_ALPHABET = [
    "a",
    "1",
    "\t",
    "\n",
    "\r",
    "\r\n",
    "\\",
    '"',
    '""',
    ",",
    "\\.",
    "\\N",
    "\\t",
    "é",
    "'",
    "x",
    "\\x41",
    "\\12",
    "D",
]
_OPTIONS = [
    "",
    "CSV",
    "CSV HEADER",
    "CSV ESCAPE '\\'",
    "CSV QUOTE ''''",
    "(DELIMITER ',')",
    "(NULL '')",
    "CSV NULL 'a'",
]


@given(
    data=st.lists(st.sampled_from(_ALPHABET), max_size=30).map("".join),
    options=st.sampled_from(_OPTIONS),
    cuts=st.lists(st.integers(0, 60), max_size=6),
)
def test_where_the_data_is_cut_does_not_matter(data: str, options: str, cuts: list[int]) -> None:
    whole = data.encode()
    edges = [0, *sorted(cut for cut in cuts if cut < len(whole)), len(whole)]
    pieces = [whole[begin:end] for begin, end in pairwise(edges)]
    assert read(layout(options), pieces) == read(layout(options), [whole])


@pytest.fixture(scope="module", params=AND_OLDEST)
def server(request: pytest.FixtureRequest) -> PostgresServer:
    return server_of(request)


@pytest.fixture
async def connection(server: PostgresServer) -> AsyncIterator[asyncpg.Connection[Any]]:
    opened: asyncpg.Connection[Any] = await asyncpg.connect(server.dsn())
    await opened.execute("CREATE TEMP TABLE c (n serial, id text, a text)")
    yield opened
    await opened.close()


@pytest.mark.integration
async def test_postgres_reads_the_same(connection: asyncpg.Connection[Any]) -> None:
    """Random data: where PostgreSQL takes it, the keys are those of the rows it has stored."""
    chance = random.Random(20)
    weights = [4, 4, 6, 6, 1, 1, 1, 3, 1, 6, 1, 1, 1, 1, 1, 4, 1, 1, 1]
    taken = given_up = 0
    for _ in range(400):
        options = chance.choice(_OPTIONS)
        separator = "," if "CSV" in options or "DELIMITER" in options else "\t"
        rows = [
            separator.join(
                "".join(chance.choices(_ALPHABET, weights, k=chance.randint(0, 3))) for _ in range(2)
            )
            for _ in range(chance.randint(0, 4))
        ]
        data = chance.choice(["\n", "\r\n", "\n"]).join(rows) + chance.choice(["\n", ""])
        found = read(replace(layout(options), columns=("id", "a")), [data.encode()])
        transaction = connection.transaction()
        await transaction.start()
        try:
            await copy_in(connection, f"COPY c (id, a) FROM STDIN {options}", data.encode())
        except asyncpg.PostgresError:
            continue
        else:
            stored = [(row[0],) for row in await connection.fetch("SELECT id FROM c ORDER BY n")]
            taken += 1
            if isinstance(found, str):
                given_up += 1
                assert (None,) in stored or "\\." in data, (options, data, found)
            else:
                assert found == stored, (options, data)
        finally:
            await transaction.rollback()
    assert taken > 100
    assert given_up < taken / 2


async def copy_in(connection: asyncpg.Connection[Any], statement: str, data: bytes) -> None:
    """asyncpg's own COPY takes a table, not a statement."""

    async def source() -> AsyncIterator[bytes]:
        yield data

    await cast(Any, connection)._copy_in(statement, source(), 10)
