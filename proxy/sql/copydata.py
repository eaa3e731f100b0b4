"""The keys of the rows in COPY data, so that they can be read again. PostgreSQL manual, COPY, "File Formats"."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from proxy.sql.copybinary import BINARY_TYPES, BinaryRows
from proxy.sql.copyrows import CsvRows, Key, Reader, TextRows, Unreadable
from proxy.sql.model import CopyFrom

DEFAULT_MAX_RECORD = 1 << 20
"""Characters (bytes in binary format) of one row that are kept while its end has not come."""


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
        self._reader: Reader | None = None
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
                self._reader = BinaryRows(positions, types, codec)
        elif (
            copy.format in ("text", "csv") and len(copy.delimiter) == len(copy.quote) == len(copy.escape) == 1
        ):
            self._reader = (CsvRows if copy.format == "csv" else TextRows)(copy, positions, codec)
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

    def _run(self, step: Callable[[Reader], list[Key]]) -> None:
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
