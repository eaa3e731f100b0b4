"""Sessions and multi-document transactions, with the real driver."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import bson
import pytest
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError, OperationFailure
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from devstack.document_store import DocumentStore
from tests.devstack.gateway.raw_client import RawClient, raw_client

pytestmark = pytest.mark.integration

Db = AsyncDatabase[dict[str, Any]]


async def test_commit_makes_everything_visible_at_once(db: Db) -> None:
    await db.c.insert_one({"_id": 0})
    async with db.client.start_session() as session, await session.start_transaction():
        await db.c.insert_one({"_id": 1}, session=session)
        await db.other.insert_one({"_id": 1}, session=session)
        await db.c.update_one({"_id": 0}, {"$set": {"x": 1}}, session=session)
        assert await db.c.count_documents({}, session=session) == 2
        assert await db.c.count_documents({}) == 1
        assert await db.c.find_one({"_id": 0}) == {"_id": 0}
    assert await db.c.count_documents({}) == 2
    assert await db.c.find_one({"_id": 0}) == {"_id": 0, "x": 1}
    assert await db.other.count_documents({}) == 1


async def test_abort_leaves_nothing(db: Db) -> None:
    await db.c.insert_one({"_id": 0})
    async with db.client.start_session() as session:
        await session.start_transaction()
        await db.c.insert_one({"_id": 1}, session=session)
        await db.c.delete_one({"_id": 0}, session=session)
        await session.abort_transaction()
        assert [item async for item in db.c.find(session=session)] == [{"_id": 0}]


async def test_an_exception_aborts(db: Db) -> None:
    await db.c.insert_one({"_id": 0})

    async def fail(session: AsyncClientSession) -> None:
        async with await session.start_transaction():
            await db.c.insert_one({"_id": 1}, session=session)
            raise LookupError

    async with db.client.start_session() as session:
        with pytest.raises(LookupError):
            await fail(session)
    assert await db.c.count_documents({}) == 1


async def test_reads_are_a_snapshot(db: Db) -> None:
    await db.c.insert_many([{"_id": 1, "n": 1}, {"_id": 2, "n": 1}])
    async with (
        db.client.start_session() as session,
        await session.start_transaction(
            read_concern=ReadConcern("snapshot"), write_concern=WriteConcern("majority")
        ),
    ):
        assert await db.c.find_one({"_id": 1}, session=session) == {"_id": 1, "n": 1}
        await db.c.update_one({"_id": 2}, {"$set": {"n": 2}})
        assert await db.c.find_one({"_id": 2}, session=session) == {"_id": 2, "n": 1}
    assert await db.c.find_one({"_id": 2}) == {"_id": 2, "n": 2}


async def test_conflict_with_a_committed_write(db: Db) -> None:
    await db.c.insert_one({"_id": 1, "n": 0})
    async with db.client.start_session() as session:
        await session.start_transaction()
        await db.c.find_one({"_id": 1}, session=session)
        await db.c.update_one({"_id": 1}, {"$set": {"n": 1}})
        with pytest.raises(OperationFailure) as caught:
            await db.c.update_one({"_id": 1}, {"$set": {"n": 2}}, session=session)
        assert caught.value.code == 112
        assert caught.value.has_error_label("TransientTransactionError")
        with pytest.raises(OperationFailure) as gone:
            await db.c.find_one({"_id": 1}, session=session)
        assert gone.value.code == 251
        await session.abort_transaction()
    assert await db.c.find_one({"_id": 1}) == {"_id": 1, "n": 1}


@pytest.mark.parametrize("statement", ["update", "delete", "find_and_modify"])
async def test_conflict_with_an_open_transaction_fails_at_once(db: Db, statement: str) -> None:
    await db.c.insert_one({"_id": 1, "n": 0})
    async with db.client.start_session() as first, db.client.start_session() as second:
        await first.start_transaction()
        await second.start_transaction()
        await db.c.update_one({"_id": 1}, {"$set": {"n": 1}}, session=first)
        statements: dict[str, Callable[[], Awaitable[object]]] = {
            "update": lambda: db.c.update_one({"_id": 1}, {"$set": {"n": 2}}, session=second),
            "delete": lambda: db.c.delete_one({"_id": 1}, session=second),
            "find_and_modify": lambda: db.c.find_one_and_update(
                {"_id": 1}, {"$set": {"n": 2}}, session=second
            ),
        }
        async with asyncio.timeout(5):
            with pytest.raises(OperationFailure) as caught:
                await statements[statement]()
        assert caught.value.code == 112
        assert caught.value.has_error_label("TransientTransactionError")
        await second.abort_transaction()
        await first.commit_transaction()
    assert await db.c.find_one({"_id": 1}) == {"_id": 1, "n": 1}


async def test_with_transaction_retries_conflicts_until_all_have_counted(db: Db) -> None:
    await db.c.insert_one({"_id": 1, "n": 0})

    async def increment(session: AsyncClientSession) -> None:
        document = await db.c.find_one({"_id": 1}, session=session)
        assert document is not None
        await db.c.update_one({"_id": 1}, {"$set": {"n": document["n"] + 1}}, session=session)

    async def worker() -> None:
        async with db.client.start_session() as session:
            for _ in range(5):
                await session.with_transaction(increment)

    async with asyncio.timeout(60):
        await asyncio.gather(*(worker() for _ in range(4)))
    assert await db.c.find_one({"_id": 1}) == {"_id": 1, "n": 20}


async def test_a_write_error_ends_the_transaction(db: Db) -> None:
    await db.c.insert_one({"_id": 1})
    async with db.client.start_session() as session:
        await session.start_transaction()
        await db.c.insert_one({"_id": 2}, session=session)
        with pytest.raises(DuplicateKeyError):
            await db.c.insert_one({"_id": 1}, session=session)
        with pytest.raises(OperationFailure) as caught:
            await db.c.insert_one({"_id": 3}, session=session)
        assert caught.value.code == 251
        assert caught.value.has_error_label("TransientTransactionError")
        await session.abort_transaction()
    assert await db.c.count_documents({}) == 1


async def test_cursor_inside_a_transaction(db: Db) -> None:
    await db.c.insert_many([{"_id": number, "n": -number} for number in range(500)])
    async with db.client.start_session() as session, await session.start_transaction():
        await db.c.insert_one({"_id": 500, "n": -500}, session=session)
        found = [item["_id"] async for item in db.c.find({}, batch_size=100, session=session)]
        assert sorted(found) == list(range(501))
        ordered = db.c.find({}, sort=[("n", 1)], batch_size=100, session=session)
        assert [item["_id"] async for item in ordered] == list(range(500, -1, -1))
    assert await db.c.count_documents({}) == 501


async def test_command_that_may_not_run_in_a_transaction(db: Db) -> None:
    async with db.client.start_session() as session:
        await session.start_transaction()
        with pytest.raises(OperationFailure) as caught:
            await db.command("count", "c", session=session)
        assert caught.value.code == 263
        await session.abort_transaction()


async def test_collection_made_in_a_transaction(db: Db) -> None:
    async with db.client.start_session() as session:
        await session.start_transaction()
        await db.made.insert_one({"_id": 1}, session=session)
        await session.abort_transaction()
        assert await db.made.count_documents({}) == 0
        async with await session.start_transaction():
            await db.made.insert_one({"_id": 1}, session=session)
    assert await db.made.count_documents({}) == 1


class Session:
    """Numbers of a session's transactions, as a driver would send them."""

    def __init__(self, client: RawClient, database: str) -> None:
        self._client = client
        self._database = database
        self._id = {"id": bson.Binary.from_uuid(uuid.uuid4())}

    async def statement(self, number: int, *, start: bool = False) -> dict[str, Any]:
        extra = {"startTransaction": True} if start else {}
        return await self._send(self._database, {"find": "c", "filter": {}}, number, extra)

    async def end(self, name: str, number: int) -> dict[str, Any]:
        return await self._send("admin", {name: 1}, number, {})

    async def _send(
        self, database: str, command: dict[str, Any], number: int, extra: dict[str, Any]
    ) -> dict[str, Any]:
        fields = {"lsid": self._id, "txnNumber": bson.Int64(number), "autocommit": False, **extra}
        return await self._client.command(database, {**command, **fields})


async def test_numbers_of_transactions(db: Db, document_store: DocumentStore) -> None:
    async with raw_client(document_store.uri) as client:
        session = Session(client, db.name)
        unknown = await session.statement(1)
        assert (unknown["code"], unknown["codeName"]) == (251, "NoSuchTransaction")
        assert unknown["errorLabels"] == ["TransientTransactionError"]
        assert (await session.statement(1, start=True))["ok"] == 1
        assert (await session.statement(1, start=True))["code"] == 117
        assert (await session.statement(0, start=True))["code"] == 225
        assert (await session.statement(3, start=True))["ok"] == 1
        assert (await session.end("commitTransaction", 1))["code"] == 251
        assert (await session.end("commitTransaction", 3))["ok"] == 1
        assert (await session.end("commitTransaction", 3))["ok"] == 1
        assert (await session.statement(3))["code"] == 256
        assert (await session.end("abortTransaction", 3))["code"] == 256
        assert (await session.statement(4, start=True))["ok"] == 1
        assert (await session.end("abortTransaction", 4))["ok"] == 1
        assert (await session.end("commitTransaction", 4))["code"] == 251


async def test_ending_the_session_aborts_its_transaction(db: Db) -> None:
    await db.c.insert_one({"_id": 1, "n": 0})
    session = db.client.start_session()
    await session.start_transaction()
    await db.c.update_one({"_id": 1}, {"$set": {"n": 1}}, session=session)
    lsid = session.session_id
    await db.client.admin.command("killSessions", [lsid])
    async with asyncio.timeout(5):
        await db.c.update_one({"_id": 1}, {"$set": {"n": 2}})
    assert await db.c.find_one({"_id": 1}) == {"_id": 1, "n": 2}
    with pytest.raises(OperationFailure) as caught:
        await session.commit_transaction()
    assert caught.value.code == 251
    await session.end_session()
