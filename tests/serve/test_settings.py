"""Settings as they are asked for, and what they allow."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import psycopg
import pytest

from devstack.postgres import PostgresServer
from proxy.serve.settings import NAMES, QUERY, duration, known, reported
from tests.serve.made import SETTINGS


def row(
    temporary: bytes = b"0", path: bytes = b'["public"]', other: Mapping[str, str] = MappingProxyType({})
) -> list[bytes | None]:
    values = {**SETTINGS, **other}
    return [*(values[name].encode() for name in NAMES), b"ann", temporary, path]


def test_a_plain_session_may_be_served() -> None:
    found = known(
        row(other={"extra_float_digits": "-3", "TimeZone": "Europe/Paris", "statement_timeout": "1500ms"})
    )
    assert found is not None
    assert (found.obstacle, found.block_obstacle, found.user) == ("", "", "ann")
    assert found.session.extra_float_digits == -3
    assert found.session.time_zone == "Europe/Paris"
    assert found.session.now is None
    assert found.statement_timeout == 1.5


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("default_transaction_isolation", "serializable"),
        ("default_transaction_isolation", "repeatable read"),
        ("idle_session_timeout", "10min"),
        ("client_min_messages", "debug1"),
        ("transform_null_equals", "on"),
        ("array_nulls", "off"),
        ("standard_conforming_strings", "off"),
        ("client_encoding", "LATIN1"),
    ],
)
def test_what_is_taken_for_granted(name: str, value: str) -> None:
    found = known(row(other={name: value}))
    assert found is not None
    assert name in found.obstacle


def test_a_server_that_ends_idle_blocks_must_see_their_reads() -> None:
    found = known(row(other={"idle_in_transaction_session_timeout": "1min"}))
    assert found is not None
    assert (found.obstacle, found.block_obstacle != "") == ("", True)


def test_temporary_tables_go_before_all_others() -> None:
    found = known(row(temporary=b"1"))
    assert found is not None
    assert "temporary" in found.obstacle


def test_functions_of_a_schema_before_pg_catalog_are_not_the_servers_own() -> None:
    found = known(row(path=b'["mine","pg_catalog"]'))
    assert found is not None
    assert (found.path, "pg_catalog" in found.obstacle) == (("mine",), True)
    first = known(row(path=b'["pg_catalog","mine"]'))
    assert first is not None
    assert (first.path, first.obstacle) == (("mine",), "")


def test_a_row_of_another_kind_says_nothing() -> None:
    assert known([b"1"]) is None


def test_a_report_of_the_server_changes_one_setting() -> None:
    before = known(row())
    assert before is not None
    after = reported(before, "TimeZone", "Asia/Tokyo")
    assert (after.session.time_zone, after.session.user) == ("Asia/Tokyo", "ann")
    assert reported(after, "client_encoding", "LATIN1").obstacle


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("250", 0.25),
        ("1500ms", 1.5),
        ("5s", 5.0),
        ("2min", 120.0),
        ("1h", 3600.0),
        ("1d", 86400.0),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)


def test_what_is_no_duration() -> None:
    assert duration("soon") is None


def test_a_server_answers_the_question(postgres: PostgresServer) -> None:
    with psycopg.connect(postgres.dsn(), autocommit=True) as session:
        session.execute("SET statement_timeout = '90s'")
        found = known(_row(session))
        assert found is not None
        assert (found.obstacle, found.block_obstacle, found.statement_timeout) == ("", "", 90.0)
        assert found.path == ("public",)
        session.execute("CREATE TEMP TABLE mine (id int)")
        found = known(_row(session))
        assert found is not None
        assert "temporary" in found.obstacle
        session.execute("DISCARD ALL")
        found = known(_row(session))
        assert found is not None
        assert found.obstacle == ""


def _row(session: psycopg.Connection[tuple[str | None, ...]]) -> list[bytes | None]:
    values = session.execute(QUERY).fetchone()
    assert values is not None
    return [None if value is None else value.encode() for value in values]
