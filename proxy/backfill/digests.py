"""A chunk of rows and the documents they should be, each side as one digest over its bytes in the order of the rows.

Documents are compared as BSON, with `_cw` as their last field and v and r left out of it: what `Store.read` gives, and
what the mapping makes of a row. Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import bson

from proxy.backfill.elements import first
from proxy.stores.bson_form import OPTIONS
from proxy.stores.identity import identity
from proxy.stores.protocol import Document, Key

MARKS = "_cw"
DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class Expected:
    """What the store should have for one row."""

    key: Key
    raw: bytes | None
    """None: no document can hold the row."""
    fault: str = ""
    """Why not; without its values."""


def canonical(document: Document, extra: Document) -> bytes:
    """A document as `Store.read` gives it."""
    return bson.encode({**document, MARKS: extra}, codec_options=OPTIONS)


def digest(documents: Iterable[bytes]) -> bytes:
    """Of documents in an order that is the same on both sides."""
    whole = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for document in documents:
        whole.update(document)  # BSON begins with its length: no two lists of documents are the same bytes
    return whole.digest()


def aligned(ids: Sequence[Any], found: Sequence[bytes]) -> list[bytes | None]:
    """For each of `ids` its document among `found`, which are in any order; None: there is none."""
    return _aligned(ids, [first(bson.encode({"_id": value}, codec_options=OPTIONS)) for value in ids], found)


def aligned_with(rows: Sequence[Expected], found: Sequence[bytes]) -> list[bytes | None]:
    """The same for rows: what a row should be begins with its `_id`, so nothing need be encoded once more."""
    ids = [row.key.value for row in rows]
    elements = [
        first(bson.encode({"_id": row.key.value}, codec_options=OPTIONS) if row.raw is None else row.raw)
        for row in rows
    ]
    return _aligned(ids, elements, found)


def _aligned(ids: Sequence[Any], elements: Sequence[bytes], found: Sequence[bytes]) -> list[bytes | None]:
    by_bytes = {first(raw): raw for raw in found}
    documents = [by_bytes.pop(element, None) for element in elements]
    if not by_bytes:
        return documents
    # The store finds a number whatever its type.
    by_value = {identity(identifier_of(raw)): raw for raw in by_bytes.values()}
    return [
        by_value.get(identity(value)) if raw is None else raw
        for value, raw in zip(ids, documents, strict=True)
    ]


def identifier_of(raw: bytes) -> Any:
    """The `_id` of a document, which is its first field."""
    element = first(raw)
    whole = (len(element) + 5).to_bytes(4, "little") + element + b"\0"
    [value] = bson.decode(whole, OPTIONS).values()
    return value


def same(expected: Sequence[Expected], found: Sequence[bytes | None]) -> bool:
    """Whether every row has its document, to the byte."""
    rows = [one.raw for one in expected if one.raw is not None]
    documents = [raw for raw in found if raw is not None]
    return len(rows) == len(expected) == len(documents) and digest(rows) == digest(documents)
