"""Which reads of the corpus are supported, as the page of the documentation."""

from __future__ import annotations

from ast import literal_eval
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.translate.corpus.relay import Sent

HERE = Path(__file__).parent
SCHEMA = (HERE / "schema.sql").read_text()
PAGE = HERE.parents[2] / "docs" / "sql-coverage.md"

CLASSES = {
    "1": "by key",
    "2": "by foreign key",
    "3": "IN and = ANY",
    "4": "AND of conditions, ORDER BY, LIMIT",
    "5": "existence, COUNT(*)",
    "6": "joins",
    "7": "OR, NOT, BETWEEN, LIKE, keyset pagination",
    "8": "aggregates, GROUP BY, HAVING",
    "10": "DISTINCT, DISTINCT ON, FILTER",
    "11": "EXISTS, IN (subquery)",
    "12": "COALESCE, CASE, functions, arithmetic",
    "13": "limited sub-selects, scalar subqueries",
    "14": "NULLS LAST, dates, UNION, WITH",
    "15": "window functions; grouping sets, WITH RECURSIVE and other rarer things",
}


class Recorded(NamedTuple):
    source: str
    group: str
    sql: str
    parameters: tuple[Any, ...]
    types: tuple[int, ...] = ()
    binary: tuple[int, ...] = ()
    """Places of parameters that are bytes, in binary form."""


APPLICATIONS = {
    "Django": ("django_app",),
    "Django, bound by the server": ("django_app", "server"),
    "SQLAlchemy, asyncpg": ("sqlalchemy_app", "asyncpg"),
    "SQLAlchemy, psycopg": ("sqlalchemy_app", "psycopg"),
    "SQLAlchemy, psycopg2": ("sqlalchemy_app", "psycopg2"),
}
"""Module and arguments of those that are run."""


def recorded(source: str, sent: Sequence[Sent]) -> list[Recorded]:
    """Reads that have passed a relay."""
    found = []
    for one in sent:
        binary = tuple(place for place, code in enumerate(one.formats) if code)
        values = tuple(
            value if value is None or place in binary else value.decode()
            for place, value in enumerate(one.parameters)
        )
        found.append(Recorded(source, one.group, one.sql, values, one.types, binary))
    return found


def corpus() -> list[Recorded]:
    """`class| statement`, and behind `@@` its parameters; the first line says whose they are."""
    found = []
    for path in sorted(HERE.glob("*.sql")):
        if path.name != "schema.sql":
            found += _written(path)
    return found


def samples() -> dict[str, tuple[str, list[Recorded]]]:
    """Public sample databases, which have tables of the same names: by name the SQL that makes one, and its reads."""
    schemas = sorted((HERE / "samples").glob("*.schema.sql"))
    return {
        path.name.partition(".")[0]: (
            path.read_text(),
            _written(path.with_name(path.name.replace(".schema", ""))),
        )
        for path in schemas
    }


def _written(path: Path) -> list[Recorded]:
    title, *lines = path.read_text().splitlines()
    source = title.removeprefix("-- ").partition(":")[0].partition(",")[0]
    found = []
    for line in lines:
        group, _, rest = line.partition("| ")
        sql, _, given = rest.partition(" @@ ")
        found.append(Recorded(source, group, sql, tuple(literal_eval(given)) if given else ()))
    return found


def page(reads: Sequence[Recorded], refused: dict[Recorded, str]) -> str:
    """`refused`: why a read is not supported."""
    every: Counter[tuple[str, str]] = Counter()
    good: Counter[tuple[str, str]] = Counter()
    for one in reads:
        for source in (one.source, ""):
            every[source, one.group] += 1
            good[source, one.group] += one not in refused
    sources = sorted({one.source for one in reads})

    def cell(source: str, group: str) -> str:
        return f"{good[source, group]} / {every[source, group]}" if every[source, group] else ""

    lines = [
        "# Which SQL is compiled",
        "",
        "Reads as applications and benchmarks send them, by class: how many of them are compiled and give exactly",
        "what PostgreSQL gives (rows, their text, order, row description). Those of Django and SQLAlchemy are recorded",
        "from applications that read through the proxy, with their parameters as they are sent; the others are written",
        "in the manner of who sends them. Chinook, DVD rental (Pagila) and Northwind are public sample databases, with",
        "rows of our own and the questions that tutorials and exercises ask of them. All stand in",
        "`tests/translate/corpus`; this page is made by `tests/translate/corpus/test_corpus.py`",
        "(`CAUSEWAY_TEST_WRITE_COVERAGE=1`), which fails when it is out of date. Whatever is not compiled stays on",
        "PostgreSQL and is counted by reason. `FOR UPDATE` and other locking reads (class 9) always do.",
        "",
        "| | class | all | " + " | ".join(sources) + " |",
        "|---|---|---|" + "---|" * len(sources),
    ]
    for group, title in CLASSES.items():
        cells = " | ".join(cell(source, group) for source in ("", *sources))
        lines.append(f"| {group} | {title} | {cells} |")
    if refused:
        lines += ["", "Not supported:", ""]
        lines += [f"* {reason}: `{one.sql}`" for one, reason in refused.items()]
    return "\n".join(lines) + "\n"
