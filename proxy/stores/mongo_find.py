"""Questions of compiled reads to a MongoDB: see `proxy.translate.api.Reader`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

import pymongo

from proxy.stores.mongo_commands import Link
from proxy.stores.mongo_errors import translated
from proxy.stores.protocol import Namespace

_FIRST_BATCH: Final = 1000


class MongoReader:
    """Reads from the primary what the primary has. Raises what `protocol` says of stores."""

    def __init__(self, link: Link, timeout: float | None = None) -> None:
        self._link = link
        self._timeout = link.timeout if timeout is None else min(timeout, link.timeout)

    async def find(
        self,
        namespace: Namespace,
        condition: Mapping[str, Any],
        projection: Mapping[str, Any] | None,
        sort: Sequence[tuple[str, int]],
        limit: int,
    ) -> AsyncIterator[bytes]:
        collection = self._link.collection(namespace, raw=True)
        with translated(), pymongo.timeout(self._timeout):
            cursor = collection.find(
                condition, projection, sort=list(sort) or None, limit=limit, batch_size=_FIRST_BATCH
            )
            found: list[Any] = await cursor.to_list()
        for document in found:
            yield bytes(document.raw)

    async def aggregate(
        self, namespace: Namespace, pipeline: Sequence[Mapping[str, Any]]
    ) -> AsyncIterator[bytes]:
        collection = self._link.collection(namespace, raw=True)
        with translated(), pymongo.timeout(self._timeout):
            cursor = await collection.aggregate(list(pipeline))
            found: list[Any] = await cursor.to_list()
        for document in found:
            yield bytes(document.raw)
