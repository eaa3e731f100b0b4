"""What drivers and tools ask a server about itself."""

from __future__ import annotations

from typing import Any

import pytest
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure

pytestmark = pytest.mark.integration

Client = AsyncMongoClient[dict[str, Any]]


async def test_hello_announces_the_limits(client: Client) -> None:
    hello = await client.admin.command("hello")
    assert hello["isWritablePrimary"] is True
    assert hello["maxBsonObjectSize"] == 16 * 1024 * 1024
    assert hello["maxMessageSizeBytes"] == 48_000_000
    assert hello["logicalSessionTimeoutMinutes"] == 30


@pytest.mark.parametrize(
    "command",
    [
        "ping",
        "buildInfo",
        "isMaster",
        "whatsmyuri",
        "connectionStatus",
        "hostInfo",
        "listCommands",
        "getCmdLineOpts",
        "currentOp",
        "serverStatus",
        "startSession",
    ],
)
async def test_commands_that_only_ask(client: Client, command: str) -> None:
    assert (await client.admin.command(command))["ok"] == 1


async def test_get_parameter(client: Client) -> None:
    one = await client.admin.command("getParameter", 1, transactionLifetimeLimitSeconds=1)
    assert one["transactionLifetimeLimitSeconds"] == 60
    every = await client.admin.command("getParameter", "*")
    assert every["featureCompatibilityVersion"] == {"version": "8.0"}
    with pytest.raises(OperationFailure) as caught:
        await client.admin.command("getParameter", 1, nonsense=1)
    assert caught.value.code == 72


async def test_server_status_counts(client: Client) -> None:
    before = await client.admin.command("serverStatus")
    await client.admin.command("ping")
    after = await client.admin.command("serverStatus")
    assert (
        after["metrics"]["commands"]["ping"]["total"]
        == before["metrics"]["commands"].get("ping", {"total": 0})["total"] + 1
    )
    assert after["connections"]["current"] >= 1
