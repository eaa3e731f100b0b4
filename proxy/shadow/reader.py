"""The store as compiled reads ask it: documents as raw BSON, some at a time, never written to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

import pymongo

from proxy.stores.mongo_commands import Link
from proxy.stores.mongo_errors import CommandRejected, translated
from proxy.stores.protocol import Namespace, StoreRefused

BATCH = 500
"""Documents asked for at once."""


class StoreReader:
    """See `proxy.translate.api.Reader`. Raises StoreUnavailable and StoreRefused."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def find(
        self,
        namespace: Namespace,
        condition: Mapping[str, Any],
        projection: Mapping[str, Any] | None,
        sort: Sequence[tuple[str, int]],
        limit: int,
    ) -> AsyncIterator[bytes]:
        collection = self._link.collection(namespace, raw=True)

        async def open_() -> Any:
            return collection.find(
                condition, projection, sort=list(sort) or None, limit=limit, batch_size=BATCH
            )

        async for raw in self._documents(open_):
            yield raw

    async def aggregate(
        self, namespace: Namespace, pipeline: Sequence[Mapping[str, Any]]
    ) -> AsyncIterator[bytes]:
        collection = self._link.collection(namespace, raw=True)

        async def open_() -> Any:
            return await collection.aggregate(list(pipeline), batchSize=BATCH)

        async for raw in self._documents(open_):
            yield raw

    async def _documents(self, open_: Callable[[], Awaitable[Any]]) -> AsyncIterator[bytes]:
        cursor = await self._asked(open_)
        try:
            while found := await self._asked(lambda: cursor.to_list(BATCH)):
                for document in found:
                    yield bytes(document.raw)
        finally:
            await cursor.close()

    async def _asked(self, question: Callable[[], Awaitable[Any]]) -> Any:
        """One command. What the store rejects of a read it will reject again."""
        try:
            with translated(), pymongo.timeout(self._link.timeout):
                return await question()
        except CommandRejected as error:
            raise StoreRefused(f"the store did not take a read: {error}") from error


class RecordingReader:
    """Another reader, and which documents of it were seen or asked for: where a difference is looked for."""

    def __init__(self, reader: StoreReader, most: int) -> None:
        self._reader = reader
        self._most = most
        self.found: dict[Namespace, list[bytes]] = {}
        """Documents, as far as a question brought them."""
        self.asked: dict[Namespace, list[Any]] = {}
        """`_id`s that questions named."""
        self.whole: set[Namespace] = set()
        """Collections that a question has brought all of."""

    async def find(
        self,
        namespace: Namespace,
        condition: Mapping[str, Any],
        projection: Mapping[str, Any] | None,
        sort: Sequence[tuple[str, int]],
        limit: int,
    ) -> AsyncIterator[bytes]:
        found = self.found.setdefault(namespace, [])
        asked = self.asked.setdefault(namespace, [])
        asked += identifiers(condition)[: self._most - len(asked)]
        count = 0
        async for raw in self._reader.find(namespace, condition, projection, sort, limit):
            count += 1
            if len(found) < self._most:
                found.append(raw)
            yield raw
        if not condition and (not limit or count < limit):
            self.whole.add(namespace)

    async def aggregate(
        self, namespace: Namespace, pipeline: Sequence[Mapping[str, Any]]
    ) -> AsyncIterator[bytes]:
        asked = self.asked.setdefault(namespace, [])
        for stage in pipeline:
            asked += identifiers(stage.get("$match") or {})[: self._most - len(asked)]
        async for raw in self._reader.aggregate(namespace, pipeline):
            yield raw


def identifiers(condition: Any) -> list[Any]:
    """The `_id`s that a filter names, at its top level or within $and and $or."""
    if not isinstance(condition, Mapping):
        return []
    found: list[Any] = []
    for name, value in condition.items():
        if name == "_id":
            if isinstance(value, Mapping) and any(str(key).startswith("$") for key in value):
                found += [value["$eq"]] if "$eq" in value else []
                found += list(value.get("$in", ()))
            else:
                found.append(value)
        elif name in ("$and", "$or") and isinstance(value, Sequence):
            for part in value:
                found += identifiers(part)
    return found
