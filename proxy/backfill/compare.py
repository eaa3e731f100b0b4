"""In which way a document differs from what its row becomes. Pure.

The order of a document's fields does not count, nor that of what stands in `_cw`; the values do, with their types. The
fields within a column's value have an order: the store calls `{a: 1, b: 2}` and `{b: 2, a: 1}` different.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from proxy.backfill.digests import DIGEST_BYTES, MARKS
from proxy.backfill.elements import MalformedDocument, fields, subfields
from proxy.documents.table_mapping import FLAGS, KEY, US, TableMapping

ABSENT = b""
"""Stands for a field that is not there."""


class Kind(Enum):
    MISSING = "missing"
    """A row without its document."""
    EXTRA = "extra"
    """A document without a row."""
    DIFFERENT = "different"
    """A document that is not what its row becomes."""


@dataclass(frozen=True, slots=True)
class Difference:
    kind: Kind
    columns: tuple[str, ...] = ()
    """Whose values differ, or what `_cw` says of them."""
    fields: tuple[str, ...] = ()
    """That belong to no column."""


def difference(mapping: TableMapping, row: bytes | None, document: bytes | None) -> Difference | None:
    """None where they are equal. Both as `digests.canonical` has them; None: there is no such row, or document."""
    if row == document:
        return None
    if row is None:
        return Difference(Kind.EXTRA)
    if document is None:
        return Difference(Kind.MISSING)
    try:
        there = fields(document)
    except MalformedDocument:
        return Difference(Kind.DIFFERENT, (), ("(not a document)",))
    wanted = fields(row)
    wanted_marks = wanted.pop(MARKS, ABSENT)
    marks = there.pop(MARKS, ABSENT)
    columns: dict[str, None] = {}
    strange: dict[str, None] = {}
    by_field = {column.field: column.name for column in mapping.columns}
    for name in _unlike(wanted, there):
        _put(name, by_field, mapping, columns, strange)
    for name, mark in _marks(subfields(wanted_marks), subfields(marks)):
        if mark == KEY:
            columns.update(dict.fromkeys(mapping.key_columns))
        elif mark:
            _put(name, by_field, mapping, columns, strange)
        else:
            strange[name] = None
    if not columns and not strange:
        return None
    order = {column.name: place for place, column in enumerate(mapping.columns)}
    return Difference(Kind.DIFFERENT, tuple(sorted(columns, key=order.__getitem__)), tuple(strange))


def fingerprint(raw: bytes | None) -> bytes:
    """The same for what `difference` finds equal, and for nothing else; empty: there is no document."""
    if raw is None:
        return b""
    try:
        found = fields(raw)
    except MalformedDocument:
        return hashlib.blake2b(raw, digest_size=DIGEST_BYTES).digest()
    marks = found.pop(MARKS, None)
    parts: list[object] = [sorted(found.items())]
    inner = None if marks is None else subfields(marks)
    if inner is None:
        parts.append(None)
    else:
        parts.append(sorted((name, _unordered(name, value)) for name, value in inner.items()))
    return hashlib.blake2b(repr(parts).encode(), digest_size=DIGEST_BYTES).digest()


def _unordered(mark: str, value: bytes) -> str:
    inner = subfields(value) if mark in (US, FLAGS) else None
    return repr(value if inner is None else sorted(inner.items()))


def _put(
    field: str,
    by_field: Mapping[str, str],
    mapping: TableMapping,
    columns: dict[str, None],
    strange: dict[str, None],
) -> None:
    if field in by_field:
        columns[by_field[field]] = None
    elif field == "_id":  # of a composite key
        columns.update(dict.fromkeys(mapping.key_columns))
    else:
        strange[field] = None


def _unlike(one: Mapping[str, bytes], other: Mapping[str, bytes]) -> list[str]:
    """The names whose values differ."""
    return [name for name in {**one, **other} if one.get(name, ABSENT) != other.get(name, ABSENT)]


def _marks(
    wanted: Mapping[str, bytes] | None, there: Mapping[str, bytes] | None
) -> Iterable[tuple[str, str]]:
    """(field, mark of it), or (field of `_cw`, "") where it is none of a column."""
    if wanted is None or there is None:
        if wanted != there:
            yield MARKS, ""
        return
    for mark in _unlike(wanted, there):
        one, other = wanted.get(mark, ABSENT), there.get(mark, ABSENT)
        if mark == KEY:
            yield KEY, KEY
        elif mark in (US, FLAGS):
            first, second = subfields(one), subfields(other)
            unlike = _unlike(first or {}, second or {})
            odd = (first is None and one) or (second is None and other)
            if odd or (not unlike and (not one or not other)):
                yield f"{MARKS}.{mark}", ""
                continue
            for name in unlike:
                yield name, mark
        else:
            yield f"{MARKS}.{mark}", ""
