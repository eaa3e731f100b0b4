"""What writes bring about: said by the closure, and held against what PostgreSQL then does."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from proxy.catalog.model import ForeignKey, Reach, Snapshot
from proxy.catalog.side_effects import reached, side_effects
from proxy.catalog.topology import Node, Topology
from proxy.mirror.effects import Cause
from proxy.sql.model import Verb
from tests.catalog.conftest import Scratch, find, on_every_version

pytestmark = pytest.mark.integration

I, U, D = Verb.INSERT, Verb.UPDATE, Verb.DELETE  # noqa: E741 - read in a table


@dataclass(frozen=True)
class Case:
    """`statement` is a write of `verb` to `table`; `effects` are what a snapshot must say of it, in any order."""

    name: str
    schema: str
    ruled: tuple[str, ...]
    table: str
    verb: Verb
    statement: str
    effects: tuple[str, ...]
    """`table cause reach`."""


SHOP = """
create table customers (id int primary key, name text);
create table orders (id int primary key, customer int references customers on delete cascade on update cascade);
create table lines (id int primary key, ordered int references orders on delete cascade);
insert into customers values (1, 'a'), (2, 'b');
insert into orders values (10, 1), (20, 2);
insert into lines values (100, 10), (200, 20);
"""
FUNCTION = "create function f() returns trigger language plpgsql as $$ begin {} return new; end $$;"
COUNTED = """
create table posts (id int primary key, author int);
create table authors (id int primary key, posts int not null default 0);
insert into authors values (1); insert into posts values (1, 1);
"""

CASES = (
    Case("cascade to a ruled child is followed by rows", SHOP, ("customers", "orders"), "customers", D,
         "delete from customers where id = 1", ("orders cascade rows",)),
    Case("the grandchild is followed from the child", SHOP, ("customers", "orders", "lines"), "customers", D,
         "delete from customers where id = 1", ("orders cascade rows",)),
    Case("past a child without a rule only the table is known", SHOP, ("customers", "lines"), "customers", D,
         "delete from customers where id = 1", ("lines cascade table",)),
    Case("an unruled parent reaches ruled tables", SHOP, ("lines",), "customers", D,
         "delete from customers where id = 1", ("lines cascade table",)),
    Case("on update cascade", SHOP, ("customers", "orders", "lines"), "customers", U,
         "update customers set id = 5 where id = 1", ("orders cascade rows",)),
    Case("an insert into a parent does nothing", SHOP, ("customers", "orders"), "customers", I,
         "insert into customers values (3)", ()),
    Case("set null", """
        create table p (id int primary key); create table c (id int primary key, p int references p on delete set null);
        insert into p values (1); insert into c values (1, 1);
        """, ("p", "c"), "p", D, "delete from p", ("c cascade rows",)),
    Case("a set null sets off the child's trigger", COUNTED + FUNCTION.format(
            "update authors set posts = posts + 1;") + """
        create table sites (id int primary key); alter table posts add site int references sites on delete set null;
        create trigger t after update on posts for each row execute function f();
        insert into sites values (1); update posts set site = 1; update authors set posts = 0;
        """, ("posts", "authors"), "sites", D, "delete from sites",
         ("posts cascade rows", "authors trigger table")),
    Case("a set null on a column that others follow", """
        create table a (id int primary key);
        create table b (id int primary key, a int unique references a on delete set null);
        create table c (id int primary key, a int references b (a) on update cascade);
        insert into a values (1); insert into b values (1, 1); insert into c values (1, 1);
        """, ("b", "c"), "a", D, "delete from a", ("b cascade rows", "c cascade table")),
    Case("a set null on a column nobody follows", """
        create table a (id int primary key);
        create table b (id int primary key, a int references a on delete set null);
        create table c (id int primary key, b int references b on update cascade);
        insert into a values (1); insert into b values (1, 1); insert into c values (1, 1);
        """, ("b", "c"), "a", D, "delete from a", ("b cascade rows",)),
    Case("a tree", """
        create table tree (id int primary key, up int references tree on delete cascade);
        insert into tree values (1, null), (2, 1), (3, 2);
        """, ("tree",), "tree", D, "delete from tree where id = 1", ("tree cascade rows",)),
    Case("a trigger that writes", COUNTED + FUNCTION.format("UPDATE Authors SET posts = posts + 1;")
         + "create trigger t after insert on posts for each row execute function f();",
         ("posts", "authors"), "posts", I, "insert into posts values (2, 1)", ("authors trigger table",)),
    Case("a trigger for another event", COUNTED + FUNCTION.format("update authors set posts = posts + 1;")
         + "create trigger t after insert on posts for each row execute function f();",
         ("posts", "authors"), "posts", D, "delete from posts", ()),
    Case("a disabled trigger", COUNTED + FUNCTION.format("update authors set posts = posts + 1;")
         + "create trigger t after insert on posts for each row execute function f();"
         "alter table posts disable trigger t;",
         ("posts", "authors"), "posts", I, "insert into posts values (2, 1)", ()),
    Case("a trigger that changes only its row", COUNTED + FUNCTION.format(
            "-- update authors\n new.author := (select min(id) from authors);")
         + "create trigger t before insert on posts for each row execute function f();",
         ("posts", "authors"), "posts", I, "insert into posts values (2, 1)", ()),
    Case("a trigger of an unruled table", COUNTED + FUNCTION.format("update authors set posts = posts + 1;")
         + "create trigger t after insert on posts for each row execute function f();",
         ("authors",), "posts", I, "insert into posts values (2, 1)", ("authors trigger table",)),
    Case("a trigger with SQL made at run time", COUNTED + FUNCTION.format(
            "execute format('update %I set posts = 7', 'aut' || 'hors');")
         + "create trigger t after insert on posts for each row execute function f();",
         ("authors",), "posts", I, "insert into posts values (2, 1)", ("authors trigger table",)),
    Case("a trigger by way of functions", COUNTED + """
        create procedure count_up() language sql as 'update authors set posts = posts + 1';
        create function two() returns int language plpgsql stable as 'begin call count_up(); return 1; end';
        """ + FUNCTION.format("CALL public.count_up ();")
         + "create trigger t after insert on posts for each row execute function f();",
         ("authors",), "posts", I, "insert into posts values (2, 1)", ("authors trigger table",)),
    Case("a trigger of a table written by a trigger", COUNTED + """
        create table log (id int); create table summary (id int primary key, n int); insert into summary values (1, 0);
        create function g() returns trigger language plpgsql as $$ begin
          update summary set n = n + 1; return null; end $$;
        create trigger g after insert on log for each statement execute function g();
        """ + FUNCTION.format("insert into log values (1);")
         + "create trigger t after delete on posts for each row execute function f();",
         ("summary",), "posts", D, "delete from posts", ("summary trigger table",)),
    Case("a quoted name with capitals",
         'create table "My Posts" (id int primary key); create table "Ünruly ""x""" (id int primary key);'
         + FUNCTION.format('insert into "Ünruly ""x""" values (new.id);')
         + 'create trigger t after insert on "My Posts" for each row execute function f();',
         ("My Posts", 'Ünruly "x"'), "My Posts", I, 'insert into "My Posts" values (1)', ('Ünruly "x" trigger table',)),
    Case("a rule", COUNTED + "create rule r as on insert to posts do also update authors set posts = 5",
         ("posts", "authors"), "posts", I, "insert into posts values (2, 1)",
         ("authors rule table", "posts rule table")),
    Case("a rule for another event", COUNTED
         + "create rule r as on insert to posts do also update authors set posts = 5",
         ("posts", "authors"), "posts", D, "delete from posts", ()),
    Case("a view", SHOP + "create view v as select id, name from customers", ("customers",), "v", U,
         "update v set name = 'z'", ("customers rule table",)),
    Case("a view of a view, whose table cascades", SHOP + """
        create view v as select id, name from customers; create view w as select * from v where id < 9""",
         ("orders",), "w", D, "delete from w", ("orders rule table",)),
    Case("an INSTEAD OF trigger", SHOP + """create view v as select distinct id, name from customers;"""
         + FUNCTION.format("insert into lines values (7, 10);")
         + "create trigger t instead of insert on v for each row execute function f()",
         ("lines",), "v", I, "insert into v values (1)", ("lines trigger table",)),
    Case("a default that writes", COUNTED + """
        create function next_id() returns int language sql volatile as
          'update authors set posts = posts + 1 returning posts';
        create table tickets (id int default next_id(), n int);
        """, ("authors",), "tickets", I, "insert into tickets (n) values (1)", ("authors function table",)),
    Case("partitions: row triggers of a leaf", COUNTED + """
        create table parts (id int, n int) partition by range (id);
        create table parts_1 partition of parts for values from (0) to (10);
        create table parts_2 partition of parts for values from (10) to (20);
        """ + FUNCTION.format("update authors set posts = posts + 1;")
         + "create trigger t after insert on parts_2 for each row execute function f();",
         ("authors",), "parts", I, "insert into parts values (11)", ("authors trigger table",)),
    Case("partitions: a moved row is deleted and inserted", COUNTED + """
        create table parts (id int, n int) partition by range (id);
        create table parts_1 partition of parts for values from (0) to (10);
        create table parts_2 partition of parts for values from (10) to (20);
        insert into parts values (1);
        """ + FUNCTION.format("update authors set posts = posts + 1;")
         + "create trigger t after insert on parts_2 for each row execute function f();",
         ("authors",), "parts", U, "update parts set id = 11", ("authors trigger table",)),
    Case("partitions: the root's trigger fires in a leaf", COUNTED + """
        create table parts (id int, n int) partition by range (id);
        create table parts_1 partition of parts for values from (0) to (10);
        """ + FUNCTION.format("update authors set posts = posts + 1;")
         + "create trigger t after insert on parts for each row execute function f();",
         ("authors",), "parts_1", I, "insert into parts_1 values (1)", ("authors trigger table",)),
    Case("partitions: the root's foreign key holds in a leaf", """
        create table parts (id int primary key) partition by range (id);
        create table parts_1 partition of parts for values from (0) to (10);
        create table c (id int primary key, p int references parts on delete cascade);
        insert into parts values (1); insert into c values (1, 1);
        """, ("parts", "c"), "parts_1", D, "delete from parts_1", ("c cascade rows",)),
    Case("partitions: a ruled child that is partitioned", """
        create table p (id int primary key);
        create table parts (id int primary key, p int references p on delete cascade) partition by range (id);
        create table parts_1 partition of parts for values from (0) to (10);
        insert into p values (1); insert into parts values (1, 1);
        """, ("p", "parts"), "p", D, "delete from p", ("parts cascade rows",)),
    Case("a foreign key of one partition belongs to the root's documents", """
        create table p (id int primary key);
        create table parts (id int primary key, p int) partition by range (id);
        create table parts_1 partition of parts for values from (0) to (10);
        alter table parts_1 add foreign key (p) references p on delete cascade;
        insert into p values (1); insert into parts values (1, 1);
        """, ("p", "parts"), "p", D, "delete from p", ("parts cascade rows",)),
    Case("inheritance: through the parent", """
        create table up (id int primary key, n int); create table down (extra text) inherits (up);
        insert into down values (1, 1, 'x');
        """, ("down",), "up", U, "update up set n = 2", ("down inheritance table",)),
    Case("inheritance: an insert stays with the parent", """
        create table up (id int primary key, n int); create table down (extra text) inherits (up);
        """, ("down",), "up", I, "insert into up values (2)", ()),
    Case("a table that only shares the name of a column", COUNTED + "create table author (id int primary key)",
         ("authors",), "posts", I, "insert into posts values (2, 1)", ()),
)  # fmt: skip


def _tables(snapshot: Snapshot) -> dict[int, str]:
    return {oid: relation.name for oid, relation in snapshot.relations.items()}


@on_every_version
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "_"))
async def test_what_a_write_brings_about(scratch: Scratch, case: Case) -> None:
    await scratch.run(case.schema)
    snapshot = await scratch.read(*case.ruled)
    names = _tables(snapshot)
    oid = next((one.oid for one in snapshot.relations.values() if one.name == case.table), 0)
    said = [
        f"{names[effect.table]} {effect.cause.value} {effect.reach.value}"
        for effect in snapshot.side_effects.get((oid, case.verb), ())
    ]
    assert sorted(said) == sorted(case.effects)
    if said:
        assert case.table in snapshot.watched
    before = await scratch.contents(case.ruled)
    await scratch.run(case.statement)
    after = await scratch.contents(case.ruled)
    own = {case.table, names.get(snapshot.relations[oid].root, "") if oid in snapshot.relations else ""}
    changed = {name for name in case.ruled if before[name] != after[name]}
    assert changed - own == {names[table] for table in reached(snapshot, oid, case.verb)} - own


@on_every_version
async def test_rows_are_followed_by_the_foreign_key(scratch: Scratch) -> None:
    await scratch.run(SHOP)
    snapshot = await scratch.read("customers", "orders")
    (effect,) = snapshot.side_effects[find(snapshot, "customers").oid, D]
    assert effect.reach is Reach.ROWS
    assert effect.detail == "foreign key orders_customer_fkey of public.orders"
    key = effect.foreign_key
    assert key is not None
    assert (key.parent_columns, key.child_columns) == (("id",), ("customer",))
    assert (key.on_delete, key.on_update) == ("c", "c")
    assert (key.parent, key.child) == (find(snapshot, "customers").oid, find(snapshot, "orders").oid)


@on_every_version
async def test_an_update_that_leaves_the_key_alone_sets_nothing_off(scratch: Scratch) -> None:
    """Every effect of it hangs on the foreign key, those beyond the child too."""
    await scratch.run(
        SHOP
        + "create table totals (id int primary key);"
        + FUNCTION.format("insert into totals values (1);")
        + "create trigger t after update or delete on orders for each row execute function f();"
    )
    snapshot = await scratch.read("customers", "orders", "totals")
    names = _tables(snapshot)
    oid = find(snapshot, "customers").oid
    updates = {
        names[e.table]: (e.reach, e.foreign_key and e.foreign_key.name) for e in snapshot.side_effects[oid, U]
    }
    assert updates == {
        "orders": (Reach.ROWS, "orders_customer_fkey"),
        "totals": (Reach.TABLE, "orders_customer_fkey"),
    }
    deletes = {names[e.table]: (e.reach, e.foreign_key is None) for e in snapshot.side_effects[oid, D]}
    assert deletes == {"orders": (Reach.ROWS, False), "totals": (Reach.TABLE, True)}


@on_every_version
async def test_truncate_cascade_empties_what_refers_to_it(scratch: Scratch) -> None:
    await scratch.run(
        SHOP + "create table notes (id int primary key, line int references lines);"
        "create table unruled (line int references lines)"
    )
    snapshot = await scratch.read("lines", "notes")
    names = _tables(snapshot)
    said = {names[oid]: {names[one] for one in emptied} for oid, emptied in snapshot.truncates.items()}
    assert said == {
        "customers": {"orders", "lines", "notes"},
        "orders": {"lines", "notes"},
        "lines": {"notes"},
    }
    assert {"customers", "orders"} <= snapshot.watched


@on_every_version
async def test_truncate_of_partitions(scratch: Scratch) -> None:
    await scratch.run("""
        create table p (id int primary key) partition by range (id);
        create table p_1 partition of p for values from (0) to (10);
        create table c (id int, p int references p) partition by range (id);
        create table c_1 partition of c for values from (0) to (10);
        """)
    snapshot = await scratch.read("c")
    names = _tables(snapshot)
    said = {names[oid]: {names[one] for one in emptied} for oid, emptied in snapshot.truncates.items()}
    assert said == {"p": {"p_1", "c", "c_1"}, "p_1": {"c", "c_1"}}


@on_every_version
async def test_truncate_triggers(scratch: Scratch) -> None:
    await scratch.run(
        COUNTED
        + FUNCTION.format("update authors set posts = 0;")
        + "create trigger t after truncate on posts for each statement execute function f();"
        + "create table blogs (id int primary key);"
        + "alter table posts add foreign key (author) references blogs not valid"
    )
    snapshot = await scratch.read("authors", "posts")
    names = _tables(snapshot)
    said = {
        names[oid]: [(names[e.table], e.cause, e.reach) for e in effects]
        for oid, effects in snapshot.truncate_effects.items()
    }
    expected = [("authors", Cause.TRIGGER, Reach.TABLE)]
    assert said == {"posts": expected, "blogs": expected}
    assert not snapshot.side_effects


@on_every_version
async def test_functions_that_write_are_known_by_name(scratch: Scratch) -> None:
    await scratch.run(
        COUNTED
        + """
        create function writes() returns void language plpgsql as 'begin update authors set posts = 1; end';
        create function calls(int) returns void language plpgsql stable as 'begin perform writes(); end';
        create function reads() returns bigint language sql as 'select count(*) from authors';
        create function stable_writes() returns void language plpgsql stable as
          'begin update authors set posts = 1; end';
        create function dynamic(q text) returns void language plpgsql as 'begin execute q; end';
        create function writes_others() returns void language sql as 'delete from posts';
        create procedure "Proc"() language sql as 'insert into authors values (9, 9)';
        """
    )
    snapshot = await scratch.read("authors")
    assert set(snapshot.functions) == {"writes", "calls", "dynamic", "Proc"}
    assert {e.table for effects in snapshot.functions.values() for e in effects} == {
        find(snapshot, "authors").oid
    }
    assert all(e.cause is Cause.FUNCTION for effects in snapshot.functions.values() for e in effects)
    assert set(snapshot.functions) <= snapshot.watched


@on_every_version
async def test_bodies_that_are_kept_parsed(scratch: Scratch) -> None:
    if scratch.server.major < 14:
        pytest.skip("BEGIN ATOMIC came with PostgreSQL 14")
    await scratch.run(
        COUNTED
        + """
        create function writes() returns void begin atomic update authors set posts = 1; end;
        create function reads() returns bigint begin atomic select count(*) from authors; end;
        """
    )
    snapshot = await scratch.read("authors")
    assert set(snapshot.functions) == {"writes"}


@on_every_version
async def test_two_rings_of_foreign_keys_end(scratch: Scratch) -> None:
    await scratch.run("""
        create table a (id int primary key, b int); create table b (id int primary key, a int, c int);
        create table c (id int primary key, a int references a on delete cascade);
        alter table a add foreign key (b) references b on delete cascade deferrable;
        alter table b add foreign key (a) references a on delete set null;
        alter table b add foreign key (c) references c on delete cascade on update cascade;
        """)
    snapshot = await scratch.read("a", "c")
    names = _tables(snapshot)
    assert {names[e.table] for e in snapshot.side_effects[find(snapshot, "a").oid, D]} == {"c", "a"}
    everything = reached(snapshot, find(snapshot, "a").oid, D)
    assert {names[table] for table in everything} == {"a", "c"}


def test_before_15_a_row_that_moves_between_partitions_is_deleted_for_its_children() -> None:
    key = ForeignKey("k", 1, 3, ("id",), ("p",), "c", "a")
    nodes = [
        Node(1, "public", "p", "p", "p", False, False),
        Node(2, "public", "p_1", "r", "p", False, True),
        Node(3, "public", "c", "r", "p", False, False),
    ]
    for version, expected in ((140000, [(3, Reach.TABLE, key)]), (150000, [])):
        whole = Topology(version, {node.oid: node for node in nodes}, {2: (1,)}, (key,))
        effects = side_effects(whole, [1, 3]).writes.get((1, U), ())
        assert [(effect.table, effect.reach, effect.foreign_key) for effect in effects] == expected
