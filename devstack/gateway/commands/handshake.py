"""Who is there: hello, ping, buildInfo and the like."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from bson.datetime_ms import DatetimeMS

from devstack.gateway.limits import MAX_BSON_OBJECT_SIZE, MAX_MESSAGE_SIZE, MAX_WRITE_BATCH
from devstack.gateway.request import Request

VERSION = "8.0.0"
MAX_WIRE_VERSION = 25
"""MongoDB 8.0's: it has the client-level bulkWrite."""
SESSION_MINUTES = 30


async def hello(request: Request) -> Mapping[str, Any]:
    """Answers as a mongos (`msg: isdbgrid`): one address, transactions, no replica set name to know."""
    reply = {
        "isWritablePrimary": True,
        "msg": "isdbgrid",
        "maxBsonObjectSize": MAX_BSON_OBJECT_SIZE,
        "maxMessageSizeBytes": MAX_MESSAGE_SIZE,
        "maxWriteBatchSize": MAX_WRITE_BATCH,
        "localTime": DatetimeMS(int(time.time() * 1000)),
        "logicalSessionTimeoutMinutes": SESSION_MINUTES,
        "connectionId": request.client.number,
        "minWireVersion": 0,
        "maxWireVersion": MAX_WIRE_VERSION,
        "readOnly": False,
        "ok": 1.0,
    }
    if request.name.lower() == "ismaster":
        reply["ismaster"] = True
    if request.command.get("helloOk"):
        reply["helloOk"] = True
    return reply


async def ping(request: Request) -> Mapping[str, Any]:
    return {"ok": 1.0}


async def build_info(request: Request) -> Mapping[str, Any]:
    return {
        "version": VERSION,
        "versionArray": [*map(int, VERSION.split(".")), 0],
        "gitVersion": "documentdb",
        "modules": [],
        "allocator": "system",
        "javascriptEngine": "none",
        "sysInfo": "deprecated",
        "bits": 64,
        "debug": False,
        "maxBsonObjectSize": MAX_BSON_OBJECT_SIZE,
        "storageEngines": ["documentdb"],
        "ok": 1.0,
    }


async def whats_my_uri(request: Request) -> Mapping[str, Any]:
    return {"you": request.client.address, "ok": 1.0}


async def connection_status(request: Request) -> Mapping[str, Any]:
    nobody: dict[str, list[Any]] = {"authenticatedUsers": [], "authenticatedUserRoles": []}
    if request.command.get("showPrivileges"):
        nobody["authenticatedUserPrivileges"] = []
    return {"authInfo": nobody, "ok": 1.0}
