"""createIndexes, listIndexes, dropIndexes."""

from __future__ import annotations

from devstack.gateway import api, error_codes
from devstack.gateway.commands.reads import open_cursor
from devstack.gateway.documents import decode, encode
from devstack.gateway.errors import CommandError
from devstack.gateway.request import Request


async def create_indexes(request: Request) -> bytes:
    """Built when the reply comes; the collection is locked meanwhile."""
    spec = request.spec(without=frozenset({"commitQuorum"}))
    reply = await request.fetch_result(api.CREATE_INDEXES, request.database, spec)
    document = decode(reply)
    if document.get("ok") == 1.0:
        # A sharded reply nests the shard's own.
        return encode(next(iter(document["raw"].values()))) if "raw" in document else reply
    raise _failure(document)


async def list_indexes(request: Request) -> bytes:
    return await open_cursor(request, api.LIST_INDEXES)


async def drop_indexes(request: Request) -> bytes:
    reply = await request.fetch_result(api.DROP_INDEXES, request.database, request.spec())
    document = decode(reply)
    if document.get("ok") != 1:
        raise _failure(document)
    return encode(next(iter(document["raw"].values()))) if "raw" in document else reply


def _failure(document: dict[str, object]) -> CommandError:
    raw = document.get("raw")
    if isinstance(raw, dict) and raw:
        document = next(iter(raw.values()))
    code = document.get("code", error_codes.INTERNAL_ERROR)
    assert isinstance(code, int)
    return CommandError(
        error_codes.from_write_error(code), str(document.get("errmsg", "index command failed"))
    )
