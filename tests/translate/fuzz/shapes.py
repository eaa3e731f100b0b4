"""Random reads of the classes of what applications send: see `tests/translate/reads`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.translate.fuzz.expressions import Maker, Parameter, Seen
from tests.translate.fuzz.schema import Schema, Table
from tests.translate.fuzz.values import DECIMALS, INTEGERS, MOMENTS, NUMBERS, TEXTS, UNORDERED


@dataclass(frozen=True)
class Read:
    group: str
    """The number of its class."""
    sql: str
    parameters: tuple[Parameter, ...]


def make_read(random: Random, schema: Schema) -> Read:
    group = random.choice(_WEIGHTED)
    maker = Maker(random, schema)
    sql = _SHAPES[group](maker)
    return Read(group, sql, tuple(maker.parameters))


# parts


def _table(make: Maker, table: Table | None = None) -> tuple[str, Seen]:
    """One table in FROM, in the scope from now on."""
    table = table or make.random.choice(make.schema.tables)
    alias = make.alias() if make.maybe(0.6) else table.name
    if any(seen.alias == alias for seen in make.scope + make.outer):
        alias = make.alias()
    seen = Seen(alias, table.fields, table)
    make.scope.append(seen)
    return (table.name if alias == table.name else f"{table.name} {'AS ' if make.maybe(0.5) else ''}{alias}"), seen


def _where(make: Maker, depth: int = 1, share: float = 0.7) -> str:
    return f" WHERE {make.condition(depth)}" if make.maybe(share) else ""


def _list(make: Maker, low: int = 1, high: int = 4, *, depth: int = 0) -> str:
    if make.maybe(0.15):
        return "*" if make.maybe(0.5) else f"{make.random.choice(make.scope).alias}.*"
    items = []
    for place in range(make.random.randint(low, high)):
        item = make.any_column()[0] if depth <= 0 else make.anything(depth)
        items.append(f"{item} AS c_{place}" if make.maybe(0.2) else item)
    return ", ".join(items)


def _direction(make: Maker) -> str:
    return make.random.choice(("", "", " ASC", " DESC", " DESC")) + make.random.choice(
        ("", "", "", " NULLS FIRST", " NULLS LAST")
    )


def _order(make: Maker, *, share: float = 0.7, total: float = 0.7) -> str:
    if not make.maybe(share):
        return ""
    keys = []
    for _ in range(make.random.randint(1, 2)):
        name, _ = make.any_column(ordered=True)
        if make.maybe(0.1):
            name = make.scalar(make.random.choice(("int", "numeric", "moment", "text")), 1)
            if name.isdigit() or name.startswith(("'", "$")):
                continue
        keys.append(name + _direction(make))
    if make.maybe(total) or not keys:
        keys += [f"{seen.alias}.{seen.fields[0].name}" for seen in make.scope]
    return " ORDER BY " + ", ".join(keys)


def _limit(make: Maker, share: float = 0.5) -> str:
    if not make.maybe(share):
        return ""
    match make.random.randrange(6):
        case 0:
            return f" LIMIT {make.random.randint(0, 12)} OFFSET {make.random.randint(0, 6)}"
        case 1:
            return f" OFFSET {make.random.randint(0, 30)}"
        case 2:
            return f" FETCH FIRST {make.random.randint(1, 9)} ROWS ONLY"
        case 3:
            make.parameters.append(Parameter("int8", str(make.random.randint(0, 9)), make.maybe(0.5), False))
            return f" LIMIT ${len(make.parameters)}"
    return f" LIMIT {make.random.randint(0, 21)}"


def _key(make: Maker, seen: Seen) -> str:
    return f"{seen.alias}.{seen.fields[0].name}"


# classes


def _key_look_up(make: Maker) -> str:
    source, seen = _table(make)
    kind = seen.fields[0].type
    condition = f"{_key(make, seen)} = {make.constant(kind, null=0.02)}"
    if make.maybe(0.2):
        condition += " AND 1=1"
    return f"SELECT {_list(make)} FROM {source} WHERE {condition}{make.random.choice(('', ' LIMIT 21', ' LIMIT 1 OFFSET 0'))}"


def _by_foreign_key(make: Maker) -> str:
    source, seen = _table(make, make.random.choice(make.schema.tables[1:]))
    one = make.random.choice([one for one in seen.fields if one.refers])
    name = f"{seen.alias}.{one.name}"
    constant = make.constant(one.type)
    condition = f"{name} = {constant}" if make.maybe(0.5) else f"{constant} = {name}"
    return f"SELECT {_list(make)} FROM {source} WHERE {condition}{_order(make)}{_limit(make, 0.3)}"


def _lists(make: Maker) -> str:
    source, _ = _table(make)
    return f"SELECT {_list(make)} FROM {source} WHERE {make.membership()}{_order(make)}"


def _conditions(make: Maker) -> str:
    source, _ = _table(make)
    conditions = [
        make.random.choice((make.comparison, make.null_test, make.boolean))()
        for _ in range(make.random.randint(1, 3))
    ]
    return f"SELECT {_list(make)} FROM {source} WHERE {' AND '.join(conditions)}{_order(make)}{_limit(make)}"


def _existence(make: Maker) -> str:
    source, _ = _table(make)
    match make.random.randrange(3):
        case 0:
            return f"SELECT 1 AS a FROM {source}{_where(make)} LIMIT 1"
        case 1:
            return f"SELECT COUNT(*) FROM {source}{_where(make, 2)}"
    inner = f"SELECT {make.any_column()[0]} AS col1 FROM {source}{_where(make)}{_limit(make, 0.2)}"
    return f"SELECT COUNT(*) FROM ({inner}) subquery"


def _joined(make: Maker, count: int | None = None) -> str:
    """A FROM of tables that are joined on their references, or on any columns of a type."""
    source, seen = _table(make)
    for _ in range(count or make.random.randint(1, 2)):
        before = list(make.scope)
        table = make.random.choice(make.schema.tables)
        text, new = _table(make, table)
        pairs = _links(before, new)
        kind = make.random.choice(("JOIN", "INNER JOIN", "LEFT JOIN", "LEFT OUTER JOIN", "RIGHT JOIN", "LEFT JOIN"))
        if make.maybe(0.05):
            kind = "FULL JOIN"
        if not pairs:
            pairs = _alike(before, new)
        if not pairs or (make.maybe(0.03) and len(before) == 1):
            source = f"{source} CROSS JOIN {text}"
            continue
        left, right = make.random.choice(pairs)
        condition = f"{left} = {right}" if make.maybe(0.5) else f"{right} = {left}"
        if make.maybe(0.2) and kind != "FULL JOIN":
            condition += f" AND {make.condition(0)}"
        source = f"{source} {kind} {text} ON {condition}"
    return source


def _links(before: list[Seen], new: Seen) -> list[tuple[str, str]]:
    pairs = []
    for seen in before:
        for one in seen.fields:
            if new.table is not None and one.refers == new.table.name:
                pairs.append((f"{seen.alias}.{one.name}", f"{new.alias}.id"))
        for one in new.fields:
            if seen.table is not None and one.refers == seen.table.name:
                pairs.append((f"{seen.alias}.id", f"{new.alias}.{one.name}"))
    return pairs


def _alike(before: list[Seen], new: Seen) -> list[tuple[str, str]]:
    return [
        (f"{seen.alias}.{one.name}", f"{new.alias}.{other.name}")
        for seen in before
        for one in seen.fields
        for other in new.fields
        if one.type == other.type and one.type not in UNORDERED
    ]


def _joins(make: Maker) -> str:
    source = _joined(make)
    return f"SELECT {_list(make)} FROM {source}{_where(make, 1, 0.4)}{_order(make)}{_limit(make, 0.3)}"


def _logic(make: Maker) -> str:
    source, seen = _table(make)
    if make.maybe(0.25):
        name, kind = make.any_column(ordered=True)
        keyset = f"({name}, {_key(make, seen)}) > ({make.constant(kind, null=0)}, {make.constant(seen.fields[0].type, null=0)})"
        return f"SELECT {_list(make)} FROM {source} WHERE {keyset} ORDER BY {name}, {_key(make, seen)} LIMIT 10"
    return f"SELECT {_list(make)} FROM {source} WHERE {make.condition(3)}{_order(make)}{_limit(make, 0.3)}"


def aggregate(make: Maker) -> str:
    name, kind = make.any_column(ordered=True)
    calls = [f"COUNT({name})", "COUNT(*)"]
    if kind in NUMBERS or kind == "interval":
        calls += [f"SUM({name})", f"AVG({name})"]
    if kind in INTEGERS or kind in DECIMALS:
        calls.append(f"SUM({make.scalar('int' if kind in INTEGERS else 'numeric', 1)})")
    if kind not in ("bool", "uuid", "bytea"):
        calls += [f"MIN({name})", f"MAX({name})"]
    if kind == "bool":
        calls += [f"bool_and({name})", f"bool_or({name})", f"every({name})"]
    if kind in TEXTS and make.maybe(0.5):
        calls.append(f"string_agg({name}, ',' ORDER BY {name})")
    return make.random.choice(calls)


def _groups(make: Maker) -> str:
    source = _table(make)[0] if make.maybe(0.6) else _joined(make, 1)
    where = _where(make, 1, 0.4)
    calls = [aggregate(make) for _ in range(make.random.randint(1, 3))]
    if make.maybe(0.3):
        return f"SELECT {', '.join(calls)} FROM {source}{where}"
    if make.maybe(0.15) and make.scope[0].table is not None:
        key = make.scope[0]
        return f"SELECT {key.alias}.*, {', '.join(calls)} FROM {source}{where} GROUP BY {_key(make, key)}"
    keys = [make.any_column(ordered=True)[0] for _ in range(make.random.randint(1, 2))]
    if make.maybe(0.15):
        keys[0] = f"date_trunc('month', {make.column(*MOMENTS) or make.typed('timestamp')})"
    by = ", ".join(keys) if make.maybe(0.6) else ", ".join(str(n + 1) for n in range(len(keys)))
    having = f" HAVING {aggregate_condition(make)}" if make.maybe(0.3) else ""
    order = ""
    if make.maybe(0.5):
        place = make.random.randint(1, len(keys))
        order = f" ORDER BY {place}{_direction(make)}, {', '.join(keys)}"
    return f"SELECT {', '.join(keys + calls)} FROM {source}{where} GROUP BY {by}{having}{order}{_limit(make, 0.2)}"


def aggregate_condition(make: Maker) -> str:
    operator = make.random.choice((">", ">=", "<", "="))
    name = make.column(*INTEGERS, *DECIMALS)
    if name is None or make.maybe(0.6):
        return f"COUNT(*) {operator} {make.random.randint(0, 3)}"
    return f"{make.random.choice(('SUM', 'MIN', 'MAX', 'AVG'))}({name}) {operator} {make.constant('int4', null=0)}"


def _distinct(make: Maker) -> str:
    source = _table(make)[0] if make.maybe(0.7) else _joined(make, 1)
    where = _where(make, 1, 0.4)
    keys = [make.any_column(ordered=True)[0] for _ in range(make.random.randint(1, 2))]
    match make.random.randrange(4):
        case 0:
            order = f" ORDER BY {', '.join(key + _direction(make) for key in keys)}" if make.maybe(0.6) else ""
            return f"SELECT DISTINCT {', '.join(keys)} FROM {source}{where}{order}{_limit(make, 0.2)}"
        case 1:
            total = ", ".join(_key(make, seen) for seen in make.scope)
            return (
                f"SELECT DISTINCT ON ({', '.join(keys)}) {_list(make)} FROM {source}{where} "
                f"ORDER BY {', '.join(key + _direction(make) for key in keys)}, {total}"
            )
        case 2:
            return f"SELECT COUNT(DISTINCT {keys[0]}), COUNT(*) FROM {source}{where}"
    filters = f"{aggregate(make)} FILTER (WHERE {make.condition(1)})"
    if make.maybe(0.5):
        return f"SELECT {filters}, COUNT(DISTINCT {keys[-1]}) FROM {source}{where}"
    return f"SELECT {keys[0]}, {filters} FROM {source}{where} GROUP BY {keys[0]}"


def _inner(make: Maker) -> tuple[list[Seen], str, Seen]:
    """Goes into a subquery; the scope is to be put back."""
    saved, make.outer, make.scope = make.scope, make.scope, []
    text, seen = _table(make)
    return saved, text, seen


def subquery_condition(make: Maker) -> str:
    outer = make.scope
    name, kind = make.any_column(ordered=True)
    saved, text, seen = _inner(make)
    try:
        negated = make.random.choice(("", "NOT "))
        pairs = _links(outer, seen) or _alike(outer, seen)
        link = make.random.choice(pairs) if pairs else None
        condition = f"{link[0]} = {link[1]}" if link else make.condition(0)
        if make.maybe(0.6):
            extra = f" AND {make.condition(1)}" if make.maybe(0.5) else ""
            return f"{negated}EXISTS (SELECT {make.random.choice(('1', '*', '1 AS a'))} FROM {text} WHERE {condition}{extra})"
        column = make.column(kind)
        if column is None and link is not None:
            name, column = link
        where = _where(make, 1, 0.6)
        if column is None:
            return f"{negated}EXISTS (SELECT 1 FROM {text}{where})"
        if make.maybe(0.1):
            return f"{name} {make.random.choice(('= ANY', '<> ALL', '< ANY', '>= ALL'))} (SELECT {column} FROM {text}{where})"
        return f"{name} {negated}IN (SELECT {column} FROM {text}{where})"
    finally:
        make.scope, make.outer = saved, []


def _subqueries(make: Maker) -> str:
    source, _ = _table(make)
    condition = subquery_condition(make)
    if make.maybe(0.3):
        condition = f"{condition} {make.random.choice(('AND', 'OR'))} {make.condition(0)}"
    return f"SELECT {_list(make)} FROM {source} WHERE {condition}{_order(make)}{_limit(make, 0.2)}"


def _expressions(make: Maker) -> str:
    source = _table(make)[0] if make.maybe(0.8) else _joined(make, 1)
    items = ", ".join(make.anything(2) for _ in range(make.random.randint(1, 3)))
    return f"SELECT {items} FROM {source}{_where(make, 1, 0.3)}{_order(make, share=0.4)}"


def _scalar_subquery(make: Maker) -> str:
    outer = make.scope
    saved, text, seen = _inner(make)
    try:
        pairs = _links(outer, seen) or _alike(outer, seen)
        where = ""
        if pairs and make.maybe(0.85):
            left, right = make.random.choice(pairs)
            where = f" WHERE {left} = {right}"
        if make.maybe(0.7):
            return f"(SELECT {aggregate(make)} FROM {text}{where})"
        column = make.any_column()[0]
        tail = f" ORDER BY {_key(make, seen)} LIMIT 1" if make.maybe(0.8) else ""
        return f"(SELECT {column} FROM {text}{where}{tail})"
    finally:
        make.scope, make.outer = saved, []


def _derived(make: Maker, *, limited: float = 0.6) -> tuple[str, Seen]:
    """A sub-select in FROM, its first column the key of its table."""
    saved, outer = make.scope, make.outer
    make.scope, make.outer = [], []
    source, seen = _table(make)
    order = f"{make.any_column(ordered=True)[0]}{_direction(make)}, {_key(make, seen)}"
    tail = f" ORDER BY {order} LIMIT {make.random.randint(1, 9)}" if make.maybe(limited) else ""
    wanted = [seen.fields[0], *make.random.sample(seen.fields[1:], min(4, len(seen.fields) - 1))]
    names = ", ".join(f"{seen.alias}.{one.name}" for one in wanted)
    text = f"SELECT {names} FROM {source}{_where(make, 1, 0.4)}{tail}"
    make.scope, make.outer = saved, outer
    return text, Seen("", tuple(wanted), seen.table)


def _limited(make: Maker) -> str:
    if make.maybe(0.5):
        source, _ = _table(make)
        items = ", ".join((_list(make, 1, 2).replace("*", "1"), _scalar_subquery(make)))
        return f"SELECT {items} FROM {source}{_where(make, 1, 0.3)}{_order(make)}{_limit(make, 0.2)}"
    text, shape = _derived(make)
    derived = Seen(make.alias(), shape.fields, shape.table)
    make.scope.append(derived)
    source = f"({text}) {derived.alias}"
    if make.maybe(0.6):
        other, new = _table(make)
        pairs = _links([derived], new) or _alike([derived], new)
        if pairs:
            left, right = make.random.choice(pairs)
            source += f" {make.random.choice(('JOIN', 'LEFT JOIN'))} {other} ON {left} = {right}"
        else:
            make.scope.pop()
    return f"SELECT {_list(make)} FROM {source}{_where(make, 1, 0.3)}{_order(make)}"


def _dates_and_sets(make: Maker) -> str:
    match make.random.randrange(4):
        case 0:
            return _set_operation(make)
        case 1:
            text, shape = _derived(make, limited=0.3)
            name = make.alias()
            make.scope.append(Seen(name, shape.fields, shape.table))
            rest = f"SELECT {_list(make)} FROM {name}{_where(make, 1, 0.4)}{_order(make)}"
            return f"WITH {name} AS ({text}) {rest}"
        case 2:
            source, _ = _table(make)
            moment = make.scalar("moment", 1)
            items = [moment, make.scalar("extract", 1), make.scalar("date", 1)]
            return f"SELECT {', '.join(items)} FROM {source}{_order(make)}"
    source, _ = _table(make)
    return f"SELECT {_list(make)} FROM {source}{_where(make)}{_order(make, share=1)}{_limit(make, 0.3)}"


def _set_operation(make: Maker) -> str:
    kinds = make.random.choice(
        (("int4",), ("int8", "int4", "int2"), TEXTS, ("numeric", "int4"), MOMENTS, ("date",), ("bool",), ("uuid",))
    )
    halves = []
    for _ in range(make.random.choice((2, 2, 2, 3))):
        make.scope = []
        source, _ = _table(make)
        one = make.column(*kinds) or make.typed(kinds[0])
        halves.append(f"SELECT {one} FROM {source}{_where(make, 1, 0.4)}")
    operator = make.random.choice(("UNION", "UNION ALL", "INTERSECT", "EXCEPT", "UNION", "EXCEPT ALL", "INTERSECT ALL"))
    order = f" ORDER BY 1{_direction(make)}" if make.maybe(0.6) else ""
    return f" {operator} ".join(halves) + order + (_limit(make, 0.3) if order else "")


def _windows(make: Maker) -> str:
    source, seen = _table(make)
    key = _key(make, seen)
    part = f"PARTITION BY {make.any_column(ordered=True)[0]} " if make.maybe(0.6) else ""
    by = f"{make.any_column(ordered=True)[0]}{_direction(make)}"
    name = make.any_column()[0]
    number = make.column(*INTEGERS, *DECIMALS) or "1"
    calls = (
        f"row_number() OVER ({part}ORDER BY {by}, {key})",
        f"rank() OVER ({part}ORDER BY {by})",
        f"dense_rank() OVER ({part}ORDER BY {by})",
        f"lag({name}) OVER ({part}ORDER BY {by}, {key})",
        f"lead({name}, 2) OVER ({part}ORDER BY {by}, {key})",
        f"sum({number}) OVER ({part}ORDER BY {by})",
        f"count(*) OVER ({part.strip()})",
        f"avg({number}) OVER ({part}ORDER BY {by}, {key} ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)",
        f"first_value({name}) OVER ({part}ORDER BY {by}, {key})",
        f"min({number}) OVER ({part}ORDER BY {by})",
    )
    chosen = ", ".join(make.random.sample(calls, make.random.randint(1, 2)))
    return f"SELECT {key}, {chosen} FROM {source}{_where(make, 1, 0.2)}{_order(make)}"


_SHAPES: dict[str, Callable[[Maker], str]] = {
    "1": _key_look_up,
    "2": _by_foreign_key,
    "3": _lists,
    "4": _conditions,
    "5": _existence,
    "6": _joins,
    "7": _logic,
    "8": _groups,
    "10": _distinct,
    "11": _subqueries,
    "12": _expressions,
    "13": _limited,
    "14": _dates_and_sets,
    "15": _windows,
}
_WEIGHTED = (*_SHAPES, "7", "8", "12", "12", "14", "4", "6")
GROUPS = tuple(_SHAPES)
