"""Character types, bytea and uuid.

Text arrives in the client encoding of the session that wrote it, so a codec is made for one encoding; whoever
captures must see to it that this is UTF8 or the server's own, else PostgreSQL may fail to convert the row.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from bson.binary import UUID_SUBTYPE, Binary

from proxy.documents.codec import Codec, Foreign, KeyParts, Unfit, identity, text_codec

BPCHAR_HEADER = 4
"""By how much the type modifier is larger than n of char(n)."""


@lru_cache(maxsize=64)
def reader(encoding: str) -> Callable[[bytes], str]:
    """Bytes of a text, in an encoding as Python names it, to the text."""

    def read(raw: bytes) -> str:
        try:
            return str(raw, encoding)
        except UnicodeDecodeError:
            raise Unfit(f"the text is not valid {encoding}") from None

    return read


def _native(encoding: str, kind: str) -> str:
    return kind if encoding == "utf-8" else ""


@lru_cache(maxsize=64)
def text_like(encoding: str) -> Codec:
    """text, varchar, name, enums, citext, json and whatever else sends its text."""
    return text_codec(reader(encoding), native=_native(encoding, "text"))


@lru_cache(maxsize=64)
def json_text(encoding: str) -> Codec:
    """json: kept as it was written; no key, as the type has no equality."""
    return text_codec(reader(encoding), keyed=False, native=_native(encoding, "text"))


@lru_cache(maxsize=64)
def versioned(encoding: str) -> Codec:
    """jsonpath, ltree, lquery: a version byte and the text."""
    read = reader(encoding)

    def out(raw: bytes) -> str:
        if raw[:1] != b"\1":
            raise Unfit("the binary form of this type has another version")
        return read(raw[1:])

    return text_codec(out)


@lru_cache(maxsize=256)
def bpchar(encoding: str, length: int | None) -> Codec:
    """char(n): without its padding. `length` is n; None for bpchar without one, whose spaces are kept but in a key."""
    read = reader(encoding)
    if length is None:
        return text_codec(read, key=_unpadded_key, native=_native(encoding, "text"))

    def decode(raw: bytes) -> str:
        return read(raw).rstrip(" ")

    def text(value: Any) -> str:
        if isinstance(value, str):
            return value.ljust(length)
        raise Foreign("not a string")

    return Codec(decode, read, lambda given: given.rstrip(" "), text, native=_native(encoding, "padded"))


def _unpadded_key(value: str) -> KeyParts:
    bare = value.rstrip(" ")
    return bare, bare, None if bare == value else value


def _char(raw: bytes) -> str:
    if raw == b"\0":
        return ""
    return chr(raw[0]) if raw[0] < 128 else f"\\{raw[0]:03o}"


CHAR = text_codec(_char)
"""The type "char": one byte; above 127 in octal, as PostgreSQL 16 and later write it."""


def _bytea_out(raw: bytes) -> str:
    return "\\x" + raw.hex()


def _parse_bytea(text: str) -> bytes:
    if not text.startswith("\\x"):
        raise ValueError("not in bytea's hex format")
    return bytes.fromhex(text[2:])


def _bytea_text(value: Any) -> str:
    if isinstance(value, bytes) and not (isinstance(value, Binary) and value.subtype != 0):
        return _bytea_out(value)
    raise Foreign("not binary data")


BYTEA = Codec(identity, _bytea_out, _parse_bytea, _bytea_text, native="bytea")


def _uuid(raw: bytes) -> Binary:
    return Binary(raw, UUID_SUBTYPE)


def _uuid_out(raw: bytes) -> str:
    digits = raw.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _uuid_text(value: Any) -> str:
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, Binary) and value.subtype == UUID_SUBTYPE and len(value) == 16:
        return _uuid_out(value)
    raise Foreign("not a UUID")


UUID = Codec(
    _uuid, _uuid_out, lambda text: Binary(uuid.UUID(text).bytes, UUID_SUBTYPE), _uuid_text, native="uuid"
)
