"""The shape of a text: what is left when its constants and comments are taken out.

Texts of one shape are the same statements with other constants in them. pg_query's fingerprint is no use for that:
it takes no notice of aliases and of digits in names. Where a text cannot be told apart into constants and the rest
with certainty (escapes, dollar quotes, line comments, nested comments, `E''`, `U&`, `B''`, ...) it has no shape.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

_WORD = r"\w$\x80-\U0010ffff"
"""Characters of identifiers: to PostgreSQL every one beyond ASCII is."""

_PIECES = re.compile(
    r"""(["'/0-9])(?:"""
    rf"""(?<=")(?<![{_WORD}&].)((?:[^"]++|"")*+")"""
    rf"""|(?<=')(?<![{_WORD}&].)((?:[^'\\]++|'')*+')"""
    r"|(?<=/)(\*(?:[^*/]++|\*(?!/)|/(?!\*))*+\*/)"
    rf"""|(?<=[0-9])(?<![{_WORD}."].)(?<![0-9.][eE][-+].)([0-9]*+(?:\.[0-9]++)?+)(?![{_WORD}."])"""
    ")",
    re.ASCII | re.DOTALL,
)
"""First character, then the rest of a quoted identifier | string | comment that holds no other | number.

It begins with a plain set of characters, for which the search skips what is of no interest at the speed of C.
"""
_GROUPS = 6
_FIRST, _IDENTIFIER, _STRING, _COMMENT, _NUMBER = range(1, _GROUPS)

Pieces = Sequence[str | None]

_UNCERTAIN = re.compile(r"""['"\\\x00]|--|/\*|\$(?![0-9])""")
"""What must not be left between the pieces."""

Key = tuple[object, ...]
"""Equal for texts of the same shape, and for those only."""


class Shape(NamedTuple):
    """A text taken apart: `between[0] piece between[1] piece ... between[n]`."""

    key: Key
    constants: tuple[str, ...]
    """Strings (quotes included), numbers and comments, in order: what `key` leaves out."""


def pieces_of(text: str) -> Pieces:
    """`text` taken apart: between, five groups of a piece, between, five groups, ..., between."""
    return _PIECES.split(text)


def key_of(pieces: Pieces) -> Key:
    """What is between, the quoted identifiers, and which kind each other piece is.

    Lengths tell where one part of it ends, so two texts of different shapes never have the same.
    """
    return (
        *pieces[::_GROUPS],
        *pieces[_IDENTIFIER::_GROUPS],
        *map(type, pieces[_STRING::_GROUPS]),
        *map(type, pieces[_COMMENT::_GROUPS]),
    )


def between_of(pieces: Pieces) -> list[str]:
    """What is between the pieces, before the first and behind the last."""
    return [part or "" for part in pieces[::_GROUPS]]


def widths_of(pieces: Pieces) -> list[int]:
    """Characters of each piece."""
    groups = (pieces[group::_GROUPS] for group in range(_IDENTIFIER, _GROUPS))
    return [1 + len(one or two or three or four or "") for one, two, three, four in zip(*groups, strict=True)]


def marked(pieces: Pieces) -> str:
    """The text with a zero byte for every constant and 0x01 for every quoted identifier."""
    between = between_of(pieces)
    names = pieces[_IDENTIFIER::_GROUPS]
    if not any(names):
        return "\0".join(between)
    marks = ["\0" if name is None else "\1" for name in names]
    return "".join(part + mark for part, mark in zip(between, [*marks, ""], strict=True))


def constant(pieces: Pieces, number: int) -> str:
    """The constant `number`, from 0; a quoted identifier counts as an empty one."""
    at = number * _GROUPS
    if pieces[at + _IDENTIFIER] is not None:
        return ""
    rest = pieces[at + _STRING] or pieces[at + _NUMBER] or pieces[at + _COMMENT] or ""
    return f"{pieces[at + _FIRST]}{rest}"


def constants_of(pieces: Pieces) -> list[str]:
    """All of them, in order."""
    return [constant(pieces, number) for number in range(len(pieces) // _GROUPS)]


def starts_of(pieces: Pieces) -> dict[int, int]:
    """Where each constant begins in the text -> its number."""
    starts = {}
    offset = 0
    for number in range(len(pieces) // _GROUPS):
        at = number * _GROUPS
        offset += len(pieces[at] or "")
        identifier = pieces[at + _IDENTIFIER]
        if identifier is not None:
            offset += 1 + len(identifier)
        else:
            starts[offset] = number
            offset += len(constant(pieces, number))
    return starts


def is_certain(pieces: Pieces) -> bool:
    """Whether the text was taken apart as PostgreSQL would have.

    Whatever leads the search astray stands, by itself, between the pieces before it does. Two strings with nothing
    but white space between them are one to PostgreSQL.
    """
    between = between_of(pieces)
    if _UNCERTAIN.search(" ".join(between)) is not None:
        return False
    strings = pieces[_STRING::_GROUPS]
    return not any(
        strings[index] is not None and strings[index + 1] is not None
        for index in [index for index, part in enumerate(between[1:-1]) if not part.strip()]
    )


def shape_of(text: str) -> Shape | None:
    """None where the shape of `text` is not certain."""
    pieces = pieces_of(text)
    if not is_certain(pieces):
        return None
    return Shape(key_of(pieces), tuple(constants_of(pieces)))
