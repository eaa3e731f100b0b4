"""Composite types, ranges and multiranges: as their text output.

Binary: a composite as `record_send` writes it; a range a byte of flags and its bounds; a multirange its ranges.
Manual: 8.16.6, 8.17.5.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from struct import Struct

from proxy.documents.codec import Codec, text_codec
from proxy.documents.records import parse_record

_LENGTH = Struct(">i").unpack_from

_EMPTY = 0x01
_LOWER_INCLUSIVE = 0x02
_UPPER_INCLUSIVE = 0x04
_LOWER_INFINITE = 0x08
_UPPER_INFINITE = 0x10

_SPACE = " \t\n\v\f\r"
_IN_RECORD = frozenset('"\\(),' + _SPACE)
_IN_RANGE = frozenset('"\\()[],' + _SPACE)


def _quoted(text: str, special: frozenset[str]) -> str:
    if text and special.isdisjoint(text):
        return text
    doubled = text.replace("\\", "\\\\").replace('"', '""')
    return f'"{doubled}"'


def composite(fields: Sequence[Codec]) -> Codec:
    """A composite type whose attributes have these codecs. No key."""
    outs = [field.out for field in fields]

    def out(raw: bytes) -> str:
        _, values = parse_record(raw)
        parts = [
            "" if value is None else _quoted(put(value), _IN_RECORD)
            for put, value in zip(outs, values, strict=True)
        ]
        return f"({','.join(parts)})"

    codec = text_codec(out, keyed=False)
    return codec if all(field.binary for field in fields) else unsent(keyed=False)


def range_of(element: Codec) -> Codec:
    """No key: bounds such as 1.0 and 1.00 are equal and have two texts."""
    return text_codec(_range_out(element), keyed=False) if element.binary else unsent(keyed=False)


def multirange_of(element: Codec) -> Codec:
    if not element.binary:
        return unsent(keyed=False)
    one = _range_out(element)

    def out(raw: bytes) -> str:
        parts = []
        position = 4
        for _ in range(_LENGTH(raw)[0]):
            end = position + 4 + _LENGTH(raw, position)[0]
            parts.append(one(raw[position + 4 : end]))
            position = end
        return f"{{{','.join(parts)}}}"

    return text_codec(out, keyed=False)


def _range_out(element: Codec) -> Callable[[bytes], str]:
    bound = element.out

    def out(raw: bytes) -> str:
        flags = raw[0]
        if flags & _EMPTY:
            return "empty"
        position = 1
        bounds = []
        for infinite in (_LOWER_INFINITE, _UPPER_INFINITE):
            if flags & infinite:
                bounds.append("")
                continue
            end = position + 4 + _LENGTH(raw, position)[0]
            bounds.append(_quoted(bound(raw[position + 4 : end]), _IN_RANGE))
            position = end
        opening = "[" if flags & _LOWER_INCLUSIVE else "("
        closing = "]" if flags & _UPPER_INCLUSIVE else ")"
        return f"{opening}{bounds[0]},{bounds[1]}{closing}"

    return out


def _no_binary(raw: bytes) -> str:
    raise NotImplementedError("the type's text comes from the server")


def unsent(*, keyed: bool) -> Codec:
    """A type without a decoder of ours: its text output is taken from the text of the row."""
    return replace(text_codec(_no_binary, keyed=keyed), binary=False)
