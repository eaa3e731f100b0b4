"""The histories against PostgreSQL itself: what they expect is PostgreSQL's own behaviour."""

from __future__ import annotations

import random

import psycopg
import pytest

from devstack.postgres import PostgresServer
from tests.mirroring.actions import ACTIONS, Action, Sight, Where, available
from tests.mirroring.drivers import MODES, Address, Client, Refused, connected
from tests.mirroring.schema import SEED
from tests.mirroring.workload import EXPECTED, histories

pytestmark = pytest.mark.integration


@pytest.fixture
def address(source: PostgresServer, tables: str) -> Address:
    with psycopg.connect(source.dsn(tables), autocommit=True) as connection:
        connection.execute(SEED)
    return Address(source.host, source.port, tables)


FAILING = ["duplicate_key", "failing_check", "failing_script", "pipeline_with_error", "script_with_commit"]


async def outcome(client: Client, action: Action, dice: random.Random, inside: bool) -> bool | None:
    """Whether it went well; None where it cannot be done there."""
    if action.where is (Where.OUTSIDE if inside else Where.INSIDE):
        return None
    if inside:
        await client.run("begin")
    try:
        await action.run(client, dice)
        if inside:
            await client.run("commit")
    except Refused as error:
        if error.code not in EXPECTED:
            raise
        await client.run("rollback")
        return False
    return True


@pytest.mark.parametrize("mode", MODES)
async def test_every_action_works(source: PostgresServer, address: Address, mode: str) -> None:
    """In each mode, alone and in a transaction, and at least once without an error."""
    dice = random.Random(1)
    never: list[str] = []
    async with connected(address, mode) as client:
        for action in available(source.major, *Sight):
            outcomes = [await outcome(client, action, dice, inside) for inside in (False, True) * 4]
            if True not in outcomes:
                never.append(action.name)
    assert sorted(never) == FAILING


async def test_histories_have_no_findings(source: PostgresServer, address: Address) -> None:
    record = await histories([address], available(source.major, *Sight), seed=7, transactions=25)
    assert record.findings == []
    assert record.committed
    assert record.aborted
    meant = {action.name for action in available(source.major, *Sight)}
    assert len(meant & record.done.keys()) > len(meant) / 2


def test_actions_are_named_once() -> None:
    assert all(isinstance(action, Action) for action in ACTIONS.values())
