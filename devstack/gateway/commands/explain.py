"""explain: PostgreSQL's plan under the names that MongoDB's clients look for."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from devstack.gateway import api, error_codes
from devstack.gateway.backend import translated
from devstack.gateway.commands import reads
from devstack.gateway.documents import encode
from devstack.gateway.errors import CommandError
from devstack.gateway.request import Request

_FUNCTIONS = {"find": "find", "aggregate": "pipeline", "count": "count", "distinct": "distinct"}
_VERBOSITIES = ("queryPlanner", "executionStats", "allPlansExecution")
_STAGES = {
    "Seq Scan": "COLLSCAN",
    "Index Scan": "IXSCAN",
    "Index Only Scan": "IXSCAN",
    "Bitmap Index Scan": "IXSCAN",
    "Bitmap Heap Scan": "FETCH",
    "Sort": "SORT",
    "Incremental Sort": "SORT",
    "Limit": "LIMIT",
    "Aggregate": "GROUP",
    "Result": "PROJECTION_DEFAULT",
}
_INDEX_ID = re.compile(r"_(\d+)$")


async def explain(request: Request) -> Mapping[str, Any]:
    command = request.command.get(request.name)
    verbosity = request.command.get("verbosity", "allPlansExecution")
    if not isinstance(command, Mapping):
        raise CommandError(error_codes.TYPE_MISMATCH, "explain needs a command document")
    if verbosity not in _VERBOSITIES:
        raise CommandError(error_codes.BAD_VALUE, f"verbosity '{verbosity}' is none of {_VERBOSITIES}")
    name = next(iter(command), "")
    function = _FUNCTIONS.get(name)
    if function is None:
        raise CommandError(error_codes.COMMAND_NOT_FOUND, f"Explain failed due to unknown command: {name}")
    return await explained(request, name, command, analyze=verbosity != "queryPlanner")


async def aggregate(request: Request) -> bytes | Mapping[str, Any]:
    """aggregate, which has an explain of its own."""
    if request.command.get("explain"):
        return await explained(request, "aggregate", request.command, analyze=False)
    return await reads.aggregate(request)


async def explained(
    request: Request, name: str, command: Mapping[str, Any], *, analyze: bool
) -> Mapping[str, Any]:
    """The reply to explain of `command`, and to an aggregate with `explain: true`."""
    collection = command.get(name)
    spec = encode({key: value for key, value in command.items() if key not in ("explain", "$db", "lsid")})
    with translated():
        async with request.connection() as connection:
            sql = api.explain(_FUNCTIONS[name], analyze=analyze)
            row = await connection.fetchrow(sql, request.database, spec, timeout=request.max_seconds)
            names = await connection.fetch(api.INDEX_NAMES, request.database, str(collection))
    assert row is not None
    plan = json.loads(row[0])[0]
    indexes = {item["index_id"]: item["name"] for item in names}
    reply: dict[str, Any] = {
        "explainVersion": "1",
        "queryPlanner": {
            "namespace": f"{request.database}.{collection}",
            "winningPlan": _stage(plan["Plan"], indexes),
            "rejectedPlans": [],
        },
    }
    if analyze:
        reply["executionStats"] = {
            "executionSuccess": True,
            "nReturned": int(plan["Plan"].get("Actual Rows", 0)),
            "executionTimeMillis": int(plan.get("Execution Time", 0)),
        }
    return {**reply, "command": dict(command), "ok": 1.0}


def _stage(node: Mapping[str, Any], indexes: Mapping[int, str]) -> dict[str, Any]:
    """One node of the plan. Nodes of DocumentDB's own keep PostgreSQL's name for them."""
    kind = node["Node Type"]
    stage: dict[str, Any] = {"stage": _STAGES.get(kind, kind)}
    if "Index Name" in node:
        stage["indexName"] = _index_name(node["Index Name"], indexes)
    if "Plan Rows" in node:
        stage["estimatedRows"] = node["Plan Rows"]
    inputs = [_stage(child, indexes) for child in node.get("Plans", ())]
    if len(inputs) == 1:
        stage["inputStage"] = inputs[0]
    elif inputs:
        stage["inputStages"] = inputs
    return stage


def _index_name(relation: str, indexes: Mapping[int, str]) -> str:
    """DocumentDB's index relations end in the index's number; the one on `_id` is the primary key."""
    if relation.startswith("collection_pk_"):
        return "_id_"
    match = _INDEX_ID.search(relation)
    return indexes.get(int(match[1]), relation) if match else relation
