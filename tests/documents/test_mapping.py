"""What is refused at planning, and why."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.catalog.model import Attribute, Relation, TypeInfo
from proxy.documents.mapping import MappingRefused, Server, build_mapping
from proxy.documents.table_mapping import TableMapping
from tests.documents.made import attribute, relation, rule_of

SERVER = Server("shop")

COLUMNS = (("id", 23), ("name", 25), ("data", 3802))


def build(made: Relation, types: dict[int, TypeInfo] | None = None, **settings: Any) -> TableMapping:
    rule = rule_of(made.name, **settings)
    return build_mapping(made, rule, {} if types is None else types, SERVER)


def reasons(
    made: Relation, types: dict[int, TypeInfo] | None = None, **settings: Any
) -> list[tuple[str, str]]:
    with pytest.raises(MappingRefused) as caught:
        build(made, types, **settings)
    assert all(problem.table == f"public.{made.name}" for problem in caught.value.problems)
    return [(problem.column, problem.reason) for problem in caught.value.problems]


def test_a_table_goes_to_the_database_and_collection_of_its_name() -> None:
    mapping = build(relation("items", COLUMNS, key=["id"]))
    assert (str(mapping.namespace), mapping.table) == ("shop.items", "public.items")
    assert [(column.name, column.field) for column in mapping.columns] == [
        ("id", "_id"),
        ("name", "name"),
        ("data", "data"),
    ]
    assert not mapping.needs_text
    assert mapping.warnings == ()


def test_rules_choose_collection_names_and_columns() -> None:
    mapping = build(
        relation("items", COLUMNS, key=["id"]),
        collection="things",
        rename={"name": "title"},
        exclude=["data"],
    )
    assert mapping.namespace.collection == "things"
    assert (mapping.field_of("name"), list(mapping.by_name)) == ("title", ["id", "name"])
    assert mapping.fits((23, 25, 3802))


def test_a_table_without_a_key_is_refused() -> None:
    assert reasons(relation("items", COLUMNS)) == [
        ("", "it has no primary key; name unique NOT NULL columns under `key`, if there are any")
    ]


def test_a_chosen_key_must_be_a_unique_index_in_any_order() -> None:
    made = relation("items", (("a", 23), ("b", 23)), key=["a"], unique_keys=(("b", "a"),))
    assert build(made, key=["a", "b"]).key_columns == ("a", "b")
    assert build(made, key=["a"]).key_columns == ("a",)
    assert "unique index" in reasons(made, key=["b"])[0][1]
    assert reasons(made, key=["c"]) == [("c", "`key` names it, but the table has no such column")]


@pytest.mark.parametrize("oid", [114, 3802, 600, 30])
def test_types_that_cannot_be_a_key(oid: int) -> None:
    assert "cannot identify a document" in reasons(relation("items", (("id", oid),), key=["id"]))[0][1]


@pytest.mark.parametrize(
    ("precision", "refused"), [(34, False), (35, True), (1000, True)]
)  # fmt: skip
def test_numeric_of_more_than_34_digits_is_refused(precision: int, refused: bool) -> None:
    typmod = (precision << 16 | 2) + 4
    columns = (attribute(1, "id", 23, not_null=True), attribute(2, "n", 1700, typmod))
    made = Relation(5000, "public", "items", "r", "p", columns, ("id",))
    if refused:
        ((column, reason),) = reasons(made)
        assert column == "n"
        assert f"numeric({precision})" in reason
        assert build(made, exclude=["n"]).attributes == ("id", "n")
    else:
        build(made)


def test_numeric_is_looked_for_in_domains_and_arrays() -> None:
    typmod = (40 << 16) + 4
    types = {
        1231: TypeInfo(1231, "pg_catalog", "_numeric", "b", "A", element=1700),
        9000: TypeInfo(9000, "public", "wide", "d", "N", base=1700, base_typmod=typmod),
        9001: TypeInfo(9001, "public", "_wide", "b", "A", element=9000),
    }
    attributes = (
        attribute(1, "id", 23, not_null=True),
        attribute(2, "a", 1231, typmod),
        attribute(3, "b", 9000),
        attribute(4, "c", 9001),
    )
    made = Relation(5000, "public", "items", "r", "p", attributes, ("id",))
    assert [column for column, _ in reasons(made, types)] == ["a", "b", "c"]


@pytest.mark.parametrize("name", ["a.b", "$a", "_cw", "_id"])
def test_names_that_no_field_can_have_are_renamed_or_refused(name: str) -> None:
    made = relation("items", (("id", 23), (name, 25)), key=["id"])
    assert [column for column, _ in reasons(made)] == [name]
    assert build(made, rename={name: "b"}).field_of(name) == "b"
    build(relation("items", ((name, 23),), key=[name]))


def test_two_columns_cannot_be_one_field() -> None:
    made = relation("items", COLUMNS, key=["id"])
    assert reasons(made, rename={"name": "data"})[0][0] == "data"
    assert build(made, rename={"name": "data", "data": "name"}).field_of("name") == "data"


def test_a_key_of_one_column_is_not_renamed() -> None:
    assert reasons(relation("items", COLUMNS, key=["id"]), rename={"id": "number"})[0][0] == "id"


def test_a_column_of_the_primary_key_is_not_excluded() -> None:
    assert reasons(relation("items", COLUMNS, key=["id"]), exclude=["id"]) == [
        ("id", "it is a column of the key and cannot be excluded")
    ]


def test_columns_that_are_not_there_are_warned_about() -> None:
    mapping = build(
        relation("items", COLUMNS, key=["id"]), exclude=["nmae"], rename={"x": "y"}, last_modified="changed"
    )
    assert [(problem.column, problem.reason.split()[0]) for problem in mapping.warnings] == [
        ("nmae", "`exclude`"),
        ("x", "`rename`"),
        ("changed", "`last_modified`"),
    ]


def test_a_type_without_binary_output_is_refused_even_where_it_is_excluded() -> None:
    types = {1033: TypeInfo(1033, "pg_catalog", "aclitem", "b", "U", sendable=False)}
    made = relation("items", (("id", 23), ("a", 1033)), key=["id"])
    assert "binary output" in reasons(made, types)[0][1]
    assert "binary output" in reasons(made, types, exclude=["a"])[0][1]


def test_a_type_without_a_decoder_comes_as_text() -> None:
    types = {9000: TypeInfo(9000, "public", "geometry", "b", "U")}
    made = relation("items", (("id", 23), ("g", 9000)), key=["id"])
    assert build(made, types).needs_text
    assert not build(made, types, exclude=["g"]).needs_text


def test_a_type_the_catalogue_does_not_know_is_refused() -> None:
    ((column, reason),) = reasons(relation("items", (("id", 23), ("x", 9999)), key=["id"]))
    assert (column, "9999" in reason) == ("x", True)


def test_text_that_depends_on_a_session_is_warned_about() -> None:
    types = {790: TypeInfo(790, "pg_catalog", "money", "b", "N")}
    (warning,) = build(relation("items", (("id", 23), ("m", 790)), key=["id"]), types).warnings
    assert (warning.column, "lc_monetary" in warning.reason) == ("m", True)


def test_an_encoding_that_cannot_be_read_is_refused() -> None:
    made = relation("items", COLUMNS, key=["id"])
    with pytest.raises(MappingRefused, match="MULE_INTERNAL"):
        build_mapping(made, rule_of("items"), {}, Server("shop", "MULE_INTERNAL"))


def test_every_problem_is_told_at_once() -> None:
    attributes = (
        Attribute(1, "a.b", 25, -1, not_null=False, has_default=False),
        Attribute(2, "n", 1700, (50 << 16) + 4, not_null=False, has_default=False),
    )
    made = Relation(5000, "public", "items", "r", "p", attributes)
    assert [column for column, _ in reasons(made)] == ["", "n", "a.b"]
