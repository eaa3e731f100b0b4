"""The history that the demo copies, and the damage it does to it."""

from __future__ import annotations

from random import Random

import asyncpg
import pytest

from demo import shop
from demo.clerks import EARLIER_VISITS, Books, Clerk
from demo.history import _WRITE
from demo.pace import NORMAL
from devstack.postgres import PostgresServer


def test_clerks_leave_odd_visits_alone() -> None:

    clerk = Clerk(None, Books(), Random(1))  # type: ignore[arg-type]  # it does not get to the database
    found = {clerk._earlier() for _ in range(2000)}
    assert all(number % 2 == 0 and 0 < number <= EARLIER_VISITS for number in found)
    assert NORMAL.visits == EARLIER_VISITS


@pytest.mark.integration
async def test_visits_of_earlier_years(postgres: PostgresServer, database: str) -> None:
    connection = await asyncpg.connect(postgres.dsn(database))
    try:
        await shop.make_tables(connection)
        await connection.execute(_WRITE, 50, list(shop.PAGES))
        row = await connection.fetchrow("select min(id), max(id), count(distinct page) from visits")
        assert row is not None
        assert tuple(row) == (1, 50, len(shop.PAGES))
        visit = await shop.visit(connection, 7, "/")
        await shop.stay(connection, visit, 30)
        assert await connection.fetchval("select seconds from visits where id = $1", visit) == 30
        await shop.forget_visit(connection, visit)
        assert await connection.fetchval("select count(*) from visits") == 50
    finally:
        await connection.close()
