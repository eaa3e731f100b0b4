"""The pytest plugin: servers that are shared by a session's tests."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from devstack.postgres import PostgresServer

pytestmark = pytest.mark.integration


def test_each_server_is_started_once(
    postgres: PostgresServer, postgres_servers: Callable[[str], PostgresServer]
) -> None:
    assert postgres_servers("system") is postgres
    newest = postgres_servers("rootfs")
    assert newest is postgres_servers("rootfs")
    assert newest.major == 18
    assert newest.port != postgres.port
