"""The indexes of a table in PostgreSQL, as far as a document store could have the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

QUERY = """
SELECT c.relname::text AS name, i.indrelid::int8 AS relation, m.amname::text AS method,
       i.indisunique AS is_unique, i.indisvalid AND i.indisready AND i.indislive AS is_valid,
       pg_catalog.pg_get_expr(i.indpred, i.indrelid, true) AS predicate,
       ARRAY(SELECT coalesce(a.attname::text, '')
               FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY u(number, place)
               LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.number
              WHERE u.place <= i.indnkeyatts ORDER BY u.place) AS columns,
       ARRAY(SELECT pg_catalog.pg_get_indexdef(i.indexrelid, place, true)
               FROM pg_catalog.generate_series(1, i.indnkeyatts) place ORDER BY place) AS definitions,
       ARRAY(SELECT a.attname::text
               FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY u(number, place)
               JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.number
              WHERE u.place > i.indnkeyatts ORDER BY u.place) AS included,
       ARRAY(SELECT option & 1 = 1
               FROM pg_catalog.unnest(i.indoption::int2[]) WITH ORDINALITY u(option, place)
              ORDER BY place) AS descending,
       pg_catalog.pg_get_indexdef(i.indexrelid) AS definition
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_am m ON m.oid = c.relam
 WHERE i.indrelid = ANY (CAST($1 AS pg_catalog.oid[]))
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhrelid = i.indexrelid)
 ORDER BY i.indisprimary DESC, c.relname
"""
"""$1: oids of the table and its partitions. What a partition has as part of an index of the table is left out."""


@dataclass(frozen=True, slots=True)
class IndexPart:
    """One column of an index's key."""

    column: str
    """Empty for an expression."""
    definition: str
    """As CREATE INDEX takes it."""
    descending: bool = False


@dataclass(frozen=True, slots=True)
class SourceIndex:
    """One index of PostgreSQL; what a constraint made is among them."""

    name: str
    relation: int
    """oid of the table or of the partition that alone has it."""
    method: str
    """Name of its access method: btree, hash, gin, ..."""
    parts: tuple[IndexPart, ...]
    unique: bool = False
    valid: bool = True
    predicate: str | None = None
    """The WHERE of a partial one, as PostgreSQL writes it."""
    included: tuple[str, ...] = ()
    """The columns of INCLUDE."""
    definition: str = ""
    """The CREATE INDEX that would make it."""


def source_index(row: Mapping[str, Any]) -> SourceIndex:
    """Of one row of `QUERY`."""
    parts = zip(row["columns"], row["definitions"], row["descending"], strict=True)
    return SourceIndex(
        name=row["name"],
        relation=row["relation"],
        method=row["method"],
        parts=tuple(IndexPart(*part) for part in parts),
        unique=row["is_unique"],
        valid=row["is_valid"],
        predicate=row["predicate"],
        included=tuple(row["included"]),
        definition=row["definition"],
    )
