"""Both databases of devstack, for as long as the demo runs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from demo.errors import DemoError
from devstack.choices import STORE_VARIABLE
from devstack.document_store import DocumentStore
from devstack.installation import find_installation
from devstack.mongod import mongod_program
from devstack.rootfs import ensure_rootfs
from devstack.stack import Stack

_ANSWER_SECONDS = 5
_NAMES = {"documentdb": "DocumentDB", "mongod": "MongoDB", "external": "your document store"}


def prepare() -> None:
    """Build what has to be built once, saying how far it is; at once where it is cached."""
    find_installation()
    if not os.environ.get(STORE_VARIABLE) and mongod_program() is None:
        ensure_rootfs()


@asynccontextmanager
async def databases() -> AsyncIterator[Stack]:
    """Started, and stopped also where the start was interrupted."""
    stack = Stack()
    starting = asyncio.ensure_future(asyncio.to_thread(stack.__enter__))
    try:
        await asyncio.shield(starting)
    except asyncio.CancelledError:
        await asyncio.wait({starting})
        if starting.exception() is None:
            await asyncio.to_thread(stack.__exit__, None, None, None)
        raise
    try:
        yield stack
    finally:
        await asyncio.to_thread(stack.__exit__, None, None, None)


async def describe(store: DocumentStore) -> str:
    """Its name and version, as it answers itself. Raises DemoError where it does not."""
    name = _NAMES[store.kind]
    client: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(
        store.uri, serverSelectionTimeoutMS=_ANSWER_SECONDS * 1000
    )
    try:
        version = (await client.admin.command("buildInfo"))["version"]
    except PyMongoError as error:
        reason = str(error).partition(", Timeout:")[0]
        raise DemoError(f"{name} does not answer; is {STORE_VARIABLE} set, and right? {reason}") from error
    finally:
        await client.close()
    return f"{name} (as MongoDB {version})" if store.kind == "documentdb" else f"{name} {version}"
