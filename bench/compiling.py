"""What a plan of a read costs: made anew, found by its text, found by its shape, given its parameters."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import process_time

import asyncpg

from bench.mirrored import TABLES
from proxy.catalog.introspect import read_snapshot
from proxy.mirror.effects import TableId
from proxy.mirror.tables import Surroundings, TableBook
from proxy.phases import Phase
from proxy.rulefiles.compile import RuleText, compile_rules
from proxy.sql.parse import Source
from proxy.translate.api import SessionSettings, compile_read
from proxy.translate.cache import PlanCache

PATH = ("public",)

STATEMENTS = {
    "by key": "SELECT abalance FROM pgbench_accounts WHERE aid = {n}",
    "conditions, ORDER BY, LIMIT": (
        "SELECT aid, bid, abalance FROM pgbench_accounts WHERE bid = {n} AND abalance BETWEEN {n} AND 900{n} "
        "AND filler <> 'x{n}' ORDER BY aid DESC LIMIT 20"
    ),
    "join, groups, HAVING": (
        "SELECT b.bid, count(*) AS n, sum(a.abalance) FROM pgbench_branches b LEFT JOIN pgbench_accounts a "
        "ON a.bid = b.bid AND a.aid < {n} WHERE b.bbalance >= {n} GROUP BY b.bid HAVING count(*) > {n} "
        "ORDER BY n DESC, b.bid LIMIT 5"
    ),
    "window over a derived table": (
        "SELECT x.bid, x.n, rank() OVER (ORDER BY x.n DESC) FROM (SELECT bid, count(*) AS n FROM pgbench_tellers "
        "WHERE tbalance > {n} GROUP BY bid) x WHERE x.n > {n} ORDER BY x.bid"
    ),
}
"""`{n}` is another number every time."""


@dataclass(frozen=True)
class Cost:
    """Microseconds of processor time."""

    name: str
    characters: int
    parsed: float
    """By PostgreSQL's parser, and its tree read."""
    cold: float
    """All of it, parsing too."""
    by_shape: float
    """A text of the same shape has a plan."""
    by_text: float
    bound: float
    """Parameters of one execution."""


async def _book(dsn: str, database: str) -> TableBook:
    connection = await asyncpg.connect(dsn)
    try:
        text = json.dumps(
            {"database": database, "tables": {name: {"phase": "dual_write"} for name in TABLES}}
        )
        rules = compile_rules([RuleText("rules.yaml", text.encode())], last_built=Phase.DUAL_WRITE)
        reading = await read_snapshot(connection, [TableId("public", name) for name in TABLES])
    finally:
        await connection.close()
    around = Surroundings(True, True, True)
    return TableBook(rules, {database: reading.snapshot}, around, last_built=Phase.DUAL_WRITE)


def measure(dsn: str, database: str, rounds: int, count: int) -> list[Cost]:
    """Every statement, the best of `rounds` rounds of `count`."""
    book = asyncio.run(_book(dsn, database))
    session = SessionSettings()
    costs = []
    for name, statement in STATEMENTS.items():
        texts = _texts(statement)
        first = next(texts)
        plan = compile_read(first, book, database, PATH)
        cache = PlanCache()
        cache.plan(next(texts), book, database, PATH)

        def cached(text: str, cache: PlanCache = cache) -> object:
            return cache.plan(text, book, database, PATH)

        def compiled(text: str) -> object:
            return compile_read(text, book, database, PATH)

        def bound(text: str) -> object:
            return plan.bind((), (), session)  # noqa: B023 - called within this turn

        costs.append(
            Cost(
                name,
                len(first),
                _best(Source, texts, rounds, count // 10),
                _best(compiled, texts, rounds, count // 10),
                _best(cached, texts, rounds, count),
                _best(cached, iter(lambda text=first: text, None), rounds, count),  # type: ignore[misc]
                _best(bound, texts, rounds, count),
            )
        )
    return costs


def _texts(statement: str) -> Iterator[str]:
    number = 10_000
    while True:
        number += 1
        yield statement.format(n=number)


def _best(call: Callable[[str], object], texts: Iterator[str], rounds: int, count: int) -> float:
    """Microseconds of processor time of a call, in the round with the least: what else runs makes it only more."""
    best = float("inf")
    for _ in range(rounds):
        given: Sequence[str] = [next(texts) for _ in range(count)]
        started = process_time()
        for text in given:
            call(text)
        best = min(best, process_time() - started)
    return best / count * 1e6
