"""A client's stream cut into whole messages, for a session that may have to change one before it goes on.

A message longer than `cap` is not collected: it is handed on in the pieces it comes in.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from proxy.wire.framing import MAX_MESSAGE_LENGTH

_HEADER: Final = Struct("!BI").unpack_from
"""Type and length, the length itself included."""

PIECE: Final = -1
"""The kind under which a further piece of a message that is not collected is reported."""


class Splitter:
    """Cuts one direction of a stream of typed messages."""

    __slots__ = ("_held", "_left", "_need", "broken", "cap")

    def __init__(self, cap: int) -> None:
        self.cap = cap
        """Bytes, header included, up to which a message is collected."""
        self._held = bytearray()
        """The beginning of a message that is not whole yet."""
        self._need = 0
        """Bytes at which `_held` is worth looking at again."""
        self._left = 0
        """Bytes still to come of a message that is handed on in pieces."""
        self.broken = False
        """Whether an impossible length was met: everything is reported as PIECE from then on."""

    @property
    def at_boundary(self) -> bool:
        """Whether the stream, as far as it was seen, ends with a whole message."""
        return not self._held and not self._left and not self.broken

    def feed(self, data: bytes) -> list[tuple[int, bytes, bool]]:
        """(kind, bytes with header, whether it is the whole message) of everything that `data` completes."""
        found: list[tuple[int, bytes, bool]] = []
        if self.broken:
            return [(PIECE, data, False)]
        if self._left:
            piece = data[: self._left]
            self._left -= len(piece)
            found.append((PIECE, piece, False))
            data = data[len(piece) :]
        if self._held:
            self._held += data
            if len(self._held) < self._need:
                return found
            data = bytes(self._held)
            self._held.clear()
        position, size = 0, len(data)
        while size - position >= 5:
            kind, length = _HEADER(data, position)
            end = position + 1 + length
            if not 4 <= length <= MAX_MESSAGE_LENGTH:
                self.broken = True
                found.append((PIECE, data[position:], False))
                return found
            if end <= size:
                found.append((kind, data[position:end], True))
                position = end
                continue
            if length + 1 > self.cap:
                self._left = end - size
                found.append((kind, data[position:], False))
                return found
            self._need = length + 1
            self._held += data[position:]
            return found
        if position < size:
            self._held += data[position:]
            self._need = 5
        return found
