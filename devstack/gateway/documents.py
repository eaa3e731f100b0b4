"""Reading and writing BSON without touching what need not be touched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import bson
from bson.codec_options import DatetimeConversion
from bson.raw_bson import DEFAULT_RAW_BSON_OPTIONS, RawBSONDocument

from devstack.gateway import error_codes
from devstack.gateway.errors import CommandError

_RAW = DEFAULT_RAW_BSON_OPTIONS.with_options(datetime_conversion=DatetimeConversion.DATETIME_MS)


def lazy(data: bytes) -> RawBSONDocument:
    """A document whose top level is decoded on demand and whose sub-documents stay bytes."""
    try:
        document = RawBSONDocument(data, _RAW)
        len(document)
    except bson.errors.InvalidBSON as error:
        raise CommandError(22, f"invalid BSON: {error}") from error
    return document


def decode(data: bytes) -> dict[str, Any]:
    """A reply of DocumentDB, fully decoded; times stay integers."""
    return bson.decode(data, bson.CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS))


def encode(document: Mapping[str, Any]) -> bytes:
    return bson.encode(document)


def string(command: Mapping[str, Any], field: str) -> str:
    """A field that must be a non-empty string."""
    value = command.get(field)
    if not isinstance(value, str):
        raise CommandError(
            error_codes.TYPE_MISMATCH,
            f"BSON field '{field}' is the wrong type '{_type_name(value)}', expected type 'string'",
        )
    if not value:
        raise CommandError(error_codes.INVALID_NAMESPACE, f"Invalid namespace: '{field}' is empty")
    return value


def integer(value: Any, field: str) -> int:
    """A whole number of any BSON number type."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise CommandError(
            error_codes.TYPE_MISMATCH,
            f"BSON field '{field}' is the wrong type '{_type_name(value)}', expected a whole number",
        )
    return int(value)


def at_path(document: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path, or None as MongoDB indexes a missing one."""
    value: Any = document
    for name in path.split("."):
        if isinstance(value, Mapping) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value


_TYPE_NAMES: Mapping[type, str] = {
    bool: "bool",
    int: "int",
    bson.Int64: "long",
    float: "double",
    str: "string",
    list: "array",
    type(None): "missing",
}


def _type_name(value: object) -> str:
    if isinstance(value, Mapping):
        return "object"
    return _TYPE_NAMES.get(type(value), type(value).__name__)
