"""String functions as PostgreSQL has them. Values are str; characters are code points. Manual: 9.4, 9.7."""

from __future__ import annotations

import re
from functools import lru_cache

from proxy.translate.api import Inexact, ReadError, Unsupported
from proxy.translate.values import Collation

_LARGEST = 16 * 1024 * 1024
"""Characters a function may give here."""


def _bounded(length: int) -> None:
    if length > _LARGEST:
        raise Inexact("a string of more than 16 million characters")


_LETTERS = (
    *range(0xC0, 0x130), *range(0x132, 0x149), *range(0x14A, 0x178), 0x178, *range(0x179, 0x17F),
    *range(0x391, 0x3AA), *range(0x3B1, 0x3CA), *range(0x400, 0x460),
)  # fmt: skip
"""Beyond ASCII: letters whose case every C library and Python change alike."""
_ODD = frozenset("ßŸÿ×÷ıİŉſµ")
_LOWER = {code: chr(code).lower() for code in _LETTERS if chr(code) not in _ODD}
_UPPER = {code: chr(code).upper() for code in _LETTERS if chr(code) not in _ODD}


def _folded(value: str, lower: bool) -> str:
    parts = []
    table = _LOWER if lower else _UPPER
    for char in value:
        if char < "\x80":
            parts.append(char.lower() if lower else char.upper())
            continue
        changed = table.get(ord(char))
        if changed is None:
            if char.lower() != char or char.upper() != char:
                raise Inexact("the case of a letter that locales may treat differently")
            changed = char
        parts.append(changed)
    return "".join(parts)


def _ascii(value: str, lower: bool) -> str:
    first, last, step = ("A", "Z", 32) if lower else ("a", "z", -32)
    return "".join(chr(ord(char) + step) if first <= char <= last else char for char in value)


class Case:
    """lower and upper in one collation. Unsupported where its rules are not known."""

    def __init__(self, collation: Collation | None) -> None:
        if collation is None or collation.ctype not in ("c", "utf8"):
            raise Unsupported("upper and lower case in a locale that is not known")
        self._ascii = collation.ctype == "c"

    def lower(self, value: str) -> str:
        if value.isascii():
            return value.lower()
        return _ascii(value, True) if self._ascii else _folded(value, True)

    def upper(self, value: str) -> str:
        if value.isascii():
            return value.upper()
        return _ascii(value, False) if self._ascii else _folded(value, False)

    def initcap(self, value: str) -> str:
        if not value.isascii():
            raise Inexact("initcap beyond ASCII")
        return re.sub(r"[A-Za-z0-9]+", lambda match: match[0][0].upper() + match[0][1:].lower(), value)


@lru_cache(maxsize=1024)
def like_regex(pattern: str) -> str:
    """The regular expression of a LIKE pattern, to be matched from the beginning to the end, `.` being any character.

    Inexact for a pattern that ends with the escape character: whether that is an error depends on the string."""
    parts: list[str] = []
    position = 0
    while position < len(pattern):
        char = pattern[position]
        if char == "\\":
            position += 1
            if position == len(pattern):
                raise Inexact("a LIKE pattern that ends with its escape character")
            parts.append(re.escape(pattern[position]))
        elif char == "%":
            if not parts or parts[-1] != ".*":
                parts.append(".*")
        elif char == "_":
            parts.append(".")
        else:
            parts.append(re.escape(char))
        position += 1
    return "".join(parts)


@lru_cache(maxsize=1024)
def _pieces(pattern: str) -> tuple[tuple[re.Pattern[str], ...], int]:
    """What stands between the `%` of a LIKE pattern: each matches texts of one length, which is given of the last."""
    pieces = like_regex(pattern).split(".*")
    size = len(re.sub(r"\\.", "x", pieces[-1], flags=re.DOTALL))
    return tuple(re.compile(piece, re.DOTALL) for piece in pieces), size


def like(value: str, pattern: str) -> bool:
    """Each piece where it is found first: what is behind it has the most room so. No way is tried twice, however many
    pieces there are."""
    (first, *others), size = _pieces(pattern)
    if not others:
        return first.fullmatch(value) is not None
    found = first.match(value)
    for piece in others[:-1]:
        if found is None:
            return False
        found = piece.search(value, found.end())
    start = len(value) - size
    return found is not None and start >= found.end() and others[-1].fullmatch(value, start) is not None


def like_escape(pattern: str, escape: str) -> str:
    """The same pattern with a backslash as its escape character."""
    if len(escape) > 1:
        raise ReadError("22025", "invalid escape string")
    if escape == "\\":
        return pattern
    parts: list[str] = []
    position = 0
    while position < len(pattern):
        char = pattern[position]
        if char == escape:
            position += 1
            parts.append("\\" + pattern[position : position + 1])
        elif char == "\\":
            parts.append("\\\\")
        else:
            parts.append(char)
        position += 1
    return "".join(parts)


def substring(value: str, start: int, count: int | None = None) -> str:
    if count is not None and count < 0:
        raise ReadError("22011", "negative substring length not allowed")
    end = len(value) + 1 if count is None else start + count
    return value[max(start, 1) - 1 : max(end - 1, 0)]


def left(value: str, count: int) -> str:
    return value[:count] if count >= 0 else value[: max(len(value) + count, 0)]


def right(value: str, count: int) -> str:
    if count >= 0:
        return value[max(len(value) - count, 0) :]
    return value[-count:]


def pad(value: str, length: int, fill: str, at_left: bool) -> str:
    length = max(length, 0)
    _bounded(length)
    if len(value) >= length:
        return value[:length]
    if not fill:
        return value
    missing = length - len(value)
    filling = (fill * (missing // len(fill) + 1))[:missing]
    return filling + value if at_left else value + filling


def repeat(value: str, count: int) -> str:
    _bounded(len(value) * max(count, 0))
    return value * max(count, 0)


def replace(value: str, old: str, new: str) -> str:
    return value.replace(old, new) if old else value


def split_part(value: str, delimiter: str, number: int) -> str:
    if number == 0:
        raise ReadError("22023", "field position must not be zero")
    if number < 0:
        raise Inexact("split_part from the end")
    parts = value.split(delimiter) if delimiter else [value]
    if not value:
        return ""
    return parts[number - 1] if number <= len(parts) else ""


def translate(value: str, old: str, new: str) -> str:
    table: dict[int, str | None] = {}
    for place, char in enumerate(old):
        table.setdefault(ord(char), new[place] if place < len(new) else None)
    return value.translate(table)


def trim(value: str, chars: str, where: str) -> str:
    if where == "both":
        return value.strip(chars) if chars else value
    if not chars:
        return value
    return value.lstrip(chars) if where == "left" else value.rstrip(chars)


def ascii_code(value: str) -> int:
    return ord(value[0]) if value else 0


def character(code: int) -> str:
    if code == 0:
        raise ReadError("54000", "null character not permitted")
    if code < 0 or code > 0x10FFFF or 0xD800 <= code < 0xE000:
        raise ReadError("54000", "requested character not valid for encoding")
    return chr(code)
