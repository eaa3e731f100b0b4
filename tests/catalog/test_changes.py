"""What DDL means for documents: by hand-made snapshots, and held against what real DDL does to rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from proxy.catalog.changes import Verdict, changes
from proxy.catalog.model import Snapshot
from proxy.mirror.effects import TableId
from tests.catalog.conftest import Place, Scratch, find, on_every_version
from tests.catalog.made import attribute, relation, snapshot

T = TableId("public", "t")


@dataclass(frozen=True)
class MadeRule:
    key: tuple[str, ...] | None = None
    rename: Mapping[str, str] = field(default_factory=dict)
    exclude: tuple[str, ...] = ()


def judged(old: Snapshot, new: Snapshot, **rule: Any) -> list[tuple[Verdict, str]]:
    return [(change.verdict, change.detail) for change in changes(old, new, {T: MadeRule(**rule)})]


DDL = (
    ("add column", "alter table t add x int", "benign"),
    ("add column with a default", "alter table t add x int default 5", "gap"),
    ("add column with a volatile default", "alter table t add x uuid default gen_random_uuid()", "gap"),
    ("add identity column", "alter table t add x int generated always as identity", "gap"),
    ("add generated column", "alter table t add x int generated always as (id + 1) stored", "gap"),
    ("drop column", "alter table t drop n", "gap"),
    ("rename column", "alter table t rename n to o", "gap"),
    ("rename a key column", "alter table t rename id to key", "gap"),
    (
        "swap two names",
        "alter table t rename v to x; alter table t rename w to v; alter table t rename x to w",
        "gap",
    ),
    ("widen varchar", "alter table t alter v type varchar(20)", "benign"),
    ("varchar to text", "alter table t alter v type text", "benign"),
    ("narrow varchar", "alter table t alter v type varchar(2) using left(v, 2)", "gap"),
    ("widen numeric", "alter table t alter n type numeric(12, 2)", "benign"),
    ("rescale numeric", "alter table t alter n type numeric(12, 1)", "gap"),
    ("numeric without bound", "alter table t alter n type numeric", "benign"),
    ("int to bigint", "alter table t alter id type bigint", "gap"),
    ("timestamptz with fewer digits", "alter table t alter z type timestamptz(0)", "gap"),
    ("set default", "alter table t alter n set default 3", "benign"),
    ("set not null", "alter table t alter n set not null", "benign"),
    ("another collation", 'alter table t alter w type text collate "C"', "benign"),
    ("a label more", "alter type mood add value 'new'", "benign"),
    ("a label renamed", "alter type mood rename value 'ok' to 'fine'", "gap"),
    ("an attribute more", "alter type pair add attribute y int", "gap"),
    ("an attribute renamed", "alter type pair rename attribute x to z", "benign"),
    ("another key", "alter table t drop constraint t_pkey; alter table t add primary key (u)", "gap"),
    ("an index", "create index on t (n)", "benign"),
    ("drop", "drop table t", "gap"),
    ("drop and create", "drop table t; create table t (id int primary key)", "gap"),
    ("rename", "alter table t rename to s", "gap"),
    ("another schema", "create schema s; alter table t set schema s", "gap"),
    ("a trigger", "create trigger a before insert on t for each row execute function f()", "benign"),
    ("unlogged", "alter table t set unlogged", "benign"),
)


@pytest.mark.integration
@on_every_version
@pytest.mark.parametrize(("name", "ddl", "verdict"), DDL, ids=[ddl[0].replace(" ", "_") for ddl in DDL])
async def test_ddl(scratch: Scratch, name: str, ddl: str, verdict: str) -> None:
    await scratch.run("""
        create type mood as enum ('sad', 'ok'); create type pair as (x int);
        create table t (id int primary key, n numeric(10, 2), v varchar(10), w text, z timestamptz, m mood[],
                        p pair, u int not null);
        insert into t values (1, 1.23, 'abc', 'w', '2024-01-02 03:04:05.678901+00', '{ok}', row(1), 7);
        create function f() returns trigger language plpgsql as 'begin return new; end';
        """)
    old = await scratch.read("t")
    columns = [(a.number, a.name) for a in find(old, "t").attributes]
    rows = await scratch.lines("select t::text from t")
    await scratch.run(ddl)
    new = await scratch.read("t")
    found = changes(old, new, {T: MadeRule()})
    gap = any(change.verdict is Verdict.GAP for change in found)
    assert gap is (verdict == "gap"), found
    after = new.named("public", "t")
    if not gap and after is not None and len(after.attributes) == len(columns):
        assert [(a.number, a.name) for a in after.attributes] == columns
        assert await scratch.lines("select t::text from t") == rows


@pytest.mark.integration
@on_every_version
async def test_partitions(place: Place) -> None:
    place.run("""
        create table t (id int primary key) partition by range (id);
        create table t_1 partition of t for values from (1) to (2);
        create table t_3 (id int primary key); insert into t_3 values (3);
        """)
    first = await place.read("t")
    place.run("""
        create table t_2 partition of t for values from (2) to (3);
        alter table t attach partition t_3 for values from (3) to (4);
        """)
    second = await place.read("t")
    found = changes(first, second, {T: MadeRule()})
    assert {change.unless_empty for change in found} == {find(second, "t_2").oid, find(second, "t_3").oid}
    assert {change.verdict for change in found} == {Verdict.GAP}
    empty = {
        change.detail: await place.source.is_empty(second.relations[change.unless_empty]) for change in found
    }
    assert empty == {"partition t_2 created or attached": True, "partition t_3 created or attached": False}
    place.run("alter table t detach partition t_3")
    third = await place.read("t")
    (change,) = changes(second, third, {T: MadeRule()})
    assert (change.verdict, change.unless_empty) == (Verdict.GAP, 0)


def test_no_change() -> None:
    one = snapshot(relation(1, "t", attribute(1, "id")))
    same = snapshot(relation(1, "t", attribute(1, "id")), generation=2)
    assert judged(one, same) == []
    assert judged(snapshot(), snapshot()) == []


def test_another_cluster() -> None:
    one, other = (snapshot(relation(1, "t", attribute(1, "id")), system_identifier=name) for name in "ab")
    ((verdict, detail),) = judged(one, other)
    assert verdict is Verdict.GAP
    assert "another cluster" in detail


def test_created_is_no_gap_while_it_is_empty() -> None:
    (change,) = changes(snapshot(), snapshot(relation(5, "t", attribute(1, "id"))), {T: MadeRule()})
    assert (change.verdict, change.unless_empty) == (Verdict.GAP, 5)


def test_excluded_columns_do_not_matter() -> None:
    one = snapshot(relation(1, "t", attribute(1, "id"), attribute(2, "secret")))
    for columns in (
        [],
        [attribute(2, "secret", 25)],
        [attribute(2, "secret"), attribute(3, "s2", has_default=True)],
    ):
        other = snapshot(relation(1, "t", attribute(1, "id"), *columns))
        assert all(verdict is Verdict.BENIGN for verdict, _ in judged(one, other, exclude=("secret", "s2")))
        assert [v for v, _ in judged(one, other)] == [Verdict.GAP]
    renamed = snapshot(relation(1, "t", attribute(1, "id"), attribute(2, "shown")))
    ((verdict, detail),) = judged(one, renamed, exclude=("secret",))
    assert verdict is Verdict.GAP
    assert "only one of them is excluded" in detail


def test_a_rule_can_keep_the_field_of_a_renamed_column() -> None:
    one = snapshot(relation(1, "t", attribute(1, "id"), attribute(2, "old")))
    other = snapshot(relation(1, "t", attribute(1, "id"), attribute(2, "new")))
    assert [v for v, _ in judged(one, other, rename={"new": "old"})] == [Verdict.BENIGN]
    assert [v for v, _ in judged(one, other, rename={"old": "a", "new": "b"})] == [Verdict.GAP]


def test_the_key_of_the_rule_counts_not_the_primary_key() -> None:
    columns = (attribute(1, "id"), attribute(2, "code"))
    one = snapshot(relation(1, "t", *columns))
    other = snapshot(relation(1, "t", *columns, primary_key=("code",)))
    assert judged(one, other, key=("id",)) == []
    assert judged(one, other) == [(Verdict.GAP, "the key is another")]


def test_types_are_named_as_people_write_them() -> None:
    one = snapshot(relation(1, "t", attribute(1, "id"), attribute(2, "n", 1700, typmod=(10 << 16 | 2) + 4)))
    other = snapshot(relation(1, "t", attribute(1, "id"), attribute(2, "n", 1043, typmod=24)))
    assert judged(one, other) == [
        (Verdict.GAP, "column n changed its type from numeric(10,2) to varchar(20)")
    ]
