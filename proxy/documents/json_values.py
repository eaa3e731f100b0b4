"""jsonb as a sub-document.

Integers of up to 64 bits become Int32 or Int64 as they fit, all other numbers Decimal128 with their scale. Names that
MongoDB or its drivers give a meaning to are escaped, injectively: a `$` in front as `%24`, every `.` as `%2E`, the
empty name as `%00`, and a `%` that would read as one of these escapes as `%25`. So `{"$ref": 1, "a.b": 2}` is kept
as `{"%24ref": 1, "a%2Eb": 2}`, and `50%` stays `50%`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from json import JSONDecoder
from json.encoder import encode_basestring
from typing import Any

from bson.decimal128 import Decimal128

from proxy.documents.codec import Codec, Foreign, Marked, Unfit
from proxy.documents.numbers import decimal_text, parse_decimal128
from proxy.documents.strings import reader

MAX_DEPTH = 80
"""Levels of arrays and objects; MongoDB takes 100 for a whole document, and an update puts some around it."""

NULL_FLAG = "null"
"""Tells JSON's null from SQL's NULL where the field is null."""

_INT64 = 1 << 63
_INT64_DIGITS = 19

_SUSPECT = re.compile(r"\.|%(?=00|24|25|2E)")
_ESCAPE = re.compile(r"%(00|24|25|2E)")
_ESCAPED = {".": "%2E", "%": "%25"}
_MEANING = {"00": "", "24": "$", "25": "%", "2E": "."}


def escape(name: str) -> str:
    """The field name for a name in JSON."""
    if not name:
        return "%00"
    if "." in name or "%" in name:
        name = _SUSPECT.sub(lambda match: _ESCAPED[match[0]], name)
    return "%24" + name[1:] if name[0] == "$" else name


def unescape(name: str) -> str:
    """The name in JSON for a field name."""
    return _ESCAPE.sub(lambda match: _MEANING[match[1]], name) if "%" in name else name


def _parse_int(digits: str) -> Any:
    if len(digits) <= _INT64_DIGITS + 1:
        value = int(digits)
        if -_INT64 <= value < _INT64:
            return value
    return parse_decimal128(digits)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {escape(name): value for name, value in pairs}


_decode = JSONDecoder(parse_int=_parse_int, parse_float=parse_decimal128, object_pairs_hook=_object).decode
_decode_simple = JSONDecoder().decode
"""For texts without what a name could need an escape for, without fractions and without large integers."""
_NOT_SIMPLE = re.compile(rf'[$%.]|""|[0-9]{{{_INT64_DIGITS}}}').search


def _depth(text: str) -> int:
    """How many arrays and objects are within each other at most; strings are looked past."""
    deepest = level = 0
    for token in re.finditer(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', text):
        if token[0] in "[{":
            level += 1
            deepest = max(deepest, level)
        elif token[0] in "]}":
            level -= 1
    return deepest


def parse_jsonb(text: str) -> Marked:
    """What jsonb writes; SQL NULL is not among it."""
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise Unfit(f"the JSON has more than {MAX_DEPTH} levels")
    value = _decode(text) if _NOT_SIMPLE(text) else _decode_simple(text)
    return value, None, NULL_FLAG if value is None else None


def jsonb_text(marked: Marked) -> str:
    value, _, flag = marked
    if value is None and flag != NULL_FLAG:
        raise Foreign("null without the flag of JSON's null")
    parts: list[str] = []
    _write(value, parts.append, 0)
    return "".join(parts)


def _write(value: Any, put: Callable[[str], None], depth: int) -> None:
    if depth > MAX_DEPTH:
        raise Foreign(f"more than {MAX_DEPTH} levels")
    if isinstance(value, str):
        put(encode_basestring(value))
    elif value is True or value is False:
        put("true" if value else "false")
    elif isinstance(value, int):
        put(int.__repr__(value))
    elif value is None:
        put("null")
    elif isinstance(value, Mapping):
        separator = "{"
        for name, item in value.items():
            put(f"{separator}{encode_basestring(unescape(name))}: ")
            _write(item, put, depth + 1)
            separator = ", "
        put("{}" if separator == "{" else "}")
    elif isinstance(value, list):
        separator = "["
        for item in value:
            put(separator)
            _write(item, put, depth + 1)
            separator = ", "
        put("[]" if separator == "[" else "]")
    elif isinstance(value, Decimal128):
        put(decimal_text(value))
    else:
        raise Foreign("not a JSON value")


@lru_cache(maxsize=64)
def jsonb(encoding: str) -> Codec:
    """Binary jsonb: a version byte, then the text. Not a key: equal values can have several texts (1.0 and 1.00)."""
    read = reader(encoding)

    def out(raw: bytes) -> str:
        if raw[:1] != b"\1":
            raise Unfit("the binary form of jsonb has another version")
        return read(raw[1:])

    def decode(raw: bytes) -> Marked:
        return parse_jsonb(out(raw))

    return Codec(decode, out, parse_jsonb, jsonb_text, marked=True, key=None)
