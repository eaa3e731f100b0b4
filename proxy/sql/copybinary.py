"""Rows of COPY data in binary format, as far as their keys go."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Sequence

from proxy.sql.copyrows import Key, Reader, Unreadable

_INT = {21: "!h", 23: "!i", 20: "!q"}
_TEXT_TYPES = frozenset({25, 1043})
_UUID = 2950
BINARY_TYPES = frozenset({*_INT, *_TEXT_TYPES, _UUID})
"""Oids of the types a key may have in binary format: int2, int4, int8, text, varchar, uuid."""

_SIGNATURE = b"PGCOPY\n\xff\r\n\0"
_HAS_OIDS = 1 << 16


class BinaryRows(Reader):
    def __init__(self, positions: Sequence[int], types: Sequence[int], codec: str) -> None:
        self._types = dict(zip(positions, types, strict=True))
        self._positions = tuple(positions)
        self._codec = codec
        self._rest = b""
        self._begun = False
        self._ended = False

    @property
    def kept(self) -> int:  # type: ignore[override]
        return len(self._rest)

    def feed(self, payload: bytes) -> list[Key]:
        if self._ended:
            return []
        self._rest += payload
        at = 0
        keys = []
        try:
            if not self._begun:
                at = self._header()
                self._begun = True
            while not self._ended:
                at, key = self._tuple(at)
                if key is not None:
                    keys.append(key)
        except _Incomplete:
            pass
        self._rest = self._rest[at:]
        return keys

    def finish(self) -> list[Key]:
        if self._rest and not self._ended:
            raise Unreadable("binary data that stops within a row")
        return []

    def _header(self) -> int:
        if self._get(0, len(_SIGNATURE)) != _SIGNATURE:
            raise Unreadable("binary data without its signature")
        flags, extension = struct.unpack("!II", self._get(len(_SIGNATURE), 8))
        if flags & _HAS_OIDS:
            raise Unreadable("binary data with oids")
        end = len(_SIGNATURE) + 8 + extension
        self._get(end, 0)
        return int(end)

    def _tuple(self, at: int) -> tuple[int, Key | None]:
        (count,) = struct.unpack("!h", self._get(at, 2))
        at += 2
        if count < 0:
            self._ended = True
            return at, None
        found: dict[int, str] = {}
        for position in range(count):
            (length,) = struct.unpack("!i", self._get(at, 4))
            at += 4
            if length < 0:
                continue
            data = self._get(at, length)
            at += length
            if position in self._types:
                found[position] = self._text(self._types[position], data)
        try:
            return at, tuple([found[position] for position in self._positions])
        except KeyError:
            raise Unreadable("a key that is NULL in the data") from None

    def _text(self, type_: int, data: bytes) -> str:
        try:
            if type_ in _INT:
                return str(struct.unpack(_INT[type_], data)[0])
            if type_ == _UUID:
                return str(uuid.UUID(bytes=data))
        except (struct.error, ValueError):
            raise Unreadable("a key of another length than its type has") from None
        return data.decode(self._codec)

    def _get(self, at: int, length: int) -> bytes:
        if at + length > len(self._rest):
            raise _Incomplete
        return self._rest[at : at + length]


class _Incomplete(Exception):
    """The rest of it has not come yet."""
