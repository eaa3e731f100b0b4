"""The gateway's own limits, in one that has small ones."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pymongo import AsyncMongoClient
from pymongo.errors import CursorNotFound, OperationFailure

from devstack.document_store import DocumentStore
from devstack.documentdb import DocumentDb
from devstack.gateway.backend import Backend
from devstack.gateway.commands import COMMANDS
from devstack.gateway.gateway import Gateway
from devstack.gateway.limits import Limits
from devstack.gateway.server import ClientConnection
from tests.devstack.gateway.raw_client import raw_client

pytestmark = pytest.mark.integration

SMALL = Limits(
    connections=8,
    backends=10,
    cursors=3,
    pinned_cursors=2,
    transactions=2,
    cursor_seconds=0.2,
    transaction_seconds=0.2,
)


@pytest.fixture
async def small(document_store: DocumentStore) -> AsyncIterator[str]:
    """The URI of a gateway with the limits above, in this process."""
    if not isinstance(document_store, DocumentDb):
        pytest.skip("tests the gateway, and the document store is another")
    backend = await Backend.open(document_store.postgres.dsn(), SMALL)
    gateway = Gateway(backend, SMALL, COMMANDS)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: ClientConnection(gateway), "127.0.0.1", 0)
    expiry = loop.create_task(gateway.expire(every=0.05))
    yield f"mongodb://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    server.close()
    expiry.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await expiry
    await gateway.close()


@pytest.fixture
async def few(small: str) -> AsyncIterator[AsyncMongoClient[dict[str, Any]]]:
    async with AsyncMongoClient[dict[str, Any]](small) as client:
        await client.limits.c.drop()
        await client.limits.c.insert_many([{"_id": number, "n": -number} for number in range(100)])
        yield client
        await client.drop_database("limits")


async def _open(client: AsyncMongoClient[dict[str, Any]]) -> dict[str, int]:
    status = await client.admin.command("serverStatus")
    found: dict[str, int] = status["metrics"]["cursor"]["open"]
    return found


async def test_cursors_are_bounded(few: AsyncMongoClient[dict[str, Any]]) -> None:
    cursors = [few.limits.c.find({}, batch_size=5) for _ in range(5)]
    for cursor in cursors:
        await anext(cursor)
    assert (await _open(few))["total"] == 3
    with pytest.raises(CursorNotFound):
        await cursors[0].to_list()
    assert len(await cursors[4].to_list()) == 99
    for cursor in cursors:
        await cursor.close()


@pytest.mark.parametrize("sort", [None, [("n", 1)]], ids=["free", "pinned"])
async def test_idle_cursors_end(
    few: AsyncMongoClient[dict[str, Any]], sort: list[tuple[str, int]] | None
) -> None:
    cursor = few.limits.c.find({}, batch_size=5, sort=sort)
    await anext(cursor)
    async with asyncio.timeout(5):
        while (await _open(few))["total"]:
            pass
    with pytest.raises(CursorNotFound):
        await cursor.to_list()


async def test_old_transactions_end(few: AsyncMongoClient[dict[str, Any]]) -> None:
    async with few.start_session() as session:
        await session.start_transaction()
        await few.limits.c.insert_one({"_id": "new"}, session=session)
        async with asyncio.timeout(5):
            while (await few.admin.command("serverStatus"))["transactions"]["currentOpen"]:
                pass
        with pytest.raises(OperationFailure) as caught:
            await session.commit_transaction()
        assert caught.value.code == 251
    assert await few.limits.c.find_one({"_id": "new"}) is None


async def test_connections_are_bounded(small: str) -> None:
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(raw_client(small)) for _ in range(8)]
        for client in clients:
            assert (await client.command("admin", {"ping": 1}))["ok"] == 1
        one_more = await stack.enter_async_context(raw_client(small))
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await one_more.command("admin", {"ping": 1})
        assert (await clients[0].command("admin", {"ping": 1}))["ok"] == 1


async def test_bytes_that_are_no_message_close_the_connection(small: str) -> None:
    async with raw_client(small) as client:
        client.writer.write(struct.pack("<iiii", 2**30, 1, 0, 2013))
        assert await client.reader.read() == b""


async def test_several_messages_at_once_are_answered_in_order(small: str) -> None:
    async with raw_client(small) as client:
        for number in range(50):
            await client.send("admin", {"getParameter": "*" if number % 2 else 1, "n": number})
        answers = [await client.reply() for _ in range(50)]
    assert [answer["ok"] for answer in answers] == [0, 1] * 25


def test_limits_that_leave_no_connection_are_refused() -> None:
    with pytest.raises(ValueError, match="must exceed"):
        Limits(backends=10, pinned_cursors=5, transactions=5)
