"""What a process has counted of a table lately, against the windows of its rule."""

from __future__ import annotations

from collections.abc import Mapping

from proxy.fleet.rates import Rates, place_of
from proxy.fleet.tallies import NOTHING, Counts
from proxy.mirror.tables import Closed, Surroundings, Switchboard, TableBook
from proxy.names import TableName
from proxy.phases import Phase
from tests.mirror.test_tables import ITEMS, snapshot
from tests.rulefiles.texts import rules

NAME = TableName("public", "items", "shop")
PLACE = ("shop", "public.items")


def tables(phase: str = "primary_switch", *, closed: str = "", more: str = "") -> TableBook:
    text = f"database: shop\ngates: {{window: 1h}}\ntables: {{items: {{phase: {phase}{more}}}}}"
    switch = Switchboard({str(NAME): Closed((closed,))} if closed else {})
    around = Surroundings(store=True, spool=True, control_dsn=True, switch=switch)
    return TableBook(rules(text), {"shop": snapshot(ITEMS)}, around, last_built=Phase.PRIMARY_SWITCH)


class Process:
    def __init__(self) -> None:
        self.compared: dict[tuple[str, str], Counts] = {}
        self.served: dict[tuple[str, str], Counts] = {}
        self.now = 1000.0
        self.rates = Rates([lambda: self.compared, self.totals])

    def totals(self) -> Mapping[tuple[str, str], Counts]:
        return self.served

    def measured(self, book: TableBook, after: float = 1.0) -> tuple[Counts, Counts]:
        self.now += after
        self.rates.measure(book.ruled, self.now)
        return self.rates.of(NAME, self.now)


def test_all_sources_are_added_up_from_when_the_table_is_known() -> None:
    process = Process()
    process.compared[PLACE] = Counts(50, 5)
    assert process.measured(tables()) == (NOTHING, NOTHING), "what was counted before is of nobody knows when"
    process.compared[PLACE], process.served[PLACE] = Counts(53, 6), Counts(0, 0, 4, 1)
    assert process.measured(tables()) == (Counts(3, 1, 4, 1), Counts(3, 1, 4, 1))
    assert process.measured(tables(), 301.0) == (Counts(3, 1, 4, 1), NOTHING)
    assert process.measured(tables(), 3601.0) == (NOTHING, NOTHING)


def test_what_counts_against_a_table_begins_when_it_is_let_in() -> None:
    process = Process()
    outside = tables(closed="not yet")
    process.measured(outside)
    process.compared[PLACE] = Counts(100, 100)
    assert process.measured(outside) == (Counts(100, 100), NOTHING)
    process.compared[PLACE] = Counts(101, 100)
    assert process.measured(tables()) == (Counts(101, 100), Counts(1, 0))
    assert process.measured(outside) == (Counts(101, 100), NOTHING)


def test_tables_that_are_not_compared_take_no_room() -> None:
    process = Process()
    process.measured(tables())
    process.compared[PLACE] = Counts(7)
    assert process.measured(tables("dual_write")) == (NOTHING, NOTHING)
    assert process.rates._tables == {}
    assert process.measured(tables()) == (NOTHING, NOTHING)


def test_a_window_that_a_rule_changes_begins_again() -> None:
    process = Process()
    process.measured(tables())
    process.compared[PLACE] = Counts(7)
    process.measured(tables())
    longer = ", auto_rollback: {window: 10m, max_lag: 30s}"
    assert process.measured(tables(more=longer)) == (Counts(7), NOTHING)


def test_the_place_of_a_table_is_that_of_its_gaps() -> None:
    assert place_of(TableName("s.", "T", "shop")) == ("shop", '"s."."T"')
