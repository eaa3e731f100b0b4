"""Random expressions and conditions over the columns in reach, of a wanted type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from tests.translate.fuzz.scalars import KINDS
from tests.translate.fuzz.schema import Field, Schema, Table
from tests.translate.fuzz.values import (
    KEYS,
    MOMENTS,
    NUMBERS,
    POOLS,
    TEXTS,
    UNORDERED,
    base,
    quoted,
)

REGEXES = (
    "^a",
    "a$",
    "a|b",
    "^[A-Za-z]+$",
    ".",
    "^$",
    "k[0-9]?",
    "\\.",
    "(a|é)$",
    "^.{1,3}$",
    "^(?:50)?%",
    "[^a]",
)
JSON_NAMES = ("a", "b", "n", "k", "x", "")
JSON_TEXTS = ("1", "1.0", "v", "x", "%", "[1, 2]", "", "null")
PATTERNS = (
    "a%",
    "%a",
    "%a%",
    "_",
    "a_",
    "%",
    "",
    "50\\%",
    "a\\_b",
    "%\\\\%",
    "é%",
    "_b%",
    "%b",
    "A%",
    "%\n%",
    "a b",
    "__",
)


@dataclass(frozen=True)
class Seen:
    """A table or derived table in FROM."""

    alias: str
    fields: tuple[Field, ...]
    table: Table | None = None

    def of(self, *types: str) -> list[str]:
        return [f"{self.alias}.{one.name}" for one in self.fields if one.type in types]


@dataclass
class Parameter:
    type: str
    """What its value was made for."""
    value: str | None
    declared: bool
    binary: bool


@dataclass
class Maker:
    random: Random
    schema: Schema
    parameters: list[Parameter] = field(default_factory=list)
    scope: list[Seen] = field(default_factory=list)
    outer: list[Seen] = field(default_factory=list)
    aliases: int = 0
    constant_only: bool = False

    def maybe(self, share: float) -> bool:
        return self.random.random() < share

    def alias(self) -> str:
        self.aliases += 1
        return f"x{self.aliases}"

    # what is in reach

    def columns(self, *types: str) -> list[str]:
        found = [name for seen in self.scope for name in seen.of(*types)]
        if self.outer and self.maybe(0.3):
            found += [name for seen in self.outer for name in seen.of(*types)]
        return found

    def column(self, *types: str) -> str | None:
        found = self.columns(*types)
        return self.random.choice(found) if found else None

    def any_column(self, *, ordered: bool = False) -> tuple[str, str]:
        pairs = [(f"{seen.alias}.{one.name}", one.type) for seen in self.scope for one in seen.fields]
        if ordered:
            pairs = [pair for pair in pairs if pair[1] not in UNORDERED]
        return self.random.choice(pairs) if pairs else (self.typed("int4"), "int4")

    # values

    def value(self, name: str) -> str:
        pool = POOLS[name]
        if name in KEYS and self.maybe(0.3):
            pool = KEYS[name]
        return self.random.choice(pool)

    def constant(self, name: str, *, null: float = 0.05) -> str:
        """A literal of one form or another, or a parameter."""
        random = self.random
        value = None if self.maybe(null) else self.value(name)
        if self.maybe(0.3):
            cast = "" if self.maybe(0.5) else f"::{base(name)}"
            # without a cast and undeclared PostgreSQL finds out the type: then only as text
            declared = not cast and self.maybe(0.7)
            known = bool(cast) or declared
            binary = known and value is not None and self.maybe(0.5)
            self.parameters.append(Parameter(name, value, declared, binary))
            return f"${len(self.parameters)}{cast}"
        if value is None:
            return "NULL" if self.maybe(0.5) else f"NULL::{base(name)}"
        if name in NUMBERS and value[-1].isdigit() and self.maybe(0.8):
            return value if not value.startswith("-") else f"({value})"
        if name == "bool" and self.maybe(0.8):
            return "TRUE" if value == "t" else "FALSE"
        form = random.randrange(3)
        if form == 0 and name != "json":
            return quoted(value)
        if form == 1 and "(" not in name and "[" not in name:
            return f"CAST({quoted(value)} AS {base(name)})"
        return f"{quoted(value)}::{base(name)}"

    def typed(self, name: str) -> str:
        """A constant whose type does not depend on where it stands."""
        value = quoted(self.value(name))
        return f"{value}::{base(name)}"

    # expressions

    def scalar(self, kind: str, depth: int = 2) -> str:
        """`kind`: int, numeric, float, text, bool, date, moment, interval, time, or a type's own name."""
        if depth > 0 and self.maybe(0.12) and kind in KINDS:
            return self._choice_of(kind, depth - 1)
        make = KINDS.get(kind)
        if make is not None:
            return make(self, depth)
        return self.column(kind) or self.typed(kind)

    def _choice_of(self, kind: str, depth: int) -> str:
        one, other = self.scalar(kind, depth), self.scalar(kind, depth)
        match self.random.randrange(4):
            case 0:
                return f"COALESCE({one}, {other})"
            case 1:
                return f"CASE WHEN {self.condition(depth - 1)} THEN {one} ELSE {other} END"
            case 2:
                return f"CASE WHEN {self.condition(depth - 1)} THEN {one} WHEN {self.condition(0)} THEN {other} END"
        return (
            f"NULLIF({one}, {other})" if kind in ("int", "text", "numeric") else f"COALESCE({one}, {other})"
        )

    def anything(self, depth: int = 2) -> str:
        """For a select list."""
        if self.maybe(0.05) and (name := self.column("jsonb")) is not None:
            return self.json_text(name)
        if self.maybe(0.4):
            return self.any_column()[0]
        return self.scalar(self.random.choice(tuple(KINDS)), depth)

    # conditions

    def condition(self, depth: int = 2) -> str:
        if depth > 0 and self.maybe(0.45):
            one, other = self.condition(depth - 1), self.condition(depth - 1)
            match self.random.randrange(6):
                case 0 | 1:
                    return f"({one} AND {other})"
                case 2 | 3:
                    return f"({one} OR {other})"
                case 4:
                    return f"NOT ({one})"
            return f"({one}) IS {self.random.choice(('', 'NOT '))}{self.random.choice(('TRUE', 'FALSE', 'UNKNOWN'))}"
        return self.random.choice(_CONDITIONS)(self, depth)

    def comparison(self, depth: int = 1) -> str:
        name, kind = self.any_column(ordered=True)
        operator = self.random.choice(("=", "=", "<>", "<", "<=", ">", ">=", "!="))
        choice = self.random.random()
        if choice < 0.2 and kind in NUMBERS:
            other = self.column(*NUMBERS) or self.constant(kind)
        elif choice < 0.2 and kind in (*MOMENTS, "date"):
            other = self.column(*MOMENTS, "date") or self.constant(kind)
        elif choice < 0.35:
            other = self.column(kind) or self.constant(kind)
        elif choice < 0.42 and kind in NUMBERS:
            other = self.scalar("int", 1)
        elif choice < 0.5 and kind in NUMBERS:
            other = self.constant(self.random.choice(NUMBERS))
        else:
            other = self.constant(kind)
        return f"{name} {operator} {other}" if self.maybe(0.8) else f"{other} {operator} {name}"

    def membership(self, depth: int = 1) -> str:
        name, kind = self.any_column(ordered=True)
        count = self.random.randint(1, 4)
        negated = self.random.choice(("", "", "NOT "))
        match self.random.randrange(5):
            case 0:
                values = ", ".join(self.typed(kind) for _ in range(count))
                return f"{name} = ANY(ARRAY[{values}])"
            case 1 if kind in ("int4", "text"):
                return f"{name} {self.random.choice(('= ANY', '<> ALL'))}({self.constant(f'{kind}[]')}::{kind}[])"
        values = ", ".join(self.constant(kind, null=0.1) for _ in range(count))
        return f"{name} {negated}IN ({values})"

    def between(self, depth: int = 1) -> str:
        name, kind = self.any_column(ordered=True)
        negated = self.random.choice(("", "", "NOT "))
        symmetric = "SYMMETRIC " if self.maybe(0.1) else ""
        return f"{name} {negated}BETWEEN {symmetric}{self.constant(kind)} AND {self.constant(kind)}"

    def null_test(self, depth: int = 1) -> str:
        return f"{self.any_column()[0]} IS {self.random.choice(('', 'NOT '))}NULL"

    def boolean(self, depth: int = 1) -> str:
        name = self.column("bool")
        if name is None:
            return self.null_test()
        return self.random.choice(
            (name, f"NOT {name}", f"{name} = true", f"{name} IS NOT TRUE", f"{name} IS FALSE")
        )

    def pattern(self, depth: int = 1) -> str:
        name = self.column(*TEXTS)
        if name is None:
            return self.comparison()
        operator = self.random.choice(("LIKE", "LIKE", "ILIKE", "NOT LIKE", "NOT ILIKE"))
        pattern = self.random.choice(PATTERNS)
        match self.random.randrange(5):
            case 0:
                self.parameters.append(Parameter("text", pattern, self.maybe(0.5), False))
                number = len(self.parameters)
                return f"{name} {operator} '%' || ${number} || '%'"
            case 1:
                return f"UPPER({name}::text) {operator} UPPER({quoted(pattern)})"
            case 2 if "\\" not in pattern:
                return f"{name} {operator} {quoted(pattern.replace('_', '!_'))} ESCAPE '!'"
        return f"{name} {operator} {quoted(pattern)}"

    def regex(self, depth: int = 1) -> str:
        name = self.column(*TEXTS)
        if name is None:
            return self.comparison()
        return f"{name} {self.random.choice(('~', '~*', '!~', '!~*'))} {quoted(self.random.choice(REGEXES))}"

    def inside(self, depth: int = 1) -> str:
        """Of what has parts: jsonb, arrays."""
        kind = self.random.choice(("jsonb", "int4[]", "text[]"))
        name = self.column(kind)
        if name is None:
            return self.null_test()
        if kind != "jsonb":
            operator = self.random.choice(("@>", "<@", "&&", "=", "<>"))
            if self.maybe(0.3):
                return f"{name}[{self.random.randint(0, 3)}] IS {self.random.choice(('', 'NOT '))}NULL"
            return f"{name} {operator} {self.constant(kind)}"
        match self.random.randrange(5):
            case 0:
                return f"{name} {self.random.choice(('@>', '<@', '=', '<>'))} {self.constant('jsonb')}"
            case 1:
                return f"{name} {self.random.choice(('?|', '?&'))} ARRAY['a', {quoted(self.random.choice(JSON_NAMES))}]"
            case 2:
                return f"{name} ? {quoted(self.random.choice(JSON_NAMES))}"
        operator, text = self.random.choice(("=", "<>", "LIKE")), self.random.choice(JSON_TEXTS)
        return f"{self.json_text(name)} {operator} {quoted(text)}"

    def json_text(self, name: str) -> str:
        """A part as text."""
        one = self.random.choice((*map(quoted, JSON_NAMES), "0", "1", "-1"))
        match self.random.randrange(4):
            case 0:
                return f"{name} #>> '{{b,1}}'"
            case 1:
                return f"({name} -> {one})::text"
            case 2:
                return f"{name} -> {one} ->> 'k'"
        return f"{name} ->> {one}"

    def row_comparison(self, depth: int = 1) -> str:
        pairs = [self.any_column(ordered=True) for _ in range(self.random.randint(2, 3))]
        operator = self.random.choice((">", "<", ">=", "<=", "=", "<>"))
        names = ", ".join(name for name, _ in pairs)
        return f"({names}) {operator} ({', '.join(self.constant(kind) for _, kind in pairs)})"

    def distinct_from(self, depth: int = 1) -> str:
        name, kind = self.any_column(ordered=True)
        other = self.column(kind) if self.maybe(0.4) else None
        return f"{name} IS {self.random.choice(('', 'NOT '))}DISTINCT FROM {other or self.constant(kind)}"

    def computed(self, depth: int = 1) -> str:
        kind = self.random.choice(("int", "numeric", "text", "moment", "date", "float"))
        operator = self.random.choice(("=", "<>", "<", ">="))
        return f"{self.scalar(kind, depth)} {operator} {self.scalar(kind, depth)}"


_CONDITIONS: tuple[Callable[[Maker, int], str], ...] = (
    *(Maker.comparison,) * 6,
    *(Maker.membership,) * 2,
    Maker.between,
    *(Maker.null_test,) * 2,
    *(Maker.boolean,) * 2,
    *(Maker.pattern,) * 2,
    Maker.regex,
    Maker.inside,
    Maker.row_comparison,
    Maker.distinct_from,
    Maker.computed,
)
