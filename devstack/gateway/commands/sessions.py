"""Sessions and the ends of transactions."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import bson

from devstack.gateway import error_codes
from devstack.gateway.commands.handshake import SESSION_MINUTES
from devstack.gateway.errors import CommandError
from devstack.gateway.request import Request


async def commit_transaction(request: Request) -> Mapping[str, Any]:
    session, number = _transaction_of(request)
    await request.gateway.transactions.commit(session, number)
    return {"ok": 1.0}


async def abort_transaction(request: Request) -> Mapping[str, Any]:
    session, number = _transaction_of(request)
    await request.gateway.transactions.abort(session, number)
    return {"ok": 1.0}


async def end_sessions(request: Request) -> Mapping[str, Any]:
    """endSessions and killSessions."""
    for item in request.command.get(request.name) or ():
        if isinstance(item, Mapping) and "id" in item:
            await request.gateway.end_session(bytes(item["id"]))
    return {"ok": 1.0}


async def refresh_sessions(request: Request) -> Mapping[str, Any]:
    return {"ok": 1.0}


async def start_session(request: Request) -> Mapping[str, Any]:
    return {
        "id": {"id": bson.Binary.from_uuid(uuid.uuid4())},
        "timeoutMinutes": SESSION_MINUTES,
        "ok": 1.0,
    }


def _transaction_of(request: Request) -> tuple[bytes, int]:
    if request.database != "admin":
        raise CommandError(
            error_codes.UNAUTHORIZED, f"{request.name} may only be run against the admin database."
        )
    if request.session is None or request.number is None or not request.in_transaction:
        raise CommandError(error_codes.INVALID_OPTIONS, f"{request.name} must be run within a transaction")
    return request.session, request.number
