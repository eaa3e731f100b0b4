"""jsonb, with PostgreSQL as the oracle: input and output, paths, containment."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.translate import jsons
from proxy.translate.api import Inexact
from proxy.translate.values import Jsonb
from tests.translate.world import World

MANY = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

_NAMES = st.sampled_from(["a", "b", "aa", "é", "", "0", "$x", "a.b", "日本"])
_NUMBERS = st.integers(-3, 3).map(str) | st.sampled_from(
    ["1.0", "1.50", "-0", "0.0", "12345678901234567890", "2.5"]
)
_TEXTS = _NAMES | st.sampled_from(["1", "true", 'x\\"y', "tab\t", "\x7f", "\u2028", "back\\slash", "\x01"])


def _scalars() -> st.SearchStrategy[str]:
    return st.one_of(
        _NUMBERS,
        _TEXTS.map(lambda text: json.dumps(text, ensure_ascii=False)),
        st.sampled_from(["null", "true", "false"]),
    )


_BLANK = st.sampled_from(["", " ", "\n"])


def _inside(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.tuples(_NAMES, inner).map(lambda pair: f"{json.dumps(pair[0])}:{pair[1]}")
    return st.one_of(
        st.tuples(_BLANK, st.lists(inner, max_size=3)).map(lambda made: f"[{made[0]}{','.join(made[1])}]"),
        st.tuples(_BLANK, st.lists(pairs, max_size=3)).map(lambda made: f"{{{made[0]}{', '.join(made[1])}}}"),
    )


VALUES = st.recursive(_scalars(), _inside, max_leaves=8)
STEPS = st.lists(
    _NAMES | st.sampled_from(["1", "-1", " 1", "+0", "1 ", "2147483648", "x"]) | st.none(), max_size=3
)


def told(world: World, sql: str, *parameters: str | None) -> str | None:
    """One value, as text; parameters are text. None is NULL."""
    given = [None if one is None else one.encode() for one in parameters]
    answer = world.oracle.ask(sql, given, [25] * len(given))
    assert not answer.sqlstate, (sql, parameters, answer.sqlstate)
    return answer.rows[0][0]


def array(steps: list[str | None]) -> str:
    quoted = [
        '"' + one.replace("\\", "\\\\").replace('"', '\\"') + '"' if one is not None else "NULL"
        for one in steps
    ]
    return "{" + ",".join(quoted) + "}"


def shown(value: Jsonb | str | bool | None) -> str | None:
    if isinstance(value, bool):
        return "t" if value else "f"
    return value.text if isinstance(value, Jsonb) else value


@pytest.mark.integration
async def test_what_is_read_is_written_as_the_server_writes_it(world: World) -> None:
    @MANY
    @given(VALUES)
    def check(text: str) -> None:
        assert jsons.parse(text).text == told(world, "SELECT $1::jsonb::text", text)

    check()


OPERATORS: dict[str, Callable[[Jsonb, str], Any]] = {
    "($1::jsonb -> $2)::text": lambda value, key: jsons.shown(jsons.field(value.value, key)),
    "$1::jsonb ->> $2": lambda value, key: jsons.text(jsons.field(value.value, key)),
    "CASE WHEN $1::jsonb ? $2 THEN 't' ELSE 'f' END": jsons.has,
}


@pytest.mark.integration
async def test_parts_by_name(world: World) -> None:
    @MANY
    @given(st.sampled_from(sorted(OPERATORS)), VALUES, _NAMES)
    def check(question: str, text: str, key: str) -> None:
        found = OPERATORS[question](jsons.parse(text), key)
        assert shown(found) == told(world, f"SELECT {question}", text, key)

    check()


@pytest.mark.integration
async def test_parts_by_number(world: World) -> None:
    @MANY
    @given(VALUES, st.integers(-3, 3))
    def check(text: str, index: int) -> None:
        value = jsons.parse(text).value
        found = jsons.element(value, index)
        assert shown(jsons.shown(found)) == told(world, f"SELECT ($1::jsonb -> {index})::text", text)
        assert jsons.text(found) == told(world, f"SELECT $1::jsonb ->> {index}", text)

    check()


@pytest.mark.integration
async def test_parts_by_path(world: World) -> None:
    @MANY
    @given(VALUES, STEPS)
    def check(text: str, steps: list[str | None]) -> None:
        found = jsons.at(jsons.parse(text).value, steps)
        assert shown(jsons.shown(found)) == told(
            world, "SELECT ($1::jsonb #> $2::text[])::text", text, array(steps)
        )
        assert jsons.text(found) == told(world, "SELECT $1::jsonb #>> $2::text[]", text, array(steps))

    check()


@pytest.mark.integration
async def test_what_a_value_holds(world: World) -> None:
    question = (
        "SELECT concat_ws(',', $1::jsonb @> $2::jsonb, $1::jsonb <@ $2::jsonb, $1::jsonb = $2::jsonb, "
        "$1::jsonb ?| $3::text[], $1::jsonb ?& $3::text[], jsonb_typeof($1::jsonb))"
    )

    @MANY
    @given(st.tuples(VALUES, VALUES) | VALUES.map(lambda one: (one, one)), STEPS)
    def check(pair: tuple[str, str], steps: list[str | None]) -> None:
        one, other = map(jsons.parse, pair)
        ours = [
            *map(shown, (jsons.contains(one, other), jsons.contains(other, one), one == other)),
            *map(shown, (jsons.has_any(one, steps), jsons.has_all(one, steps))),
            jsons.kind(one),
        ]
        assert ",".join(map(str, ours)) == told(world, question, *pair, array(steps))

    check()


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "nope",
            "{",
            "[1,]",
            "{'a': 1}",
            "NaN",
            "-Infinity",
            "01",
            "1e5",
            "1" * 1200,
            "[1] 2",
            '"\\u0000"',
            '"\\ud800"',
        ),
        *('"\n"', "[" * 90 + "]" * 90, "[" * 100_000),
    ],
    ids=lambda text: text[:12],
)
def test_what_is_not_read_exactly_is_refused(text: str) -> None:
    with pytest.raises(Inexact):
        jsons.parse(text)


def test_numbers_keep_their_scale_and_equal_each_other() -> None:
    one = jsons.parse('{"n": 1.50}')
    assert one.value == {"n": Decimal("1.50")}
    assert jsons.shown(jsons.field(one.value, "n")) is not None
    assert jsons.text(jsons.field(one.value, "n")) == "1.50"
    assert jsons.contains(jsons.parse("[1.0, true]"), jsons.parse("1"))
    assert not jsons.contains(jsons.parse("[true]"), jsons.parse("1"))
