"""What is done with jsonb: its input and output, paths, containment. Pure. Manual: 8.14, 9.16.

A part of a jsonb value is a jsonb value again; `MISSING` stands for none, which is SQL's NULL.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any, Final, NoReturn

from proxy.translate import numbers
from proxy.translate.api import Inexact
from proxy.translate.values import Jsonb

MISSING: Final = object()

MAX_LEVELS = 80
"""Of arrays and objects within each other."""

_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,999})(?:\.[0-9]{1,999})?")
_INDEX: Final = re.compile(r"[ \t\n\v\f\r]*[+-]?[0-9]+")


# Its text.


def parse(text: str) -> Jsonb:
    """`jsonb_in`. Inexact where it would be an error, too, so that PostgreSQL says which."""
    try:
        found = json.loads(
            text, parse_int=_number, parse_float=_number, parse_constant=_refuse, object_pairs_hook=_object
        )
    except (ValueError, RecursionError):
        raise Inexact("a text that is not JSON") from None
    return made(found)


def _number(text: str) -> Decimal:
    if _NUMBER.fullmatch(text) is None:
        raise Inexact("a JSON number with an exponent, or of many digits")
    return numbers.numeric(Decimal(text))


def _refuse(text: str) -> NoReturn:
    raise Inexact(f"{text} in JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The last of a name counts; shorter names first, then by their bytes (`lengthCompareJsonbStringValue`)."""
    found = dict(pairs)
    return {name: found[name] for name in sorted(found, key=_rank)}


def _rank(name: str) -> tuple[int, bytes]:
    try:
        raw = name.encode()
    except UnicodeEncodeError:
        raise Inexact("a half of a surrogate pair in JSON") from None
    return len(raw), raw


def made(value: Any) -> Jsonb:
    """Of a part of another, or of what `parse` has read."""
    parts: list[str] = []
    _write(value, parts, 0)
    return Jsonb("".join(parts))


def _write(value: Any, parts: list[str], level: int) -> None:
    if level > MAX_LEVELS:
        raise Inexact(f"JSON of more than {MAX_LEVELS} levels")
    if isinstance(value, str):
        if "\0" in value:
            raise Inexact("the character 0 in JSON")
        _rank(value)
        parts.append(encode_basestring(value))
    elif isinstance(value, bool):
        parts.append("true" if value else "false")
    elif value is None:
        parts.append("null")
    elif isinstance(value, dict):
        separator = "{"
        for name, item in value.items():
            parts.append(separator)
            _write(name, parts, level)
            parts.append(": ")
            _write(item, parts, level + 1)
            separator = ", "
        parts.append("{}" if separator == "{" else "}")
    elif isinstance(value, list):
        separator = "["
        for item in value:
            parts.append(separator)
            _write(item, parts, level + 1)
            separator = ", "
        parts.append("[]" if separator == "[" else "]")
    else:
        parts.append(f"{value:f}")


# Its parts.


def field(value: Any, key: str) -> Any:
    """`-> text`, of a parsed value."""
    return value.get(key, MISSING) if isinstance(value, dict) else MISSING


def element(value: Any, index: int) -> Any:
    """`-> integer`; a value that is no array and no object is found as if it were an array of itself."""
    if isinstance(value, dict):
        return MISSING
    return _at(value if isinstance(value, list) else [value], index)


def _at(items: list[Any], index: int) -> Any:
    return items[index] if -len(items) <= index < len(items) else MISSING


def at(value: Any, path: Sequence[str | None]) -> Any:
    """`#>`."""
    for step in path:
        if step is None:
            return MISSING
    for step in path:
        if isinstance(value, dict):
            value = value.get(step, MISSING)
        elif isinstance(value, list):
            assert step is not None
            index = int(step) if _INDEX.fullmatch(step) is not None else 1 << 31
            value = _at(value, index) if -(1 << 31) < index < 1 << 31 else MISSING
        else:
            return MISSING
        if value is MISSING:
            return MISSING
    return value


def shown(found: Any) -> Jsonb | None:
    """A part as jsonb; None: there is none."""
    return None if found is MISSING else made(found)


def text(found: Any) -> str | None:
    """A part as text, strings without their quotes; None also for JSON's null."""
    if found is MISSING or found is None:
        return None
    return found if isinstance(found, str) else made(found).text


def kind(value: Jsonb) -> str:
    """`jsonb_typeof`."""
    found = value.value
    if isinstance(found, bool):
        return "boolean"
    names = ((dict, "object"), (list, "array"), (str, "string"), (Decimal, "number"))
    return next((name for python, name in names if isinstance(found, python)), "null")


# What it holds.


def contains(value: Jsonb, other: Jsonb) -> bool:
    """`@>`. An array holds what is in it also where that does not stand in an array itself."""
    whole, part = value.value, other.value
    if isinstance(whole, list) and not isinstance(part, dict | list):
        return any(_equal(item, part) for item in whole)
    return _contains(whole, part)


def _contains(whole: Any, part: Any) -> bool:
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            name in whole and _contains(whole[name], item) for name, item in part.items()
        )
    if isinstance(part, list):
        return isinstance(whole, list) and all(any(_contains(one, item) for one in whole) for item in part)
    return _equal(whole, part)


def _equal(one: Any, other: Any) -> bool:
    """Of what is no array and no object: numbers whatever their scale, and true is not 1."""
    return type(one) is type(other) and not isinstance(one, dict | list) and bool(one == other)


def has(value: Jsonb, name: str) -> bool:
    """`?`: a name of an object, a string of an array, or the string it is."""
    found = value.value
    if isinstance(found, dict):
        return name in found
    return any(
        isinstance(item, str) and item == name for item in (found if isinstance(found, list) else [found])
    )


def has_any(value: Jsonb, names: Sequence[str | None]) -> bool:
    """`?|`."""
    return any(name is not None and has(value, name) for name in names)


def has_all(value: Jsonb, names: Sequence[str | None]) -> bool:
    """`?&`."""
    return all(name is None or has(value, name) for name in names)
