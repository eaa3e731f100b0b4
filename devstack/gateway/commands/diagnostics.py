"""serverStatus, getParameter and what else tools ask a server about itself."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping
from typing import Any

import bson
from bson.datetime_ms import DatetimeMS

from devstack.gateway import api, error_codes
from devstack.gateway.commands.handshake import VERSION
from devstack.gateway.errors import CommandError
from devstack.gateway.request import Request


async def server_status(request: Request) -> Mapping[str, Any]:
    gateway = request.gateway
    calls = gateway.calls
    return {
        "host": platform.node(),
        "version": VERSION,
        "process": "mongos",
        "pid": bson.Int64(os.getpid()),
        "uptime": time.time() - gateway.started,
        "localTime": DatetimeMS(int(time.time() * 1000)),
        "connections": {
            "current": gateway.connections,
            "available": gateway.limits.connections - gateway.connections,
            "totalCreated": bson.Int64(gateway.connections_total),
        },
        "opcounters": {
            "insert": calls["insert"],
            "query": calls["find"],
            "update": calls["update"],
            "delete": calls["delete"],
            "getmore": calls["getMore"],
            "command": sum(calls.values()),
        },
        "metrics": {
            "cursor": {"open": {"total": len(gateway.cursors), "pinned": gateway.cursors.pinned}},
            "commands": {name: {"total": bson.Int64(number)} for name, number in sorted(calls.items())},
        },
        "transactions": {
            "currentOpen": gateway.transactions.open,
            "totalCommitted": bson.Int64(gateway.transactions.committed),
            "totalAborted": bson.Int64(gateway.transactions.aborted),
            "retriedCommandsCount": bson.Int64(gateway.retryable_writes.answered_again),
        },
        "backends": {"inUse": gateway.backend.in_use, "limit": gateway.limits.backends},
        "ok": 1.0,
    }


async def get_parameter(request: Request) -> Mapping[str, Any]:
    limits = request.gateway.limits
    known: dict[str, Any] = {
        "featureCompatibilityVersion": {"version": VERSION.rsplit(".", 1)[0]},
        "transactionLifetimeLimitSeconds": int(limits.transaction_seconds),
        "cursorTimeoutMillis": int(limits.cursor_seconds * 1000),
        "maxTransactionLockRequestTimeoutMillis": limits.transaction_lock_milliseconds,
    }
    if request.command.get(request.name) == "*":
        return {**known, "ok": 1.0}
    asked = {name: value for name, value in known.items() if name in request.command}
    if not asked:
        raise CommandError(error_codes.INVALID_OPTIONS, "no option found to get")
    return {**asked, "ok": 1.0}


async def host_info(request: Request) -> Mapping[str, Any]:
    return {
        "system": {
            "currentTime": DatetimeMS(int(time.time() * 1000)),
            "hostname": platform.node(),
            "cpuArch": platform.machine(),
            "numCores": os.cpu_count() or 1,
        },
        "os": {"type": platform.system(), "name": platform.system(), "version": platform.release()},
        "extra": {},
        "ok": 1.0,
    }


async def current_op(request: Request) -> bytes:
    return await request.fetch_result(api.CURRENT_OP, request.spec())


async def get_cmd_line_opts(request: Request) -> Mapping[str, Any]:
    return {"argv": ["documentdb gateway"], "parsed": {}, "ok": 1.0}


async def get_log(request: Request) -> Mapping[str, Any]:
    return {"totalLinesWritten": 0, "log": [], "ok": 1.0}


async def is_dbgrid(request: Request) -> Mapping[str, Any]:
    return {"isdbgrid": 1, "hostname": platform.node(), "ok": 1.0}


async def list_commands(request: Request) -> Mapping[str, Any]:
    commands = {
        name: {"adminOnly": command.admin_only} for name, command in sorted(request.gateway.commands.items())
    }
    return {"commands": commands, "ok": 1.0}


async def nothing_to_do(request: Request) -> Mapping[str, Any]:
    """fsync, logRotate, compact: accepted, without effect on DocumentDB."""
    return {"ok": 1.0}
