"""The elementary writes of `convergence` as MongoDB's commands, with as little work per document as can be.

Commands rather than the driver's bulk writes: what is needed of a reply is the number and place of each error and of
each document that an upsert has made, and nothing else is built.
"""

from __future__ import annotations

import asyncio
import math
import uuid
from collections.abc import AsyncIterator, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import bson
import pymongo
from bson import CodecOptions, Decimal128, Int64
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from pymongo import AsyncMongoClient, ReadPreference
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.read_concern import ReadConcern

from proxy.stores.bson_form import OPTIONS, RAW, Encoded, decode
from proxy.stores.convergence import FLOOR, Area, Found, Item, Pair, Wrote
from proxy.stores.identity import identity
from proxy.stores.mongo_errors import (
    DUPLICATE_KEY,
    INDEX_CONFLICTS,
    CommandRejected,
    of_id_index,
    poison,
    translated,
)
from proxy.stores.protocol import Namespace, Poison, StoreUnavailable

OWN_DATABASE: Final = "_causeway"
MAX_DOCUMENT: Final = 16 * 1024 * 1024
"""Bytes of BSON: MongoDB's own limit."""
MAX_COMMAND: Final = MAX_DOCUMENT - 64 * 1024
"""Bytes of statements in one command, unless one alone has more: the driver allows a command the size of a document."""
MAX_STATEMENTS: Final = 10_000
"""Statements in one command; MongoDB's limit is 100,000."""
_STATEMENT_ROOM: Final = 16 * 1024
"""What MongoDB allows a statement to be larger than the largest document."""
_KEYS_AT_ONCE: Final = 1000
_FEW: Final = 20
"""Keys that are looked for one by one, however near they are."""
_ORDERED: Final = frozenset({int, Int64, str, uuid.UUID})
"""Types of keys that Python orders as MongoDB does. (Text with surrogates, or a zero byte, is never a key.)"""
_MOST: Final = 2**63 - 1
_STRANGE: Final = "strange"
"""In `Found.extra`: what stands in the place of `_cw`; None where there is none."""
_PLAIN_KEYS: Final = frozenset({Int64, Decimal128, uuid.UUID})
"""Keys of these types are always possible."""
_UNENCODABLE: Final = (BSONError, OverflowError, TypeError, ValueError, RecursionError)
"""What the encoder raises for values that BSON cannot hold."""

Client = AsyncMongoClient[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Link:
    """The way to the store, and how it is to be used."""

    client: Client
    timeout: float
    """Seconds that one command may take, finding a server included."""
    write_concern: Mapping[str, Any]
    tombstone_ttl: timedelta
    prepared: dict[str, asyncio.Lock | None]
    """The collections of `_causeway` whose expiry is set (None), or being set."""

    async def command(self, database: str, command: dict[str, Any]) -> dict[str, Any]:
        with translated(), pymongo.timeout(self.timeout):
            reply: dict[str, Any] = await self.client[database].command(command, codec_options=OPTIONS)
        concern = reply.get("writeConcernError")
        if concern:
            raise StoreUnavailable(
                f"the store did not confirm a write: {concern.get('codeName', 'error')} ({concern.get('code')})"
            )
        return reply

    async def write(self, database: str, command: dict[str, Any]) -> dict[str, Any]:
        return await self.command(database, {**command, "writeConcern": self.write_concern})

    async def find(
        self,
        namespace: Namespace,
        condition: Mapping[str, Any],
        projection: Mapping[str, Any] | None = None,
        limit: int = 0,
    ) -> list[dict[str, Any]]:
        collection = self.collection(namespace, raw=projection is None)
        with translated(), pymongo.timeout(self.timeout):
            found = await collection.find(condition, projection, limit=limit).to_list()
        return found if projection is not None else [_document(raw) for raw in found]

    def collection(self, namespace: Namespace, *, raw: bool = False) -> AsyncCollection[dict[str, Any]]:
        """Read from the primary, whatever the URI says: nothing is decided here on old data.

        `raw` where there may be a jsonb value: the driver makes a DBRef of one that has such names.
        """
        options: CodecOptions[Any] = RAW if raw else OPTIONS
        return self.client[namespace.database].get_collection(
            namespace.collection,
            codec_options=options,
            read_preference=ReadPreference.PRIMARY,
            read_concern=ReadConcern("local"),
        )

    async def expire(self, collection: str) -> None:
        """Makes sure, once in this process, that documents of `_causeway` go when their time is over."""
        while (lock := self.prepared.setdefault(collection, asyncio.Lock())) is not None:
            async with lock:
                if self.prepared[collection] is None:
                    return
                await self._create_expiry(collection)
                self.prepared[collection] = None

    async def _create_expiry(self, collection: str) -> None:
        index = {
            "key": {"at": 1},
            "name": "expiry",
            "expireAfterSeconds": round(self.tombstone_ttl.total_seconds()),
        }
        try:
            await self.write(OWN_DATABASE, {"createIndexes": collection, "indexes": [index]})
        except CommandRejected as error:
            if error.code not in INDEX_CONFLICTS:
                raise StoreUnavailable(f"the index for expiry was not made: {error}") from error
            change = {"name": index["name"], "expireAfterSeconds": index["expireAfterSeconds"]}
            try:
                await self.write(OWN_DATABASE, {"collMod": collection, "index": change})
            except CommandRejected as error:
                raise StoreUnavailable(f"the index for expiry was not changed: {error}") from error


class MongoCollections:
    """The collections of one table; see `convergence.Elementary`."""

    def __init__(self, link: Link, namespace: Namespace) -> None:
        self._link = link
        self._bulky = False
        """Whether the last writes that were looked at one by one were too much for one command."""
        self._places = {
            area: namespace
            if area is Area.DOCUMENTS
            else Namespace(OWN_DATABASE, f"{area.value}.{namespace.database}.{namespace.collection}")
            for area in Area
        }

    async def upsert(self, area: Area, items: Sequence[Item]) -> list[Wrote | Poison]:
        place = self._places[area]
        now = None
        if area is not Area.DOCUMENTS:
            await self._link.expire(place.collection)
            now = datetime.now(UTC)
        updates = [_upsert(item, now) for item in items]
        answers, replies = await self._write("update", "updates", place, updates, "u")
        for numbers, reply in replies:
            for number in numbers:
                answers[number] = Wrote.REPLACED
            for one in reply.get("upserted", ()):
                answers[numbers[one["index"]]] = Wrote.CREATED
            for error in reply.get("writeErrors", ()):
                answers[numbers[error["index"]]] = _failed(error)
        return [answers[number] for number in range(len(items))]

    async def insert(self, items: Sequence[Item | Encoded]) -> list[Wrote | Poison]:
        place = self._places[Area.DOCUMENTS]
        documents = [item if isinstance(item, Encoded) else _complete(item) for item in items]
        answers, replies = await self._write("insert", "documents", place, documents)
        if not answers and len(replies) == 1 and not replies[0][1].get("writeErrors"):
            return [Wrote.CREATED] * len(items)
        for numbers, reply in replies:
            for number in numbers:
                answers[number] = Wrote.CREATED
            for error in reply.get("writeErrors", ()):
                answers[numbers[error["index"]]] = _failed(error)
        return [answers[number] for number in range(len(items))]

    async def remove(self, items: Sequence[Item]) -> int:
        place = self._places[Area.DOCUMENTS]
        deletes = [{"q": _smaller(item), "limit": 1} for item in items]
        removed = 0
        poisoned, replies = await self._write("delete", "deletes", place, deletes)
        for _, reply in replies:
            removed += int(reply["n"])
            for error in reply.get("writeErrors", ()):
                poisoned[-1] = poison(error)
        for one in poisoned.values():
            raise StoreUnavailable(f"a document was not removed: {one}")
        return removed

    async def pairs(self, area: Area, ids: Sequence[Any]) -> dict[Hashable, Pair]:
        found = {}
        for part in _parts(_possible(ids), _KEYS_AT_ONCE):
            condition = {"_id": {"$in": part}}
            for document in await self._find(area, condition, {"_cw.v": 1, "_cw.r": 1}):
                found[identity(document["_id"])] = _pair(document.get("_cw"))
        return found

    async def graves(self, ids: Sequence[Any]) -> dict[Hashable, Pair]:
        """Keys that lie side by side are looked for as a range, where few others lie between them: that costs the
        store far less than as many keys one by one."""
        kinds = set(map(type, ids))
        if len(ids) < _FEW or len(kinds) > 1 or not kinds <= _ORDERED:
            return await self.pairs(Area.TOMBSTONES, [FLOOR, *ids])
        between = {"_id": {"$gte": min(ids), "$lte": max(ids)}}
        near = await self._find(
            Area.TOMBSTONES, {"$or": [between, {"_id": FLOOR}]}, {"_cw.v": 1, "_cw.r": 1}, len(ids)
        )
        if len(near) == len(ids):  # there may be more
            return await self.pairs(Area.TOMBSTONES, [FLOOR, *ids])
        return {identity(document["_id"]): _pair(document.get("_cw")) for document in near}

    async def documents(self, ids: Sequence[Any]) -> dict[Hashable, Found]:
        found = {}
        for part in _parts(_possible(ids), _KEYS_AT_ONCE):
            for document in await self._find(Area.DOCUMENTS, {"_id": {"$in": part}}):
                extra = document.pop("_cw", None)
                pair = _pair(extra)
                if isinstance(extra, dict):
                    extra.pop("v", None)
                    extra.pop("r", None)
                else:
                    extra = {_STRANGE: extra}  # so that it equals no row's
                found[identity(document["_id"])] = Found(pair, document, extra)
        return found

    async def recent(self, since: datetime) -> AsyncIterator[list[Item]]:
        place = self._places[Area.TOMBSTONES]
        collection = self._link.collection(place)
        cursor = collection.find({"at": {"$gte": since}}, {"_cw": 1}, batch_size=_KEYS_AT_ONCE)
        try:
            while True:
                with translated(), pymongo.timeout(self._link.timeout):
                    found = await cursor.to_list(_KEYS_AT_ONCE)
                if not found:
                    return
                yield [Item(document["_id"], _pair(document.get("_cw"))) for document in found]
        except CommandRejected as error:
            raise StoreUnavailable(f"the store could not be asked: {error}") from error
        finally:
            await cursor.close()

    async def older(self, version: int, limit: int) -> list[Any]:
        condition = {"_cw.v": {"$lt": Int64(version)}}
        found = await self._find(Area.DOCUMENTS, condition, {"_id": 1}, limit)
        return [document["_id"] for document in found]

    async def _find(
        self,
        area: Area,
        condition: Mapping[str, Any],
        projection: Mapping[str, Any] | None = None,
        limit: int = 0,
    ) -> list[dict[str, Any]]:
        try:
            return await self._link.find(self._places[area], condition, projection, limit)
        except CommandRejected as error:
            raise StoreUnavailable(f"the store could not be asked: {error}") from error

    async def _write(
        self,
        verb: str,
        field: str,
        place: Namespace,
        statements: Sequence[Mapping[str, Any]],
        document: str | None = None,
    ) -> tuple[dict[int, Wrote | Poison], list[tuple[Sequence[int], dict[str, Any]]]]:
        """Unordered. What cannot be sent is answered; with each reply the numbers of the statements it is about.

        `document`: the field of a statement that is limited to the size of a document; None: all of it. One command
        for all, encoded in one go, is tried first; where that cannot be, each statement is looked at.
        """
        if len(statements) <= MAX_STATEMENTS and not self._bulky:
            try:
                reply = await self._send(verb, field, place, statements)
            except (CommandRejected, *_UNENCODABLE):
                pass
            else:
                return {}, [(range(len(statements)), reply)]
        answers, good = _encoded(statements, document)
        replies: list[tuple[Sequence[int], dict[str, Any]]] = []
        waiting = list(_portions(good))
        self._bulky = len(waiting) > 1
        while waiting:
            part = waiting.pop()
            numbers = [number for number, _ in part]
            try:
                reply = await self._send(verb, field, place, [raw for _, raw in part])
            except CommandRejected as error:
                if len(part) == 1:
                    answers[numbers[0]] = error.poison()
                else:
                    waiting += [part[: len(part) // 2], part[len(part) // 2 :]]
            else:
                replies.append((numbers, reply))
        return answers, replies

    async def _send(
        self, verb: str, field: str, place: Namespace, statements: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        command = {verb: place.collection, field: list(statements), "ordered": False}
        return await self._link.write(place.database, command)


def _document(raw: Any) -> dict[str, Any]:
    return decode(bytes(raw.raw))


def _encoded(
    statements: Sequence[Mapping[str, Any]], document: str | None
) -> tuple[dict[int, Wrote | Poison], list[tuple[int, RawBSONDocument]]]:
    """What is wrong with the statements that cannot be sent; the others, numbered."""
    answers: dict[int, Wrote | Poison] = {}
    good = []
    for number, statement in enumerate(statements):
        content = statement if document is None else statement[document]
        try:
            raw = bson.encode(statement, codec_options=OPTIONS)
        except _UNENCODABLE as error:
            answers[number] = Poison(f"{_unencodable(content)}: {type(error).__name__}")
            continue
        if len(raw) > MAX_DOCUMENT:
            size = len(bson.encode(content, codec_options=OPTIONS))
            if size > MAX_DOCUMENT or len(raw) > MAX_DOCUMENT + _STATEMENT_ROOM:
                answers[number] = Poison(
                    f"the document has {size:,} bytes; the store takes {MAX_DOCUMENT:,} at most"
                )
                continue
        good.append((number, RawBSONDocument(raw, RAW)))
    return answers, good


def _upsert(item: Item, now: datetime | None) -> dict[str, Any]:
    return {"q": _smaller(item), "u": _body(item, now), "upsert": True}


def _smaller(item: Item) -> dict[str, Any]:
    """Matches the item's key with a smaller pair, or with none: `$gte` is false of what is no number, or not there.

    `$eq` takes a key that is a document for a value, not operators.
    """
    (version, repairs) = item.pair
    if not repairs:
        return {"_id": {"$eq": item.id}, "_cw.v": {"$not": {"$gte": Int64(version)}}}
    return {
        "_id": {"$eq": item.id},
        "$nor": [
            {"_cw.v": {"$gt": Int64(version)}},
            {"_cw.v": Int64(version), "_cw.r": {"$gte": repairs}},
        ],
    }


def _body(item: Item, now: datetime | None = None) -> dict[str, Any]:
    """The replacement; it takes its `_id` from the query, or keeps the one that is there."""
    body = {} if item.document is None else dict(item.document)
    body.pop("_id", None)
    body["_cw"] = {"v": Int64(item.pair.version), "r": item.pair.repairs, **item.extra}
    if now is not None:
        body["at"] = now
    return body


def _complete(item: Item) -> dict[str, Any]:
    """The document with its `_id`."""
    whole = {"_id": item.id, **(item.document or {})}
    whole["_id"] = item.id
    whole["_cw"] = {"v": Int64(item.pair.version), "r": item.pair.repairs, **item.extra}
    return whole


def _failed(error: Mapping[str, Any]) -> Wrote | Poison:
    if error.get("code") == DUPLICATE_KEY and of_id_index(error):
        return Wrote.EXISTS
    return poison(error)


def _unencodable(document: Mapping[str, Any]) -> str:
    """Which field the driver has no BSON for, without its value."""
    for name, value in document.items():
        if not _is_encodable(value):
            return f"field {name!r} has a value that BSON cannot hold"
    return "the key or the document as a whole has no BSON"


def _pair(mark: Any) -> Pair:
    """Documents that others have put there, or whose marks they have spoilt, count as seeded."""
    if not isinstance(mark, Mapping):
        return Pair(0, 0)
    return Pair(_whole(mark.get("v")), _whole(mark.get("r")))


def _whole(value: Any) -> int:
    """As a 64-bit integer; 0 for what is no number."""
    if isinstance(value, float | Decimal128):
        number = float(str(value))
        value = 0 if math.isnan(number) else int(min(max(number, -_MOST), _MOST))
    return min(int(value), _MOST) if isinstance(value, int) and not isinstance(value, bool) else 0


def _possible(ids: Sequence[Any]) -> list[Any]:
    """Without those that are no `_id` anywhere, and that a query may not hold."""
    return [value for value in ids if type(value) in _PLAIN_KEYS or _is_key(value)]


def _is_key(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return False
    if isinstance(value, Mapping) and any(str(name).startswith("$") for name in value):
        return False
    return _is_encodable(value)


def _is_encodable(value: Any) -> bool:
    try:
        bson.encode({"": value}, codec_options=OPTIONS)
    except _UNENCODABLE:
        return False
    return True


def _parts(values: Sequence[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(values), size):
        yield list(values[start : start + size])


def _portions(
    statements: Sequence[tuple[int, RawBSONDocument]],
) -> Iterator[Sequence[tuple[int, RawBSONDocument]]]:
    """As many statements at once as one command takes."""
    start, size = 0, 0
    for index, (_, statement) in enumerate(statements):
        length = len(statement.raw)
        if index > start and (size + length > MAX_COMMAND or index - start >= MAX_STATEMENTS):
            yield statements[start:index]
            start, size = index, 0
        size += length
    if start < len(statements):
        yield statements[start:]
