"""What a type's codec is: between PostgreSQL's binary and text forms of a value and the BSON value in a document."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

Marked = tuple[Any, Any, Any]
"""(BSON value, microseconds beside it or None, flag or None): see `Codec.marked`."""

KeyParts = tuple[Any, Hashable, Any]
"""(`_id`, token, what must be kept beside the `_id` so that the value can be told from it, or None)."""


class Unfit(ValueError):
    """A value that no document can hold exactly. Its message never has the value in it."""


class Foreign(ValueError):
    """A document holds what its mapping never writes: somebody else has changed it."""


class Unrepresentable(ValueError):
    """A row that cannot become a document: column and reason, never the value."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(f"column {column}: {reason}")
        self.column = column
        self.reason = reason


def plain_key(value: Any) -> KeyParts:
    return value, value, None


def identity(value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True)
class Codec:
    """One type, domains resolved and its modifier applied.

    Every function may raise Unfit, `text` and `from_id` Foreign. "Text" is PostgreSQL's output with DateStyle ISO,
    IntervalStyle postgres, extra_float_digits 1, bytea_output hex and TimeZone UTC.
    """

    decode: Callable[[bytes], Any]
    """Binary to BSON value; to `Marked` where the codec is marked."""
    out: Callable[[bytes], str]
    """Binary to text, also of values that `decode` refuses."""
    parse: Callable[[str], Any]
    """Text to what `decode` gives."""
    text: Callable[[Any], str]
    """What `decode` gives to text; takes a value as pymongo reads it back from the store, too."""
    marked: bool = False
    """Whether the value needs something beside it, in `_cw`: microseconds or a flag."""
    timed: bool = False
    """Whether it always has microseconds beside it."""
    key: Callable[[Any], KeyParts] | None = plain_key
    """From what `decode` gives; None: values of the type cannot identify a document."""
    from_id: Callable[[Any], Any] = identity
    """From the `_id` to what `text` takes."""
    binary: bool = True
    """Whether `decode` and `out` can be used; otherwise the text must come from the server."""
    native: str = ""
    """The kind of value as which the compiled encoder of rows does what `decode` does; empty: it asks `decode`."""


def text_codec(
    out: Callable[[bytes], str],
    *,
    keyed: bool = True,
    key: Callable[[Any], KeyParts] = plain_key,
    native: str = "",
) -> Codec:
    """A type whose documents hold its text output."""
    return Codec(out, out, identity, _string, key=key if keyed else None, native=native)


def _string(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise Foreign("not a string")
