"""A proxy in front of the real server, as the tests of the session's I/O use it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from devstack.postgres import PostgresServer
from tests.support.running import RunningProxy, tcp


@pytest.fixture
def proxy(postgres: PostgresServer) -> Iterator[RunningProxy]:
    with RunningProxy(upstream=tcp(postgres)) as running:
        yield running


@pytest.fixture
def tls_proxy(postgres: PostgresServer) -> Iterator[RunningProxy]:
    pair = postgres.certificates.proxy
    with RunningProxy(upstream=tcp(postgres), tls_cert=str(pair.cert), tls_key=str(pair.key)) as running:
        yield running
