"""11000 DuplicateKey as MongoDB reports it: which index, and which values.

DocumentDB names only the index. Its key pattern comes from the catalogue, the values from the statement.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import bson

from devstack.gateway import api
from devstack.gateway.backend import translated
from devstack.gateway.documents import at_path, decode
from devstack.gateway.errors import CommandError
from devstack.gateway.request import Request

_RELATION = re.compile(r"^documents_rum_index_(\d+)$")
_INDEX = re.compile(r"[Ii]ndex:? '(?P<name>[^']*)'")


async def details(
    request: Request, database: str, collection: str, message: str, sources: Iterator[Mapping[str, Any]]
) -> dict[str, Any]:
    """`errmsg`, `keyPattern` and `keyValue`. `sources`: documents to take values from, the best first."""
    match = _INDEX.search(message)
    index = match["name"] if match else "_id_"
    pattern = await _key_pattern(request, database, collection, index)
    candidates = list(sources)
    value = {path: _first(candidates, path) for path in pattern}
    shown = ", ".join(f"{path}: {_show(item)}" for path, item in value.items())
    text = (
        f"E11000 duplicate key error collection: {database}.{collection} index: {index} "
        f"dup key: {{ {shown} }}"
    )
    return {"errmsg": text, "keyPattern": pattern, "keyValue": value}


async def name_index(request: Request, error: CommandError) -> str:
    """The message of `error` with its index named; PostgreSQL's own errors name a relation instead."""
    match = _RELATION.search(error.constraint or "")
    if match is None:
        return error.message
    with translated():
        async with request.gateway.backend.borrowed() as connection:
            row = await connection.fetchrow(api.INDEX_OF_RELATION, int(match[1]))
    return f"index '{row['name']}'" if row is not None else error.message


def inserted(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield document


def updated(query: Any, update: Any) -> Iterator[Mapping[str, Any]]:
    """What an update statement says of the document it makes: its operators or replacement, then its query."""
    if isinstance(update, Mapping):
        operators = [name for name in update if name.startswith("$")]
        if not operators:
            yield update
        for name in ("$set", "$setOnInsert"):
            fields = update.get(name)
            if isinstance(fields, Mapping):
                yield {**fields, **_nested(fields)}
    if isinstance(query, Mapping):
        equalities = {
            name: value["$eq"] if isinstance(value, Mapping) and "$eq" in value else value
            for name, value in query.items()
            if not name.startswith("$")
        }
        plain = {name: value for name, value in equalities.items() if not _has_operators(value)}
        yield {**plain, **_nested(plain)}


def _nested(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted names as sub-documents."""
    result: dict[str, Any] = {}
    for path, value in fields.items():
        *parents, last = path.split(".")
        level = result
        for name in parents:
            level = level.setdefault(name, {})
            if not isinstance(level, dict):
                break
        else:
            level[last] = value
    return result


def _has_operators(value: Any) -> bool:
    return isinstance(value, Mapping) and any(name.startswith("$") for name in value)


def _first(candidates: list[Mapping[str, Any]], path: str) -> Any:
    for candidate in candidates:
        value = at_path(candidate, path)
        if value is not None:
            return value
    return None


async def _key_pattern(request: Request, database: str, collection: str, index: str) -> dict[str, Any]:
    if index == "_id_":
        return {"_id": 1}
    with translated():
        async with request.gateway.backend.borrowed() as connection:
            row = await connection.fetchrow(api.INDEX_KEY, database, collection, index)
    return decode(row["key"]) if row is not None else {}


def _show(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, bson.ObjectId):
        return f"ObjectId('{value}')"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{name}: {_show(item)}" for name, item in value.items()) + " }"
    if isinstance(value, list):
        return "[ " + ", ".join(map(_show, value)) + " ]"
    return str(value)
