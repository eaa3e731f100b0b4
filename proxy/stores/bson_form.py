"""How documents are written to BSON and read back, the same for everything that meets the store."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Any, Final

import bson
from bson import CodecOptions, DBRef
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
