"""What a statement may be bound to: this database, its tables, and parameters of one type each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from proxy.catalog.language import Language, Traits
from proxy.mirror.tables import Surroundings, TableBook
from proxy.phases import Phase
from proxy.sql.parse import Source
from proxy.translate import types as t
from proxy.translate.api import Unsupported, compile_read
from proxy.translate.context import Context
from tests.catalog.made import attribute, relation, snapshot
from tests.rulefiles.texts import rules

UTF8 = Language("UTF8", Traits(True, True, "utf8"))


def book(*relations: Any, language: Language = UTF8) -> TableBook:
    names = ", ".join(f"{one.schema}.{one.name}: {{phase: dual_write}}" for one in relations)
    return TableBook(
        rules(f"database: shop\ntables: {{{names}}}"),
        {"shop": replace(snapshot(*relations), language=language)},
        Surroundings(True, True, True),
        last_built=Phase.DUAL_WRITE,
    )


def table(oid: int, name: str, **more: Any) -> Any:
    return relation(oid, name, attribute(1, "id", not_null=True), **more)


def read(sql: str, given: TableBook, path: tuple[str, ...] = ("public",), database: str = "shop") -> int:
    """The oid of the table that is read."""
    return compile_read(sql, given, database, path).tables[0].relation.oid


T, OTHER = table(1, "t"), table(2, "t", schema="other")


def test_a_name_is_looked_for_along_the_path() -> None:
    both = book(T, OTHER)
    assert read("SELECT id FROM t", both) == 1
    assert read("SELECT id FROM t", both, ("other", "public")) == 2
    assert read("SELECT id FROM t", both, ("none", "public")) == 1
    assert read("SELECT id FROM other.t", both) == 2
    assert read("SELECT id FROM shop.other.t", both) == 2


@pytest.mark.parametrize(
    ("sql", "path", "reason"),
    [
        ("SELECT id FROM t", ("none",), "a table that is not mirrored"),
        ("SELECT id FROM none.t", ("public",), "a table that is not mirrored"),
        ("SELECT id FROM blog.public.t", ("public",), "a table of another database"),
        ("SELECT id FROM t", ("public", "pg_catalog"), "a search_path with pg_catalog or pg_temp in it"),
        ("SELECT id FROM t", ("pg_temp", "public"), "a search_path with pg_catalog or pg_temp in it"),
    ],
)
def test_where_nothing_of_that_name_is_known(sql: str, path: tuple[str, ...], reason: str) -> None:
    with pytest.raises(Unsupported, match=reason):
        read(sql, book(T), path)


def test_a_path_that_names_pg_catalog_first_says_what_is_so_anyhow() -> None:
    assert read("SELECT id FROM t", book(T), ("pg_catalog", "public")) == 1


@pytest.mark.parametrize(
    ("more", "sql", "reason"),
    [
        ({"row_security": True}, "SELECT id FROM t", "a table with row security"),
        ({"has_rules": True}, "SELECT id FROM t", "a table with rules"),
        ({"children": (7,)}, "SELECT id FROM t", "a table with children"),
        ({"kind": "p", "children": (7,)}, "SELECT id FROM ONLY t", "ONLY of a partitioned table"),
    ],
)
def test_tables_whose_documents_are_not_all_or_not_only_what_is_read(
    more: dict[str, Any], sql: str, reason: str
) -> None:
    with pytest.raises(Unsupported, match=reason):
        read(sql, book(table(1, "t", **more)))


def test_a_table_alone_and_a_partitioned_one_as_a_whole_are_read() -> None:
    assert read("SELECT id FROM ONLY t", book(table(1, "t", children=(7,)))) == 1
    assert read("SELECT id FROM t", book(table(1, "t", kind="p", children=()))) == 1


def test_a_database_of_another_encoding_or_of_no_catalogue() -> None:
    with pytest.raises(Unsupported, match="encoding is not UTF8"):
        read("SELECT id FROM t", book(T, language=Language("LATIN1", Traits(True, True, ""))))
    with pytest.raises(Unsupported, match="the catalogue of the database is not known"):
        read("SELECT id FROM t", book(T), database="blog")


def test_a_parameter_has_the_type_it_was_given_or_the_first_that_is_deduced() -> None:
    context = Context(Source("SELECT 1"), book(T), "shop", ("public",), (t.INT8, 0))
    assert context.parameter(1) == t.INT8
    assert context.parameter(2) == t.UNKNOWN
    context.deduce(2, t.TEXT)
    context.deduce(2, t.TEXT)
    assert context.parameter(2) == t.TEXT
    for number, oid in ((1, t.INT4), (2, t.VARCHAR)):
        with pytest.raises(Unsupported, match="a parameter with more than one type"):
            context.deduce(number, oid)


def test_a_refusal_counts_characters_not_bytes() -> None:
    context = Context(Source("SELECT 'é', 1"), book(T), "shop", ("public",), ())
    with pytest.raises(Unsupported) as caught:
        context.refuse("why", {"location": len("SELECT 'é', ".encode())})
    assert caught.value.position == len("SELECT 'é', ")
    for node in (None, {"location": -1}):
        with pytest.raises(Unsupported) as caught:
            context.refuse("why", node)
        assert caught.value.position is None


def test_fields_that_nobody_looks_at_are_refused() -> None:
    context = Context(Source("SELECT 1"), book(T), "shop", ("public",), ())
    context.only({"a": 1, "location": 7}, ("a", "b"), "thing")
    with pytest.raises(Unsupported, match="thing: c"):
        context.only({"a": 1, "c": 2}, ("a", "b"), "thing")
