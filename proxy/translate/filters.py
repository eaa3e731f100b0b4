"""Conditions as filters of the store. Every rule says why no row whose condition is true can be missed.

A filter is for the TRUE set of a condition: rows for which it is false or NULL need not be found. It is *exact* if it
finds no other row. Negations are pushed to the leaves first (`NOT (a < b)` is `a >= b`, De Morgan), so that no filter
is ever made of another by `$nor`.

What a document holds for a value is said in `proxy.documents`: a comparison of the store looks at values of the type
of the constant only (type bracketing), and at numbers by their exact value whatever their type. A marked value (NaN,
infinity, an interval) is left to the proxy where the store would order or compare it otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bson.regex import Regex

from proxy.documents.table_mapping import Column as Field
from proxy.mirror.tables import MirroredTable
from proxy.translate import strings
from proxy.translate import types as t
from proxy.translate.api import Inexact, ReadError
from proxy.translate.evaluate import Compiler
from proxy.translate.filter_rules import ALWAYS, NEVER, WITH_NAN, Condition, Rule, comparable, transparent
from proxy.translate.operators import NEGATED, SWAPPED
from proxy.translate.rewrite import walk
from proxy.translate.runtime import Evaluate, Run
from proxy.translate.tree import (
    Agg,
    AnyOf,
    Call,
    Column,
    Expr,
    IsNull,
    IsTruth,
    Logic,
    Rows,
    Sub,
    Window,
)
from proxy.translate.types import Types


@dataclass(frozen=True, slots=True)
class Found:
    """A filter, made when the parameters are known."""

    make: Callable[[Run], Condition]
    exact: bool
    fields: tuple[str, ...] = ()
    """What an index would have to be on."""


def _never(run: Run) -> Condition:
    return NEVER


class Filters:
    """Makes filters for the rows of one scan, whose columns begin at `start` in the row of its query."""

    def __init__(
        self, table: MirroredTable, start: int, width: int, compiler: Compiler, types: Types
    ) -> None:
        self.table = table
        self.start = start
        self.width = width
        self.compiler = compiler
        self.types = types

    def condition(self, expr: Expr, wanted: bool = True) -> Found | None:
        """A filter for the rows in which `expr` is `wanted`; None where there is no use in one."""
        match expr:
            case Logic(kind="not", args=(inner,)):
                return self.condition(inner, not wanted)
            case Logic(kind=kind, args=args):
                return self._and(args, wanted) if (kind == "and") is wanted else self._or(args, wanted)
            case IsNull(arg=arg, negated=negated):
                return self._null(arg, negated is wanted)
            case IsTruth(arg=arg, wanted=bool() as value, negated=False) if wanted:
                return self.condition(arg, value)
            case Column():
                return self._boolean(expr, wanted)
            case Call(push=("compare", str() as name), args=(left, right)):
                return self._compare(name if wanted else NEGATED[name], left, right)
            case Call(push=("like", str() as name), args=(left, right)):
                return self._like(name, left, right) if name.startswith("!") is not wanted else None
            case AnyOf():
                return self._any_of(expr, wanted)
            case Rows():
                return self._rows(expr) if wanted else None
        return None

    def _and(self, args: Sequence[Expr], wanted: bool) -> Found | None:
        """What is true in all is found by each: those without a filter are left out, and it is not exact then."""
        made = [self.condition(arg, wanted) for arg in args]
        found = [one for one in made if one is not None]
        return joined("$and", found, exact=len(found) == len(made)) if found else None

    def _or(self, args: Sequence[Expr], wanted: bool) -> Found | None:
        """What is true in one is found by that one: all must have filters."""
        made = [self.condition(arg, wanted) for arg in args]
        found = [one for one in made if one is not None]
        return joined("$or", found, exact=True) if len(found) == len(made) else None

    def field(self, expr: Expr) -> tuple[Field, int, bool] | None:
        """The field of a column of this scan, casts that change nothing looked through: field, type, whether it is
        the whole `_id`."""
        while isinstance(expr, Call) and len(expr.args) == 1 and transparent(expr):
            expr = expr.args[0]
        if (
            not isinstance(expr, Column)
            or expr.level
            or not self.start <= expr.index < self.start + self.width
        ):
            return None
        attribute = self.table.relation.attributes[expr.index - self.start]
        column = self.table.mapping.by_name[attribute.name]
        single = self.table.mapping.key_columns == (attribute.name,)
        return column, self.types.base(attribute.type_oid)[0], single

    def constant(self, expr: Expr) -> Evaluate | None:
        """An expression that is the same for every row of the scan and needs no row of a query around."""
        if any(isinstance(part, Column | Sub | Agg | Window) for part in walk(expr)):
            return None
        return self.compiler(expr)

    def _null(self, arg: Expr, present: bool) -> Found | None:
        """A field that is missing reads as NULL, and so does `null`: `$eq: null` finds both, `$ne: null` neither.
        Not for jsonb, whose null may be JSON's, nor arrays, which are found by a NULL within; keys are never NULL."""
        found = self.field(arg)
        if found is None or found[1] == t.JSONB or self.types.element(found[1]):
            return None
        column, _, single = found
        if single:
            return Found(lambda run: ALWAYS, True) if present else Found(_never, True)
        operator = "$ne" if present else "$eq"
        return Found(lambda run: {column.field: {operator: None}}, True, (column.field,))

    def _boolean(self, expr: Column, wanted: bool) -> Found | None:
        found = self.field(expr)
        if found is None or found[1] != t.BOOL:
            return None
        name = found[0].field
        return Found(lambda run: {name: {"$eq": wanted}}, True, (name,))

    def _compare(self, name: str, left: Expr, right: Expr) -> Found | None:
        one, other = self.field(left), self.constant(right)
        if one is None or other is None:
            one, other = self.field(right), self.constant(left)
            if one is None or other is None:
                return None
            left, right = right, left
            name = SWAPPED[name]
        column, oid, single = one
        if not comparable(oid, right.type):
            return None
        rule = Rule(column, oid, single, self.types)
        made = rule.compare(name)
        if made is None:
            return None
        value_of = other

        def make(run: Run) -> Condition:
            value = value_of((), run)
            return NEVER if value is None else made(value)

        return Found(make, True, (column.field,))

    def _any_of(self, expr: AnyOf, wanted: bool) -> Found | None:
        """`= ANY` is `$in`; `<> ALL`, its negation, is `$nin` of the values and null, and nothing where the list has a
        NULL. Of an empty list the one finds nothing, the other all rows, those with NULL among them."""
        found, array = self.field(expr.left), self.constant(expr.array)
        if found is None or array is None or expr.key is None:
            return None
        column, oid, single = found
        rule = Rule(column, oid, single, self.types)
        one = rule.value
        if one is None or not comparable(oid, self.types.element(expr.array.type)):
            return None
        among = wanted is not expr.every
        if not among and oid in WITH_NAN and single:
            return None

        def make(run: Run) -> Condition:
            items = array((), run)
            if items is None:
                return NEVER
            values = [one(item) for item in items if item is not None]
            if among:
                return rule.among(values)
            if not items:
                return ALWAYS
            return NEVER if len(values) < len(items) else rule.beside(values)

        return Found(make, True, (column.field,))

    def _rows(self, expr: Rows) -> Found | None:
        """`(a, b) > (x, y)` is true only where `a >= x` is: that part alone, not exact."""
        first = expr.pairs[0][1]
        if not isinstance(first, Call) or first.push[:1] != ("compare",):
            return None
        name = str(first.push[1])
        found = self._compare(name if name.endswith("=") else f"{name}=", *first.args)
        return None if found is None else Found(found.make, False, found.fields)

    def _like(self, name: str, left: Expr, right: Expr) -> Found | None:
        """LIKE as a regular expression from the beginning to the very end (`\\z`), `.` being any character; ILIKE, and
        LIKE of upper or lower, as one that leaves the case open."""
        loose = name.endswith("*")
        if isinstance(left, Call) and left.push[:1] == ("case",):
            left, loose = left.args[0], True
        found, pattern = self.field(left), self.constant(right)
        if found is None or pattern is None or found[1] not in (t.TEXT, t.VARCHAR):
            return None
        column = found[0]

        def make(run: Run) -> Condition:
            value = pattern((), run)
            if value is None:
                return NEVER
            return {column.field: Regex(_loose(value) if loose else _regex(value), "s")}

        return Found(make, not loose, (column.field,))


def _anchored(made: str) -> str:
    if "\0" in made:
        raise Inexact("a zero byte in a pattern")
    return "^" + made.removesuffix(".*") if made.endswith(".*") else f"^{made}\\z"


def _regex(pattern: str) -> str:
    return _anchored(strings.like_regex(pattern))


_ALSO = {"i": "ıİ", "k": "\u212a", "s": "ſ"}
"""Letters beyond ASCII whose other case is an ASCII letter."""


def _loose(pattern: str) -> str:
    """Any case of ASCII letters, and anything for a letter beyond ASCII: finds whatever any locale could."""
    parts = []
    position = 0
    while position < len(pattern):
        char = pattern[position]
        if char == "\\" and position + 1 < len(pattern):
            position += 1
            char = pattern[position]
        elif char == "%":
            parts.append(".*")
            position += 1
            continue
        elif char == "_":
            parts.append(".{1,4}")
            position += 1
            continue
        if not char.isascii():
            parts.append(".{1,4}")
        elif char.isalpha():
            letters = [char.lower(), char.upper(), *_ALSO.get(char.lower(), "")]
            parts.append(f"(?:{'|'.join(letters)})")
        else:
            parts.append(re.escape(char))
        position += 1
    return _anchored("".join(parts))


def joined(operator: str, parts: Sequence[Found], *, exact: bool) -> Found:
    if len(parts) == 1:
        return Found(parts[0].make, parts[0].exact and exact, parts[0].fields)

    def make(run: Run) -> Condition:
        made = [part.make(run) for part in parts]
        if operator == "$and":
            if NEVER in made:
                return NEVER
            made = [one for one in made if one]
        else:
            if ALWAYS in made:
                return ALWAYS
            made = [one for one in made if one != NEVER]
            if not made:
                return NEVER
        if not made:
            return ALWAYS
        return made[0] if len(made) == 1 else {operator: made}

    fields = tuple(dict.fromkeys(field for part in parts for field in part.fields))
    return Found(make, exact and all(part.exact for part in parts), fields)


def safely(found: Found, run: Run) -> tuple[Condition, bool]:
    """The filter, and whether it is exact; none where the parameters make one impossible or fail."""
    try:
        return found.make(run), found.exact
    except (ReadError, Inexact):
        return ALWAYS, False
