"""A random schema with rows: five tables that refer to each other, between them columns of every type."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Final

from tests.translate.fuzz.values import KEYS, POOLS, quoted

TABLES: Final = 5
_IN_KEYS: Final = (
    *(
        "int2",
        "int4",
        "int8",
        "text",
        "varchar(12)",
        "uuid",
        "date",
        "timestamptz",
        "timestamp",
        "bool",
        "fuzz_mood",
    ),
    *("numeric(10,2)", "time", "bytea", "char(5)"),
)
"""Types of columns that a key of two may have; the first alone is unique, too."""
_SIZES: Final = (0, 9, 16, 24, 30)


@dataclass(frozen=True)
class Field:
    name: str
    type: str
    nullable: bool = True
    refers: str | None = None
    """The table whose key it holds."""


@dataclass(frozen=True)
class Table:
    name: str
    key: Field
    fields: tuple[Field, ...]
    """All, the key first."""

    def of(self, *types: str) -> list[Field]:
        return [one for one in self.fields if one.type in types]


@dataclass
class Schema:
    tables: list[Table] = field(default_factory=list)
    script: str = ""

    def named(self, name: str) -> Table:
        return next(table for table in self.tables if table.name == name)


def make_schema(random: Random) -> Schema:
    schema = Schema()
    parts = ["CREATE TYPE fuzz_mood AS ENUM ('sad', 'ok', 'happy', 'Zen');"]
    types = list(POOLS)
    random.shuffle(types)
    sizes = list(_SIZES)
    random.shuffle(sizes)
    share = -(-len(types) // TABLES)
    for number in range(TABLES):
        name = f"t{number}"
        key = Field("id", random.choice(list(KEYS)), nullable=False)
        fields = [key]
        for earlier in schema.tables[-2:]:
            fields.append(Field(f"{earlier.name}_id", earlier.key.type, True, earlier.name))
        mine = types[number * share : (number + 1) * share]
        mine += random.sample(("int4", "text", "numeric", "bool", "timestamptz", "int8", "float8"), 3)
        for place, type_name in enumerate(mine):
            column = f"c{place}" if random.random() < 0.85 else f'"C {place}é"'
            fields.append(Field(column, type_name, nullable=random.random() < 0.8))
        table = Table(name, key, tuple(fields))
        schema.tables.append(table)
        parts += _made(random, table, sizes[number])
    parts.append("ANALYZE;")
    schema.script = "\n".join(parts)
    return schema


def _made(random: Random, table: Table, rows: int) -> list[str]:
    columns = []
    for one in table.fields:
        collation = ' COLLATE "C"' if one.type in ("text", "varchar(12)") and random.random() < 0.3 else ""
        columns.append(f"{one.name} {one.type}{collation}{'' if one.nullable else ' NOT NULL'}")
    second = [one.name for one in table.fields[1:] if not one.nullable and one.type in _IN_KEYS]
    together = second[:1] if random.random() < 0.3 else []
    columns.append(f"PRIMARY KEY ({', '.join([table.key.name, *together])})")
    parts = [f"CREATE TABLE {table.name} ({', '.join(columns)});"]
    keys = random.sample(KEYS[table.key.type], rows)
    lines = []
    for key in keys:
        values = [quoted(key)]
        for one in table.fields[1:]:
            if one.nullable and random.random() < 0.2:
                values.append("NULL")
            else:
                pool = KEYS[one.type] if one.refers else POOLS[one.type]
                values.append(quoted(random.choice(pool)))
        lines.append(f"({', '.join(values)})")
    if lines:
        parts.append(f"INSERT INTO {table.name} VALUES\n " + ",\n ".join(lines) + ";")
    return parts
