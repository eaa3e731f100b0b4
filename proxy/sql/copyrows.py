"""Rows of COPY data in text and CSV format, as far as their keys go."""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence

from proxy.sql.model import CopyFrom

Key = tuple[str, ...]
"""One value for each column of the key."""

_TEXT_ROW = re.compile(r"[^\\\r\n]*+(?:\\.[^\\\r\n]*+)*+", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|(.))", re.DOTALL)
_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


class Unreadable(Exception):
    """Data whose keys cannot be told. Says nothing of its values."""


class Reader:
    """One format. `kept` is how much it holds of a row that is not complete."""

    kept = 0

    def feed(self, payload: bytes) -> list[Key]:
        raise NotImplementedError

    def finish(self) -> list[Key]:
        raise NotImplementedError


class _Lines(Reader):
    """What text and CSV have in common: rows end with \\n, \\r or \\r\\n where those are not data."""

    def __init__(self, copy: CopyFrom, positions: Sequence[int], codec: str) -> None:
        self._positions = tuple(positions)
        self._delimiter = copy.delimiter
        self._null = copy.null
        self._default = copy.default
        self._decode = codecs.getincrementaldecoder(codec)().decode
        self._rest = ""
        self._later: list[str] = []
        """What came after `_rest` without any end of line: not worth a look."""
        self._later_length = 0
        self._seen = 0
        """How much of `_rest` holds no end of a row."""
        self._header = copy.header
        self._ended = False

    @property
    def kept(self) -> int:  # type: ignore[override]
        return len(self._rest) + self._later_length

    def feed(self, payload: bytes) -> list[Key]:
        text = self._decode(payload)
        self._later.append(text)
        if "\n" not in text and "\r" not in text and not self._rest.endswith("\r"):
            self._later_length += len(text)
            return []
        return self._take(final=False)

    def finish(self) -> list[Key]:
        self._later.append(self._decode(b"", True))
        keys = self._take(final=True)
        if self._rest and not self._ended:
            rest, self._rest = self._rest, ""
            keys += self._row(rest)
        return keys

    def _take(self, *, final: bool) -> list[Key]:
        text = "".join(self._later)
        self._later.clear()
        self._later_length = 0
        if self._ended:
            return []
        self._rest += text
        keys: list[Key] = []
        begin = 0
        while not self._ended:
            end = self._end_of_row()
            if end is None:
                break
            next_ = end + 1
            if self._rest[end] == "\r":
                if next_ == len(self._rest) and not final:
                    self._seen = end
                    break
                if self._rest[next_ : next_ + 1] == "\n":
                    next_ += 1
            keys += self._row(self._rest[begin:end])
            begin = self._seen = next_
        self._rest = self._rest[begin:] if not self._ended else ""
        self._seen -= begin
        return keys

    def _row(self, line: str) -> list[Key]:
        if self._header:
            self._header = False
            return []
        if line == "\\.":
            self._end_marker()
            return []
        return [self._key(line)]

    def _picked(self, fields: Sequence[str | None]) -> Key:
        try:
            key = tuple([fields[position] for position in self._positions])
        except IndexError:
            raise Unreadable("a row with fewer columns than expected") from None
        if None in key:
            raise Unreadable("a key that is NULL or a default in the data")
        return key  # type: ignore[return-value]

    def _end_of_row(self) -> int | None:
        """From `_seen` on; None if the row is not complete, `_seen` being moved as far as is certain."""
        raise NotImplementedError

    def _end_marker(self) -> None:
        raise NotImplementedError

    def _key(self, line: str) -> Key:
        raise NotImplementedError


class TextRows(_Lines):
    def __init__(self, copy: CopyFrom, positions: Sequence[int], codec: str) -> None:
        super().__init__(copy, positions, codec)
        delimiter = re.escape(self._delimiter)
        self._field = re.compile(rf"((?:[^\\{delimiter}]++|\\.)*+)(?:{delimiter}|\Z)", re.DOTALL)

    def _end_of_row(self) -> int | None:
        match = _TEXT_ROW.match(self._rest, self._seen)
        assert match is not None
        end = match.end()
        if end < len(self._rest) and self._rest[end] != "\\":
            return end
        self._seen = end
        return None

    def _end_marker(self) -> None:
        self._ended = True

    def _key(self, line: str) -> Key:
        if line.endswith("\\."):
            raise Unreadable("an end marker behind a row")
        last = max(self._positions, default=0)
        fields: list[str | None] = []
        at = 0
        while len(fields) <= last:
            match = self._field.match(line, at)
            if match is None:
                raise Unreadable("a row that ends in a backslash")
            raw = match[1]
            if raw == self._null or raw == self._default:
                fields.append(None)
            else:
                wanted = len(fields) in self._positions and "\\" in raw
                fields.append(_ESCAPE.sub(self._unescape, raw) if wanted else raw)
            if match.end() == match.end(1):
                break
            at = match.end()
        return self._picked(fields)

    def _unescape(self, match: re.Match[str]) -> str:
        octal, hexadecimal, char = match.groups()
        if char is not None:
            return _LETTERS.get(char, char)
        code = int(octal, 8) & 0xFF if octal is not None else int(hexadecimal, 16)
        if code > 0x7F:
            raise Unreadable("a character of a key written as its bytes")
        return chr(code)


class CsvRows(_Lines):
    def __init__(self, copy: CopyFrom, positions: Sequence[int], codec: str) -> None:
        super().__init__(copy, positions, codec)
        quote, escape = re.escape(copy.quote), re.escape(copy.escape)
        quoted = (
            rf"{quote}[^{quote}]*+{quote}"
            if copy.quote == copy.escape
            else rf"{quote}(?:[^{quote}{escape}]++|{escape}.)*+{quote}"
        )
        self._end = re.compile(rf"[^{quote}\r\n]*+(?:{quoted}[^{quote}\r\n]*+)*+", re.DOTALL)
        self._quote, self._escape = copy.quote, copy.escape

    def _end_of_row(self) -> int | None:
        match = self._end.match(self._rest, self._seen)
        assert match is not None
        end = match.end()
        if end < len(self._rest) and self._rest[end] != self._quote:
            return end
        return None

    def _end_marker(self) -> None:
        """The end of the data before PostgreSQL 18, a row since."""
        raise Unreadable("an end marker in CSV data")

    def _key(self, line: str) -> Key:
        fields: list[str | None] = []
        parts: list[str] = []
        begin = at = 0
        seen_quote = False
        quoted = False
        while True:
            char = line[at : at + 1]
            if quoted:
                following = line[at + 1 : at + 2]
                if not char:
                    raise Unreadable("a quoted value that does not end")
                if char == self._escape and following and following in (self._escape, self._quote):
                    parts.append(following)
                    at += 1
                elif char == self._quote:
                    quoted = False
                else:
                    parts.append(char)
            elif char == self._delimiter or not char:
                raw = line[begin:at]
                fields.append(
                    None if not seen_quote and raw in (self._null, self._default) else "".join(parts)
                )
                if not char:
                    return self._picked(fields)
                parts = []
                begin = at + 1
                seen_quote = False
            elif char == self._quote:
                quoted = seen_quote = True
            else:
                parts.append(char)
            at += 1
