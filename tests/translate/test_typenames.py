"""Names of columns that have none, and types as they are written; as PostgreSQL describes them."""

from __future__ import annotations

import pytest

from proxy.translate.api import Unsupported
from tests.translate.made import plan


@pytest.mark.parametrize(
    ("expression", "name", "oid", "typmod"),
    [
        ("1", "?column?", 23, -1),
        ("'x'", "?column?", 25, -1),
        ("1 + 1", "?column?", 23, -1),
        ("1::int8", "int8", 20, -1),
        ("'x'::varchar(5)", "varchar", 1043, 9),
        ("'x'::character varying", "varchar", 1043, -1),
        ("1.5::numeric(5,2)", "numeric", 1700, ((5 << 16) | 2) + 4),
        ("'2020-01-01'::timestamp(3)", "timestamp", 1114, 3),
        ("'2020-01-01'::timestamp with time zone", "timestamptz", 1184, -1),
        ("date '2020-01-01'", "date", 1082, -1),
        ("'{1}'::int[]", "int4", 1007, -1),
        ("'x'::char", "bpchar", 1042, 5),
        ("lower('X')", "lower", 25, -1),
        ("coalesce(1, 2)", "coalesce", 23, -1),
        ("nullif(1, 2)", "nullif", 23, -1),
        ("greatest(1, 2)", "greatest", 23, -1),
        ("CASE WHEN true THEN 1 END", "case", 23, -1),
        ("CASE WHEN true THEN 1 ELSE length('x') END", "length", 23, -1),
        ("ARRAY[1]", "array", 1007, -1),
        ("EXISTS (SELECT 1)", "exists", 16, -1),
        ("(SELECT 1 AS one)", "one", 23, -1),
        ("ARRAY(SELECT 1)", "array", 1007, -1),
        ("current_date", "current_date", 1082, -1),
        ("count(*)", "count", 20, -1),
        ("row_number() OVER ()", "row_number", 20, -1),
    ],
)
def test_columns_without_a_name(expression: str, name: str, oid: int, typmod: int) -> None:
    (column,) = plan(f"SELECT {expression}").columns
    assert (column.name, column.type_oid, column.typmod) == (name, oid, typmod)
    assert (column.table_oid, column.attnum) == (0, 0)


def test_columns_of_tables_say_where_they_are_from() -> None:
    columns = plan("SELECT p.name, nick AS n, paid + 1 AS paid FROM people p").columns
    assert [(one.name, one.typmod, one.table_oid, one.attnum) for one in columns] == [
        *(("name", -1, 1001, 2), ("n", 24, 1001, 7), ("paid", -1, 0, 0)),
    ]


@pytest.mark.parametrize(
    "written", ["'x'::regclass", "'x'::point", "1::numeric(1001)", "'x'::varchar(0)", "'x'::other.t"]
)
def test_types_that_are_not_known(written: str) -> None:
    with pytest.raises(Unsupported):
        plan(f"SELECT {written}")
