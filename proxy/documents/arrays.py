"""Arrays: nested BSON arrays. Other bounds than 1..n, and more dimensions than one, are flagged.

Binary: int32 dimensions, int32 has-nulls, oid of the elements, per dimension int32 length and lower bound, then per
element int32 length (-1 for NULL) and value. The elements stand in row-major order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from struct import Struct
from typing import Any

from proxy.documents.codec import Codec, Foreign, Marked

_HEAD = Struct(">iiI").unpack_from
_PAIR = Struct(">ii").unpack_from
_LENGTH = Struct(">i").unpack_from

_SPACE = " \t\n\v\f\r"

LOWER = "lower"
SIZE = "size"
ITEMS = "items"
"""Fields of an array's flag: lower bounds and lengths by dimension, flags of elements by position from 0."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Of an array that is not empty: length and lower bound of each dimension."""

    size: tuple[int, ...]
    lower: tuple[int, ...]

    @property
    def ordinary(self) -> bool:
        return self.lower == (1,)


EMPTY = Shape((), ())


def _elements(raw: bytes) -> tuple[Shape, list[bytes | None]]:
    dimensions, _, _ = _HEAD(raw)
    if not dimensions:
        return EMPTY, []
    position = 12
    size, lower = [], []
    for _ in range(dimensions):
        length, bound = _PAIR(raw, position)
        size.append(length)
        lower.append(bound)
        position += 8
    items: list[bytes | None] = []
    for _ in range(prod(size)):
        (length,) = _LENGTH(raw, position)
        position += 4
        if length < 0:
            items.append(None)
        else:
            items.append(raw[position : position + length])
            position += length
    return Shape(tuple(size), tuple(lower)), items


def _nest(items: Sequence[Any], size: tuple[int, ...]) -> list[Any]:
    """A flat row-major list as lists within lists."""
    nested = list(items)
    for length in reversed(size[1:]):
        nested = [nested[start : start + length] for start in range(0, len(nested), length)]
    return nested


def _flatten(value: Any, size: tuple[int, ...]) -> list[Any]:
    if not isinstance(value, list) or len(value) != size[0]:
        raise Foreign("an array of another size than its flag says")
    if len(size) == 1:
        return value
    return [item for part in value for item in _flatten(part, size[1:])]


def quoted(text: str, special: str) -> str:
    """An element as array_out writes it: in double quotes where it is empty, NULL, or has a character of `special`."""
    if text and text.upper() != "NULL" and not any(char in special for char in text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _write(texts: Sequence[str | None], shape: Shape, delimiter: str) -> str:
    if not texts:
        return "{}"
    special = f'"\\{{}}{delimiter}{_SPACE}'
    parts = ["NULL" if text is None else quoted(text, special) for text in texts]
    for length in reversed(shape.size):
        parts = [
            "{" + delimiter.join(parts[start : start + length]) + "}"
            for start in range(0, len(parts), length)
        ]
    bounds = ""
    if any(lower != 1 for lower in shape.lower):
        bounds = "".join(
            f"[{lower}:{lower + size - 1}]" for lower, size in zip(shape.lower, shape.size, strict=True)
        )
        bounds += "="
    return bounds + parts[0]


def _read(text: str, delimiter: str) -> tuple[Shape, list[str | None]]:
    """What `_write` writes. ValueError for anything else."""
    lower: list[int] = []
    if text.startswith("["):
        bounds, _, text = text.partition("=")
        lower = [int(part.partition(":")[0]) for part in bounds[1:-1].split("][")]
    items: list[str | None] = []
    counts: list[int] = []
    size: list[int] = []
    for token, value in _tokens(text, delimiter):
        if token == "{":
            if len(counts) == len(size):
                size.append(0)
            counts.append(0)
        elif token == "}":
            count = counts.pop()
            size[len(counts)] = count
            if counts:
                counts[-1] += 1
        else:
            counts[-1] += 1
            items.append(value)
    if not items:
        return EMPTY, []
    if prod(size) != len(items) or (lower and len(lower) != len(size)):
        raise ValueError("not an array")
    return Shape(tuple(size), tuple(lower) or (1,) * len(size)), items


def _tokens(text: str, delimiter: str) -> Iterator[tuple[str, str | None]]:
    position = 0
    while position < len(text):
        char = text[position]
        if char in "{}":
            yield char, None
            position += 1
        elif char == delimiter:
            position += 1
        elif char == '"':
            value = []
            position += 1
            while text[position] != '"':
                position += text[position] == "\\"
                value.append(text[position])
                position += 1
            position += 1
            yield "item", "".join(value)
        else:
            start = position
            while position < len(text) and text[position] not in "{}" and text[position] != delimiter:
                position += 1
            word = text[start:position]
            yield "item", None if word.upper() == "NULL" else word


class _Array:
    """The functions of one array type's codec."""

    def __init__(self, element: Codec, delimiter: str) -> None:
        self.element = element
        self.delimiter = delimiter

    def decode(self, raw: bytes) -> Marked:
        shape, items = _elements(raw)
        decode = self.element.decode
        return self.marked(shape, [None if item is None else decode(item) for item in items])

    def parse(self, text: str) -> Marked:
        shape, items = _read(text, self.delimiter)
        return self.marked(shape, [None if item is None else self.element.parse(item) for item in items])

    def out(self, raw: bytes) -> str:
        shape, items = _elements(raw)
        out = self.element.out
        return _write([None if item is None else out(item) for item in items], shape, self.delimiter)

    def marked(self, shape: Shape, values: list[Any]) -> Marked:
        beside: list[Any] | None = None
        flag: dict[str, Any] = {}
        if shape.size and not shape.ordinary:
            flag = {LOWER: list(shape.lower), SIZE: list(shape.size)}
        if self.element.marked:
            flags = {
                str(position): value[2]
                for position, value in enumerate(values)
                if value is not None and value[2] is not None
            }
            if flags:
                flag[ITEMS] = flags
            remainders = [None if value is None else value[1] for value in values]
            if any(remainder is not None for remainder in remainders):
                beside = remainders
            values = [None if value is None else value[0] for value in values]
        return _nest(values, shape.size), beside, flag or None

    def text(self, marked: Marked) -> str:
        value, beside, flag = marked
        if not isinstance(value, list):
            raise Foreign("not an array")
        flag = {} if flag is None else flag
        if not isinstance(flag, dict):
            raise Foreign("not the flag of an array")
        size = tuple(flag.get(SIZE, (len(value),)))
        lower = tuple(flag.get(LOWER, (1,)))
        if not value:
            return "{}"
        if len(size) != len(lower):
            raise Foreign("not the flag of an array")
        items = _flatten(value, size)
        if self.element.marked:
            flags = flag.get(ITEMS, {})
            if beside is None:
                beside = [None] * len(items)
            if len(beside) != len(items):
                raise Foreign("more or fewer remainders than elements")
            triples = [
                (item, beside[position], flags.get(str(position))) for position, item in enumerate(items)
            ]
            texts = [
                None if item is None and mark is None else self.element.text((item, us, mark))
                for item, us, mark in triples
            ]
        else:
            texts = [None if item is None else self.element.text(item) for item in items]
        return _write(texts, Shape(size, lower), self.delimiter)


def array(element: Codec, delimiter: str = ",") -> Codec:
    """An array type. No key: MongoDB has no arrays for `_id`."""
    functions = _Array(element, delimiter)
    return Codec(
        functions.decode,
        functions.out,
        functions.parse,
        functions.text,
        marked=True,
        key=None,
        binary=element.binary,
    )


def vector(element: Codec) -> Codec:
    """int2vector, oidvector: an array in binary, `1 2 3` in text; a string in documents."""

    def out(raw: bytes) -> str:
        return " ".join("" if item is None else element.out(item) for item in _elements(raw)[1])

    def refuse(value: Any) -> str:
        if isinstance(value, str):
            return value
        raise Foreign("not a string")

    return Codec(out, out, str, refuse, key=None)
