"""Gaps and lag close the door of a table, within moments."""

from __future__ import annotations

from proxy.mirror.effects import Cause, TableId, Unseen
from proxy.mirror.gap import GapLimits
from proxy.mirror.gaps import GapKeeper
from proxy.mirror.tables import Surroundings, TableBook
from proxy.phases import Phase
from proxy.serve.conditions import AGAIN, Conditions
from proxy.serve.reasons import GAP, GONE, LAG
from tests.catalog.made import INT4, attribute, relation, snapshot
from tests.rulefiles.texts import rules


def book(max_lag: str = "10s") -> TableBook:
    tables = snapshot(
        *(
            relation(1000 + place, name, attribute(1, "id", INT4, not_null=True))
            for place, name in enumerate(("a", "b"))
        )
    )
    text = f"database: shop\ntables: {{a: {{phase: dual_write}}}}\ngates: {{max_lag: {max_lag}}}"
    return TableBook(
        rules(text), {"shop": tables}, Surroundings(True, True, True), last_built=Phase.DUAL_WRITE
    )


class World:
    def __init__(self) -> None:
        self.book = book()
        self.gaps: dict[tuple[str, str, str], int] = {}
        self.added = 0
        self.lag = 0.0
        self.now = 100.0
        self.asked = 0
        self.conditions = Conditions(
            lambda: self.book, self, lambda: {("shop", "public.a"): self.lag}, lambda: self.now
        )

    def counts(self) -> dict[tuple[str, str, str], int]:
        self.asked += 1
        return self.gaps

    def closed(self, table: str = "public.a", database: str = "shop") -> str:
        return self.conditions.closed(database, table)

    def later(self) -> None:
        self.now += AGAIN


def test_a_table_without_gap_and_lag_is_open() -> None:
    world = World()
    assert world.closed() == ""
    assert world.closed("public.b") == GONE
    assert world.closed(database="other") == GONE


def test_a_gap_closes_it_until_it_is_closed() -> None:
    world = World()
    world.gaps = {
        ("shop", "public.b", "ddl"): 1,
        ("other", "public.a", "ddl"): 1,
        ("shop", "public.a", "x"): 0,
    }
    assert world.closed() == ""
    world.gaps = {("shop", "public.a", "ddl"): 2}
    world.later()
    assert world.closed() == GAP
    world.gaps = {}
    world.later()
    assert world.closed() == ""


def test_lag_past_the_rule_closes_it() -> None:
    world = World()
    world.lag = 9.9
    assert world.closed() == ""
    world.lag = 10.1
    world.later()
    assert world.closed() == LAG
    world.book = book("20s")
    world.later()
    assert world.closed() == ""


def test_it_does_not_look_for_every_read() -> None:
    world = World()
    for _ in range(100):
        world.closed()
    assert world.asked == 1
    world.later()
    world.closed()
    assert world.asked == 2


def test_a_gap_that_is_recorded_here_closes_it_at_once() -> None:
    world = World()
    assert world.closed() == ""
    world.gaps = {("shop", "public.a", "unseen"): 1}
    assert world.closed() == ""  # the ledger's, looked at a moment ago
    world.added += 1
    assert world.closed() == GAP


def test_a_gap_closes_it_whoever_has_recorded_it() -> None:
    keeper = GapKeeper(None, None, GapLimits(), proxy="one")
    conditions = Conditions(book, keeper, dict, lambda: 100.0)
    assert conditions.closed("shop", "public.a") == ""
    keeper.record("shop", Unseen(Cause.DDL, TableId("public", "a")), 1)
    assert conditions.closed("shop", "public.a") == GAP
    assert conditions.closed("shop", "public.b") == GONE
