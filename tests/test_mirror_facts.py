"""What a process tells of its mirroring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from proxy import __version__
from proxy.catalog.book import CatalogueState
from proxy.fleet.beats import TableFact
from proxy.fleet.heartbeat import Facts
from proxy.mirror.effects import TableId
from proxy.mirror.tables import Closed, Surroundings, Switchboard, TableBook
from proxy.mirror_facts import by_place, catalogue_report, facts, place
from proxy.names import TableName
from proxy.rules import RuleSet
from tests.catalog.made import attribute, relation, snapshot
from tests.documents.made import rules_of

SWITCH = Switchboard(others=Closed(("3 open gaps",)))
AROUND = Surroundings(store=True, spool=True, control_dsn=True, switch=SWITCH)
PICTURE = snapshot(
    *(relation(oid, name, attribute(1, "id")) for oid, name in enumerate(("orders", "lines", "notes"), 1))
)


def told(rules: RuleSet, *, unseen: bool = False, **more: Any) -> Facts:
    book = TableBook(rules, {"shop": PICTURE}, AROUND)
    around = {"databases": ("shop",), "queued": 3, "source": "7", "standings": (), **more}
    return facts(rules, book, unseen=unseen, **around)


def test_a_heartbeat_names_each_mirrored_table_with_its_phase_and_durability() -> None:
    rules = rules_of(
        {
            "orders": {"phase": "dual_write"},
            "lines": {"phase": "dark_read", "durability": "fast"},
            "notes": {"phase": "passthrough"},
            "nowhere": {"phase": "dual_write"},
        },
        database="shop",
    )
    found = told(rules)
    assert set(found.tables) == {
        TableFact("shop", TableId("public", "orders"), "dual_write", "strict"),
        TableFact("shop", TableId("public", "lines"), "dark_read", "fast"),
    }
    assert (found.version, found.rules) == (__version__, rules.digest)
    assert (found.databases, found.queued, found.source) == (("shop",), 3, "7")


def test_a_table_is_told_with_the_phase_it_is_in_not_the_one_that_is_asked_for() -> None:
    rules = rules_of({"orders": {"phase": "primary_switch"}}, database="shop")
    (fact,) = told(rules).tables
    assert fact.phase == "dark_read"


def test_rules_without_a_database_concern_every_one_once_all_that_are_used_are_looked_at() -> None:
    rules = rules_of({"orders": {"phase": "dual_write"}, "notes": {"phase": "passthrough"}})
    assert told(rules).everywhere == (TableId("public", "orders"),)
    assert told(rules, unseen=True).everywhere == ()
    assert told(rules_of({"orders": {"phase": "dual_write"}}, database="shop")).everywhere == ()


@dataclass
class Known:
    """A catalogue of which this much is known."""

    generation: int | None = None
    fault: str | None = None

    def state(self, database: str) -> CatalogueState | None:
        return None if self.generation is None else CatalogueState(self.generation, None, self.fault, 1, 1)

    def error(self, database: str) -> str | None:
        return self.fault


@pytest.mark.parametrize(
    ("known", "state", "error", "generation"),
    [
        (Known(), "unknown", "", 0),
        (Known(0), "unknown", "", 0),
        (Known(4), "ok", "", 4),
        (Known(4, "it is away"), "away", "it is away", 4),
        (Known(None, "it is away"), "away", "it is away", 0),
    ],
)
def test_a_catalogue(known: Known, state: str, error: str, generation: int) -> None:
    report = catalogue_report("shop", known)
    assert (report.database, report.state, report.error, report.generation) == (
        "shop", state, error, generation,
    )  # fmt: skip


def test_names_as_reports_have_them() -> None:
    odd, plain = TableName("public", "Odd one", "shop"), TableName("public", "orders")
    assert place(odd) == ("shop", 'public."Odd one"')
    assert place(plain) == ("", "public.orders")
    assert by_place([odd, plain], {str(odd): 1, "other.public.t": 2}) == {("shop", 'public."Odd one"'): 1}
