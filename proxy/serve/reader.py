"""The store as served reads ask it: what a majority of it has, of its primary, a batch of raw documents at a time.

That is what lets a session read its own writes: the mirror's own wait for the majority.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from struct import Struct
from typing import Any, Final

from pymongo import ReadPreference
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.read_concern import ReadConcern

from proxy.stores.bson_form import RAW
from proxy.stores.mongo_commands import Link
from proxy.stores.mongo_errors import translated
from proxy.stores.protocol import Namespace

BATCH: Final = 1000
"""Documents asked for at once; the store sends no more than 16 MiB of them."""

_SIZE = Struct("<i").unpack_from


class ServingReader:
    """See `proxy.translate.api.Reader`. Raises StoreUnavailable, StoreRefused and CommandRejected."""

    __slots__ = ("_collections", "_link", "_milliseconds")

    def __init__(
        self, link: Link, collections: dict[Namespace, AsyncCollection[Any]], seconds: float
    ) -> None:
        """`collections` is filled here and shared by all readers; `seconds` is what the store may take for a batch."""
        self._link = link
        self._collections = collections
        self._milliseconds = max(1, round(seconds * 1000))

    async def find(
        self,
        namespace: Namespace,
        condition: Mapping[str, Any],
        projection: Mapping[str, Any] | None,
        sort: Sequence[tuple[str, int]],
        limit: int,
    ) -> AsyncIterator[bytes]:
        collection = self._collection(namespace)
        with translated():
            cursor = collection.find_raw_batches(
                condition,
                projection,
                sort=list(sort) or None,
                limit=limit,
                batch_size=BATCH,
                max_time_ms=self._milliseconds,
            )
            try:
                async for batch in cursor:
                    for document in documents(batch):
                        yield document
            finally:
                await cursor.close()

    async def aggregate(
        self, namespace: Namespace, pipeline: Sequence[Mapping[str, Any]]
    ) -> AsyncIterator[bytes]:
        collection = self._collection(namespace)
        with translated():
            cursor = await collection.aggregate_raw_batches(
                list(pipeline), batchSize=BATCH, maxTimeMS=self._milliseconds
            )
            try:
                async for batch in cursor:
                    for document in documents(batch):
                        yield document
            finally:
                await cursor.close()

    def _collection(self, namespace: Namespace) -> AsyncCollection[Any]:
        found = self._collections.get(namespace)
        if found is not None:
            return found
        found = self._collections[namespace] = self._link.client[namespace.database].get_collection(
            namespace.collection,
            codec_options=RAW,
            read_preference=ReadPreference.PRIMARY,
            read_concern=ReadConcern("majority"),
        )
        return found


def documents(batch: bytes) -> list[bytes]:
    """The documents of a batch, which stand one behind the other."""
    found = []
    position, end = 0, len(batch)
    while position < end:
        (size,) = _SIZE(batch, position)
        found.append(batch[position : position + size])
        position += size
    return found
