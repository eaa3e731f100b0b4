"""Waiting for what happens in another process, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable

import psycopg

from devstack.postgres import PostgresServer

PATIENCE = 15.0
"""Seconds until what has not happened is a failure."""


def eventually(condition: Callable[[], object]) -> None:
    """Returns once `condition()` is true."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def _count(postgres: PostgresServer, where: str, value: str) -> int:
    with psycopg.connect(postgres.dsn()) as connection:
        row = connection.execute(
            f"select count(*) from pg_stat_activity where {where} = %s", [value]
        ).fetchone()
    assert row is not None
    return int(row[0])


def open_backends(postgres: PostgresServer, application_name: str) -> int:
    """Server processes of clients with this name."""
    return _count(postgres, "application_name", application_name)


def sleeping_backends(postgres: PostgresServer) -> int:
    """Server processes that have begun to sleep; a cancel that came sooner would have nothing to cancel."""
    return _count(postgres, "wait_event", "PgSleep")
