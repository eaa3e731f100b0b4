"""Which indexes documents should have."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.backfill.index_catalogue import IndexPart, SourceIndex
from proxy.backfill.indexes import PLAIN_UNTIL, Standing, plan_indexes, standing_after
from proxy.catalog.model import Relation, TypeInfo
from proxy.mirror.tables import MirroredTable
from proxy.stores.protocol import Index
from tests.backfill.made import TABLE_OID, mirrored, source

INT4_ARRAY = 1007


def standings(table: MirroredTable, *sources: SourceIndex, there: tuple[Index, ...] = ()) -> list[Standing]:
    return [one.standing for one in plan_indexes(table, sources, there).proposals]


@pytest.fixture(scope="module")
def orders() -> MirroredTable:
    return mirrored(
        ("id", 20),
        ("customer", 20),
        ("state", 25),
        ("placed", 1184),
        ("lines", 3802),
        ("secret", 25),
        exclude=["secret"],
        rename={"customer": "customerId"},
    )


def test_fields_and_directions(orders: MirroredTable) -> None:
    plan = plan_indexes(orders, [source("by_customer", "customer", "-placed", "id")], [])
    (one,) = plan.missing
    assert one.index == Index("by_customer", (("customerId", 1), ("placed", -1), ("_id", 1)))
    assert one.notes == ()
    assert (plan.table, plan.collection) == ("shop.public.orders", "shop.orders")


def test_the_key_has_its_index(orders: MirroredTable) -> None:
    assert standings(orders, source("orders_pkey", "id", unique=True)) == [Standing.BY_ID]


def test_a_key_of_several_columns_gets_a_compound_index() -> None:
    lines = mirrored(("order_id", 20), ("line", 23), key=("order_id", "line"))
    (one,) = plan_indexes(lines, [source("pkey", "order_id", "line", unique=True)], []).missing
    assert one.index == Index("pkey", (("order_id", 1), ("line", 1)))


def test_unique_ones_are_plain(orders: MirroredTable) -> None:
    (one,) = plan_indexes(orders, [source("state_key", "placed", unique=True)], []).missing
    assert one.index is not None
    assert not one.index.unique
    assert PLAIN_UNTIL in one.notes


@pytest.mark.parametrize(
    ("index", "reason"),
    [
        (source("gin", "lines", method="gin"), "no index like gin"),
        (source("gist", "placed", method="gist"), "no index like gist"),
        (source("hash", "state", method="hash"), "no index like hash"),
        (source("brin", "placed", method="brin"), "no index like brin"),
        (
            replace(source("low", "state"), parts=(IndexPart("", "lower(state)"),)),
            "on an expression: lower(state)",
        ),
        (source("hidden", "secret"), "documents do not have column secret"),
        (source("json", "lines"), "lines may hold arrays"),
        (replace(source("half", "state"), valid=False), "not valid"),
        (replace(source("part", "state"), relation=99), "only one partition has it"),
        (source("wide", *["state"] * 33), "32 fields"),
    ],
    ids=lambda value: value.name if isinstance(value, SourceIndex) else "",
)
def test_what_has_no_like(orders: MirroredTable, index: SourceIndex, reason: str) -> None:
    (one,) = plan_indexes(orders, [index], []).proposals
    assert one.standing is Standing.NOT_TRANSLATED
    assert one.index is None
    assert reason in one.notes[0]


def test_arrays_beneath_a_domain_are_seen() -> None:
    types = {
        INT4_ARRAY: TypeInfo(INT4_ARRAY, "pg_catalog", "_int4", "b", "A", element=23),
        90: TypeInfo(90, "public", "numbers", "d", "A", base=INT4_ARRAY),
    }
    table = mirrored(("id", 20), ("a", INT4_ARRAY), ("b", 90), types=types)
    assert standings(table, source("a", "a"), source("b", "b")) == [Standing.NOT_TRANSLATED] * 2


def test_a_partial_one(orders: MirroredTable) -> None:
    index = replace(source("open", "placed"), predicate="(state = 'open'::text)")
    (one,) = plan_indexes(orders, [index], []).missing
    assert one.index == Index("open", (("placed", 1),), partial={"state": "open"})
    of_all = replace(index, predicate="(lower(state) = 'open'::text)")
    (one,) = plan_indexes(orders, [of_all], []).missing
    assert one.index == Index("open", (("placed", 1),))
    assert one.notes[0].startswith("of all documents, not only those WHERE (lower(state)")


def test_what_differs_in_use_is_said(orders: MirroredTable) -> None:
    covering = replace(source("covering", "state"), included=("placed",))
    (one,) = plan_indexes(orders, [covering], []).missing
    assert one.notes == (
        "documents may sort state otherwise than PostgreSQL; equality is the same",
        "without the columns of INCLUDE: placed",
    )


def test_what_is_there_already(orders: MirroredTable) -> None:
    there = Index("made_by_hand", (("placed", 1),))
    plan = plan_indexes(orders, [source("by_time", "placed")], [there])
    assert [one.standing for one in plan.proposals] == [Standing.THERE]
    assert plan.proposals[0].index == there
    assert (plan.missing, plan.others) == ((), ())


def test_what_is_there_differently(orders: MirroredTable) -> None:
    unique = Index("u", (("placed", 1),), unique=True)
    plan = plan_indexes(orders, [source("by_time", "placed")], [unique])
    assert plan.proposals[0].standing is Standing.DIFFERENT
    assert plan.proposals[0].notes == ("the collection has u, which is unique",)
    assert plan.others == (unique,)
    assert "may reject mirrored writes" in plan.warnings[0]
    taken = Index("by_time", (("state", 1),))
    plan = plan_indexes(orders, [source("by_time", "placed")], [taken])
    assert plan.proposals[0].standing is Standing.DIFFERENT
    assert "index by_time on other fields" in plan.proposals[0].notes[0]


def test_two_alike_are_one(orders: MirroredTable) -> None:
    plan = plan_indexes(orders, [source("a", "placed"), source("b", "placed", unique=True)], [])
    assert [one.index.name for one in plan.proposals if one.index] == ["a", "a"]
    assert plan.proposals[1].notes[0] == "the same as a"
    after = standing_after(plan, {"a": None})
    assert [one.standing for one in after.proposals] == [Standing.CREATED] * 2


def test_names_that_the_store_keeps_for_itself(orders: MirroredTable) -> None:
    plan = plan_indexes(orders, [source("_id_", "placed"), source("*", "state")], [])
    assert [one.index.name for one in plan.missing if one.index] == ["_id__index", "*_index"]


def test_too_many() -> None:
    table = mirrored(("id", 20), *[(f"c{n}", 20) for n in range(64)])
    plan = plan_indexes(table, [source(f"c{n}", f"c{n}") for n in range(64)], [])
    assert plan.warnings == ("that would be 65 indexes; the store takes 64 for a collection",)


def test_one_that_could_not_be_made(orders: MirroredTable) -> None:
    plan = plan_indexes(orders, [source("a", "placed"), source("b", "state")], [])
    after = standing_after(plan, {"a": None, "b": "the disk is full"})
    assert [one.standing for one in after.proposals] == [Standing.CREATED, Standing.FAILED]
    assert after.proposals[1].notes[0] == "the disk is full"


COLUMNS = ("id", "customer", "state", "placed", "lines", "secret")


@given(
    st.lists(
        st.tuples(st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=4), st.booleans(), st.booleans()),
        max_size=8,
    )
)
def test_what_was_made_is_there_the_next_time(wanted: list[tuple[list[str], bool, bool]]) -> None:
    """Also: nothing is ever made unique, and no index is made twice."""
    table = mirrored(
        ("id", 20),
        ("customer", 20),
        ("state", 25),
        ("placed", 1184),
        ("lines", 3802),
        ("secret", 25),
        exclude=["secret"],
    )
    sources = [
        source(f"i{n}", *[f"-{column}" if turned else column for column in columns], unique=unique)
        for n, (columns, turned, unique) in enumerate(wanted)
    ]
    made: list[Any] = []
    for one in plan_indexes(table, sources, []).missing:
        if one.index not in made:
            made.append(one.index)
    assert len({index.keys for index in made}) == len(made)
    assert not any(index.unique for index in made)
    again = plan_indexes(table, sources, made)
    assert again.missing == ()
    assert again.others == ()


def test_an_index_of_a_partition_is_named(orders: MirroredTable) -> None:
    partition = Relation(77, "public", "orders_2026", "r", "p", root=TABLE_OID)
    snapshot = replace(orders.snapshot, relations={**orders.snapshot.relations, 77: partition})
    table = MirroredTable("shop", orders.relation, orders.rule, orders.mapping, snapshot)
    (one,) = plan_indexes(table, [replace(source("own", "state"), relation=77)], []).proposals
    assert one.notes == ("only partition public.orders_2026 has it, and all partitions are one collection",)
