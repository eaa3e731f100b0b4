"""What backfill and verify ask of a collection: documents as they are stored, and all `_id`s there are, of every type.

A comparison in a query meets values of its own type alone, so the `_id`s are gone through type by type.
https://www.mongodb.com/docs/manual/reference/bson-type-comparison-order/
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

import pymongo
from bson import Binary, DatetimeMS, Decimal128, Int64, ObjectId, Timestamp

from proxy.stores.mongo_commands import Link
from proxy.stores.mongo_errors import CommandRejected, translated
from proxy.stores.protocol import Namespace, StoreRefused, StoreUnavailable

IDS_AT_ONCE: Final = 1000
_WITHOUT_PAIR: Final = {"_cw.v": 0, "_cw.r": 0}

_TYPES: Final[tuple[tuple[tuple[type, ...], Mapping[str, Any]], ...]] = (
    ((type(None),), {"$eq": None}),
    ((), {"$eq": math.nan}),
    ((int, float, Int64, Decimal128), {"$gte": -math.inf}),
    ((str,), {"$gte": ""}),
    ((dict,), {"$gte": {}}),
    ((bytes, Binary, uuid.UUID), {"$gte": Binary(b"", 0)}),
    ((ObjectId,), {"$gte": ObjectId("0" * 24)}),
    ((bool,), {"$gte": False}),
    ((datetime, DatetimeMS), {"$gte": DatetimeMS(-(2**63))}),
    ((Timestamp,), {"$gte": Timestamp(0, 0)}),
)
"""In the order in which the store sorts them: what Python has for the values of a type, and what finds all of it."""
_NAN: Final = 1


async def read(link: Link, namespace: Namespace, ids: Sequence[Any]) -> list[bytes]:
    """See `protocol.Store.read`."""
    found: list[bytes] = []
    collection = link.collection(namespace, raw=True)
    for start in range(0, len(ids), IDS_AT_ONCE):
        condition = {"_id": {"$in": list(ids[start : start + IDS_AT_ONCE])}}
        with _asked(), translated(), pymongo.timeout(link.timeout):
            documents: list[Any] = await collection.find(condition, _WITHOUT_PAIR).to_list()
        found += [bytes(document.raw) for document in documents]
    return found


async def scan(link: Link, namespace: Namespace, after: Any, limit: int) -> list[Any]:
    """See `protocol.Store.scan`."""
    found: list[Any] = []
    for condition in _conditions(after):
        collection = link.collection(namespace)
        with _asked(), translated(), pymongo.timeout(link.timeout):
            documents = (
                await collection.find({"_id": condition}, {"_id": 1})
                .sort("_id", 1)
                .limit(limit - len(found))
                .to_list()
            )
        found += [document["_id"] for document in documents]
        if len(found) >= limit:
            break
    return found


async def count(link: Link, namespace: Namespace) -> int:
    """See `protocol.Store.count`."""
    with _asked(), translated(), pymongo.timeout(link.timeout):
        return await link.collection(namespace).estimated_document_count()


def _conditions(after: Any) -> Iterator[Mapping[str, Any]]:
    first = 0
    if after is not None:
        first = _type_of(after)
        if first != _NAN:
            yield {"$gt": after}
        first += 1
    for _, every in _TYPES[first:]:
        yield every


def _type_of(value: Any) -> int:
    if isinstance(value, bool):
        return next(place for place, (kinds, _) in enumerate(_TYPES) if bool in kinds)
    if isinstance(value, float | Decimal128) and value != value:
        return _NAN
    if isinstance(value, Decimal128) and value.to_decimal().is_nan():
        return _NAN
    for place, (kinds, _) in enumerate(_TYPES):
        if isinstance(value, kinds) and not (place == 0 and value is not None):
            return place
    raise StoreRefused(f"an _id of type {type(value).__name__} cannot be gone on from")


@contextmanager
def _asked() -> Iterator[None]:
    """No question of this module is one that a store should reject."""
    try:
        yield
    except CommandRejected as error:
        raise StoreUnavailable(f"the store could not be asked: {error}") from error
