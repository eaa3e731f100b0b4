"""The keys of the rows in COPY data, so that they can be read again. PostgreSQL manual, COPY, "File Formats"."""

from __future__ import annotations

import codecs
import re
import struct
import uuid
from collections.abc import Callable, Sequence

from proxy.sql.model import CopyFrom

DEFAULT_MAX_RECORD = 1 << 20
"""Characters (bytes in binary format) of one row that are kept while its end has not come."""

Key = tuple[str, ...]

_INT = {21: "!h", 23: "!i", 20: "!q"}
_TEXT_TYPES = frozenset({25, 1043})
_UUID = 2950
BINARY_TYPES = frozenset({*_INT, *_TEXT_TYPES, _UUID})
"""Oids of the types a key may have in binary format: int2, int4, int8, text, varchar, uuid."""

_TEXT_ROW = re.compile(r"[^\\\r\n]*+(?:\\.[^\\\r\n]*+)*+", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|(.))", re.DOTALL)
_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}

_SIGNATURE = b"PGCOPY\n\xff\r\n\0"
_HAS_OIDS = 1 << 16


class CopyKeys:
    """Reads CopyData as it passes by. What it cannot read it gives up on, for good: `failure` says why."""

    def __init__(
        self,
        copy: CopyFrom,
        positions: Sequence[int],
        *,
        types: Sequence[int] = (),
        encoding: str | None = "utf_8",
        max_rows: int,
        max_record: int = DEFAULT_MAX_RECORD,
    ) -> None:
        """`positions`: of the key's columns among those of the data, from 0; empty where it does not hold them all.
        `types`: their oids, for binary format.

        `encoding`: Python's name of the session's client_encoding, None where Python has none; the statement's own
        ENCODING goes before it.
        """
        self.keys: list[Key] = []
        """In order of the data, as it writes them: not always as PostgreSQL would."""
        self.failure: str | None = None
        """Why `keys` is not all keys; `keys` is empty then."""
        self._max_rows = max_rows
        self._max_record = max_record
        codec = _codec(copy.encoding) if copy.encoding is not None else encoding
        self._reader: _Reader | None = None
        if not positions:
            self._fail("the data does not hold the key")
        elif codec is None:
            self._fail("the encoding of the data is not known")
        elif copy.format == "binary":
            if len(types) != len(positions) or not BINARY_TYPES.issuperset(types):
                self._fail(
                    "binary data whose key is of another type than int2, int4, int8, text, varchar and uuid"
                )
            else:
                self._reader = _Binary(positions, types, codec)
        elif (
            copy.format in ("text", "csv") and len(copy.delimiter) == len(copy.quote) == len(copy.escape) == 1
        ):
            self._reader = (_Csv if copy.format == "csv" else _Text)(copy, positions, codec)
        else:
            self._fail("data of a format that is not known")

    def feed(self, payload: bytes) -> None:
        """The payload of one CopyData message; rows may begin and end anywhere in it."""
        self._run(lambda reader: reader.feed(payload))

    def finish(self) -> list[Key] | None:
        """CopyDone has come (not CopyFail): the keys of all rows, or None with the reason in `failure`."""
        self._run(lambda reader: reader.finish())
        self._reader = None
        return self.keys if self.failure is None else None

    def _run(self, step: Callable[[_Reader], list[Key]]) -> None:
        if self._reader is None:
            return
        try:
            self.keys += step(self._reader)
        except Unreadable as error:
            self._fail(str(error))
        except UnicodeError:
            self._fail("data that is not of its encoding")
        else:
            if len(self.keys) > self._max_rows:
                self._fail(f"more than {self._max_rows} rows")
            elif self._reader.kept > self._max_record:
                self._fail(f"a row longer than {self._max_record}")

    def _fail(self, reason: str) -> None:
        self.failure = reason
        self.keys = []
        self._reader = None


def _codec(encoding: str) -> str | None:
    """The codec of an ENCODING option, of those whose name is the same in Python."""
    try:
        b"x".decode(encoding)
    except LookupError:
        return None
    return encoding


class Unreadable(Exception):
    """Data whose keys cannot be told. Says nothing of its values."""


class _Reader:
    """One format. `kept` is how much it holds of a row that is not complete."""

    kept = 0

    def feed(self, payload: bytes) -> list[Key]:
        raise NotImplementedError

    def finish(self) -> list[Key]:
        raise NotImplementedError


class _Lines(_Reader):
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


class _Text(_Lines):
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


class _Csv(_Lines):
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


class _Binary(_Reader):
    def __init__(self, positions: Sequence[int], types: Sequence[int], codec: str) -> None:
        self._types = dict(zip(positions, types, strict=True))
        self._positions = tuple(positions)
        self._codec = codec
        self._rest = b""
        self._begun = False
        self._ended = False

    @property
    def kept(self) -> int:  # type: ignore[override]
        return len(self._rest)

    def feed(self, payload: bytes) -> list[Key]:
        if self._ended:
            return []
        self._rest += payload
        at = 0
        keys = []
        try:
            if not self._begun:
                at = self._header()
                self._begun = True
            while not self._ended:
                at, key = self._tuple(at)
                if key is not None:
                    keys.append(key)
        except _Incomplete:
            pass
        self._rest = self._rest[at:]
        return keys

    def finish(self) -> list[Key]:
        if self._rest and not self._ended:
            raise Unreadable("binary data that stops within a row")
        return []

    def _header(self) -> int:
        if self._get(0, len(_SIGNATURE)) != _SIGNATURE:
            raise Unreadable("binary data without its signature")
        flags, extension = struct.unpack("!II", self._get(len(_SIGNATURE), 8))
        if flags & _HAS_OIDS:
            raise Unreadable("binary data with oids")
        end = len(_SIGNATURE) + 8 + extension
        self._get(end, 0)
        return int(end)

    def _tuple(self, at: int) -> tuple[int, Key | None]:
        (count,) = struct.unpack("!h", self._get(at, 2))
        at += 2
        if count < 0:
            self._ended = True
            return at, None
        found: dict[int, str] = {}
        for position in range(count):
            (length,) = struct.unpack("!i", self._get(at, 4))
            at += 4
            if length < 0:
                continue
            data = self._get(at, length)
            at += length
            if position in self._types:
                found[position] = self._text(self._types[position], data)
        try:
            return at, tuple([found[position] for position in self._positions])
        except KeyError:
            raise Unreadable("a key that is NULL in the data") from None

    def _text(self, type_: int, data: bytes) -> str:
        try:
            if type_ in _INT:
                return str(struct.unpack(_INT[type_], data)[0])
            if type_ == _UUID:
                return str(uuid.UUID(bytes=data))
        except (struct.error, ValueError):
            raise Unreadable("a key of another length than its type has") from None
        return data.decode(self._codec)

    def _get(self, at: int, length: int) -> bytes:
        if at + length > len(self._rest):
            raise _Incomplete
        return self._rest[at : at + length]


class _Incomplete(Exception):
    """The rest of it has not come yet."""
