"""A role is called safe exactly where the splice works for it."""

from __future__ import annotations

import pytest

from devstack.errors import DevstackError
from proxy.catalog.privileges import invisible, unreadable
from tests.catalog.conftest import Place, find

SPLICE = """ returning pg_catalog.record_send(row(t.tableoid, pg_catalog.pg_current_wal_insert_lsn(),
 pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), pg_catalog.pg_current_xact_id(),
 null::text, null::text, null::bytea, t.*))"""

GRANTS = (
    ("nothing more", "", False),
    ("the table", "grant select on t to {role}", True),
    ("every column", "grant select (id, n) on t to {role}", False),
    ("one column", "grant select (id) on t to {role}", False),
    ("every column and tableoid", "grant select (id, n, tableoid) on t to {role}", True),
    ("by a role it is in", "grant select on t to {group}; grant {group} to {role}", True),
    ("by a role it does not inherit from",
     "grant select on t to {group}; alter role {role} noinherit; grant {group} to {role}", False),
    ("to everybody", "grant select on t to public", True),
    ("row security", "grant select on t to {role}; alter table t enable row level security;"
     "create policy p on t using (id < 0) with check (true)", False),
    ("row security it may bypass", "grant select on t to {role}; alter table t enable row level security;"
     "alter role {role} bypassrls", True),
    ("its own table with row security", "alter table t owner to {role}; alter table t enable row level security", True),
    ("its own table with forced row security", "alter table t owner to {role};"
     "alter table t enable row level security; alter table t force row level security;"
     "create policy p on t for insert with check (true)", False),
    ("a splice function taken away",
     "grant select on t to {role}; revoke execute on function record_send(record) from public", False),
)  # fmt: skip


@pytest.mark.integration
@pytest.mark.parametrize(
    ("name", "grant", "safe"), GRANTS, ids=[grant[0].replace(" ", "_") for grant in GRANTS]
)
async def test_safe_means_that_returning_works(place: Place, name: str, grant: str, safe: bool) -> None:
    role, group = f"r_{place.database}", f"g_{place.database}"
    try:
        place.run(
            f"create role {role}; create role {group}; create table t (id int primary key, n int, gone int);"
        )
        place.run(f"alter table t drop column gone; grant insert on t to {role};")
        place.run(grant.format(role=role, group=group))
        snapshot = await place.read("t")
        oid = find(snapshot, "t").oid
        assert (oid not in snapshot.unreadable[role]) is safe
        assert oid not in snapshot.unreadable["postgres"]
        place.run(f"set role {role}; insert into t values (1, 1)")
        try:
            place.run(f"set role {role}; insert into t values (2, 2) {SPLICE}")
            worked = True
        except DevstackError:
            worked = False
        assert worked is safe
    finally:
        place.run(f"drop owned by {role}, {group} cascade; drop role {role}, {group}")


@pytest.mark.integration
async def test_of_partitions_too(place: Place) -> None:
    place.run("""
        create table p (id int primary key) partition by range (id);
        create table p_1 partition of p for values from (0) to (9);
        grant select on p to causeway_trust; grant update (id) on p, p_1 to causeway_trust;
        grant select on p to causeway_md5;
        """)
    snapshot = await place.read("p")
    assert set(snapshot.unreadable["causeway_trust"]) == {find(snapshot, "p_1").oid}
    assert snapshot.unreadable["causeway_md5"] == {}


@pytest.mark.integration
async def test_of_tables_without_a_rule_that_foreign_keys_follow(place: Place) -> None:
    """Their rows are asked for too, to know which rows follow."""
    place.run("""
        create table a (id int primary key); create table b (id int primary key, a int references a on delete cascade);
        create table c (id int primary key, b int references b on delete cascade);
        grant delete on a to causeway_trust;
        """)
    snapshot = await place.read("c")
    assert set(snapshot.unreadable["causeway_trust"]) == {find(snapshot, "a").oid}


@pytest.mark.integration
async def test_schemas_a_role_may_not_use(place: Place) -> None:
    place.run("create schema hidden; create table hidden.t (id int); create table t (id int primary key)")
    place.run("create schema unrelated")
    place.run(f"alter database {place.database} set search_path = hidden, public")
    snapshot = await place.read("t")
    assert snapshot.search_paths["causeway_trust"] == ("public",)
    assert snapshot.search_paths["postgres"] == ("hidden", "public")
    assert snapshot.unusable["causeway_trust"] == {"hidden"}
    assert "postgres" not in snapshot.unusable


def test_every_role_asked_for_has_its_entry() -> None:
    found = unreadable(["a", "b"], [1, 2], [("a", 1, "select"), ("c", 1, "select")], [("b", "f()")])
    assert set(found) == {"a", "b"}
    assert set(found["a"]) == {1}
    assert found["b"] == {1: "the role may not EXECUTE f()", 2: "the role may not EXECUTE f()"}


READERS = (
    ("nothing", "", False),
    ("the table", "grant select on t to {role}", True),
    ("one column", "grant select (id) on t to {role}", False),
    (
        "row security",
        "grant select on t to {role}; alter table t enable row level security; create policy p on t using (id < 0)",
        False,
    ),
)


@pytest.mark.integration
@pytest.mark.parametrize(
    ("name", "grant", "all_of_it"), READERS, ids=[one[0].replace(" ", "_") for one in READERS]
)
async def test_what_a_role_that_only_reads_does_not_see(
    place: Place, name: str, grant: str, all_of_it: bool
) -> None:
    role = f"r_{place.database}"
    try:
        place.run(
            f"create role {role}; create table t (id int primary key, n int); insert into t values (1, 1)"
        )
        place.run(grant.format(role=role))
        snapshot = await place.read("t")
        oid = find(snapshot, "t").oid
        assert (oid not in snapshot.invisible.get(role, ())) is all_of_it
        assert snapshot.unreadable[role] == {}  # nobody warns of writes that fail anyway
        assert "postgres" not in snapshot.invisible
    finally:
        place.run(f"drop owned by {role}; drop role {role}")


def test_a_role_that_sees_everything_is_left_out() -> None:
    assert invisible([("a", 1), ("a", 2), ("b", 1)]) == {"a": {1, 2}, "b": {1}}
    assert invisible([]) == {}
