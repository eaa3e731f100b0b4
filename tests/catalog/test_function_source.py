"""What is read out of the source of functions."""

from __future__ import annotations

import pytest

from proxy.catalog.function_source import NOTHING_WRITTEN, read_function
from proxy.sql.model import Verb

I, U, D = Verb.INSERT, Verb.UPDATE, Verb.DELETE  # noqa: E741 - read in a table


@pytest.mark.parametrize(
    ("source", "targets"),
    [
        ("insert into a values (1)", {("a", I)}),
        ("INSERT\n INTO Shop . Orders(id) values (1)", {("orders", I)}),
        ('insert into shop."My ""Orders"""values (1)', {('My "Orders"', I)}),
        ("insert into a values (1) on conflict do update set b = 1", {("a", I), ("a", U), ("set", U)}),
        ("update only a set x = 1", {("a", U)}),
        ('update"A"set x = 1', {("A", U)}),
        ("update a as b set c = d from e", {("a", U)}),
        ("with x as (delete from a returning *) insert into b select * from x", {("a", D), ("b", I)}),
        ("merge into a using b on true when matched then delete", {("a", I), ("a", U), ("a", D)}),
        ("truncate table only a, only shop.b, c cascade", {("a", D), ("b", D), ("c", D), ("only", D)}),
        ("truncate a *, b", {("a", D), ("b", D)}),
        ("copy a (x) from '/tmp/x'", {("a", I)}),
        ("delete /* from b */ from -- c\n a", {("a", D)}),
        ("-- don't\ndelete from a -- where 'x", {("a", D)}),
        ("x := E'it\\'s -- '; delete from a", {("a", D)}),
        ("x := 'a--b'; delete from a", {("a", D)}),
        ("perform 'delete from a'", {("a", D)}),
        ("new.updated_at := now(); select into x max(id) from orders", set()),
        ("select updated from inserts where deleted", set()),
        ("/* update a */ return new", set()),
        ("insert into prix_été values (1)", {("prix_été", I)}),
    ],
)
@pytest.mark.parametrize("language", ["sql", "plpgsql"])
def test_targets(source: str, targets: set[tuple[str, Verb]], language: str) -> None:
    assert read_function(language, source, volatile=True).targets == targets


@pytest.mark.parametrize(
    ("language", "source", "dynamic"),
    [
        ("plpgsql", "execute format('select 1')", True),
        ("plpgsql", "-- execute\nreturn new", False),
        ("plpgsql", 'update u&"\\0061" set b = 1', True),
        ("plpgsql", "perform executes(1)", False),
        ("plpython3u", "plpy.execute(q)", True),
        ("plpython3u", "return a + b", False),
        ("plperl", "spi_exec_query($q)", True),
        ("plv8", "plv8.execute(q)", True),
        ("pltcl", "return $1", False),
        ("c", "check_foreign_key", True),
        ("c", "moddatetime", False),
        ("internal", "int4pl", False),
    ],
)
def test_dynamic(language: str, source: str, dynamic: bool) -> None:
    assert read_function(language, source, volatile=True).dynamic is dynamic


def test_calls() -> None:
    text = read_function("plpgsql", 'perform a.F(1); call "G h" (2); x := b (3)', volatile=True)
    assert text.calls == {"f", "G h", "b"}


def test_what_is_not_volatile_writes_only_by_what_it_calls() -> None:
    text = read_function("plpgsql", "update a set b = f(1); execute x", volatile=False)
    assert not text.targets
    assert not text.dynamic
    assert text.calls == {"f"}
    assert read_function("plperl", "spi_exec_query", volatile=False) == NOTHING_WRITTEN
