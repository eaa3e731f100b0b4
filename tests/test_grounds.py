"""What sessions are told of mirrored tables."""

from __future__ import annotations

from dataclasses import replace

from proxy.grounds import ground_of
from proxy.mirror.tables import Closed, Surroundings, Switchboard, TableBook
from proxy.names import TableName
from proxy.rules import RuleSet
from tests.catalog.made import attribute, relation, snapshot
from tests.documents.made import rules_of

EVERYTHING = Surroundings(store=True, spool=True, control_dsn=True)


def book(rules: RuleSet) -> TableBook:
    return TableBook(rules, {"shop": PICTURE}, EVERYTHING)


PICTURE = snapshot(
    relation(1, "orders", attribute(1, "id", not_null=True), kind="p", children=(2,), primary_key=("id",)),
    relation(2, "orders_1", attribute(1, "id", not_null=True), root=1, primary_key=("id",)),
)


def test_a_table_and_its_partitions() -> None:
    rules = rules_of({"orders": {"phase": "dual_write", "ack": {"mode": "sync", "timeout": "2s"}}})
    ground = ground_of(book(rules), "shop", PICTURE, 7)
    assert ground is not None
    assert ground.generation == 7
    assert ground.tables[1] is ground.tables[2]
    seen = ground.tables[1]
    assert seen.key == frozenset({"id"})
    assert (seen.strict, seen.ack_timeout) == (True, 2.0)
    assert ground.strict


def test_replies_wait_by_the_phase_that_the_table_is_in() -> None:
    rules = rules_of({"orders": {"phase": "primary_switch"}})
    name = TableName("public", "orders", "shop")

    def timeout(closed: Closed) -> float | None:
        around = replace(EVERYTHING, switch=Switchboard({str(name): closed}))
        ground = ground_of(TableBook(rules, {"shop": PICTURE}, around), "shop", PICTURE, 1)
        assert ground is not None
        return ground.tables[1].ack_timeout

    assert timeout(Closed()) == 1.0
    assert timeout(Closed(("3 open gaps",))) is None
    assert timeout(Closed((), ("rolled back",))) is None


def test_without_a_mirrored_table_there_is_none() -> None:
    assert ground_of(book(rules_of({"orders": {"phase": "passthrough"}})), "shop", PICTURE, 1) is None
    rules = rules_of({"orders": {"phase": "dual_write", "durability": "fast"}})
    fast = ground_of(book(rules), "shop", PICTURE, 1)
    assert fast is not None
    assert not fast.strict
    assert fast.tables[1].ack_timeout is None
