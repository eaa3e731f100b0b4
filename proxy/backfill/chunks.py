"""The queries that page through a table by its key. Pure.

A chunk is the keys after `low` up to and including `high`, so chunks whose ends meet cut the table into pieces that
neither overlap nor leave a row out, whatever gaps there are between keys. Ends travel as the columns' text output and
are cast back to the columns' base types; they are compared with the operators by which the primary key's index sorts,
wherever `search_path` leads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proxy.backfill.run import Boundary, KeyText
from proxy.catalog.model import Relation, TypeInfo
from proxy.catalog.source import record_sql, table_sql

Query = tuple[str, list[Any]]
"""Text and arguments."""


@dataclass(frozen=True, slots=True)
class _Part:
    """One column of the key."""

    sql: str
    type_sql: str
    operators: str
    """The schema of its comparison operators, quoted."""


class KeyPages:
    """Queries on one table. KeyError where a key column is not in the relation, or its type not in `types`."""

    def __init__(self, relation: Relation, columns: Sequence[str], types: Mapping[int, TypeInfo]) -> None:
        by_name = {attribute.name: attribute for attribute in relation.attributes}
        self._relation = relation
        self._parts = [_part(name, types[by_name[name].type_oid], types) for name in columns]
        self._order = ", ".join(part.sql for part in self._parts)
        self._by_name = by_name
        self._types = types

    def last(self) -> Query:
        """The text output of the largest key; no row if there is none."""
        texts = ", ".join(f"pg_catalog.format('%s', {part.sql})" for part in self._parts)
        order = ", ".join(f"{part.sql} DESC" for part in self._parts)
        return f"SELECT {texts} FROM {table_sql(self._relation)} AS t ORDER BY {order} LIMIT 1", []

    def boundary(self, low: KeyText | None, limit: int, end: KeyText | None = None) -> Query:
        """The last of the first `limit` keys after `low` and up to `end`, whether there are more: for `boundary_of`.

        One row of the key's text output, the number of keys, and whether a key follows them; no row if there is none.
        """
        arguments: list[Any] = []
        where = self._where(low, end, arguments)
        names = [f"k{n}" for n in range(1, len(self._parts) + 1)]
        keys = ", ".join(f"{part.sql} AS {name}" for part, name in zip(self._parts, names, strict=True))
        texts = ", ".join(f"pg_catalog.format('%s', {name}) AS {name}" for name in names)
        query = (
            f"SELECT {texts}, n, total FROM (SELECT {', '.join(names)}, n, pg_catalog.max(n) OVER () AS total"
            f" FROM (SELECT {keys}, pg_catalog.row_number() OVER (ORDER BY {self._order}) AS n"
            f" FROM {table_sql(self._relation)} AS t{where} ORDER BY {self._order} LIMIT {limit + 1}) AS page"
            f") AS counted WHERE n <= {limit} ORDER BY n DESC LIMIT 1"
        )
        return query, arguments

    def rows(
        self,
        low: KeyText | None,
        high: KeyText | None,
        *,
        text: bool,
        since: tuple[str, str] | None = None,
        where: str = "",
        limit: int | None = None,
    ) -> Query:
        """The rows of a chunk in the order of their keys, as records like those of `SourceDatabase.rows`.

        `high` None: to the last. `text`: with the rows' text output. `since`: a column and the text of the least value
        it may have. `where`: a condition in the user's own SQL, on the table by the name `t`.
        """
        arguments: list[Any] = []
        condition = self._where(low, high, arguments)
        more = []
        if since is not None:
            column, value = since
            part = _part(column, self._types[self._by_name[column].type_oid], self._types)
            arguments.append(value)
            more.append(f"{part.sql} OPERATOR({part.operators}.>=) {_cast(part, len(arguments))}")
        if where:
            more.append(f"({where}\n)")
        for one in more:
            condition += f"{' AND' if condition else ' WHERE'} {one}"
        end = "" if limit is None else f" LIMIT {limit}"
        query = (
            f"SELECT {record_sql(text=text)} FROM {table_sql(self._relation)} AS t{condition}"
            f" ORDER BY {self._order}{end}"
        )
        return query, arguments

    def keys(self, low: KeyText | None, high: KeyText | None, limit: int) -> Query:
        """The text output of the keys of a chunk, in their order."""
        arguments: list[Any] = []
        where = self._where(low, high, arguments)
        texts = ", ".join(f"pg_catalog.format('%s', {part.sql})" for part in self._parts)
        query = f"SELECT {texts} FROM {table_sql(self._relation)} AS t{where} ORDER BY {self._order} LIMIT {limit}"
        return query, arguments

    def _where(self, low: KeyText | None, high: KeyText | None, arguments: list[Any]) -> str:
        conditions = []
        if low is not None:
            conditions.append(self._compare(">", low, arguments))
        if high is not None:
            conditions.append(self._compare("<=", high, arguments))
        return f" WHERE {' AND '.join(conditions)}" if conditions else ""

    def _compare(self, operator: str, key: KeyText, arguments: list[Any]) -> str:
        values = []
        for part, value in zip(self._parts, key, strict=True):
            arguments.append(value)
            values.append(_cast(part, len(arguments)))
        schemas = {part.operators for part in self._parts}
        if len(schemas) == 1:  # one comparison of rows, for which the index is used as it is
            [schema] = schemas
            left = ", ".join(part.sql for part in self._parts)
            right = ", ".join(values)
            if len(self._parts) > 1:
                left, right = f"({left})", f"({right})"
            return f"{left} OPERATOR({schema}.{operator}) {right}"
        return self._lexicographic(operator, values)

    def _lexicographic(self, operator: str, values: Sequence[str]) -> str:
        """Spelled out: operators of one row comparison cannot come from several schemas.

        The condition on the first column alone, which follows from the rest, is what an index can be used for.
        """
        first, last = self._parts[0], len(self._parts) - 1
        alternatives = []
        for place, part in enumerate(self._parts):
            equal = [
                f"{before.sql} OPERATOR({before.operators}.=) {value}"
                for before, value in zip(self._parts[:place], values, strict=False)
            ]
            strict = operator if place == last else operator[0]
            equal.append(f"{part.sql} OPERATOR({part.operators}.{strict}) {values[place]}")
            alternatives.append(" AND ".join(equal))
        implied = f"{first.sql} OPERATOR({first.operators}.{operator[0]}=) {values[0]}"
        return f"({implied} AND ({' OR '.join(alternatives)}))"


def boundary_of(low: KeyText | None, rows: Sequence[Any]) -> Boundary:
    """What the answer to `KeyPages.boundary` says."""
    if not rows:
        return Boundary(low, None, 0, True)
    [row] = rows
    *key, keys, total = tuple(row)
    return Boundary(low, tuple(key), keys, total <= keys)


def _part(column: str, info: TypeInfo, types: Mapping[int, TypeInfo]) -> _Part:
    base = types[info.base] if info.base else info
    # An extension's type brings its operators along; those of arrays, enums, ranges and rows are PostgreSQL's own.
    own = base.kind == "b" and base.category != "A"
    operators = base.schema if own else "pg_catalog"
    name = f"{_quoted(base.schema)}.{_quoted(base.name)}"
    return _Part(f"t.{_quoted(column)}", name, _quoted(operators))


def _cast(part: _Part, argument: int) -> str:
    return f"CAST(${argument}::pg_catalog.text AS {part.type_sql})"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
