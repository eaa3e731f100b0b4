"""Geometric types: as their text output. Binary: their numbers as float8, with a count where there are many.

No keys: equality is by area, or within a tolerance. Manual: 8.8.
"""

from __future__ import annotations

from struct import Struct

from proxy.documents.codec import text_codec
from proxy.documents.floats import float8_text

_POINT = Struct(">dd").unpack_from
_PATH = Struct(">?i").unpack_from
_COUNT = Struct(">i").unpack_from
_LINE = Struct(">ddd").unpack


def _point(raw: bytes, position: int = 0) -> str:
    x, y = _POINT(raw, position)
    return f"({float8_text(x)},{float8_text(y)})"


def _points(raw: bytes, position: int, count: int) -> str:
    return ",".join(_point(raw, position + 16 * number) for number in range(count))


def _path(raw: bytes) -> str:
    closed, count = _PATH(raw)
    points = _points(raw, 5, count)
    return f"({points})" if closed else f"[{points}]"


def _polygon(raw: bytes) -> str:
    return f"({_points(raw, 4, _COUNT(raw)[0])})"


def _line(raw: bytes) -> str:
    return f"{{{','.join(map(float8_text, _LINE(raw)))}}}"


def _circle(raw: bytes) -> str:
    return f"<{_point(raw)},{float8_text(_POINT(raw, 8)[1])}>"


POINT = text_codec(_point, keyed=False)
LSEG = text_codec(lambda raw: f"[{_points(raw, 0, 2)}]", keyed=False)
PATH = text_codec(_path, keyed=False)
BOX = text_codec(lambda raw: _points(raw, 0, 2), keyed=False)
POLYGON = text_codec(_polygon, keyed=False)
LINE = text_codec(_line, keyed=False)
CIRCLE = text_codec(_circle, keyed=False)
