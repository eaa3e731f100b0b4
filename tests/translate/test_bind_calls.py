"""Which function is meant, and what it gives: for arguments of all types, against PostgreSQL."""

from __future__ import annotations

from random import Random

import pytest

from proxy.translate import types as t
from proxy.translate.api import Unsupported
from proxy.translate.bind_calls import AGGREGATES, WINDOWS
from tests.translate.made import plan
from tests.translate.typed import COLUMNS, Typed
from tests.translate.world import World

ARGUMENTS = (*COLUMNS.values(), "NULL", "'1'")
GRAMMAR = frozenset({"overlay", "position", "substring", "extract"})
"""Names that the grammar wants written in a way of their own."""
PLAIN = sorted(
    name
    for name, found in t.functions().items()
    if {one.kind for one in found} == {"f"} and name not in GRAMMAR
)


@pytest.mark.integration
def test_a_function_of_one_argument_of_any_type(world: World) -> None:
    given = [f"{name}({argument})" for name in PLAIN for argument in ARGUMENTS]
    wrong, refused = Typed(world).compared([*given, *(f"{name}()" for name in PLAIN)])
    assert wrong == []
    usual = {f"{name}(t)" for name in ("lower", "upper", "length", "md5", "concat", "trim", "reverse")}
    assert usual.isdisjoint(refused)


@pytest.mark.integration
def test_a_function_of_several_arguments(world: World) -> None:
    random = Random(15)
    several = [
        name for name in PLAIN if any(len(one.arguments) > 1 or one.variadic for one in t.functions()[name])
    ]
    given = [
        f"{name}({', '.join(random.choices(ARGUMENTS, k=count))})"
        for name in several
        for count, times in ((2, 60), (3, 30))
        for _ in range(times)
    ]
    assert Typed(world).compared(given)[0] == []


@pytest.mark.integration
def test_an_aggregate_of_any_type(world: World) -> None:
    given = [
        f"{name}({argument}{tail})"
        for name in sorted(AGGREGATES)
        for argument in ARGUMENTS
        for tail in (["", ", ','"] if name == "string_agg" else [""])
    ]
    wrong, refused = Typed(world).compared(given)
    assert wrong == []
    usual = {f"{name}({one})" for name in ("count", "sum", "avg", "min", "max") for one in ("i4", "n", "f8")}
    assert usual.isdisjoint(refused)


@pytest.mark.integration
def test_a_window_function_of_any_type(world: World) -> None:
    given = [
        f"{name}({arguments}) OVER (ORDER BY id)"
        for name in sorted(WINDOWS | AGGREGATES)
        for first in ARGUMENTS
        for arguments in ("", first, f"{first}, 2", f"{first}, 1, {first}")
    ]
    wrong, refused = Typed(world).compared(given)
    assert wrong == []
    assert not [
        one for one in refused if one.startswith(("lag(i4", "lead(t", "nth_value(n, 2)", "first_value(d)"))
    ]


@pytest.mark.integration
def test_what_lag_gives_where_there_is_no_row_decides_on_the_type_too(world: World) -> None:
    given = [f"lag({one}, 1, {other}) OVER (ORDER BY id)" for one in ARGUMENTS for other in ARGUMENTS]
    assert Typed(world).compared(given)[0] == []


REFUSED = (
    ("random()", "a volatile function"),
    ("public.lower(name)", "a function of a schema"),
    ("nope(1)", "a function that is not known"),
    ("lower(1, 2)", "function lower(int4, int4)"),
    ("lower(id)", "function lower(int4)"),
    ("generate_series(1, 2)", "a function that returns a set"),
    ("row_number()", "a window function without OVER"),
    ("lower(DISTINCT name)", "options of an aggregate at a function"),
    ("sum(count(*)) ", "an aggregate of an aggregate"),
    ("sum(*)", "aggregate sum(*)"),
    ("count(DISTINCT id ORDER BY id)", "DISTINCT and ORDER BY in an aggregate"),
    ("count(id, name)", "count of more than one value"),
    ("avg(seen - seen)", "avg of intervals"),
    ("(SELECT sum(p.age) FROM visits)", "an aggregate of a query around"),
    ("sum(id) OVER (GROUPS 1 PRECEDING)", "GROUPS in a window"),
    ("sum(id) OVER (ORDER BY id RANGE 1 PRECEDING)", "RANGE with an offset in a window"),
    ("sum(id) OVER (ROWS UNBOUNDED PRECEDING EXCLUDE TIES)", "EXCLUDE in a window"),
    ("sum(id) OVER (ORDER BY id ROWS id PRECEDING)", "an offset with a column in a window"),
    ("sum(id) OVER (ORDER BY id ROWS count(*) PRECEDING)", "an offset with a column in a window"),
    (
        "(SELECT sum(day) OVER (ORDER BY day ROWS p.id PRECEDING) FROM visits)",
        "an offset with a column in a window",
    ),
    ("sum(id) OVER nope", "a window that is not known"),
    ("sum(sum(id) OVER ()) OVER ()", "a window function of a window function"),
    ("count(DISTINCT id) OVER ()", "DISTINCT or ORDER BY in a window function"),
    ("array_agg(id) OVER ()", "window aggregate array_agg"),
    ("array_agg()", "array_agg of more or fewer values than one"),
    ("array_agg(id, age)", "array_agg of more or fewer values than one"),
    ("json_build_object('a', id)", "function json_build_object"),
)


@pytest.mark.parametrize(("call", "reason"), REFUSED, ids=[call for call, _ in REFUSED])
def test_what_is_refused_says_why_and_where(call: str, reason: str) -> None:
    sql = f"SELECT 'é', {call} FROM people p"
    with pytest.raises(Unsupported) as caught:
        plan(sql)
    assert caught.value.reason.startswith(reason)
    position = caught.value.position
    assert position is None or sql.index(",") < position < sql.index("FROM people p")


def test_a_window_made_of_another_keeps_what_that_says() -> None:
    text = "SELECT sum(id) OVER (w ROWS 1 PRECEDING) FROM people WINDOW w AS (PARTITION BY boss ORDER BY age)"
    assert plan(text).columns[0].type_oid == t.INT8
    for tail in (
        "WINDOW w AS (ORDER BY id), v AS (w PARTITION BY id)",
        "WINDOW w AS (ORDER BY id), v AS (w ORDER BY id)",
        "WINDOW w AS (ORDER BY id ROWS 1 PRECEDING), v AS (w)",
        "WINDOW v AS (), v AS ()",
    ):
        with pytest.raises(Unsupported, match="window"):
            plan(f"SELECT sum(id) OVER v FROM people {tail}")
