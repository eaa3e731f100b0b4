"""Parts of reads: FROM, joins, WHERE, lists, ORDER BY, LIMIT."""

from __future__ import annotations

from tests.translate.fuzz.expressions import Maker, Parameter, Seen
from tests.translate.fuzz.schema import Table
from tests.translate.fuzz.values import UNORDERED


def in_from(make: Maker, table: Table | None = None) -> tuple[str, Seen]:
    """One table in FROM, in the scope from now on."""
    table = table or make.random.choice(make.schema.tables)
    alias = make.alias() if make.maybe(0.6) else table.name
    if any(seen.alias == alias for seen in make.scope + make.outer):
        alias = make.alias()
    seen = Seen(alias, table.fields, table)
    make.scope.append(seen)
    return (
        table.name if alias == table.name else f"{table.name} {'AS ' if make.maybe(0.5) else ''}{alias}"
    ), seen


def where(make: Maker, depth: int = 1, share: float = 0.7) -> str:
    return f" WHERE {make.condition(depth)}" if make.maybe(share) else ""


def select_list(make: Maker, low: int = 1, high: int = 4, *, depth: int = 0) -> str:
    if make.maybe(0.15):
        return "*" if make.maybe(0.5) else f"{make.random.choice(make.scope).alias}.*"
    items = []
    for place in range(make.random.randint(low, high)):
        item = make.any_column()[0] if depth <= 0 else make.anything(depth)
        items.append(f"{item} AS c_{place}" if make.maybe(0.2) else item)
    return ", ".join(items)


def direction(make: Maker) -> str:
    return make.random.choice(("", "", " ASC", " DESC", " DESC")) + make.random.choice(
        ("", "", "", " NULLS FIRST", " NULLS LAST")
    )


def order_by(make: Maker, *, share: float = 0.7, total: float = 0.7) -> str:
    if not make.maybe(share):
        return ""
    keys = []
    for _ in range(make.random.randint(1, 2)):
        name, _ = make.any_column(ordered=True)
        if make.maybe(0.1):
            name = make.scalar(make.random.choice(("int", "numeric", "moment", "text")), 1)
            if name.isdigit() or name.startswith(("'", "$")):
                continue
        keys.append(name + direction(make))
    if make.maybe(total) or not keys:
        keys += [f"{seen.alias}.{seen.fields[0].name}" for seen in make.scope]
    return " ORDER BY " + ", ".join(keys)


def limit(make: Maker, share: float = 0.5) -> str:
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


def key_of(make: Maker, seen: Seen) -> str:
    return f"{seen.alias}.{seen.fields[0].name}"


def joined(make: Maker, count: int | None = None) -> str:
    """A FROM of tables that are joined on their references, or on any columns of a type."""
    source, _ = in_from(make)
    for _ in range(count or make.random.randint(1, 2)):
        before = list(make.scope)
        table = make.random.choice(make.schema.tables)
        text, new = in_from(make, table)
        pairs = links(before, new)
        kind = make.random.choice(
            ("JOIN", "INNER JOIN", "LEFT JOIN", "LEFT OUTER JOIN", "RIGHT JOIN", "LEFT JOIN")
        )
        if make.maybe(0.05):
            kind = "FULL JOIN"
        if not pairs:
            pairs = alike(before, new)
        if not pairs or (make.maybe(0.03) and len(before) == 1):
            source = f"{source} CROSS JOIN {text}"
            continue
        left, right = make.random.choice(pairs)
        condition = f"{left} = {right}" if make.maybe(0.5) else f"{right} = {left}"
        if make.maybe(0.2) and kind != "FULL JOIN":
            condition += f" AND {make.condition(0)}"
        source = f"{source} {kind} {text} ON {condition}"
    return source


def links(before: list[Seen], new: Seen) -> list[tuple[str, str]]:
    pairs = []
    for seen in before:
        for one in seen.fields:
            if new.table is not None and one.refers == new.table.name:
                pairs.append((f"{seen.alias}.{one.name}", f"{new.alias}.id"))
        for one in new.fields:
            if seen.table is not None and one.refers == seen.table.name:
                pairs.append((f"{seen.alias}.id", f"{new.alias}.{one.name}"))
    return pairs


def alike(before: list[Seen], new: Seen) -> list[tuple[str, str]]:
    return [
        (f"{seen.alias}.{one.name}", f"{new.alias}.{other.name}")
        for seen in before
        for one in seen.fields
        for other in new.fields
        if one.type == other.type and one.type not in UNORDERED
    ]
