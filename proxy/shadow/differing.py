"""In which columns two results differ, and in which values. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from proxy.mirror.gap import table_name
from proxy.mirror.tables import MirroredTable
from proxy.rulefiles.schema import Ignore
from proxy.shadow.compare import Comparison, canonical_of
from proxy.shadow.ledger import MAX_VALUES, DifferingKey
from proxy.shadow.rows import Row
from proxy.translate.api import OutputColumn


@dataclass(frozen=True, slots=True)
class Differing:
    """What is told of a difference."""

    kind: str
    """`rows`, `missing`, `extra`, `order`."""
    columns: tuple[str, ...]
    """Names of the result's columns."""
    values: tuple[tuple[str, str | None, str | None], ...]
    """(column, PostgreSQL's value, the store's)."""
    keys: tuple[DifferingKey, ...]
    """Where the result holds the key of a table."""
    wanted: tuple[tuple[MirroredTable, tuple[str, ...]], ...]
    """(table, key) of rows that differ, as far as the result tells."""


def differing(
    comparison: Comparison, columns: Sequence[OutputColumn], tables: Sequence[MirroredTable]
) -> Differing:
    if comparison.order:
        return Differing("order", (), (), (), ())
    keyed = _keys_in(columns, tables)
    pairs = _pairs(comparison, columns, keyed)
    names: dict[str, None] = {}
    values: list[tuple[str, str | None, str | None]] = []
    for theirs, ours in pairs:
        if theirs is None or ours is None:
            continue
        for column, one, other in zip(columns, theirs, ours, strict=True):
            if not _same(column.type_oid, one, other):
                names[column.name] = None
                values.append((column.name, one, other))
    lone = [(theirs, ours) for theirs, ours in pairs if theirs is None or ours is None]
    if names:
        kind = "rows"
    else:
        kind = "missing" if any(ours is None for _, ours in lone) else "extra"
    keys: list[DifferingKey] = []
    wanted: list[tuple[MirroredTable, tuple[str, ...]]] = []
    for table, places in keyed:
        for theirs, ours in pairs:
            row = theirs or ours
            assert row is not None
            key = tuple(row[place] for place in places)
            if None in key:
                continue
            texts = tuple(value or "" for value in key)
            wanted.append((table, texts))
            which = "different" if theirs and ours else "missing" if theirs else "extra"
            keys.append(DifferingKey(_name(table), texts, (), which))
    return Differing(kind, tuple(names), tuple(values[:MAX_VALUES]), tuple(keys), tuple(wanted))


def _name(table: MirroredTable) -> str:
    return table_name(table.relation.id)


def _same(oid: int, one: str | None, other: str | None) -> bool:
    if one == other:
        return True
    canonical = canonical_of(oid)
    return (
        canonical is not None and one is not None and other is not None and canonical(one) == canonical(other)
    )


def _keys_in(
    columns: Sequence[OutputColumn], tables: Sequence[MirroredTable]
) -> list[tuple[MirroredTable, tuple[int, ...]]]:
    """Of each table whose key is in the result, where its columns stand."""
    found = []
    for table in dict.fromkeys(tables):
        numbers = {attribute.name: attribute.number for attribute in table.relation.attributes}
        places = []
        for name in table.mapping.key_columns:
            place = next(
                (
                    place
                    for place, column in enumerate(columns)
                    if (column.table_oid, column.attnum) == (table.relation.oid, numbers.get(name))
                ),
                None,
            )
            if place is not None:
                places.append(place)
        if len(places) == len(table.mapping.key_columns):
            found.append((table, tuple(places)))
    return found


def _pairs(
    comparison: Comparison,
    columns: Sequence[OutputColumn],
    keyed: Sequence[tuple[MirroredTable, tuple[int, ...]]],
) -> list[tuple[Row | None, Row | None]]:
    """Rows that are to be the same one: by all keys that the result holds, else by what they have in common."""
    left = list(comparison.extra)
    found: list[tuple[Row | None, Row | None]] = []
    places = [place for _, some in keyed for place in some]
    for row in comparison.missing:
        if places:
            other = next((one for one in left if all(one[p] == row[p] for p in places)), None)
        else:
            other = max(left, key=lambda one: _alike(row, one), default=None)
        if other is not None:
            left.remove(other)
        found.append((row, other))
    return found + [(None, row) for row in left]


def _alike(row: Row, other: Row) -> int:
    return sum(one == two for one, two in zip(row, other, strict=True))


def masked(
    rows: Sequence[Row], columns: Sequence[OutputColumn], ignored: Sequence[tuple[MirroredTable, Ignore]]
) -> tuple[list[Row], tuple[str, ...]]:
    """The rows without the values of ignored columns, and which columns that concerns (`schema.table.column`)."""
    places: dict[int, str] = {}
    for table, ignore in ignored:
        for attribute in table.relation.attributes:
            if attribute.name in ignore.columns:
                for place, column in enumerate(columns):
                    if (column.table_oid, column.attnum) == (table.relation.oid, attribute.number):
                        places[place] = f"{_name(table)}.{attribute.name}"
    if not places:
        return list(rows), ()
    return (
        [tuple(None if place in places else value for place, value in enumerate(row)) for row in rows],
        tuple(sorted(set(places.values()))),
    )
