"""The excerpt of PostgreSQL's catalogue, held against the catalogue of a server."""

from __future__ import annotations

from typing import Final

import pytest

from proxy.translate import builtins
from proxy.translate.types import _BUILT_IN, casts, functions, operators
from tests.translate.world import World

pytestmark = pytest.mark.integration

TYPES: Final = frozenset(_BUILT_IN)
BYTEA: Final = 17
"""Casts between it and integers came with PostgreSQL 18."""


def asked(world: World, sql: str) -> list[tuple[str | None, ...]]:
    answer = world.oracle.ask(sql, [], [])
    assert not answer.sqlstate, answer.sqlstate
    return answer.rows


def numbers(text: str | None) -> tuple[int, ...]:
    return tuple(map(int, (text or "").split()))


def test_types(world: World) -> None:
    theirs = {
        (int(oid or 0), name, category, preferred == "t", int(array or 0), int(element or 0))
        for oid, name, category, preferred, array, element in asked(
            world,
            "SELECT oid, typname, typcategory, typispreferred, typarray, typelem FROM pg_catalog.pg_type "
            "WHERE oid < 16384",
        )
    }
    ours = {(oid, *row) for oid, row in _BUILT_IN.items()}
    assert ours <= theirs


def test_casts(world: World) -> None:
    """Every cast to and from a type that reads know, and no other."""
    theirs = {
        (int(source or 0), int(target or 0)): (context, method)
        for source, target, context, method in asked(
            world,
            "SELECT castsource, casttarget, castcontext, castmethod FROM pg_catalog.pg_cast WHERE oid < 16384",
        )
    }
    ours = dict(casts())
    assert {key: theirs.get(key) for key in ours} == ours
    missed = {key for key in theirs if key not in ours and set(key) & TYPES and BYTEA not in key}
    assert {key for key in missed if set(key) <= TYPES} == set()
    # What is cast implicitly to a type that is left out could be taken for that.
    assert {key for key in missed if theirs[key][0] == "i" and key[0] in TYPES} == set()


def test_operators(world: World) -> None:
    """Of every name that is known, all that operands of known types could mean."""
    theirs: dict[str, set[tuple[int, int, int]]] = {}
    for name, left, right, result in asked(
        world, "SELECT oprname, oprleft, oprright, oprresult FROM pg_catalog.pg_operator WHERE oid < 16384"
    ):
        assert name is not None
        theirs.setdefault(name, set()).add((int(left or 0), int(right or 0), int(result or 0)))
    reachable = _reachable()
    for name, rows in operators().items():
        assert set(rows) <= theirs[name], name
        missed = {row for row in theirs[name] - set(rows) if {*row[:2]} <= reachable | {0}}
        assert missed == set(), name


def test_functions(world: World) -> None:
    theirs: dict[str, set[tuple[str, tuple[int, ...], int, bool, bool, int]]] = {}
    for name, kind, arguments, result, variadic, of_set, defaults in asked(
        world,
        "SELECT proname, prokind, proargtypes, prorettype, provariadic <> 0, proretset, pronargdefaults "
        "FROM pg_catalog.pg_proc WHERE oid < 16384",
    ):
        assert name is not None
        assert kind is not None
        row = (kind, numbers(arguments), int(result or 0), variadic == "t", of_set == "t", int(defaults or 0))
        theirs.setdefault(name, set()).add(row)
    reachable = _reachable()
    for name, signatures in functions().items():
        ours = {
            (
                one.kind,
                one.arguments,
                one.result,
                one.variadic,
                one.returns_set,
                one.defaults,
            )
            for one in signatures
        }
        assert ours <= theirs[name], name
        missed = {
            row for row in theirs[name] - ours if set(row[1]) <= reachable and BYTEA not in {*row[1], row[2]}
        }
        assert missed == set(), name


def _reachable() -> frozenset[int]:
    """Types that a value of a known type can be, or be cast to without being asked."""
    implicit = {
        target for (source, target), (context, _) in casts().items() if context == "i" and source in TYPES
    }
    return TYPES | implicit


def test_lines_are_read_whole() -> None:
    """A continued line would otherwise be a name of its own."""
    for text, read in ((builtins.OPERATORS, operators()), (builtins.FUNCTIONS, functions())):
        names = [line.split()[0] for line in text.splitlines() if not line.startswith("  ")]
        assert names == list(read)
        assert sum(map(len, read.values())) == len(text.split()) - len(names)
