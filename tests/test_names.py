from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.names import MAX_IDENTIFIER_BYTES, TableName, parse_table_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("orders", TableName("public", "orders")),
        ("sales.orders", TableName("sales", "orders")),
        ('"Weird.Name"', TableName("public", "Weird.Name")),
        ('sales."We""ird"', TableName("sales", 'We"ird')),
        ('"S p"."T"', TableName("S p", "T")),
        ("größe_1$", TableName("public", "größe_1$")),
    ],
)
def test_names(text: str, name: TableName) -> None:
    assert parse_table_name(text) == name


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("", "is not a table name"),
        ("a.", "is not a table name"),
        (".a", "is not a table name"),
        ("a b", "is not a table name"),
        ('"open', "is not a table name"),
        ('""', "is not a table name"),
        ('a"b"', "is not a table name"),
        ("Orders", """write orders, or '"Orders"'"""),
        ("shop.public.orders", "the database under `database`"),
        ("2024", """'"2024"'"""),
        ("order-lines", """'"order-lines"'"""),
        ("x" * 64, "63 bytes"),
        ('"' + "ä" * 32 + '"', "63 bytes"),
    ],
)
def test_no_names(text: str, advice: str) -> None:
    with pytest.raises(ValueError, match=re.escape(advice)):
        parse_table_name(text)


_IDENTIFIERS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1).filter(
    lambda name: len(name.encode()) <= MAX_IDENTIFIER_BYTES
)


@given(_IDENTIFIERS, _IDENTIFIERS)
def test_a_written_name_reads_the_same(schema: str, table: str) -> None:
    name = TableName(schema, table)
    assert parse_table_name(str(name)) == name


def test_a_name_may_say_its_database() -> None:
    assert str(TableName("public", "Orders", "shop")) == 'shop.public."Orders"'
