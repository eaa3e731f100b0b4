"""The query that tells which of some keys have rows, by as many looks into the key's index. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from proxy.catalog.model import Relation, TypeInfo
from proxy.catalog.source import table_sql


def present_query(
    relation: Relation,
    columns: Sequence[str],
    types: Mapping[int, TypeInfo],
    keys: Sequence[Sequence[str]],
) -> tuple[str, list[Any]]:
    """Rows of one number: the place, from 1, of each key that has a row. `keys` are text output of `columns`.

    A key that is no value of the columns' types makes the query fail with an SQLSTATE of class 22.
    """
    by_name = {attribute.name: attribute for attribute in relation.attributes}
    names = [f"v{place}" for place in range(1, len(columns) + 1)]
    conditions = []
    for column, name in zip(columns, names, strict=True):
        info = types[by_name[column].type_oid]
        base = types[info.base] if info.base else info
        conditions.append(
            f"t.{_quoted(column)} = CAST(v.{name} AS {_quoted(base.schema)}.{_quoted(base.name)})"
        )
    arrays = ", ".join(
        f"pg_catalog.unnest(${place}::pg_catalog.text[])" for place in range(1, len(columns) + 1)
    )
    # A subquery for each: whatever the planner expects, it is not made into a join that reads the whole table.
    query = (
        f"SELECT v.n FROM ROWS FROM ({arrays}) WITH ORDINALITY AS v({', '.join(names)}, n)"
        f" WHERE (SELECT true FROM {table_sql(relation)} AS t WHERE {' AND '.join(conditions)} LIMIT 1)"
    )
    return query, [list(values) for values in zip(*keys, strict=True)]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
