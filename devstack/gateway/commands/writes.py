"""insert, update, delete, findAndModify."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
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
    try:
        row = await request.fetch(sql, request.database, request.spec(), request.sequences.get(field))
    except CommandError as error:
        if error.code != error_codes.WRITE_CONFLICT or request.transaction is not None:
            raise
        spec = request.spec(without=frozenset({field}))
        document = await one_by_one(request, sql, request.database, spec, _statements(request, field))
    else:
        assert row is not None
        if row["success"]:
            reply: bytes = row["result"]
            return reply
        document = decode(row["result"])

    async def describe(index: int, message: str) -> dict[str, Any]:
        statement = decode(_statements(request, field)[index])
        return await duplicate_keys.details(
            request, request.database, collection, message, sources(statement)
        )

    errors = [await translate_write_error(error, describe) for error in document.pop("writeErrors", ())]
    return encode({**document, "writeErrors": errors} if errors else document)


async def one_by_one(
    request: Request, sql: str, database: str, spec: bytes, statements: Sequence[bytes]
) -> dict[str, Any]:
    """The statements each in a transaction of its own, as MongoDB does.

    A batch is one PostgreSQL transaction, so two batches that meet the same documents in different
    orders deadlock; single statements do not.
    """
    ordered = bool(request.command.get("ordered", True))
    total: dict[str, Any] = {"n": 0, "ok": 1.0}
    upserted, errors = [], []
    for index, statement in enumerate(statements):
        row = await request.fetch_write(sql, database, spec, statement)
        part = decode(row["result"])
        total["n"] += part["n"]
        if "nModified" in part:
            total["nModified"] = total.get("nModified", 0) + part["nModified"]
        upserted += [{**item, "index": index} for item in part.get("upserted", ())]
        errors += [{**item, "index": index} for item in part.get("writeErrors", ())]
        if errors and ordered:
            break
    if upserted:
        total["upserted"] = upserted
    if errors:
        total["writeErrors"] = errors
    return total


async def translate_write_error(
    error: Mapping[str, Any], describe: Callable[[int, str], Awaitable[dict[str, Any]]]
) -> dict[str, Any]:
    """A write error with MongoDB's number; `describe(index, message)` completes a duplicate key."""
    code = error_codes.from_write_error(error["code"])
    translated = {**error, "code": code}
    if code == error_codes.DUPLICATE_KEY:
        translated.update(await describe(error["index"], error.get("errmsg", "")))
    return translated


def _statements(request: Request, field: str) -> list[bytes]:
    sequence = request.sequences.get(field)
    if sequence is not None:
        return list(documents(sequence))
    return [item.raw for item in request.command.get(field, ())]
