"""The indexes of a collection, read and made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pymongo

from proxy.stores.mongo_commands import Link
from proxy.stores.mongo_errors import CommandRejected, translated
from proxy.stores.protocol import Index, Namespace, StoreRefused

BUILD_TIMEOUT: Final = 6 * 3600.0
"""Seconds that the making of one index may take."""
_NO_COLLECTION: Final = 26
"""Error NamespaceNotFound."""


async def indexes(link: Link, namespace: Namespace) -> list[Index]:
    """See `protocol.Store.indexes`."""
    try:
        with translated(), pymongo.timeout(link.timeout):
            cursor = await link.collection(namespace).list_indexes()
            found = await cursor.to_list()
    except CommandRejected as error:
        if error.code == _NO_COLLECTION:
            return []
        raise StoreRefused(f"the indexes of {namespace} cannot be listed: {error}") from error
    return [_index(document) for document in found if list(document["key"]) != ["_id"]]


async def create_index(link: Link, namespace: Namespace, index: Index) -> None:
    """See `protocol.Store.create_index`."""
    wanted: dict[str, Any] = {"key": dict(index.keys), "name": index.name}
    if index.unique:
        wanted["unique"] = True
    if index.sparse:
        wanted["sparse"] = True
    if index.partial is not None:
        wanted["partialFilterExpression"] = dict(index.partial)
    command = {"createIndexes": namespace.collection, "indexes": [wanted]}
    try:
        with translated(), pymongo.timeout(BUILD_TIMEOUT):
            await link.client[namespace.database].command(command)
    except CommandRejected as error:
        raise StoreRefused(f"index {index.name} of {namespace} was not made: {error}") from error


def _index(document: Mapping[str, Any]) -> Index:
    keys = tuple(
        (field, kind if isinstance(kind, str) else 1 if kind > 0 else -1)
        for field, kind in document["key"].items()
    )
    return Index(
        str(document["name"]),
        keys,
        bool(document.get("unique", False)),
        bool(document.get("sparse", False)),
        document.get("partialFilterExpression"),
    )
