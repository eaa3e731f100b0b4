"""Where a client connects: PostgreSQL itself or the proxy in front of it, with the same names and secrets."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, LiteralString
from urllib.parse import quote

import psycopg
from psycopg.conninfo import make_conninfo

Kind = Literal["direct", "proxy", "dual_write", "primary_switch"]
"""`dual_write`: through a proxy that mirrors every table; `primary_switch`: through one that serves reads, too."""

PATIENCE = 15.0
"""Seconds a test waits for another session to reach a state before it fails."""


@dataclass(frozen=True)
class Endpoint:
    """One way to one database. Every helper takes overrides under libpq's names."""

    kind: Kind
    host: str
    port: int
    user: str
    password: str
    dbname: str
    socket_directory: str
    """Holds the listener's Unix socket `.s.PGSQL.<socket_port>`."""
    socket_port: int
    root_certificate: str
    """Path of the authority that the listener's TLS certificate is checked against."""

    def parameters(self, **overrides: Any) -> dict[str, Any]:
        """libpq keywords. TLS is off unless asked for: a test says itself when it means TLS."""
        base: dict[str, Any] = {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "password": self.password,
            "dbname": self.dbname,
            "sslmode": "disable",
        }
        return {name: value for name, value in (base | overrides).items() if value is not None}

    def dsn(self, **overrides: Any) -> str:
        return make_conninfo("", **self.parameters(**overrides))

    def url(self, scheme: str = "postgresql") -> str:
        user, password = quote(self.user, safe=""), quote(self.password, safe="")
        return f"{scheme}://{user}:{password}@{self.host}:{self.port}/{quote(self.dbname, safe='')}"

    def environment(self, **overrides: Any) -> dict[str, str]:
        """The process environment for a libpq program: nothing of the caller's own PG* variables is left."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        variables = {
            "host": "PGHOST",
            "port": "PGPORT",
            "user": "PGUSER",
            "password": "PGPASSWORD",
            "dbname": "PGDATABASE",
            "sslmode": "PGSSLMODE",
            "sslrootcert": "PGSSLROOTCERT",
            "application_name": "PGAPPNAME",
            "options": "PGOPTIONS",
            "client_encoding": "PGCLIENTENCODING",
        }
        chosen = {variables[name]: str(value) for name, value in self.parameters(**overrides).items()}
        return inherited | {"LC_ALL": "C.UTF-8", "TZ": "UTC", "PGTZ": "UTC", "PSQLRC": os.devnull} | chosen

    def over_socket(self) -> Endpoint:
        return replace(self, host=self.socket_directory, port=self.socket_port)

    def connect(self, **overrides: Any) -> psycopg.Connection[tuple[Any, ...]]:
        """An autocommitting psycopg connection, for what a test prepares and checks around its client."""
        return psycopg.connect(self.dsn(**overrides), autocommit=True)

    def query(self, statement: LiteralString, *arguments: Any) -> list[tuple[Any, ...]]:
        with self.connect() as connection:
            return connection.execute(statement, arguments or None).fetchall()

    def execute(self, statement: LiteralString) -> None:
        with self.connect() as connection:
            connection.execute(statement)


class NeverHappened(AssertionError):
    """A state another session should have reached within `PATIENCE`."""


def await_row(endpoint: Endpoint, statement: LiteralString, parameters: Mapping[str, Any]) -> tuple[Any, ...]:
    """Ask until the statement returns a row. PostgreSQL has no event for another backend's state: so a poll."""
    deadline = time.monotonic() + PATIENCE
    with endpoint.connect(application_name="test observer") as connection:
        while True:
            row = connection.execute(statement, parameters).fetchone()
            if row is not None:
                return row
            if time.monotonic() > deadline:
                raise NeverHappened(f"no row within {PATIENCE:g} s from: {statement} {dict(parameters)}")
            time.sleep(0.02)


def await_running(endpoint: Endpoint, fragment: str) -> int:
    """The pid of the other backend that is now executing a statement containing `fragment`."""
    row = await_row(
        endpoint,
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'"
        " AND pid <> pg_backend_pid() AND position(%(fragment)s IN query) > 0",
        {"fragment": fragment},
    )
    return int(row[0])


def await_waiting_for_lock(endpoint: Endpoint) -> int:
    """The pid of a backend that now waits for a lock in the endpoint's database."""
    row = await_row(
        endpoint,
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
        {},
    )
    return int(row[0])
