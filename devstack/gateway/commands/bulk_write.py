"""The client-level bulkWrite of MongoDB 8.0: writes to several collections in one command."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from devstack.gateway import api, duplicate_keys, error_codes
from devstack.gateway.commands.writes import translate_write_error
from devstack.gateway.documents import decode, encode
from devstack.gateway.errors import CommandError
from devstack.gateway.request import Request
from devstack.gateway.wire import documents

_KINDS = ("insert", "update", "delete")


async def bulk_write(request: Request) -> bytes:
    operations = request.sequences.get("ops")
    namespaces = request.sequences.get("nsInfo")
    row = await request.fetch_write(api.BULK_WRITE, request.spec(), operations, namespaces)
    reply: bytes = row["p_result"]
    document = decode(reply)
    if not document.get("nErrors"):
        return reply
    statements = _items(request, "ops")
    names = [item["ns"] for item in _items(request, "nsInfo")]
    results = document["cursor"]["firstBatch"]
    for position, result in enumerate(results):
        if result.get("ok") or "code" not in result:
            continue
        statement = statements[result["idx"]]
        kind = next(name for name in _KINDS if name in statement)
        _, _, collection = names[statement[kind]].partition(".")

        async def describe(
            _: int, message: str, collection: str = collection, statement: Mapping[str, Any] = statement
        ) -> dict[str, Any]:
            return await duplicate_keys.details(request, collection, message, _sources(statement))

        results[position] = await translate_write_error({"index": result["idx"], **result}, describe)
        del results[position]["index"]
    return encode(document)


def _sources(statement: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if "insert" in statement:
        return duplicate_keys.inserted(statement.get("document", {}))
    return duplicate_keys.updated(statement.get("filter"), statement.get("updateMods"))


def _items(request: Request, field: str) -> list[dict[str, Any]]:
    sequence = request.sequences.get(field)
    if sequence is not None:
        return [decode(item) for item in documents(sequence)]
    value = request.command.get(field)
    if not isinstance(value, list):
        raise CommandError(error_codes.FAILED_TO_PARSE, f"bulkWrite needs an array '{field}'")
    return [decode(item.raw) for item in value]
