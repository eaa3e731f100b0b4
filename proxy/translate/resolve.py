"""Which operator or function PostgreSQL would take, and whether and how it would cast. Manual: chapter 10.

The rules of `func_select_candidate`, `oper` and `find_coercion_pathway` on the catalogue's own rows. Types are those
beneath domains.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from proxy.translate.types import (
    ANY,
    ANYARRAY,
    ANYCOMPATIBLE,
    ANYELEMENT,
    ANYENUM,
    ANYNONARRAY,
    RECORD,
    UNKNOWN,
    Types,
    casts,
    operators,
)

IMPLICIT, ASSIGNMENT, EXPLICIT = "iae"
_RANK = {IMPLICIT: 0, ASSIGNMENT: 1, EXPLICIT: 2}

Candidate = TypeVar("Candidate")


def pathway(types: Types, source: int, target: int, context: str) -> str:
    """How a value is cast: '' not at all, 'b' as it is, 'f' by a function, 'i' through its text, 'a' by element."""
    if source == target:
        return "b"
    row = casts().get((source, target))
    if row is not None:
        return row[1] if _RANK[row[0]] <= _RANK[context] else ""
    one, other = types.element(source), types.element(target)
    if one and other:
        return "a" if pathway(types, one, other, context) else ""
    if context != IMPLICIT and types.category(target) == "S":
        return "i"
    if context == EXPLICIT and types.category(source) == "S":
        return "i"
    return ""


def can_coerce(types: Types, source: int, target: int, context: str = IMPLICIT) -> bool:
    if source in (target, UNKNOWN) or target == ANY:
        return True
    if target in (ANYELEMENT, ANYCOMPATIBLE):
        return True
    if target == ANYARRAY:
        return bool(types.element(source))
    if target == ANYNONARRAY:
        return not types.element(source)
    if target == ANYENUM:
        return types.is_enum(source)
    if target == RECORD or source == RECORD:
        return False
    return bool(pathway(types, source, target, context))


def choose(
    types: Types, given: Sequence[int], candidates: Sequence[tuple[tuple[int, ...], Candidate]]
) -> Candidate | None:
    """Of (argument types, candidate) the one PostgreSQL takes, exact matches apart; None where there is none, or more
    than one."""
    left = [
        (arguments, candidate)
        for arguments, candidate in candidates
        if len(arguments) == len(given)
        and all(can_coerce(types, source, target) for source, target in zip(given, arguments, strict=True))
    ]
    if len(left) < 2:
        return left[0][1] if left else None
    known = [place for place, oid in enumerate(given) if oid != UNKNOWN]
    left = _most(left, lambda arguments: sum(arguments[place] == given[place] for place in known))
    if len(left) == 1:
        return left[0][1]
    left = _most(
        left,
        lambda arguments: sum(
            arguments[place] == given[place]
            or (
                types.preferred(arguments[place])
                and types.category(arguments[place]) == types.category(given[place])
            )
            for place in known
        ),
    )
    if len(left) == 1:
        return left[0][1]
    unknown = [place for place, oid in enumerate(given) if oid == UNKNOWN]
    if not unknown:
        return None
    left = _by_category(types, left, unknown)
    if len(left) == 1:
        return left[0][1]
    same = {given[place] for place in known}
    if len(same) == 1:
        (one,) = same
        fitting = [item for item in left if all(can_coerce(types, one, target) for target in item[0])]
        if len(fitting) == 1:
            return fitting[0][1]
    return None


def _most(
    left: list[tuple[tuple[int, ...], Candidate]], score: Callable[[tuple[int, ...]], int]
) -> list[tuple[tuple[int, ...], Candidate]]:
    scores = [score(arguments) for arguments, _ in left]
    best = max(scores)
    return [item for item, points in zip(left, scores, strict=True) if points == best]


def _by_category(
    types: Types, left: list[tuple[tuple[int, ...], Candidate]], unknown: Sequence[int]
) -> list[tuple[tuple[int, ...], Candidate]]:
    """What is left when literals without a type are given a category: strings first."""
    wanted: dict[int, tuple[str, bool]] = {}
    for place in unknown:
        category, preferred, conflict = "", False, False
        for arguments, _ in left:
            oid = arguments[place]
            this, likes = types.category(oid), types.preferred(oid)
            if not category:
                category, preferred = this, likes
            elif this == category:
                preferred = preferred or likes
            elif this == "S":
                category, preferred = this, likes
            else:
                conflict = True
        if conflict and category != "S":
            return left
        wanted[place] = (category, preferred)
    kept = [
        item
        for item in left
        if all(
            types.category(item[0][place]) == category and (types.preferred(item[0][place]) or not preferred)
            for place, (category, preferred) in wanted.items()
        )
    ]
    return kept or left


def operator(types: Types, name: str, left: int, right: int) -> tuple[int, int, int] | None:
    """(left, right, result) of the operator PostgreSQL takes; `left` 0 for one that stands before its operand."""
    rows = operators().get(name, ())
    if not left:
        one = [row for row in rows if not row[0] and row[1] == right]
        if one:
            return one[0]
        return choose(types, (right,), [((row[1],), row) for row in rows if not row[0]])
    first, second = left, right
    if first == UNKNOWN:
        first = second
    elif second == UNKNOWN:
        second = first
    for row in rows:
        if row[0] == first and row[1] == second and first != UNKNOWN:
            return row
    return choose(types, (left, right), [((row[0], row[1]), row) for row in rows if row[0]])
