"""Expressions without a column in them. PostgreSQL computes them before it looks at a row, so an error in one is an
error of the read, whether it would ever be needed or not; whether it does with those of parameters, and with what
depends on the session, hangs on the plan it makes. All of them are tried beforehand here. Manual: 38.7."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from proxy.translate.api import Inexact, ReadError, Unsupported
from proxy.translate.evaluate import Compiler
from proxy.translate.literals import Literal
from proxy.translate.rewrite import expressions, queries, walk
from proxy.translate.runtime import Evaluate, Run
from proxy.translate.tree import Agg, Call, Column, Expr, Param, Query, Sub, Window


class Trials(NamedTuple):
    """What is to be tried."""

    always: tuple[Evaluate, ...] = ()
    """The same in every execution of a text."""
    bound: tuple[Evaluate, ...] = ()
    """What depends on parameters or the session."""
    written: tuple[Evaluate, ...] = ()
    """Constants whose text is read by the session's settings: PostgreSQL reads it before anything else."""


def trials(query: Query, run: Run) -> Trials:
    """Unsupported if one fails whose value is known by now; those that never change are left out."""
    compiler = Compiler(_no_queries)
    always: list[Evaluate] = []
    bound: list[Evaluate] = []
    written: list[Evaluate] = []
    for expr in _tried(query):
        made = compiler(expr)
        parts = list(walk(expr))
        if any(isinstance(part, Param) or (isinstance(part, Call) and part.session) for part in parts):
            constant = isinstance(expr, Call) and expr.name.startswith("input:")
            (written if constant else bound).append(made)
            continue
        literals = [part for part in parts if isinstance(part, Literal)]
        try:
            check((made,), run)
        except Unsupported:
            for literal in literals:
                literal.own.failed = True
            raise
        if literals:
            always.append(made)
    return Trials(tuple(always), tuple(bound), tuple(written))


def _tried(query: Query) -> Iterator[Expr]:
    for one in queries(query):
        for expr in expressions(one):
            for part in walk(expr):
                if isinstance(part, Call) and not any(
                    isinstance(inner, Column | Sub | Agg | Window) for inner in walk(part)
                ):
                    yield part


def check(made: tuple[Evaluate, ...], run: Run) -> None:
    """Unsupported if one fails."""
    for evaluate in made:
        try:
            evaluate((), run)
        except ReadError:
            raise Unsupported("a constant expression that fails") from None


def check_bound(trials: Trials, run: Run) -> None:
    """Inexact if one fails, or if a constant's text cannot be read here: it may be one that PostgreSQL refuses. What
    else this proxy cannot compute counts where it is needed."""
    for evaluate in (*trials.written, *trials.bound):
        try:
            evaluate((), run)
        except ReadError:
            raise Inexact("an expression of parameters that fails") from None
        except Inexact:
            if evaluate in trials.written:
                raise


def _no_queries(query: object) -> Any:
    raise AssertionError("a constant has no queries in it")
