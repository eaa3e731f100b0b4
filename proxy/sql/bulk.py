"""Long lists of rows made short: `VALUES (1, 'a'), (2, 'b'), (3, 'c'), ...` says no more than its first two rows.

What a statement writes does not depend on how many rows of constants stand in it, but to parse each of them costs
some 20 µs, and every number of rows would be another shape.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from proxy.sql.shapes import Pieces, is_certain, marked, widths_of

_ITEM = r"(?:-[ \t\n\r\f\v]*+)?+(?:\0|NULL\b|DEFAULT\b|TRUE\b|FALSE\b)(?:::[A-Za-z0-9_]++)?+"
_S = r"[ \t\n\r\f\v]*+"
_ROW = rf"{_S},{_S}\({_S}{_ITEM}{_S}(?:,{_S}{_ITEM}{_S})*+\)"
_ROWS = re.compile(rf"(?<=\)){_ROW}((?:{_ROW})++)", re.IGNORECASE | re.ASCII)
"""Behind a row: another one that stays, then those that go. Constants are zero bytes, quoted names 0x01."""


class Cut(NamedTuple):
    """What was taken out."""

    offset: int
    """In the text that is left."""
    length: int


class Abridged(NamedTuple):
    """A text without most of its rows."""

    text: str
    cuts: tuple[Cut, ...]

    def original(self, offset: int) -> int:
        """Where `offset` of the text that is left stands in the whole one: at a cut, behind what was there."""
        return offset + sum(cut.length for cut in self.cuts if cut.offset <= offset)


def abridged(text: str, pieces: Pieces) -> Abridged | None:
    """None where nothing can be left out with certainty."""
    if not is_certain(pieces):
        return None
    skeleton = marked(pieces)
    found = list(_ROWS.finditer(skeleton))
    if not found:
        return None
    widths = widths_of(pieces)
    kept = []
    cuts = []
    at = marks_before = position = left = 0
    for match in found:
        begin, end = match.span(1)
        for edge, goes in ((begin, False), (end, True)):
            stretch = skeleton[at:edge]
            count = stretch.count("\0") + stretch.count("\1")
            width = len(stretch) - count + sum(widths[marks_before : marks_before + count])
            if goes:
                cuts.append(Cut(left, width))
            else:
                kept.append(text[position : position + width])
                left += width
            at = edge
            marks_before += count
            position += width
    kept.append(text[position:])
    return Abridged("".join(kept), tuple(cuts))
