from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Any

import asyncpg
import pytest

from devstack.postgres import PostgresServer
from proxy.catalog.introspect import read_snapshot
from proxy.catalog.model import Relation, Snapshot
from proxy.documents.records import parse_image
from proxy.mirror.effects import TableId
from proxy.mirror.tables import MirroredTable, RuledTable, Surroundings, TableBook, database_fault
from proxy.names import TableName
from proxy.phases import Phase
from tests.documents.made import attribute, int4, relation, rules_of

ALL = Surroundings(store=True, spool=True, control_dsn=True, control_role="causeway")

ITEMS = relation("items", (("id", 23), ("name", 25)), key=["id"], oid=10)


def snapshot(*relations: Relation, database: str = "shop", **more: Any) -> Snapshot:
    names: dict[str, tuple[int, ...]] = {}
    for each in relations:
        names[each.name] = (*names.get(each.name, ()), each.oid)
    given: dict[str, Any] = {"wal_level": "replica", "unreadable": {}, **more}
    return Snapshot(
        database=database,
        generation=1,
        system_identifier="7",
        server_version=150000,
        timeline=1,
        relations=MappingProxyType({each.oid: each for each in relations}),
        types={},
        by_name=names,
        **given,
    )


def book(
    *snapshots: Snapshot,
    tables: dict[str, dict[str, Any]] | None = None,
    surroundings: Surroundings = ALL,
    last_built: Phase = Phase.DUAL_WRITE,
    **outer: Any,
) -> TableBook:
    tables = {"items": {}} if tables is None else tables
    rules = rules_of(
        {name: {"phase": "dual_write", **settings} for name, settings in tables.items()}, **outer
    )
    return TableBook(rules, {each.database: each for each in snapshots}, surroundings, last_built=last_built)


def only(tables: TableBook) -> RuledTable:
    (table,) = tables.ruled.values()
    return table


def held(tables: TableBook) -> str:
    """Why the only table is not mirrored."""
    table = only(tables)
    assert table.holding.effective is Phase.PASSTHROUGH
    assert table.mirrored is None
    assert not list(tables.mirrored())
    return "; ".join(table.holding.reasons)


def test_a_ruled_table_is_mirrored_and_found_by_name_and_oid() -> None:
    tables = book(snapshot(ITEMS))
    table = tables.named("shop", "public", "items")
    assert table is not None
    assert table is tables.at("shop", 10)
    assert list(tables.mirrored("shop")) == [table]
    assert str(table.name) == "shop.public.items"
    assert str(table.mapping.namespace) == "shop.items"
    holding = tables.holding("shop", "public", "items")
    assert holding is not None
    assert holding.effective is Phase.DUAL_WRITE


def test_other_tables_and_databases_are_not() -> None:
    tables = book(snapshot(ITEMS), database="shop")
    assert tables.at("shop", 11) is None
    assert tables.at("other", 10) is None
    assert tables.named("shop", "public", "orders") is None
    assert tables.holding("other", "public", "items") is None


def test_a_rule_for_every_database_is_judged_in_each() -> None:
    tables = book(
        snapshot(ITEMS), snapshot(replace(ITEMS, oid=20), database="two"), snapshot(database="three")
    )
    assert [name.database for name in tables.ruled] == ["shop", "three", "two"]
    assert tables.at("two", 20) is not None
    assert tables.named("three", "public", "items") is None


def test_a_table_in_passthrough_is_not_looked_at() -> None:
    tables = book(
        tables={"items": {"phase": "passthrough"}},
        surroundings=Surroundings(False, False, False),
        database="shop",
    )
    assert not only(tables).holding.held


@pytest.mark.parametrize(
    ("surroundings", "reason"),
    [
        (replace(ALL, store=False), "no `store`"),
        (replace(ALL, spool=False), "needs a `spool`"),
        (replace(ALL, control_dsn=False), "no `control_dsn`"),
    ],
)
def test_what_a_proxy_must_have_been_given(surroundings: Surroundings, reason: str) -> None:
    assert reason in held(book(snapshot(ITEMS), surroundings=surroundings))


def test_fast_durability_needs_no_spool() -> None:
    tables = book(
        snapshot(ITEMS), tables={"items": {"durability": "fast"}}, surroundings=replace(ALL, spool=False)
    )
    assert only(tables).mirrored is not None


def test_a_catalogue_that_was_not_read_says_why() -> None:
    assert "has not been read yet" in held(book(database="shop"))
    away = replace(ALL, catalogue_errors={"shop": "connection refused"})
    assert held(book(surroundings=away)) == "connection refused"


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (replace(ITEMS, persistence="u"), "unlogged"),
        (replace(ITEMS, kind="v"), "a view"),
        (replace(ITEMS, kind="f"), "a foreign table"),
        (replace(ITEMS, root=99), "is a partition"),
        (replace(ITEMS, primary_key=()), "no primary key"),
        (replace(ITEMS, name="other"), "not in database shop"),
    ],
)
def test_what_a_table_must_be(made: Relation, reason: str) -> None:
    assert reason in held(book(snapshot(made)))


def test_minimal_wal_is_not_enough() -> None:
    assert "wal_level" in held(book(snapshot(ITEMS, wal_level="minimal")))


def test_the_control_role_must_be_able_to_read() -> None:
    assert "may not SELECT" in held(
        book(snapshot(ITEMS, unreadable={"causeway": {10: "may not SELECT name"}}))
    )
    assert only(book(snapshot(ITEMS, unreadable={"app": {10: "row security"}}))).mirrored is not None


def test_what_is_in_the_way_of_a_mapping_is_told() -> None:
    tables = book(snapshot(relation("items", (("id", 23), ("a.b", 25)), key=["id"], oid=10)))
    assert "`rename` it" in held(tables)
    assert [problem.column for problem in only(tables).refused] == ["a.b"]


def test_nothing_of_it_can_be_forced() -> None:
    tables = book(snapshot(ITEMS), tables={"items": {"force": True}}, surroundings=replace(ALL, store=False))
    assert "no `store`" in held(tables)


def test_all_reasons_are_told_at_once() -> None:
    reasons = held(
        book(snapshot(replace(ITEMS, persistence="u")), surroundings=replace(ALL, store=False, spool=False))
    )
    assert reasons.count(";") >= 3


def test_what_is_not_built_is_not_mirrored() -> None:
    assert "not built" in held(book(snapshot(ITEMS), last_built=Phase.PASSTHROUGH))


def test_warnings_do_not_hold_a_table() -> None:
    table = only(book(snapshot(ITEMS), tables={"items": {"exclude": ["nmae"]}}))
    assert table.mirrored is not None
    assert [problem.column for problem in table.warnings] == ["nmae"]


@pytest.mark.parametrize("name", ["admin", "local", "config", "_causeway", "a.b", "a b", "a$b", 'a"b', "a/b"])
def test_databases_that_mongodb_cannot_have(name: str) -> None:
    assert database_fault(name, {})
    assert name in held(book(snapshot(ITEMS, database=name), database=name))


def test_databases_that_differ_in_capitals_only() -> None:
    assert database_fault("shop", {"shop": 1, "Shop": 1})
    assert not database_fault("shop", {"shop": 1, "store": 1})


def test_tombstones_need_room_for_their_name() -> None:
    tables = book(snapshot(ITEMS, database="d" * 63), tables={"items": {"collection": "c" * 180}})
    assert "tombstones" in held(tables)
    assert only(book(snapshot(ITEMS), tables={"items": {"collection": "c" * 180}})).mirrored is not None


ROOT = replace(ITEMS, kind="p", children=(11, 12))
PARTITION = replace(ITEMS, oid=11, name="items_1", root=10)
REVERSED = replace(
    ITEMS, oid=12, name="items_2", root=10, attributes=(attribute(1, "name", 25), attribute(2, "id", 23))
)


def partitioned(*children: Relation, root: Relation = ROOT) -> MirroredTable:
    tables = book(snapshot(root, *children))
    table = tables.named("shop", "public", "items")
    assert table is not None, only(tables).holding.reasons
    for child in children:
        assert tables.at("shop", child.oid) is table
    return table


def test_partitions_count_to_their_table() -> None:
    table = partitioned(PARTITION)
    assert table.mapping_of((23, 25), relation=11) is table.mapping


def test_a_partition_may_have_its_columns_in_another_order() -> None:
    table = partitioned(PARTITION, REVERSED)
    assert table.mapping_of((23, 25), relation=12) is table.mapping
    layout = table.mapping_of((25, 23), relation=12)
    assert layout is not None
    assert layout.document([b"x", int4(1)]) == ({"_id": 1, "name": "x"}, {})
    assert layout.key([b"x", int4(1)]) == table.mapping.key([int4(1), b"x"])
    assert table.mapping_of((25, 23), relation=11) is None


def test_partitions_that_cannot_be_told_from_the_table_are_refused() -> None:
    root = replace(ROOT, attributes=(attribute(1, "id", 23), attribute(2, "name", 23)))
    other = replace(PARTITION, attributes=(attribute(1, "name", 23), attribute(2, "id", 23)))
    assert "another order" in held(book(snapshot(root, other)))


def test_an_unlogged_partition_is_refused() -> None:
    assert "items_1 is unlogged" in held(book(snapshot(ROOT, replace(PARTITION, persistence="u"))))


def test_children_by_inheritance_are_tables_of_their_own() -> None:
    tables = book(snapshot(replace(ITEMS, children=(11,)), replace(PARTITION, root=0, parents=(10,))))
    assert tables.at("shop", 10) is not None
    assert tables.at("shop", 11) is None


def test_an_older_shape_of_a_row_has_a_mapping_too() -> None:
    table = partitioned()
    before = (attribute(1, "id", 23), attribute(2, "title", 25), attribute(3, "extra", 16))
    older = (attribute(1, "id", 23), attribute(2, "titel", 25), attribute(3, "extra", 16))
    mapping = table.mapping_of((23, 25, 16), shapes=(before, older))
    assert mapping is not None
    assert mapping.attributes == ("id", "title", "extra")
    assert table.mapping_of((23, 25, 16), shapes=(before,)) is mapping
    assert table.mapping_of((23, 16), shapes=(before, older)) is None


def test_a_shape_without_the_key_has_no_mapping() -> None:
    assert partitioned().mapping_of((25,), shapes=((attribute(2, "name", 25),),)) is None


def test_text_in_another_encoding_has_a_mapping_of_its_own() -> None:
    table = partitioned()
    mapping = table.mapping_of((23, 25), encoding="LATIN1")
    assert mapping is not None
    assert mapping.document([int4(1), b"\xe9"])[0]["name"] == "é"
    assert table.mapping_of((23, 25), encoding="LATIN1") is mapping
    assert table.mapping_of((23, 25), encoding="MULE_INTERNAL") is None


def test_names_are_those_of_the_database() -> None:
    assert set(book(snapshot(ITEMS)).ruled) == {TableName("public", "items", "shop")}


PARTITIONS = """
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE items (gone int, id int, name text, twice int GENERATED ALWAYS AS (id * 2) STORED, m mood,
                    PRIMARY KEY (id)) PARTITION BY RANGE (id);
ALTER TABLE items DROP COLUMN gone;
CREATE TABLE items_1 PARTITION OF items FOR VALUES FROM (0) TO (100);
CREATE TABLE items_2 (m mood, extra int, name text, id int NOT NULL, twice int GENERATED ALWAYS AS (id * 2) STORED);
ALTER TABLE items_2 DROP COLUMN extra;
ALTER TABLE items ATTACH PARTITION items_2 FOR VALUES FROM (100) TO (200);
"""


@pytest.mark.integration
async def test_rows_of_every_partition_have_one_shape_of_document(
    postgres: PostgresServer, database: str
) -> None:
    connection = await asyncpg.connect(postgres.dsn(database))
    try:
        await connection.execute(PARTITIONS)
        reading = await read_snapshot(connection, [TableId("public", "items")])
        tables = book(reading.snapshot, database=database)
        table = tables.named(database, "public", "items")
        assert table is not None, only(tables).holding.reasons
        documents = []
        for target, number in (("items", 1), ("items_1", 2), ("items", 101), ("items_2", 102)):
            record = await connection.fetchval(
                f"INSERT INTO {target} AS t (id, name, m) VALUES ($1, 'x', 'happy') RETURNING pg_catalog.record_send("
                "ROW(t.tableoid, pg_catalog.pg_current_wal_insert_lsn(), "
                "pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), "
                "pg_catalog.pg_current_xact_id(), NULL::pg_catalog.text, NULL::pg_catalog.text, "
                "NULL::pg_catalog.bytea, t.*))",
                number,
            )
            header, oids, fields = parse_image(record)
            assert tables.at(database, header.relation) is table
            assert header.version is not None
            mapping = table.mapping_of(oids, relation=header.relation)
            assert mapping is not None
            assert mapping.key(fields).token == number
            documents.append(mapping.document(fields)[0])
    finally:
        await connection.close()
    assert documents == [
        {"_id": number, "name": "x", "twice": number * 2, "m": "happy"} for number in (1, 2, 101, 102)
    ]
