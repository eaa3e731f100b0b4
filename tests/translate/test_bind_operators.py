"""Which operator is meant, and what it gives: for operands of all types, against PostgreSQL."""

from __future__ import annotations

import pytest

from proxy.translate.api import Unsupported
from tests.translate.made import plan, rows
from tests.translate.typed import COLUMNS, Typed
from tests.translate.world import World

INFIX = ("=", "<", "+", "-", "*", "/", "%", "||", "~~", "->>", "#")
PREFIX = ("-", "+", "@", "|/", "~")
OPERANDS = (*COLUMNS.values(), "NULL", "'1'", "NULL::oid", "NULL::timetz")
NUMBERS = ("i2", "i4", "i8", "f4", "f8", "n")


@pytest.mark.integration
@pytest.mark.parametrize("name", INFIX)
def test_between_operands_of_any_two_types(world: World, name: str) -> None:
    given = [f"{a} {name} {b}" for a in OPERANDS for b in OPERANDS]
    wrong, refused = Typed(world).compared(given)
    assert wrong == []
    if name in ("=", "<", "+", "-", "*", "/"):
        assert [one for one in refused if one in {f"{a} {name} {b}" for a in NUMBERS for b in NUMBERS}] == []


@pytest.mark.integration
def test_before_an_operand_of_any_type(world: World) -> None:
    assert Typed(world).compared([f"{name} {a}" for name in PREFIX for a in OPERANDS])[0] == []


@pytest.mark.integration
@pytest.mark.parametrize("form", ["{} IN ({}, {})", "{} = ANY (ARRAY[{}, {}])", "nullif({}, {})"])
def test_equality_that_other_forms_are_made_of(world: World, form: str) -> None:
    given = [form.format(a, b, b) for a in OPERANDS for b in OPERANDS]
    assert Typed(world).compared(given)[0] == []


THREE_VALUED = (
    "(a, b) = (x, y)", "(a, b) <> (x, y)", "(a, b) < (x, y)", "(a, b) <= (x, y)", "(a, b) > (x, y)",
    "(a, b) >= (x, y)", "a IN (x, y)", "a NOT IN (x, y)", "a BETWEEN x AND y", "a NOT BETWEEN x AND y",
    "a BETWEEN SYMMETRIC x AND y", "a NOT BETWEEN SYMMETRIC x AND y", "a IS DISTINCT FROM x",
    "a IS NOT DISTINCT FROM x", "nullif(a, x)", "a = ANY (ARRAY[x, y])", "a < ALL (ARRAY[x, y])",
    "a <> ALL (ARRAY[x, y])", "a > ANY (ARRAY[x, y])", "(a, b) IN ((x, y), (y, x))", "(a, b) NOT IN ((x, y), (b, a))",
    "a = x AND b = y OR a IS NULL", "NOT (a = x OR b > y)", "(a = x) IS NOT TRUE", "(a = x) IS UNKNOWN",
)  # fmt: skip


@pytest.mark.integration
@pytest.mark.parametrize("condition", THREE_VALUED)
async def test_null_is_followed_as_in_sql(world: World, condition: str) -> None:
    """Over every combination of three values and NULL."""
    four = "(VALUES (1), (2), (3), (NULL::int))"
    tables = ", ".join(f"{four} {name}_ ({name})" for name in "abxy")
    await world.same(f"SELECT a, b, x, y, {condition} FROM {tables} ORDER BY a, b, x, y")


REFUSED = (
    ("name = age", "operator = of text int8"),
    ("(age, id) = (1, 2, 3)", "rows of different lengths"),
    ("(name, id) ~~ ('a', 'b')", "rows with an operator that is not a comparison"),
    ("age = ANY (1)", "ANY of a value that is not an array"),
    ("age + ANY (ARRAY[1])", "ANY with an operator that is not a comparison"),
    ("id OPERATOR(public.=) 1", "an operator of a schema"),
    ("id ^ 2 = 4", "operator ^ of float8 float8"),
    ("age << 1 = 4", "operator << of int8 int4"),
)


@pytest.mark.parametrize(("condition", "reason"), REFUSED)
def test_what_is_refused(condition: str, reason: str) -> None:
    sql = f"SELECT id FROM people WHERE {condition}"
    with pytest.raises(Unsupported) as caught:
        plan(sql)
    assert caught.value.reason == reason
    assert caught.value.position is None or sql.index("WHERE") < caught.value.position < len(sql)


def test_an_operand_of_no_type_takes_that_of_the_other() -> None:
    assert plan("SELECT id FROM people WHERE age = $1 AND paid < $2 AND $3 = seen").parameter_types == (
        20, 1700, 1184,
    )  # fmt: skip
    assert rows("SELECT 1 = '1', '2' > 1.5, 'a' || 1, '2024-01-31' = date '2024-01-31'") == [
        ("t", "t", "a1", "t")
    ]
