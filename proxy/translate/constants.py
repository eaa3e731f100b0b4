"""Constant expressions. PostgreSQL computes them before it looks at a row, so an error in one is an error of the read,
whether it would ever be needed or not. Manual: 38.7."""

from __future__ import annotations

from typing import Any

from proxy.translate.api import ReadError, Unsupported
from proxy.translate.evaluate import Compiler
from proxy.translate.rewrite import expressions, queries, walk
from proxy.translate.runtime import Run
from proxy.translate.tree import Agg, Call, Column, Expr, Param, Query, Sub, Window


def is_constant(expr: Expr) -> bool:
    """Whether it has the same value in every row, session and execution."""
    return not any(
        isinstance(part, Column | Param | Sub | Agg | Window) or (isinstance(part, Call) and part.session)
        for part in walk(expr)
    )


def check(query: Query, run: Run) -> None:
    """Unsupported if a constant expression fails."""
    compiler = Compiler(_no_queries)
    for one in queries(query):
        for expr in expressions(one):
            for part in walk(expr):
                if isinstance(part, Call) and is_constant(part):
                    try:
                        compiler(part)((), run)
                    except ReadError:
                        raise Unsupported("a constant expression that fails") from None


def _no_queries(query: object) -> Any:
    raise AssertionError("a constant has no queries in it")
