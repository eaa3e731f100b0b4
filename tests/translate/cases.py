"""Reads by the classes of what applications send, most frequent first: each must be supported, and exact.

They stand in `reads/`, one statement up to a semicolon at the end of a line; behind `@@` the parameters.
"""

from __future__ import annotations

from ast import literal_eval
from pathlib import Path
from typing import Any, NamedTuple

READS = Path(__file__).parent / "reads"


class Case(NamedTuple):
    sql: str
    parameters: tuple[Any, ...] = ()


def cases(path: Path) -> tuple[str, tuple[Case, ...]]:
    """The title of a file, and what is in it."""
    title, _, text = path.read_text().partition("\n")
    found = []
    for statement in text.split(";\n"):
        if statement.strip():
            sql, _, given = statement.strip().partition(" @@ ")
            found.append(Case(sql, tuple(literal_eval(given)) if given else ()))
    return title.removeprefix("-- "), tuple(found)


CLASSES: dict[str, tuple[Case, ...]] = dict(cases(path) for path in sorted(READS.glob("*.sql")))
