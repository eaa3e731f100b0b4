from __future__ import annotations

import pytest

from demo.errors import DemoError
from demo.psql import cancelled_sleep
from devstack.postgres import PostgresServer

pytestmark = pytest.mark.integration


async def test_a_query_is_stopped(postgres: PostgresServer, database: str) -> None:
    async def runs() -> bool:
        active = f"select count(*) from pg_stat_activity where datname = '{database}' and state = 'active'"
        return postgres.psql(active) == "1"

    assert 0 < await cancelled_sleep(postgres.pg_bin / "psql", postgres.dsn(database), runs) < 10


async def test_a_query_that_ends_otherwise_is_told_of(postgres: PostgresServer, database: str) -> None:
    async def runs() -> bool:
        postgres.psql(f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{database}'")
        return False

    with pytest.raises(DemoError, match="did not come to run"):
        await cancelled_sleep(postgres.pg_bin / "psql", postgres.dsn(database), runs)
