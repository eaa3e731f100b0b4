"""How large a table is, by what PostgreSQL knows without counting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from proxy.catalog.model import Relation
from proxy.catalog.source import SourceUnavailable, table_sql

COUNTED_BYTES = 64 << 20
"""A table that was never analysed is counted if it is not larger than this."""
COUNT_TIMEOUT = 5.0
"""Seconds a count may take."""

SIZE = """
SELECT pg_catalog.sum(CASE WHEN reltuples < 0 THEN NULL ELSE reltuples END)::float8 AS rows,
       pg_catalog.count(*) FILTER (WHERE reltuples < 0) AS unknown,
       pg_catalog.sum(pg_catalog.pg_table_size(oid))::float8 AS bytes
  FROM pg_catalog.pg_class WHERE oid = ANY ($1::oid[]) AND relkind = 'r'
"""


class Asked(Protocol):
    """The part of `SourceDatabase` that is needed."""

    async def fetch(self, query: str, *arguments: Any, timeout: float | None = None) -> Sequence[Any]: ...


@dataclass(frozen=True, slots=True)
class Size:
    rows: int
    """-1: not known."""
    row_bytes: float
    """Of one row on average, as it is stored; 0: not known."""


async def read_size(source: Asked, relation: Relation) -> Size:
    """Of a table with its partitions. Raises SourceError."""
    oids = [relation.oid, *(relation.children if relation.kind == "p" else ())]
    [row] = await source.fetch(SIZE, oids)
    size = row["bytes"] or 0.0
    rows = -1 if row["unknown"] else int(row["rows"] or 0)
    if rows < 0 and size <= COUNTED_BYTES:
        rows = await _count(source, relation)
    return Size(rows, size / rows if rows > 0 else 0.0)


async def _count(source: Asked, relation: Relation) -> int:
    try:
        [row] = await source.fetch(
            f"SELECT pg_catalog.count(*) FROM {table_sql(relation)}", timeout=COUNT_TIMEOUT
        )
    except SourceUnavailable:
        return -1
    return int(row[0])
