"""When two `_id`s are one key to the store, so that its answers find their way back to what was asked."""

from __future__ import annotations

import uuid
from collections.abc import Hashable, Mapping
from datetime import UTC, datetime
from typing import Any

from bson import Binary, Decimal128
from bson.datetime_ms import DatetimeMS

_EPOCH = datetime(1970, 1, 1)


def identity(value: Any) -> Hashable:
    """Equal for the values that MongoDB's comparison calls equal: numbers across types, field order counts.

    https://www.mongodb.com/docs/manual/reference/bson-type-comparison-order/
    """
    kind = type(value)
    if kind is str or kind is int or value is None:
        return value  # type: ignore[no-any-return]
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, int | str):
        return value
    if isinstance(value, float):
        return value if value == value else ("nan",)
    if isinstance(value, Decimal128):
        decimal = value.to_decimal()
        return ("nan",) if decimal.is_nan() else decimal
    if isinstance(value, Binary):
        return ("binary", value.subtype, bytes(value))
    if isinstance(value, bytes):
        return ("binary", 0, value)
    if isinstance(value, uuid.UUID):
        return ("binary", 4, value.bytes)
    if isinstance(value, DatetimeMS):
        return ("date", int(value))
    if isinstance(value, datetime):
        naive = value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
        elapsed = naive - _EPOCH
        return ("date", elapsed.days * 86_400_000 + elapsed.seconds * 1000 + elapsed.microseconds // 1000)
    if isinstance(value, Mapping):
        return ("document", tuple((name, identity(item)) for name, item in value.items()))
    if isinstance(value, list | tuple):
        return ("array", tuple(map(identity, value)))
    return (kind.__name__, value)
