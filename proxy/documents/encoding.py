"""Rows to BSON at once, for copies of whole tables.

`_rows.c` makes of a row, as a query has given it, the bytes that its document has in the store: what `TableMapping`
and the store's encoder make of it, without an object for each value. It knows the most common types (`Codec.native`)
and asks the codecs for single values of the others. Whatever is out of the ordinary (another shape, bytes that cannot
be read, infinity, a number with more digits than usual) it leaves to the codecs, row by row. They are its twin: where
it could not be built, or is not wanted, all rows go their way.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from bson.errors import BSONError
from bson.int64 import Int64

from proxy.documents.codec import Codec, plain_key
from proxy.documents.table_mapping import FAULTS, KEY, Column, TableMapping
from proxy.stores.bson_form import SEEDED, Encoded, element

Answer = tuple[Any, Any, Any] | None
"""What a codec makes of one value, as elements of BSON or None: the field, and what stands beside it in `_cw`. Of a
part of the key: the element, the value itself, and what must be kept beside it. None: the row goes the other way."""

_STRANGE = (*FAULTS, BSONError)
_KEY_KINDS = frozenset({"bool", "int2", "int4", "int8", "text", "padded", "bytea", "uuid"})


class Encoder(Protocol):
    """Belongs to one mapping."""

    def encode(self, records: list[bytes], /) -> list[Encoded | None]:
        """The documents of rows, in their order; None for one that is to go the other way."""


if TYPE_CHECKING:
    RowEncoder: Callable[..., Encoder] | None
else:
    try:
        if os.environ.get("CAUSEWAY_PURE_PYTHON") == "1":
            raise ImportError("CAUSEWAY_PURE_PYTHON=1")
        from proxy.documents._rows import RowEncoder
    except ImportError:
        RowEncoder = None


def encoder_of(mapping: TableMapping) -> Encoder | None:
    """Of rows as `KeyPages.rows` gives them, to be seeded. None where all are to go the other way."""
    single = len(mapping.key_columns) == 1
    fields = [column for column in mapping.columns if not (single and column.name == mapping.key_columns[0])]
    if RowEncoder is None or mapping.needs_text:
        return None
    if any(column.codec.timed and column.codec.native != "timestamp" for column in fields):
        return None  # the order of what stands beside them would be another
    fields.sort(key=lambda column: column.codec.marked)  # as `TableMapping.document` has them
    return RowEncoder(
        mapping.oids,
        tuple(_key_part(column, single=single) for column in mapping.key_parts),
        not single,
        tuple(_field(column) for column in fields),
        SEEDED,
        Encoded,
    )


def _field(column: Column) -> tuple[str, int, str, Callable[[bytes], Answer] | None]:
    codec = column.codec
    if codec.native:
        return column.field, column.position, codec.native, None
    return column.field, column.position, "call", _by_codec(column.field, codec)


def _by_codec(field: str, codec: Codec) -> Callable[[bytes], Answer]:
    def encode(raw: bytes) -> Answer:
        try:
            value = codec.decode(raw)
            if not codec.marked:
                return element(field, value), None, None
            value, us, flag = value
            return (
                element(field, value),
                None if us is None else element(field, us),
                None if flag is None else element(field, flag),
            )
        except _STRANGE:
            return None

    return encode


def _key_part(column: Column, *, single: bool) -> tuple[str, int, str, Callable[[Any], Any] | None]:
    codec = column.codec
    if codec.key is plain_key and codec.native in _KEY_KINDS:
        return column.field, column.position, codec.native, _made(codec)
    return column.field, column.position, "call", _key_by_codec(column.field, codec, single=single)


def _made(codec: Codec) -> Callable[[Any], Any] | None:
    """What makes the value of a key of what C has: a number, a string, bytes. None: it is that already."""
    return Int64 if codec.native == "int8" else codec.decode if codec.native == "uuid" else None


def _key_by_codec(field: str, codec: Codec, *, single: bool) -> Callable[[bytes], Answer]:
    def encode(raw: bytes) -> Answer:
        try:
            assert codec.key is not None
            value, _, rest = codec.key(codec.decode(raw))
            # The columns of a composite key are fields as well: nothing is lost.
            return element(field, value), value, element(KEY, rest) if single and rest is not None else None
        except _STRANGE:
            return None

    return encode
