"""find, aggregate, getMore, killCursors, count, distinct."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from devstack.gateway import api, error_codes
from devstack.gateway.backend import translated
from devstack.gateway.cursors import Cursor
from devstack.gateway.documents import integer, lazy, string
from devstack.gateway.errors import CommandError
from devstack.gateway.request import Request


async def find(request: Request) -> bytes:
    string(request.command, request.name)
    return await open_cursor(request, api.FIND)


async def aggregate(request: Request) -> bytes:
    if "cursor" not in request.command:
        raise CommandError(
            error_codes.FAILED_TO_PARSE,
            "The 'cursor' option is required, except for aggregate with the explain argument",
        )
    return await open_cursor(request, api.AGGREGATE)


async def count(request: Request) -> bytes:
    string(request.command, request.name)
    return await request.fetch_result(api.COUNT, request.database, request.spec())


async def distinct(request: Request) -> bytes:
    string(request.command, request.name)
    return await request.fetch_result(api.DISTINCT, request.database, request.spec())


async def open_cursor(request: Request, sql: str) -> bytes:
    """The first batch; where there is more, a cursor that goes on from it.

    DocumentDB keeps some results in a portal of the connection (`persistconnection`); outside a
    transaction the cursor then holds the connection until it is closed.
    """
    backend = request.gateway.backend
    transaction = request.transaction
    connection = await backend.take() if transaction is None else transaction.connection
    if connection is None:
        raise CommandError(error_codes.NO_SUCH_TRANSACTION, "the transaction has been aborted")
    held = False
    try:
        with translated():
            row = await connection.fetchrow(
                sql, request.database, request.spec(), timeout=request.max_seconds
            )
        if row is None:
            raise CommandError(error_codes.INTERNAL_ERROR, f"DocumentDB gave no answer to {request.name}")
        page: bytes = row["cursorpage"]
        if row["continuation"] is not None:
            held = bool(row["persistconnection"]) and transaction is None
            cursor = Cursor(
                id=row["cursorid"],
                namespace=lazy(page)["cursor"]["ns"],
                continuation=row["continuation"],
                connection=connection if held else None,
                session=request.session,
                transaction=transaction,
                expires=not request.command.get("noCursorTimeout", False),
            )
            await request.gateway.cursors.add(cursor)
        return page
    finally:
        if transaction is None and not held:
            await backend.give_back(connection)


async def get_more(request: Request) -> bytes:
    cursors = request.gateway.cursors
    cursor_id = integer(request.command[request.name], request.name)
    namespace = f"{request.database}.{string(request.command, 'collection')}"
    cursor = cursors.check_out(cursor_id, namespace, request.transaction)
    goes_on = False
    try:
        arguments = (api.GET_MORE, request.database, request.spec(), cursor.continuation)
        if cursor.connection is not None:
            with translated():
                row = await cursor.connection.fetchrow(*arguments, timeout=request.max_seconds)
        else:
            row = await request.fetch(*arguments)
        if row is None:
            raise CommandError(error_codes.INTERNAL_ERROR, "DocumentDB gave no answer to getMore")
        page: bytes = row["cursorpage"]
        goes_on = row["continuation"] is not None and cursors.holds(cursor)
        if goes_on:
            cursors.check_in(cursor, row["continuation"])
        return page
    finally:
        if not goes_on:
            await cursors.close(cursor)


async def kill_cursors(request: Request) -> Mapping[str, Any]:
    killed: list[int] = []
    unknown: list[int] = []
    for value in request.command.get("cursors", ()):
        cursor_id = integer(value, "cursors")
        found = await request.gateway.cursors.kill(cursor_id, request.namespace)
        (killed if found else unknown).append(cursor_id)
    return {
        "cursorsKilled": killed,
        "cursorsNotFound": unknown,
        "cursorsAlive": [],
        "cursorsUnknown": [],
        "ok": 1.0,
    }
