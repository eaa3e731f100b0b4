"""Fields and descriptions are byte for byte what a PostgreSQL server sends."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.catalog.model import TypeInfo
from proxy.serve.binary import Unencodable
from proxy.serve.encode import BINARY, SHOWN, TEXT, RowEncoder, formats_of, row_description
from proxy.shadow.rows import description, values
from proxy.translate import types as t
from proxy.translate.api import Inexact, OutputColumn, SessionSettings
from proxy.translate.types import Types
from tests.serve.values import ARRAYS, SCALARS

Connection = psycopg.Connection[tuple[object, ...]]

SESSION = SessionSettings()
BUILT_IN = Types({})
FORMATS = (TEXT, BINARY)
FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def fields(
    oid: int, rows: Sequence[Any], code: int, types: Types = BUILT_IN, session: SessionSettings = SESSION
) -> list[bytes | None]:
    """Of one column, as the encoder has them."""
    encoder = RowEncoder((OutputColumn("v", oid),), (code,), types, session)
    return [row[0] for row in values(encoder.rows([(one,) for one in rows]), 1)]


def of_server(
    connection: Connection, name: str, given: Sequence[bytes | None], code: int
) -> list[bytes | None]:
    """The same values as the server writes them; it gets them in binary."""
    rows = ", ".join(f"(${place}::{name})" for place in range(1, len(given) + 1))
    found = connection.pgconn.exec_params(
        f"VALUES {rows}".encode(), list(given), param_formats=[BINARY] * len(given), result_format=code
    )
    assert not found.error_message, found.error_message
    return [found.get_value(row, 0) for row in range(found.ntuples)]


@pytest.mark.integration
@pytest.mark.parametrize("oid", SCALARS, ids=[name for name, _ in SCALARS.values()])
def test_values_are_written_as_the_server_writes_them(server: Connection, oid: int) -> None:
    name, one = SCALARS[oid]

    @FEW
    @given(st.lists(st.none() | one, min_size=1, max_size=60))
    def check(rows: list[Any]) -> None:
        sent = fields(oid, rows, BINARY)
        for code in FORMATS:
            assert fields(oid, rows, code) == of_server(server, name, sent, code)

    check()


@pytest.mark.integration
@pytest.mark.parametrize("oid", ARRAYS, ids=[name for name, _ in ARRAYS.values()])
def test_arrays_are_written_as_the_server_writes_them(server: Connection, oid: int) -> None:
    name, element = ARRAYS[oid]
    if not BUILT_IN.known(oid):
        with pytest.raises(Unencodable, match=r"in binary"):
            fields(oid, [], BINARY)
        return

    @FEW
    @given(
        st.lists(st.lists(st.none() | SCALARS[element][1], max_size=5).map(tuple), min_size=1, max_size=20)
    )
    def check(rows: list[Any]) -> None:
        sent = fields(oid, rows, BINARY)
        for code in FORMATS:
            assert fields(oid, rows, code) == of_server(server, name, sent, code)

    check()


@pytest.mark.integration
def test_enums_and_arrays_of_them_are_written_as_the_server_writes_them(server: Connection) -> None:
    row = server.execute("SELECT oid, typarray FROM pg_type WHERE typname = 'mood'").fetchone()
    assert row is not None
    oid, array = row
    assert isinstance(oid, int)
    assert isinstance(array, int)
    labels = ("sad", "so so", "happy")
    types = Types(
        {
            oid: TypeInfo(oid, "public", "mood", "e", "E", labels=labels),
            array: TypeInfo(array, "public", "_mood", "b", "A", element=oid),
        }
    )
    moods = ["sad", None, "so so", "happy"]
    lists = [(), ("sad", None), ("so so",)]
    for code in FORMATS:
        assert fields(oid, moods, code, types) == of_server(
            server, "mood", fields(oid, moods, BINARY, types), code
        )
        assert fields(array, lists, code, types) == of_server(
            server, "mood[]", fields(array, lists, BINARY, types), code
        )
        assert row_description((OutputColumn("v", oid), OutputColumn("w", array)), (code, code), types) == (
            described(server, "SELECT null::mood AS v, null::mood[] AS w", code)
        )


def described(connection: Connection, query: str, code: int) -> bytes:
    """The server's RowDescription, put together again from what libpq tells of it."""
    found = connection.pgconn.exec_params(query.encode(), None, result_format=code)
    body = struct.pack(">H", found.nfields)
    for place in range(found.nfields):
        name = found.fname(place)
        assert name is not None
        body += name + b"\0"
        body += struct.pack(
            ">IhIhih",
            found.ftable(place),
            found.ftablecol(place),
            found.ftype(place),
            found.fsize(place),
            found.fmod(place),
            found.fformat(place),
        )
    return b"T" + struct.pack(">I", len(body) + 4) + body


@pytest.mark.integration
def test_a_description_is_the_servers(server: Connection) -> None:
    names = [name for name, _ in SCALARS.values()] + [
        name for oid, (name, _) in ARRAYS.items() if BUILT_IN.known(oid)
    ]
    oids = [*SCALARS, *(oid for oid in ARRAYS if BUILT_IN.known(oid))]
    query = "SELECT " + ", ".join(f"null::{name} AS c{place}" for place, name in enumerate(names))
    columns = tuple(OutputColumn(f"c{place}", oid) for place, oid in enumerate(oids))
    for code in FORMATS:
        assert row_description(columns, (code,) * len(columns), BUILT_IN) == described(server, query, code)


@pytest.mark.integration
def test_a_column_is_described_with_its_table(server: Connection) -> None:
    server.execute('CREATE TEMP TABLE described (a int, b numeric(12, 2), c varchar(20), "ä" char(3))')
    row = server.execute("SELECT 'described'::regclass::oid").fetchone()
    assert row is not None
    (table,) = row
    assert isinstance(table, int)
    columns = (
        OutputColumn("ä", t.BPCHAR, 7, table, 4),
        OutputColumn("b", t.NUMERIC, (12 << 16) + 2 + 4, table, 2),
        OutputColumn("c", t.VARCHAR, 24, table, 3),
        OutputColumn("?column?", t.INT4),
    )
    query = 'SELECT "ä", b, c, a + 1 FROM described'
    assert row_description(columns, (0, 0, 0, 0), BUILT_IN) == described(server, query, TEXT)


@pytest.mark.integration
@pytest.mark.parametrize("oid", sorted(SHOWN))
def test_lengths_of_types_whose_text_is_all_that_is_known(server: Connection, oid: int) -> None:
    row = server.execute("SELECT quote_ident(typname) FROM pg_type WHERE oid = %s", (oid,)).fetchone()
    assert row is not None
    message = row_description((OutputColumn("v", oid),), (TEXT,), BUILT_IN)
    # with its schema: `bit` alone is bit(1)
    assert message == described(server, f"SELECT null::pg_catalog.{row[0]} AS v", TEXT)
    with pytest.raises(Unencodable):
        fields(oid, ["x"], BINARY)


SETTINGS = [
    (t.TIMESTAMPTZ, "TimeZone", "America/New_York", replace(SESSION, time_zone="America/New_York")),
    (t.TIMESTAMPTZ, "TimeZone", "Asia/Kathmandu", replace(SESSION, time_zone="Asia/Kathmandu")),
    (t.BYTEA, "bytea_output", "escape", replace(SESSION, bytea_output="escape")),
    (t.FLOAT8, "extra_float_digits", "3", replace(SESSION, extra_float_digits=3)),
    (t.TIMESTAMP, "DateStyle", "ISO, DMY", replace(SESSION, date_style="ISO, DMY")),
]


@pytest.mark.integration
@pytest.mark.parametrize(("oid", "name", "value", "session"), SETTINGS)
def test_settings_that_shape_text_are_followed(
    server: Connection, oid: int, name: str, value: str, session: SessionSettings
) -> None:
    type_name, made = SCALARS[oid]
    if oid == t.TIMESTAMPTZ:  # all editions of the time zone database agree on these years
        made = st.integers(-30 * 365 * 86_400_000_000, 36 * 365 * 86_400_000_000)

    @FEW
    @given(st.lists(made, min_size=1, max_size=60))
    def check(rows: list[Any]) -> None:
        sent = fields(oid, rows, BINARY)
        for code in FORMATS:
            assert fields(oid, rows, code, session=session) == of_server(server, type_name, sent, code)

    server.execute(f"SET {name} = '{value}'".encode())
    try:
        check()
    finally:
        server.execute(f"RESET {name}".encode())
        server.execute("SET TimeZone = 'UTC'")


@pytest.mark.parametrize(
    ("oid", "session"),
    [
        (t.DATE, replace(SESSION, date_style="SQL, DMY")),
        (t.INTERVAL, replace(SESSION, interval_style="iso_8601")),
        (t.FLOAT8, replace(SESSION, extra_float_digits=0)),
        (t.TIMESTAMPTZ, replace(SESSION, time_zone="<+05>-05")),
    ],
)
def test_settings_that_are_not_followed_are_left_to_the_server(oid: int, session: SessionSettings) -> None:
    with pytest.raises(Inexact):
        fields(oid, [0], TEXT, session=session)
    assert fields(oid, [], BINARY, session=session) == []


@pytest.mark.parametrize("oid", [t.RECORD, 3908, 600, 790, 123_456])
def test_other_types_are_left_to_the_server(oid: int) -> None:
    for code in FORMATS:
        with pytest.raises(Unencodable):
            fields(oid, [], code)


def test_formats_are_those_of_a_bind_message() -> None:
    assert formats_of((), 3) == (0, 0, 0)
    assert formats_of((1,), 3) == (1, 1, 1)
    assert formats_of((1, 0, 1), 3) == (1, 0, 1)
    for wrong in ((1, 0), (2,), (0, 1, 2)):
        with pytest.raises(Unencodable, match="result formats"):
            formats_of(wrong, 3)


def test_rows_are_whole_messages() -> None:
    encoder = RowEncoder((OutputColumn("a", t.INT4), OutputColumn("b", t.TEXT)), (1, 0), BUILT_IN, SESSION)
    found = encoder.rows([(1, "x"), (None, "")])
    one = b"D" + struct.pack(">IH", 6 + 8 + 5, 2) + struct.pack(">ii", 4, 1) + b"\0\0\0\x01x"
    other = b"D" + struct.pack(">IH", 6 + 4 + 4, 2) + b"\xff\xff\xff\xff" + b"\0\0\0\0"
    assert found == one + other
    assert encoder.rows([]) == b""
    assert [column.name for column in description(encoder.description)] == ["a", "b"]


def test_rows_without_columns() -> None:
    encoder = RowEncoder((), (), BUILT_IN, SESSION)
    assert encoder.rows([()]) == b"D\0\0\0\x06\0\0"
    assert encoder.description == b"T\0\0\0\x06\0\0"
