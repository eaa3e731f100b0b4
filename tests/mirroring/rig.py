"""A source, proxies and a store, put together as for mirroring; and the wait until they agree."""

from __future__ import annotations

from typing import Any

import psycopg

from tests.mirroring.schema import SEED, TABLES, TYPES


def prepare(connection: psycopg.Connection[Any]) -> None:
    for script in (TYPES, TABLES, SEED):
        connection.execute(script)
