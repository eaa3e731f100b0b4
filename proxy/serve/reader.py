"""The store as served reads ask it: what a majority of it has, of its primary, a batch of raw documents at a time.

That is what lets a session read its own writes: the mirror's own wait for the majority.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from struct import Struct
from typing import Any, Final, cast

from bson import Int64
from bson.raw_bson import RawBSONDocument
from pymongo import ReadPreference
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.cursor import AsyncRawBatchCursor
from pymongo.read_concern import ReadConcern

from proxy.stores.bson_form import RAW
from proxy.stores.mongo_commands import Link
from proxy.stores.mongo_errors import translated
from proxy.stores.protocol import Namespace

BATCH: Final = 1000
"""Documents asked for at once; the store sends no more than 16 MiB of them."""

_SIZE = Struct("<i").unpack_from
_LONG = Struct("<q").unpack_from
_FIRST_BATCH: Final = b"\x04firstBatch\x00"
_ID: Final = b"\x12id\x00"
_TEXT: Final = 0x02
_WIDTHS: Final = {_TEXT: 0, 0x03: 0, 0x04: 0, 0x08: 1, 0x11: 8, 0x12: 8}
"""Bytes of values, by BSON's types; 0: it begins with how many."""
_MAJORITY: Final = {"level": "majority"}


class ServingReader:
    """See `proxy.translate.api.Reader`. Raises StoreUnavailable, StoreRefused and CommandRejected."""

    __slots__ = ("_link", "_milliseconds")

    def __init__(self, link: Link, seconds: float) -> None:
        """`seconds` is what the store may take for a batch."""
        self._link = link
        self._milliseconds = max(1, round(seconds * 1000))

    async def find(
        self,
        namespace: Namespace,
        condition: Mapping[str, Any],
        projection: Mapping[str, Any] | None,
        sort: Sequence[tuple[str, int]],
        limit: int,
    ) -> AsyncIterator[bytes]:
        """One command, without the driver's cursor: nearly every answer comes in one batch."""
        command: dict[str, Any] = {"find": namespace.collection, "filter": condition}
        if projection is not None:
            command["projection"] = projection
        if sort:
            command["sort"] = dict(sort)
        if limit:
            command["limit"] = limit
        command["batchSize"] = limit or BATCH
        command["maxTimeMS"] = self._milliseconds
        command["readConcern"] = _MAJORITY
        reply = await self._command(namespace, command)
        found, more = first(bytes(reply["cursor"].raw))
        if not more:
            for document in found:
                yield document
            return
        await self._command(namespace, {"killCursors": namespace.collection, "cursors": [Int64(more)]})
        # What comes in several batches is asked for anew.
        cursor = self._collection(namespace).find_raw_batches(
            condition,
            projection,
            sort=list(sort) or None,
            limit=limit,
            batch_size=BATCH,
            max_time_ms=self._milliseconds,
        )
        async for document in _parts(cursor):
            yield document

    async def aggregate(
        self, namespace: Namespace, pipeline: Sequence[Mapping[str, Any]]
    ) -> AsyncIterator[bytes]:
        with translated():
            cursor = await self._collection(namespace).aggregate_raw_batches(
                list(pipeline), batchSize=BATCH, maxTimeMS=self._milliseconds
            )
        async for document in _parts(cursor):
            yield document

    async def _command(self, namespace: Namespace, command: dict[str, Any]) -> RawBSONDocument:
        try:
            reply: Any = await self._link.client[namespace.database].command(command, codec_options=RAW)
        except Exception:
            with translated():
                raise
        return cast(RawBSONDocument, reply)

    def _collection(self, namespace: Namespace) -> AsyncCollection[Any]:
        return self._link.client[namespace.database].get_collection(
            namespace.collection,
            codec_options=RAW,
            read_preference=ReadPreference.PRIMARY,
            read_concern=ReadConcern("majority"),
        )


async def _parts(cursor: AsyncRawBatchCursor[Any]) -> AsyncIterator[bytes]:
    """All it has, batch by batch; the store forgets it at the end, whatever that is."""
    with translated():
        try:
            async for batch in cursor:
                for document in documents(batch):
                    yield document
        finally:
            await cursor.close()


def documents(batch: bytes, position: int = 0) -> list[bytes]:
    """The documents of a batch, which stand one behind the other."""
    found = []
    end = len(batch)
    while position < end:
        (size,) = _SIZE(batch, position)
        found.append(batch[position : position + size])
        position += size
    return found


def first(cursor: bytes) -> tuple[list[bytes], int]:
    """The documents of the `cursor` of a reply to find, and its number where there are more to come, else 0.

    MongoDB has the batch first and then the number, DocumentDB the other way round, with the name in between.
    https://bsonspec.org
    """
    batch, number, position, end = -1, -1, 4, len(cursor) - 1
    while position < end:
        kind = cursor[position]
        behind = cursor.index(0, position) + 1
        name = cursor[position:behind]
        if name == _FIRST_BATCH:
            batch = behind
        elif name == _ID:
            (number,) = _LONG(cursor, behind)
        size = _WIDTHS.get(kind, -1)
        if size < 0:
            return _first(cursor)
        position = behind + (size or _SIZE(cursor, behind)[0] + (4 if kind == _TEXT else 0))
    if batch < 0 or number < 0:
        return _first(cursor)
    found = []
    position = batch + 4
    end = batch + _SIZE(cursor, batch)[0] - 1
    while position < end:  # an array is a document with the names 0, 1, ...
        position = cursor.index(0, position) + 1
        (size,) = _SIZE(cursor, position)
        found.append(cursor[position : position + size])
        position += size
    return found, number


def _first(cursor: bytes) -> tuple[list[bytes], int]:
    """The same, whatever the order of its fields."""
    reply = RawBSONDocument(cursor, RAW)
    return [bytes(document.raw) for document in reply["firstBatch"]], int(reply["id"])
