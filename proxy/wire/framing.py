"""The header walk: where messages begin and end in one direction of a stream, chunk by chunk.

This is the hot room of the byte path. A chunk has been forwarded before it is walked; the walk reads five bytes of
each message, skips the bodies nobody asked for without copying them and never allocates by a declared length.
`HeaderWalk` is the compiled twin (`_framing.c`) where it could be built, `PyHeaderWalk` otherwise; one test
suite holds for both.
"""

from __future__ import annotations

import os
from struct import Struct
from typing import TYPE_CHECKING, Final

MAX_MESSAGE_LENGTH: Final = 0x3FFFFFFF
"""The largest length Postgres accepts in a header (MaxAllocSize, 1 GiB - 1); lengths count themselves."""

Found = tuple[int, bytes]
"""A message asked for: its type byte and its body, cut off at the walk's cap."""

_SKIP, _TYPE, _BODY = 0, 1, 2


class PyHeaderWalk:
    """Walks one direction of a stream of typed messages.

    `types` are reported with an empty body as soon as their header is complete, `bodies` with their body once it is
    complete, in the order of the stream. A body longer than `cap` bytes is reported with its first `cap` bytes.
    """

    __slots__ = ("_body", "_header", "_kind", "_left", "_want", "broken", "cap", "messages")

    def __init__(self, types: bytes, bodies: bytes, cap: int) -> None:
        want = bytearray(256)
        for kind in types:
            want[kind] = _TYPE
        for kind in bodies:
            want[kind] = _BODY
        self._want = bytes(want)
        self.cap = cap
        self._header = b""
        self._left = 0
        self._kind = 0
        self._body: bytearray | None = None
        self.broken = False
        """Whether a length below 4 or above MAX_MESSAGE_LENGTH was met: from then on nothing is found any more."""
        self.messages = 0
        """Headers read since the start."""

    @property
    def at_boundary(self) -> bool:
        """Whether the stream, as far as it was seen, ends with a whole message."""
        return not self._left and not self._header and not self.broken

    def feed(self, data: bytes) -> list[Found] | None:
        """Walks `data`, which continues what was fed before; None where nothing asked for was found."""
        if self.broken:
            return None
        found: list[Found] | None = None
        size = len(data)
        position = 0
        if self._left:
            position = min(self._left, size)
            body = self._body
            if body is not None and len(body) < self.cap:
                body += data[: min(position, self.cap - len(body))]
            self._left -= position
            if self._left:
                return None
            if body is not None:
                found = [(self._kind, bytes(body))]
                self._body = None
        if self._header:
            data = self._header + data[position:]
            self._header = b""
            size = len(data)
            position = 0
        want = self._want
        while size - position >= 5:
            kind = data[position]
            length = int.from_bytes(data[position + 1 : position + 5], "big")
            if not 4 <= length <= MAX_MESSAGE_LENGTH:
                self.broken = True
                return found
            self.messages += 1
            end = position + 1 + length
            wanted = want[kind]
            if wanted:
                if found is None:
                    found = []
                if wanted == _TYPE:
                    found.append((kind, b""))
                elif end <= size:
                    found.append((kind, data[position + 5 : min(end, position + 5 + self.cap)]))
                else:
                    self._kind = kind
                    self._body = bytearray(data[position + 5 : min(size, position + 5 + self.cap)])
            if end > size:
                self._left = end - size
                return found or None
            position = end
        if position < size:
            self._header = data[position:]
        return found or None


_HEADER: Final = Struct("!BI").unpack_from


def py_run_end(data: bytes, position: int) -> int:
    """Where the whole messages end that follow one another from `position` on and have the same type.

    `position` itself where the first is not whole, or has an impossible length.
    """
    size = len(data)
    if not 0 <= position < size:
        return position
    first = data[position]
    while size - position >= 5:
        kind, length = _HEADER(data, position)
        if kind != first or not 4 <= length <= min(MAX_MESSAGE_LENGTH, size - position - 1):
            break
        position += 1 + length
    return position


if TYPE_CHECKING:
    HeaderWalk = PyHeaderWalk
    run_end = py_run_end
    COMPILED: bool
else:
    try:
        if os.environ.get("CAUSEWAY_PURE_PYTHON") == "1":
            raise ImportError("CAUSEWAY_PURE_PYTHON=1")
        from proxy.wire._framing import HeaderWalk, run_end

        COMPILED = True
    except ImportError:
        HeaderWalk = PyHeaderWalk
        run_end = py_run_end
        COMPILED = False
