"""Values of bound parameters as text, where their format and type allow it without asking the server."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable, Sequence

_INTEGERS = {21: 2, 23: 4, 20: 8}
"""oid of int2, int4 and int8 -> bytes."""
_TEXTS = frozenset({25, 1043, 1042, 19})
"""text, varchar, char(n), name."""
_UUID = 2950


def parameter_text(
    parameters: Sequence[tuple[int, bytes | None]],
    number: int,
    types: bytes,
    column_oid: int = 0,
    text: Callable[[bytes], str] | None = None,
) -> str | None:
    """Parameter `$number`, compared with a column, as the column's text; None where it is NULL or cannot be told.

    `parameters` are (format, value) pairs; `types` is the tail of the statement's Parse: a count and the type oids. A
    parameter without a type has that of the column it is compared with (manual, 10.2 "Operators"), `column_oid`,
    whose values in binary `text` can read.
    """
    if not 0 < number <= len(parameters):
        return None
    code, value = parameters[number - 1]
    if value is None:
        return None
    if code == 0:
        return _utf8(value)
    place = 2 + 4 * (number - 1)
    declared = (
        int.from_bytes(types[place : place + 4], "big") if int.from_bytes(types[:2], "big") >= number else 0
    )
    oid = declared or column_oid
    if text is not None and oid == column_oid:
        try:
            return text(value)
        except (ValueError, struct.error):
            return None
    if _INTEGERS.get(oid) == len(value):
        return str(int.from_bytes(value, "big", signed=True))
    if oid in _TEXTS:
        return _utf8(value)
    if oid == _UUID and len(value) == 16:
        return str(uuid.UUID(bytes=value))
    return None


def _utf8(value: bytes) -> str | None:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return None
