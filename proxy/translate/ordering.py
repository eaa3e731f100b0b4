"""ORDER BY and LIMIT left to the store, where both sides sort alike.

The store sorts null before everything; NaN it sorts before all numbers. Where a column may have either, a rank is put
before it: 0 for values, 1 for NaN, 2 (or -1, where NULLs come first) for NULL. Dates are followed by the microseconds
beside them. Types without such an order are left to the proxy. One document more than asked for is fetched, so that
it is known whether the limit cuts through rows that are equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proxy.documents.table_mapping import FLAGS, US
from proxy.mirror.tables import MirroredTable
from proxy.translate import types as t
from proxy.translate.evaluate import Compiler
from proxy.translate.rewrite import walk
from proxy.translate.runtime import Evaluate, Run
from proxy.translate.tree import Column, Query, Scan, Sub
from proxy.translate.types import Types

_PLAIN = frozenset(
    {t.INT2, t.INT4, t.INT8, t.BOOL, t.TEXT, t.VARCHAR, t.TIME, t.DATE, t.UUID, t.TIMESTAMP, t.TIMESTAMPTZ}
)
_NUMBERS = frozenset({t.NUMERIC, t.FLOAT4, t.FLOAT8})


@dataclass(frozen=True, slots=True)
class Top:
    """The first rows of a scan."""

    sort: tuple[tuple[str, int], ...]
    ranks: Mapping[str, Any]
    """Fields to be added before sorting."""
    limit: Evaluate | None
    offset: Evaluate | None

    def count(self, run: Run) -> int:
        """How many documents to fetch; 0 for all."""
        if self.limit is None:
            return 0
        limit = self.limit((), run)
        offset = 0 if self.offset is None else self.offset((), run) or 0
        if limit is None or limit < 0 or offset < 0:
            return 0
        return int(limit + offset + 1)


def top(query: Query, scan: Scan, compiler: Compiler, types: Types) -> Top | None:
    """For a query that is nothing but a scan, filters, an order and a limit."""
    if query.source is not scan or query.grouped or query.windows or query.distinct is not None:
        return None
    if query.limit is None or query.with_ties:
        return None
    if any(
        isinstance(part, Sub | Column)
        for one in (query.limit, query.offset)
        if one is not None
        for part in walk(one)
    ):
        return None
    sort: list[tuple[str, int]] = []
    ranks: dict[str, Any] = {}
    seen: set[int] = set()
    for place, key in query.order:
        expr = query.targets[place].expr
        if not isinstance(expr, Column) or expr.level:
            return None
        if expr.index in seen:  # a field can be sorted by once, and a second time would change nothing
            continue
        seen.add(expr.index)
        parts = _key(scan.table, expr, key.descending, key.nulls_first, types, len(ranks))
        if parts is None:
            return None
        names, added = parts
        if any(name == names[-1][0] for name, _ in sort):
            continue
        sort += names
        ranks.update(added)
    limit = compiler(query.limit)
    offset = None if query.offset is None else compiler(query.offset)
    return Top(tuple(sort), ranks, limit, offset)


def _key(
    table: MirroredTable, column: Column, descending: bool, nulls_first: bool, types: Types, number: int
) -> tuple[list[tuple[str, int]], dict[str, Any]] | None:
    attribute = table.relation.attributes[column.index]
    oid = types.base(attribute.type_oid)[0]
    mapping = table.mapping
    field = mapping.by_name[attribute.name].field
    single = mapping.key_columns == (attribute.name,)
    direction = -1 if descending else 1
    if oid not in _PLAIN and oid not in _NUMBERS:
        return None
    if single and oid in (t.DATE, t.TIMESTAMP, t.TIMESTAMPTZ, *_NUMBERS):
        return None
    names = [(field, direction)]
    if oid in (t.TIMESTAMP, t.TIMESTAMPTZ):
        names.append((f"_cw.{US}.{field}", direction))
    never_null = attribute.not_null or attribute.name in mapping.key_columns
    if "$" in field:
        return (names, {}) if oid not in _NUMBERS and (never_null or nulls_first is not descending) else None
    if oid in _NUMBERS:
        return _ranked(field, names, descending, nulls_first, number, nan=True)
    # null is first in the store
    if never_null or nulls_first is not descending:
        return names, {}
    return _ranked(field, names, descending, nulls_first, number, nan=False)


def _ranked(
    field: str, names: list[tuple[str, int]], descending: bool, nulls_first: bool, number: int, *, nan: bool
) -> tuple[list[tuple[str, int]], dict[str, Any]]:
    """With a rank before it."""
    rank = f"_cw_rank{number}"
    null_rank = -1 if nulls_first is not descending else 2
    made: Any = {"$cond": [{"$lte": [f"${field}", None]}, null_rank, 0]}
    if nan:
        made = {
            "$cond": [
                {"$eq": [f"$_cw.{FLAGS}.{field}", "nan"]},
                1,
                made,
            ]
        }
    return [(rank, -1 if descending else 1), *names], {rank: made}


def pipeline(
    condition: Mapping[str, Any], top_: Top, projection: Mapping[str, Any], count: int
) -> Sequence[Mapping[str, Any]]:
    """The same as a find, with the ranks."""
    steps: list[Mapping[str, Any]] = [{"$match": condition}] if condition else []
    steps.append({"$set": dict(top_.ranks)})
    steps.append({"$sort": dict(top_.sort)})
    if count:
        steps.append({"$limit": count})
    steps.append({"$project": dict(projection)})
    return steps
