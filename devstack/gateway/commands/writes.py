"""insert, update, delete, findAndModify."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

from devstack.gateway import api, duplicate_keys, error_codes
from devstack.gateway.documents import decode, encode
from devstack.gateway.errors import CommandError
from devstack.gateway.request import Request
from devstack.gateway.wire import documents

Sources = Callable[[Mapping[str, Any]], Iterator[Mapping[str, Any]]]


async def insert(request: Request) -> bytes:
    return await _write(request, api.INSERT, "documents", duplicate_keys.inserted)


async def update(request: Request) -> bytes:
    return await _write(
        request, api.UPDATE, "updates", lambda item: duplicate_keys.updated(item.get("q"), item.get("u"))
    )


async def delete(request: Request) -> bytes:
    return await _write(request, api.DELETE, "deletes", lambda _: iter(()))


async def find_and_modify(request: Request) -> bytes:
    collection = request.collection
    try:
        row = await request.fetch_write(api.FIND_AND_MODIFY, request.database, request.spec())
    except CommandError as error:
        if error.code != error_codes.DUPLICATE_KEY:
            raise
        command = decode(request.spec())
        sources = duplicate_keys.updated(command.get("query"), command.get("update"))
        message = await duplicate_keys.name_index(request, error)
        details = await duplicate_keys.details(request, request.database, collection, message, sources)
        raise CommandError(error.code, details.pop("errmsg"), details=details) from error
    reply: bytes = row["result"]
    return reply


async def _write(request: Request, sql: str, field: str, sources: Sources) -> bytes:
    """One of the three; `field` holds its statements, in the command or as a document sequence."""
    collection = request.collection
    sequence = request.sequences.get(field)
    row = await request.fetch_write(sql, request.database, request.spec(), sequence)
    reply: bytes = row["result"]
    if row["success"]:
        return reply
    document = decode(reply)

    async def describe(index: int, message: str) -> dict[str, Any]:
        statement = decode(_statement(request, field, index))
        return await duplicate_keys.details(
            request, request.database, collection, message, sources(statement)
        )

    document["writeErrors"] = [
        await translate_write_error(error, describe) for error in document.get("writeErrors", ())
    ]
    return encode(document)


async def translate_write_error(
    error: Mapping[str, Any], describe: Callable[[int, str], Awaitable[dict[str, Any]]]
) -> dict[str, Any]:
    """A write error with MongoDB's number; `describe(index, message)` completes a duplicate key."""
    code = error_codes.from_write_error(error["code"])
    translated = {**error, "code": code}
    if code == error_codes.DUPLICATE_KEY:
        translated.update(await describe(error["index"], error.get("errmsg", "")))
    return translated


def _statement(request: Request, field: str, index: int) -> bytes:
    sequence = request.sequences.get(field)
    if sequence is not None:
        for position, item in enumerate(documents(sequence)):
            if position == index:
                return item
    else:
        items = request.command.get(field, ())
        if index < len(items):
            raw: bytes = items[index].raw
            return raw
    return encode({})
