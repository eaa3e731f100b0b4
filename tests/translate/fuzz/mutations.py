"""Mistakes that are put into the compiler on purpose: the fuzzer must catch every one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

import pytest

from proxy.translate import aggregates, bind, evaluate, execute, fetch, numbers, relational, strings, values
from proxy.translate import types as t

Patch = pytest.MonkeyPatch


@dataclass(frozen=True)
class Mutation:
    name: str
    groups: tuple[str, ...]
    """Classes of reads in which it must show."""
    put: Callable[[Patch], None]


def _around(module: Any, name: str, change: Callable[..., Any]) -> Callable[[Patch], None]:
    """`change` gets the right function and its arguments."""

    def put(patch: Patch) -> None:
        right = getattr(module, name)
        patch.setattr(module, name, lambda *args, **more: change(right, *args, **more))

    return put


def _null_rank(right: Any, *args: Any) -> Any:
    key = right(*args)
    return replace(key, nulls_first=not key.nulls_first)


def _no_unknown(right: Any, *args: Any, **more: Any) -> Any:
    test = right(*args, **more)
    return lambda row, run: bool(test(row, run))


def _plain_backslash(right: Any, pattern: str) -> Any:
    return right(pattern.replace("\\", "\\\\"))


def _like(patch: Patch) -> None:
    _around(strings, "like_regex", _plain_backslash)(patch)
    patch.setattr(strings, "_pieces", strings._pieces.__wrapped__)


def _null_joins(right: Any, *args: Any) -> Any:
    name = right(*args)
    return ("nothing",) if name is None else name


def _limit_is_all(right: Any, expr: Any, run: Any, what: str, sqlstate: str) -> Any:
    count = right(expr, run, what, sqlstate)
    return None if what == "LIMIT" and count == 0 else count


def _offset_too_far(right: Any, expr: Any, run: Any, what: str, sqlstate: str) -> Any:
    count = right(expr, run, what, sqlstate)
    return count + 1 if what == "OFFSET" and count else count


def _inner(right: Any, run: Any, kind: str, *rest: Any) -> Any:
    return right(run, "inner" if kind == "left" else kind, *rest)


def _zero_of_nothing(right: Any, given: Any, compute: Any) -> Any:
    found = right(given, compute)
    return Decimal(0) if found is None else found


def _half_even(right: Any, value: Any, scale: int, *mode: Any) -> Any:
    return right(value, scale, ROUND_HALF_EVEN)


def _no_microseconds(patch: Patch) -> None:
    right = fetch._moment
    for oid in (t.TIMESTAMP, t.TIMESTAMPTZ):
        patch.setitem(fetch._CONVERT, oid, lambda value, us, flag: right(value, None, flag))


MUTATIONS: Final = (
    Mutation("NULLs sorted to the other end", ("4", "14"), _around(bind, "sort_key", _null_rank)),
    Mutation("NOT IN with NULL", ("3", "7"), _around(evaluate, "_member", _no_unknown)),
    Mutation(
        "one more digit of a quotient",
        ("12", "8"),
        _around(numbers, "division_scale", lambda right, *args: right(*args) + 1),
    ),
    Mutation("a backslash in LIKE", ("7",), _like),
    Mutation("NULL joins NULL", ("6",), _around(relational, "_name", _null_joins)),
    Mutation(
        "floats by their bits", ("7", "10"), _around(values, "_float_key", lambda right, value: repr(value))
    ),
    Mutation("LIMIT 0 is no limit", ("4", "2"), _around(execute, "_count", _limit_is_all)),
    Mutation("OFFSET one too far", ("4",), _around(execute, "_count", _offset_too_far)),
    Mutation("LEFT JOIN as INNER JOIN", ("6",), _around(relational, "joined", _inner)),
    Mutation("a sum of nothing is 0", ("8",), _around(aggregates, "_over", _zero_of_nothing)),
    Mutation("no overflow", ("12",), _around(numbers, "integer", lambda right, oid, value: value)),
    Mutation("half to even", ("12",), _around(numbers, "rounded", _half_even)),
    Mutation(
        "EXCEPT and its ALL exchanged",
        ("14",),
        _around(execute, "combined", lambda right, kind, every, *rest: right(kind, not every, *rest)),
    ),
    Mutation("microseconds lost", ("4", "7", "12"), _no_microseconds),
)
