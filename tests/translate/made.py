"""Reads of a catalogue made by hand and without a store: for what needs no server."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from proxy.catalog.language import Language, Traits
from proxy.mirror.tables import Surroundings, TableBook
from proxy.phases import Phase
from proxy.translate.api import ReadLimits, ReadPlan, Result, SessionSettings, compile_read
from tests.catalog.made import INT4, INT8, NUMERIC, TEXT, TIMESTAMPTZ, VARCHAR, attribute, relation, snapshot
from tests.rulefiles.texts import rules

C = Traits(True, True, "utf8")
PEOPLE = relation(
    1001,
    "people",
    attribute(1, "id", INT4, not_null=True),
    attribute(2, "name", TEXT, not_null=True, collation="C", traits=C),
    attribute(3, "age", INT8),
    attribute(4, "paid", NUMERIC, typmod=((10 << 16) | 2) + 4),
    attribute(5, "seen", TIMESTAMPTZ),
    attribute(6, "boss", INT4),
    attribute(7, "nick", VARCHAR, typmod=24, collation="C", traits=C),
)
VISITS = relation(
    1002, "visits", attribute(1, "person", INT4, not_null=True), attribute(2, "day", INT4, not_null=True),
    attribute(3, "note", TEXT, collation="C", traits=C),
    primary_key=("person", "day"), unique_keys=(("person", "day"),),
)  # fmt: skip


def make_book() -> TableBook:
    catalogue = replace(snapshot(PEOPLE, VISITS), language=Language("UTF8", C))
    text = "database: shop\ntables: {people: {phase: dual_write}, visits: {phase: dual_write}}"
    return TableBook(
        rules(text), {"shop": catalogue}, Surroundings(True, True, True), last_built=Phase.DUAL_WRITE
    )


BOOK = make_book()
V = "(VALUES (1,'a',10),(2,'b',NULL),(3,'a',30),(4,NULL,5)) v (i, t, n)"
W = "(VALUES (1,'x'),(3,'y'),(3,'z'),(NULL,'n')) w (j, u)"
"""Rows without a table."""
SESSION = SessionSettings(time_zone="UTC", now=0)


def plan(sql: str, types: Sequence[int] = ()) -> ReadPlan:
    return compile_read(sql, BOOK, "shop", ("public",), types)


def question(sql: str, *parameters: Any) -> dict[str, Any]:
    """What the only question of a read asks."""
    made: Any = plan(sql)
    given = [None if value is None else str(value).encode() for value in parameters]
    (one,) = made.explain(given).questions
    return dict(one)


def run(sql: str, session: SessionSettings = SESSION) -> Result:
    """A read that asks the store nothing."""
    reader: Any = None
    return asyncio.run(plan(sql).bind((), (), session).run(reader, ReadLimits()))


def rows(sql: str) -> list[tuple[str | None, ...]]:
    return run(sql).texts
