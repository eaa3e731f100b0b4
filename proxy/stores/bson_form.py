"""How documents are written to BSON and read back, the same for everything that meets the store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import Any, Final

import bson
from bson import CodecOptions, DBRef, Int64
from bson.binary import UuidRepresentation
from bson.codec_options import DatetimeConversion
from bson.raw_bson import RawBSONDocument

OPTIONS: Final[CodecOptions[dict[str, Any]]] = CodecOptions(
    uuid_representation=UuidRepresentation.STANDARD,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    tz_aware=True,
    tzinfo=UTC,
)
RAW: Final[CodecOptions[RawBSONDocument]] = CodecOptions(
    document_class=RawBSONDocument,
    uuid_representation=UuidRepresentation.STANDARD,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    tz_aware=True,
    tzinfo=UTC,
)

SEEDED: Final[bytes] = bson.encode({"v": Int64(0), "r": 0})[4:-1]
"""The elements that lead in the `_cw` of a document that was seeded."""


class Encoded(RawBSONDocument):
    """A document as it goes to the store: `_id` first, `_cw` last.

    Its base takes several microseconds to look at what it is given; here that was just made.
    """

    __slots__ = ("id", "raw")

    def __init__(self, id: Any, raw: bytes) -> None:
        """`id`: the `_id`, as a value."""
        self.id = id
        self.raw = raw  # type: ignore[misc]

    def __getitem__(self, name: str) -> Any:
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __eq__(self, other: object) -> bool:
        return self.raw == other.raw if isinstance(other, RawBSONDocument) else NotImplemented

    __hash__ = None

    def items(self) -> Any:
        return self._read().items()

    def __repr__(self) -> str:
        return f"Encoded({self.id!r}, {self.raw!r})"

    def _read(self) -> dict[str, Any]:
        return decode(bytes(self.raw))


def element(name: str, value: Any) -> bytes:
    """One field of a document. Raises what the encoder raises for values that BSON cannot hold."""
    return bson.encode({name: value}, codec_options=OPTIONS)[4:-1]


def decode(raw: bytes) -> dict[str, Any]:
    """A document as plain dicts: also where a jsonb value has the names of a DBRef."""
    document = bson.decode(raw, OPTIONS)
    return _plain(document) if b"$ref\x00" in raw else document


def _plain(value: Any) -> Any:
    if isinstance(value, DBRef):
        value = value.as_doc()
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value
