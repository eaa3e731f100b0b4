"""Effects as bytes, for the spool. The format's number is `FORMAT`; a spool of another format is not read."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator, Sequence

from proxy.mirror.effects import Cause, Effect, Image, Rows, TableId, Truncation, Unseen
from proxy.sql.model import Verb

FORMAT = 1

_HEAD = struct.Struct(">cI")
"""What it is, and how many bytes of it follow."""
_CODE = {Verb.INSERT: b"I", Verb.UPDATE: b"U", Verb.DELETE: b"D", Verb.MERGE: b"M"}
_VERB = {code: verb for verb, code in _CODE.items()}
_UNSEEN = b"?"
_TRUNCATION = b"T"


class Damaged(Exception):
    """Bytes that are no effects of this format."""


def pack(effects: Iterable[Effect]) -> bytes:
    pieces: list[bytes] = []
    for effect in effects:
        if isinstance(effect, Image):
            record = effect.record
            pieces += (_HEAD.pack(_CODE[effect.verb], len(record)), record)
        else:
            code, body = _described(effect)
            pieces += (_HEAD.pack(code, len(body)), body)
    return b"".join(pieces)


def unpack(data: bytes) -> list[Effect]:
    """What was packed. Raises Damaged."""
    return [_effect(code, body) for code, body in _pieces(data)]


def _pieces(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 0
    while position < len(data):
        if position + _HEAD.size > len(data):
            raise Damaged(f"{len(data) - position} bytes are left over")
        code, length = _HEAD.unpack_from(data, position)
        position += _HEAD.size
        body = data[position : position + length]
        if len(body) != length:
            raise Damaged(f"{length} bytes were announced, {len(body)} are there")
        position += length
        yield code, body


def _effect(code: bytes, body: bytes) -> Effect:
    verb = _VERB.get(code)
    if verb is not None:
        return Image(verb, body)
    try:
        value = json.loads(body)
        if code == _UNSEEN:
            cause, schema, name, columns, values, detail = value
            rows = None if columns is None else Rows(tuple(columns), tuple(map(tuple, values)))
            return Unseen(Cause(cause), TableId(schema, name), rows, detail)
        if code == _TRUNCATION:
            version, tables = value
            return Truncation(tuple(TableId(schema, name) for schema, name in tables), version)
    except (ValueError, TypeError) as error:
        raise Damaged(f"an entry of kind {code!r} cannot be read") from error
    raise Damaged(f"there is no effect of kind {code!r}")


def _described(effect: Unseen | Truncation) -> tuple[bytes, bytes]:
    value: Sequence[object]
    if isinstance(effect, Unseen):
        rows = effect.rows
        value = (
            effect.cause.value,
            effect.table.schema,
            effect.table.name,
            None if rows is None else rows.columns,
            None if rows is None else rows.values,
            effect.detail,
        )
        return _UNSEEN, json.dumps(value, separators=(",", ":")).encode()
    value = (effect.version, [(table.schema, table.name) for table in effect.tables])
    return _TRUNCATION, json.dumps(value, separators=(",", ":")).encode()
