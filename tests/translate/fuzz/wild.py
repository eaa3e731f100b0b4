"""Rarer forms of the classes: aliases, USING, expressions as keys, frames, nested and shared queries."""

from __future__ import annotations

from collections.abc import Callable

from tests.translate.fuzz.expressions import Maker
from tests.translate.fuzz.parts import direction, in_from, joined, key_of, limit, order_by, select_list, where
from tests.translate.fuzz.shapes import (
    aggregate,
    aggregate_condition,
    derived_table,
    scalar_subquery,
    set_operation,
    subquery_condition,
)
from tests.translate.fuzz.values import DECIMALS, INTEGERS, NUMBERS, UNORDERED


def _any_constants(make: Maker) -> str:
    items = [
        make.scalar(make.random.choice(("int", "numeric", "float", "text", "date", "moment")), 2)
        for _ in "ab"
    ]
    return f"SELECT {', '.join(items)}, {make.scalar('int', 2)} AS n FROM {in_from(make)[0]} LIMIT 3"


def _simple_case(make: Maker) -> str:
    source, _ = in_from(make)
    name, kind = make.any_column(ordered=True)
    values = [make.constant(kind) for _ in range(2)]
    result = make.random.choice((("'x'", "'y'"), ("1", "2.5"), ("NULL", "7"), ("1", "NULL"), ("1.50", "2")))
    some = f"CASE {name} WHEN {values[0]} THEN {result[0]} WHEN {values[1]} THEN {result[1]} ELSE {result[0]} END"
    return f"SELECT {some} FROM {source}{order_by(make)}"


def _greatest(make: Maker) -> str:
    source, _ = in_from(make)
    kind = make.random.choice(("int", "numeric", "float", "text", "date", "moment"))
    items = ", ".join(make.scalar(kind, 1) for _ in range(3))
    return f"SELECT {make.random.choice(('GREATEST', 'LEAST', 'COALESCE'))}({items}) FROM {source}{order_by(make)}"


def _as_texts(make: Maker) -> str:
    source, _ = in_from(make)
    names = [make.any_column()[0] for _ in range(3)]
    return f"SELECT {', '.join(f'{name}::text' for name in names)} FROM {source}{order_by(make)}"


def _casts(make: Maker) -> str:
    source, _ = in_from(make)
    targets = (
        *NUMBERS,
        "text",
        "date",
        "timestamp",
        "timestamptz",
        "bool",
        "varchar(3)",
        "time",
        "interval",
        "uuid",
    )
    kinds = ("int", "numeric", "float", "text", "moment", "date")
    items = [
        f"({make.scalar(make.random.choice(kinds), 1)})::{make.random.choice(targets)}" for _ in range(2)
    ]
    return f"SELECT {', '.join(items)} FROM {source}{where(make, 1, 0.4)}"


def _by_alias(make: Maker) -> str:
    source, seen = in_from(make)
    name = make.random.choice(("id", "total", "c0", "c1", "Odd Name"))
    item = make.scalar(make.random.choice(("int", "text", "numeric")), 1)
    order = f'"{name}"{direction(make)}, {key_of(make, seen)}'
    return f'SELECT {item} AS "{name}" FROM {source}{where(make)} ORDER BY {order}{limit(make, 0.3)}'


def _using(make: Maker) -> str:
    one, other = make.random.sample(make.schema.tables, 2)
    names = [f.name for f in one.fields if any(f.name == g.name and f.type == g.type for g in other.fields)]
    names = [name for name in names if next(f for f in one.fields if f.name == name).type not in UNORDERED]
    if not names:
        return ""
    name = make.random.choice(names)
    kind = make.random.choice(("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"))
    item = make.random.choice(("*", name, f"{one.name}.*", f"{name}, {other.name}.id"))
    return f"SELECT {item} FROM {one.name} {kind} {other.name} USING ({name})"


def _three_joins(make: Maker) -> str:
    source = joined(make, 3)
    return f"SELECT {select_list(make)} FROM {source}{where(make, 1, 0.5)}{order_by(make)}{limit(make, 0.3)}"


def _by_expression(make: Maker) -> str:
    source, _ = in_from(make)
    key = make.scalar(make.random.choice(("int", "text", "bool", "date")), 1)
    having = f" HAVING {aggregate_condition(make)}" if make.maybe(0.4) else ""
    order = make.random.choice(("", " ORDER BY 2 DESC, 1", " ORDER BY n", " ORDER BY COUNT(*) DESC, 1"))
    return f"SELECT {key} AS k, COUNT(*) AS n, {aggregate(make)} FROM {source}{where(make)} GROUP BY 1{having}{order}"


def _over_aggregates(make: Maker) -> str:
    source, _ = in_from(make)
    number = make.column(*INTEGERS, *DECIMALS) or "1"
    items = (
        f"SUM({number}) / COUNT(*)",
        f"COALESCE(SUM({number}), 0) + 1",
        f"ROUND(AVG({number}), 2)",
        f"MAX({number}) - MIN({number})",
        f"CASE WHEN COUNT(*) > 2 THEN MAX({number}) END",
        f"SUM(CASE WHEN {make.condition(0)} THEN 1 ELSE 0 END)",
        f"stddev({number})",
        f"COUNT(*) FILTER (WHERE {make.condition(0)}) * 100.0 / NULLIF(COUNT(*), 0)",
    )
    chosen = ", ".join(make.random.sample(items, 2))
    if make.maybe(0.4):
        return f"SELECT {chosen} FROM {source}"
    key = make.any_column(ordered=True)[0]
    return f"SELECT {key}, {chosen} FROM {source} GROUP BY {key}"


def _distinct_expressions(make: Maker) -> str:
    source, _ = in_from(make)
    kinds = ("int", "text", "bool", "date", "numeric", "moment")
    items = ", ".join(make.scalar(make.random.choice(kinds), 1) for _ in range(2))
    return f"SELECT DISTINCT {items} FROM {source}{where(make)}{' ORDER BY 1, 2 DESC' if make.maybe(0.5) else ''}"


def _nested(make: Maker) -> str:
    source, _ = in_from(make)
    one, other = subquery_condition(make), subquery_condition(make)
    between = make.random.choice(("AND", "OR", "IS DISTINCT FROM"))
    return f"SELECT {select_list(make)} FROM {source} WHERE ({one}) {between} ({other})"


def _shared(make: Maker) -> str:
    text, shape = derived_table(make, limited=0.4)
    key = shape.fields[0].name
    return (
        f"WITH w AS ({text}) SELECT a.{key}, COUNT(b.{key}) FROM w a LEFT JOIN w b ON a.{key} < b.{key} "
        f"GROUP BY a.{key} ORDER BY 2, 1"
    )


def _lateral(make: Maker) -> str:
    source, seen = in_from(make)
    inner = scalar_subquery(make)[1:-1]
    kind = make.random.choice(("LEFT", "INNER"))
    return f"SELECT {key_of(make, seen)}, l.* FROM {source} {kind} JOIN LATERAL ({inner}) l ON true"


def _set_in_from(make: Maker) -> str:
    inner = set_operation(make)
    make.scope = []
    return f"SELECT u.*, COUNT(*) FROM ({inner}) u (v) GROUP BY u.v ORDER BY 2 DESC, 1"


def _frames(make: Maker) -> str:
    source, seen = in_from(make)
    key, name = key_of(make, seen), make.any_column()[0]
    number = make.column(*INTEGERS, *DECIMALS) or "1"
    by = make.any_column(ordered=True)[0] + direction(make)
    start = make.random.choice(("UNBOUNDED PRECEDING", "2 PRECEDING", "CURRENT ROW", "1 FOLLOWING"))
    end = make.random.choice(("UNBOUNDED FOLLOWING", "2 FOLLOWING", "3 FOLLOWING"))
    calls = (
        f"sum({number}) OVER (w ROWS BETWEEN {start} AND {end})",
        f"count({name}) OVER (ORDER BY {by} RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)",
        f"last_value({name}) OVER (w ROWS BETWEEN {start} AND {end})",
        f"lag({name}, 1) OVER w",
        f"percent_rank() OVER (ORDER BY {by})",
        "ntile(3) OVER w",
        f"sum(count(*)) OVER (ORDER BY {key})",
    )
    chosen = make.random.choice(calls)
    group = f" GROUP BY {key}" if "count(*)" in chosen else ""
    return f"SELECT {key}, {chosen} FROM {source}{group} WINDOW w AS (ORDER BY {by}, {key})"


WILD: dict[str, tuple[Callable[[Maker], str], ...]] = {
    "4": (_by_alias, _as_texts),
    "6": (_using, _three_joins),
    "8": (_by_expression, _over_aggregates),
    "10": (_distinct_expressions,),
    "11": (_nested,),
    "12": (_any_constants, _simple_case, _greatest, _casts, _as_texts),
    "13": (_lateral, _shared),
    "14": (_set_in_from, _shared),
    "15": (_frames,),
}
