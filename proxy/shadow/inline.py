"""A read as one text without parameters, so that it can be asked again. Pure.

Parameters become constants of the types that they were resolved to: `$1` is `('5'::pg_catalog.int4)`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from proxy.catalog.model import TypeInfo
from proxy.shadow.rows import BUILT_IN, Unreadable, reader
from proxy.sql.parse import Source


def inlined(
    source: Source,
    types: Sequence[int],
    values: Sequence[bytes | None],
    formats: Sequence[int],
    known: Mapping[int, TypeInfo],
) -> str:
    """The first statement of `source`. `types`: as the plan has resolved them; `formats`: of each value."""
    statement = source.statements[0]
    out: list[str] = []
    position = statement.start
    for start, end, name in source.tokens():
        if name != "PARAM" or not statement.start <= start < statement.end:
            continue
        number = int(source.text[start + 1 : end]) - 1
        if not 0 <= number < len(values) or number >= len(types):
            raise Unreadable("a parameter without a value")
        out.append(source.text[position:start])
        out.append(_constant(types[number], values[number], formats[number], known))
        position = end
    out.append(source.text[position : statement.end])
    return "".join(out)


def _constant(oid: int, value: bytes | None, code: int, known: Mapping[int, TypeInfo]) -> str:
    info = known.get(oid) or BUILT_IN.get(oid)
    if info is None:
        raise Unreadable("a parameter of a type the catalogue does not have")
    type_ = f"{_quoted(info.schema)}.{_quoted(info.name)}"
    if value is None:
        return f"(NULL::{type_})"
    try:
        text = reader(oid, -1, known)(value) if code else value.decode()
    except Unreadable:
        raise
    except (ValueError, IndexError) as error:
        raise Unreadable("a parameter that is not what its type says") from error
    return "('" + text.replace("'", "''") + f"'::{type_})"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
