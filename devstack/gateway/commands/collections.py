"""Databases and collections: create, drop, rename, list, statistics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from devstack.gateway import api, error_codes
from devstack.gateway.commands.reads import open_cursor
from devstack.gateway.documents import decode, encode, integer, string
from devstack.gateway.errors import CommandError
from devstack.gateway.request import Request


async def create(request: Request) -> bytes:
    """48 where there is a collection or view of that name already."""
    if await request.fetch(api.EXISTS, request.database, request.collection) is not None:
        raise CommandError(error_codes.NAMESPACE_EXISTS, f"Collection {request.namespace} already exists.")
    return await request.fetch_result(api.CREATE, request.database, request.spec())


async def drop(request: Request) -> Mapping[str, Any]:
    """A collection that is not there is no error (MongoDB 7.0 and later)."""
    row = await request.fetch(api.DROP, request.database, request.collection)
    if row is None or not row["dropped"]:
        return {"ok": 1.0}
    return {"ns": request.namespace, "ok": 1.0}


async def drop_database(request: Request) -> Mapping[str, Any]:
    await request.fetch(api.DROP_DATABASE, request.database)
    return {"dropped": request.database, "ok": 1.0}


async def rename_collection(request: Request) -> Mapping[str, Any]:
    source_database, _, source = request.collection.partition(".")
    target_database, _, target = string(request.command, "to").partition(".")
    if not source or not target:
        raise CommandError(error_codes.INVALID_NAMESPACE, "renameCollection needs two full namespaces")
    if source_database != target_database:
        raise CommandError(
            error_codes.ILLEGAL_OPERATION, "DocumentDB cannot rename a collection into another database"
        )
    drop_target = bool(request.command.get("dropTarget"))
    if await request.fetch(api.EXISTS, source_database, source) is None:
        raise CommandError(
            error_codes.NAMESPACE_NOT_FOUND, f"Source collection {source_database}.{source} does not exist"
        )
    if not drop_target and await request.fetch(api.EXISTS, source_database, target) is not None:
        raise CommandError(error_codes.NAMESPACE_EXISTS, "target namespace exists")
    await request.fetch(api.RENAME, source_database, source, target, drop_target)
    return {"ok": 1.0}


async def list_collections(request: Request) -> bytes:
    return await open_cursor(request, api.LIST_COLLECTIONS)


async def list_databases(request: Request) -> bytes:
    return await request.fetch_result(api.LIST_DATABASES, request.spec())


async def coll_stats(request: Request) -> bytes:
    scale = float(integer(request.command.get("scale", 1), "scale"))
    return await request.fetch_result(api.COLL_STATS, request.database, request.collection, scale)


async def db_stats(request: Request) -> bytes:
    scale = float(integer(request.command.get("scale", 1), "scale"))
    return await request.fetch_result(api.DB_STATS, request.database, scale)


async def validate(request: Request) -> bytes:
    return await request.fetch_result(api.VALIDATE, request.database, request.spec())


async def coll_mod(request: Request) -> bytes:
    return await request.fetch_result(api.COLL_MOD, request.database, request.collection, request.spec())


async def data_size(request: Request) -> bytes:
    """Of a whole collection, given as `database.collection`."""
    database, _, collection = request.collection.partition(".")
    stats = decode(await request.fetch_result(api.COLL_STATS, database, collection, 1.0))
    return encode({"size": stats["size"], "numObjects": stats["count"], "millis": 0, "ok": 1.0})
