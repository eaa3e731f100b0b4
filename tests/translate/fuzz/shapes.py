"""Random reads of the classes of what applications send: see `tests/translate/reads`."""

from __future__ import annotations

from collections.abc import Callable

from tests.translate.fuzz.expressions import Maker, Seen
from tests.translate.fuzz.parts import (
    alike,
    direction,
    in_from,
    joined,
    key_of,
    limit,
    links,
    order_by,
    select_list,
    where,
)
from tests.translate.fuzz.values import DECIMALS, INTEGERS, MOMENTS, NUMBERS, TEXTS


def _key_look_up(make: Maker) -> str:
    source, seen = in_from(make)
    kind = seen.fields[0].type
    condition = f"{key_of(make, seen)} = {make.constant(kind, null=0.02)}"
    if make.maybe(0.2):
        condition += " AND 1=1"
    tail = make.random.choice(("", " LIMIT 21", " LIMIT 1 OFFSET 0"))
    return f"SELECT {select_list(make)} FROM {source} WHERE {condition}{tail}"


def _by_foreign_key(make: Maker) -> str:
    source, seen = in_from(make, make.random.choice(make.schema.tables[1:]))
    one = make.random.choice([one for one in seen.fields if one.refers])
    name = f"{seen.alias}.{one.name}"
    constant = make.constant(one.type)
    condition = f"{name} = {constant}" if make.maybe(0.5) else f"{constant} = {name}"
    return f"SELECT {select_list(make)} FROM {source} WHERE {condition}{order_by(make)}{limit(make, 0.3)}"


def _lists(make: Maker) -> str:
    source, _ = in_from(make)
    return f"SELECT {select_list(make)} FROM {source} WHERE {make.membership()}{order_by(make)}"


def _conditions(make: Maker) -> str:
    source, _ = in_from(make)
    conditions = [
        make.random.choice((make.comparison, make.null_test, make.boolean))()
        for _ in range(make.random.randint(1, 3))
    ]
    return f"SELECT {select_list(make)} FROM {source} WHERE {' AND '.join(conditions)}{order_by(make)}{limit(make)}"


def _existence(make: Maker) -> str:
    source, _ = in_from(make)
    match make.random.randrange(3):
        case 0:
            return f"SELECT 1 AS a FROM {source}{where(make)} LIMIT 1"
        case 1:
            return f"SELECT COUNT(*) FROM {source}{where(make, 2)}"
    inner = f"SELECT {make.any_column()[0]} AS col1 FROM {source}{where(make)}{limit(make, 0.2)}"
    return f"SELECT COUNT(*) FROM ({inner}) subquery"


def _joins(make: Maker) -> str:
    source = joined(make)
    return f"SELECT {select_list(make)} FROM {source}{where(make, 1, 0.4)}{order_by(make)}{limit(make, 0.3)}"


def _logic(make: Maker) -> str:
    source, seen = in_from(make)
    if make.maybe(0.25):
        name, kind = make.any_column(ordered=True)
        last = f"({make.constant(kind, null=0)}, {make.constant(seen.fields[0].type, null=0)})"
        keyset = f"({name}, {key_of(make, seen)}) > {last}"
        return f"SELECT {select_list(make)} FROM {source} WHERE {keyset} ORDER BY {name}, {key_of(make, seen)} LIMIT 10"
    return f"SELECT {select_list(make)} FROM {source} WHERE {make.condition(3)}{order_by(make)}{limit(make, 0.3)}"


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
    source = in_from(make)[0] if make.maybe(0.6) else joined(make, 1)
    filtered = where(make, 1, 0.4)
    calls = [aggregate(make) for _ in range(make.random.randint(1, 3))]
    if make.maybe(0.3):
        return f"SELECT {', '.join(calls)} FROM {source}{filtered}"
    if make.maybe(0.15) and make.scope[0].table is not None:
        key = make.scope[0]
        return (
            f"SELECT {key.alias}.*, {', '.join(calls)} FROM {source}{filtered} GROUP BY {key_of(make, key)}"
        )
    keys = [make.any_column(ordered=True)[0] for _ in range(make.random.randint(1, 2))]
    if make.maybe(0.15):
        keys[0] = f"date_trunc('month', {make.column(*MOMENTS) or make.typed('timestamp')})"
    by = ", ".join(keys) if make.maybe(0.6) else ", ".join(str(n + 1) for n in range(len(keys)))
    having = f" HAVING {aggregate_condition(make)}" if make.maybe(0.3) else ""
    order = ""
    if make.maybe(0.5):
        place = make.random.randint(1, len(keys))
        order = f" ORDER BY {place}{direction(make)}, {', '.join(keys)}"
    return f"SELECT {', '.join(keys + calls)} FROM {source}{filtered} GROUP BY {by}{having}{order}{limit(make, 0.2)}"


def aggregate_condition(make: Maker) -> str:
    operator = make.random.choice((">", ">=", "<", "="))
    name = make.column(*INTEGERS, *DECIMALS)
    if name is None or make.maybe(0.6):
        return f"COUNT(*) {operator} {make.random.randint(0, 3)}"
    return f"{make.random.choice(('SUM', 'MIN', 'MAX', 'AVG'))}({name}) {operator} {make.constant('int4', null=0)}"


def _distinct(make: Maker) -> str:
    source = in_from(make)[0] if make.maybe(0.7) else joined(make, 1)
    filtered = where(make, 1, 0.4)
    keys = [make.any_column(ordered=True)[0] for _ in range(make.random.randint(1, 2))]
    match make.random.randrange(4):
        case 0:
            order = f" ORDER BY {', '.join(key + direction(make) for key in keys)}" if make.maybe(0.6) else ""
            return f"SELECT DISTINCT {', '.join(keys)} FROM {source}{filtered}{order}{limit(make, 0.2)}"
        case 1:
            total = ", ".join(key_of(make, seen) for seen in make.scope)
            return (
                f"SELECT DISTINCT ON ({', '.join(keys)}) {select_list(make)} FROM {source}{filtered} "
                f"ORDER BY {', '.join(key + direction(make) for key in keys)}, {total}"
            )
        case 2:
            return f"SELECT COUNT(DISTINCT {keys[0]}), COUNT(*) FROM {source}{filtered}"
    filters = f"{aggregate(make)} FILTER (WHERE {make.condition(1)})"
    if make.maybe(0.5):
        return f"SELECT {filters}, COUNT(DISTINCT {keys[-1]}) FROM {source}{filtered}"
    return f"SELECT {keys[0]}, {filters} FROM {source}{filtered} GROUP BY {keys[0]}"


def _inner(make: Maker) -> tuple[list[Seen], str, Seen]:
    """Goes into a subquery; the scope is to be put back."""
    saved, make.outer, make.scope = make.scope, make.scope, []
    text, seen = in_from(make)
    return saved, text, seen


def subquery_condition(make: Maker) -> str:
    outer = make.scope
    name, kind = make.any_column(ordered=True)
    saved, text, seen = _inner(make)
    try:
        negated = make.random.choice(("", "NOT "))
        pairs = links(outer, seen) or alike(outer, seen)
        link = make.random.choice(pairs) if pairs else None
        condition = f"{link[0]} = {link[1]}" if link else make.condition(0)
        if make.maybe(0.6):
            extra = f" AND {make.condition(1)}" if make.maybe(0.5) else ""
            item = make.random.choice(("1", "*", "1 AS a"))
            return f"{negated}EXISTS (SELECT {item} FROM {text} WHERE {condition}{extra})"
        column = make.column(kind)
        if column is None and link is not None:
            name, column = link
        filtered = where(make, 1, 0.6)
        if column is None:
            return f"{negated}EXISTS (SELECT 1 FROM {text}{filtered})"
        if make.maybe(0.1):
            some = make.random.choice(("= ANY", "<> ALL", "< ANY", ">= ALL"))
            return f"{name} {some} (SELECT {column} FROM {text}{filtered})"
        return f"{name} {negated}IN (SELECT {column} FROM {text}{filtered})"
    finally:
        make.scope, make.outer = saved, []


def _subqueries(make: Maker) -> str:
    source, _ = in_from(make)
    condition = subquery_condition(make)
    if make.maybe(0.3):
        condition = f"{condition} {make.random.choice(('AND', 'OR'))} {make.condition(0)}"
    return f"SELECT {select_list(make)} FROM {source} WHERE {condition}{order_by(make)}{limit(make, 0.2)}"


def _expressions(make: Maker) -> str:
    source = in_from(make)[0] if make.maybe(0.8) else joined(make, 1)
    items = ", ".join(make.anything(2) for _ in range(make.random.randint(1, 3)))
    return f"SELECT {items} FROM {source}{where(make, 1, 0.3)}{order_by(make, share=0.4)}"


def scalar_subquery(make: Maker) -> str:
    outer = make.scope
    saved, text, seen = _inner(make)
    try:
        pairs = links(outer, seen) or alike(outer, seen)
        filtered = ""
        if pairs and make.maybe(0.85):
            left, right = make.random.choice(pairs)
            filtered = f" WHERE {left} = {right}"
        if make.maybe(0.7):
            return f"(SELECT {aggregate(make)} FROM {text}{filtered})"
        column = make.any_column()[0]
        tail = f" ORDER BY {key_of(make, seen)} LIMIT 1" if make.maybe(0.8) else ""
        return f"(SELECT {column} FROM {text}{filtered}{tail})"
    finally:
        make.scope, make.outer = saved, []


def derived_table(make: Maker, *, limited: float = 0.6) -> tuple[str, Seen]:
    """A sub-select in FROM, its first column the key of its table."""
    saved, outer = make.scope, make.outer
    make.scope, make.outer = [], []
    source, seen = in_from(make)
    order = f"{make.any_column(ordered=True)[0]}{direction(make)}, {key_of(make, seen)}"
    tail = f" ORDER BY {order} LIMIT {make.random.randint(1, 9)}" if make.maybe(limited) else ""
    wanted = [seen.fields[0], *make.random.sample(seen.fields[1:], min(4, len(seen.fields) - 1))]
    names = ", ".join(f"{seen.alias}.{one.name}" for one in wanted)
    text = f"SELECT {names} FROM {source}{where(make, 1, 0.4)}{tail}"
    make.scope, make.outer = saved, outer
    return text, Seen("", tuple(wanted), seen.table)


def _limited(make: Maker) -> str:
    if make.maybe(0.5):
        source, _ = in_from(make)
        items = ", ".join((select_list(make, 1, 2).replace("*", "1"), scalar_subquery(make)))
        return f"SELECT {items} FROM {source}{where(make, 1, 0.3)}{order_by(make)}{limit(make, 0.2)}"
    text, shape = derived_table(make)
    derived = Seen(make.alias(), shape.fields, shape.table)
    make.scope.append(derived)
    source = f"({text}) {derived.alias}"
    if make.maybe(0.6):
        other, new = in_from(make)
        pairs = links([derived], new) or alike([derived], new)
        if pairs:
            left, right = make.random.choice(pairs)
            source += f" {make.random.choice(('JOIN', 'LEFT JOIN'))} {other} ON {left} = {right}"
        else:
            make.scope.pop()
    return f"SELECT {select_list(make)} FROM {source}{where(make, 1, 0.3)}{order_by(make)}"


def _dates_and_sets(make: Maker) -> str:
    match make.random.randrange(4):
        case 0:
            return set_operation(make)
        case 1:
            text, shape = derived_table(make, limited=0.3)
            name = make.alias()
            make.scope.append(Seen(name, shape.fields, shape.table))
            rest = f"SELECT {select_list(make)} FROM {name}{where(make, 1, 0.4)}{order_by(make)}"
            return f"WITH {name} AS ({text}) {rest}"
        case 2:
            source, _ = in_from(make)
            moment = make.scalar("moment", 1)
            items = [moment, make.scalar("extract", 1), make.scalar("date", 1)]
            return f"SELECT {', '.join(items)} FROM {source}{order_by(make)}"
    source, _ = in_from(make)
    return f"SELECT {select_list(make)} FROM {source}{where(make)}{order_by(make, share=1)}{limit(make, 0.3)}"


def set_operation(make: Maker) -> str:
    kinds = make.random.choice(
        (
            ("int4",),
            ("int8", "int4", "int2"),
            TEXTS,
            ("numeric", "int4"),
            MOMENTS,
            ("date",),
            ("bool",),
            ("uuid",),
        )
    )
    halves = []
    for _ in range(make.random.choice((2, 2, 2, 3))):
        make.scope = []
        source, _ = in_from(make)
        one = make.column(*kinds) or make.typed(kinds[0])
        halves.append(f"SELECT {one} FROM {source}{where(make, 1, 0.4)}")
    operator = make.random.choice(
        ("UNION", "UNION ALL", "INTERSECT", "EXCEPT", "UNION", "EXCEPT ALL", "INTERSECT ALL")
    )
    order = f" ORDER BY 1{direction(make)}" if make.maybe(0.6) else ""
    return f" {operator} ".join(halves) + order + (limit(make, 0.3) if order else "")


def _windows(make: Maker) -> str:
    source, seen = in_from(make)
    key = key_of(make, seen)
    part = f"PARTITION BY {make.any_column(ordered=True)[0]} " if make.maybe(0.6) else ""
    by = f"{make.any_column(ordered=True)[0]}{direction(make)}"
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
    return f"SELECT {key}, {chosen} FROM {source}{where(make, 1, 0.2)}{order_by(make)}"


SHAPES: dict[str, Callable[[Maker], str]] = {
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
