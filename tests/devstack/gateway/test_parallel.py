"""Many clients at once, as several proxies would be."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from pymongo import InsertOne, UpdateOne
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError, DuplicateKeyError

pytestmark = pytest.mark.integration

Db = AsyncDatabase[dict[str, Any]]


async def test_increments_are_not_lost(db: Db) -> None:
    await db.c.insert_one({"_id": 1, "n": 0})

    async def worker() -> None:
        for _ in range(20):
            await db.c.update_one({"_id": 1}, {"$inc": {"n": 1}})

    async with asyncio.timeout(60):
        await asyncio.gather(*(worker() for _ in range(16)))
    assert await db.c.find_one({"_id": 1}) == {"_id": 1, "n": 320}


async def test_only_one_insert_of_a_key_wins(db: Db) -> None:
    async def attempt(number: int) -> bool:
        try:
            await db.c.insert_one({"_id": number // 8})
        except DuplicateKeyError:
            return False
        return True

    async with asyncio.timeout(60):
        outcomes = await asyncio.gather(*(attempt(number) for number in range(80)))
    assert sum(outcomes) == 10
    assert await db.c.count_documents({}) == 10


async def test_conditional_upserts_in_any_order_leave_the_newest(db: Db) -> None:
    """The same documents in bulk writes of different orders: they deadlock in PostgreSQL and are tried again."""
    keys, versions = range(20), range(1, 13)
    codes: set[int] = set()

    async def write(version: int) -> None:
        order = list(keys)
        random.Random(version).shuffle(order)
        statements = [
            UpdateOne({"_id": key, "v": {"$lt": version}}, {"$set": {"v": version}}, upsert=True)
            for key in order
        ]
        try:
            await db.c.bulk_write(statements, ordered=False)
        except BulkWriteError as error:
            codes.update(item["code"] for item in error.details["writeErrors"])

    await db.c.bulk_write([InsertOne({"_id": key, "v": 0}) for key in keys])
    async with asyncio.timeout(60):
        await asyncio.gather(*(write(version) for version in versions))
    found = [item["v"] async for item in db.c.find()]
    assert found == [max(versions)] * len(keys)
    assert codes <= {11000}
