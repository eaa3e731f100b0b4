"""Common types, casts, modifiers and collations, against what PostgreSQL makes of the same expressions."""

from __future__ import annotations

import pytest

from proxy.translate.api import Unsupported
from tests.translate.made import plan
from tests.translate.typed import COLUMNS, NULLS, Typed
from tests.translate.world import World

COMMON = ("coalesce({}, {})", "CASE WHEN true THEN {} ELSE {} END", "greatest({}, {})", "ARRAY[{}, {}]")
NO_REASON_TO_REFUSE = frozenset({"int2", "int4", "int8", "float8", "numeric", "text", "varchar", "bool"})


@pytest.mark.integration
@pytest.mark.parametrize("form", COMMON)
def test_values_of_two_types_have_the_common_type_that_postgres_finds_or_none(
    world: World, form: str
) -> None:
    columns = [*COLUMNS.values(), "NULL", "'1'"]
    constants = [*NULLS.values(), "NULL"]
    given = [form.format(a, b) for them in (columns, constants) for a in them for b in them]
    wrong, _ = Typed(world).compared([one for one in given if one != "ARRAY[NULL, NULL]"])
    assert wrong == []


@pytest.mark.integration
def test_a_cast_is_one_that_postgres_has(world: World) -> None:
    given = [f"({a})::{b}" for a in [*COLUMNS.values(), *NULLS.values(), "NULL"] for b in NULLS]
    wrong, refused = Typed(world).compared(given)
    assert wrong == []
    plain = {f"({COLUMNS[a]})::{b}" for a in NO_REASON_TO_REFUSE for b in NO_REASON_TO_REFUSE}
    assert plain.isdisjoint(refused)


MODIFIERS = (
    "coalesce(v, v)", "coalesce(v, 'x')", "coalesce(v, t)", "coalesce(n2, n2)", "coalesce(n2, 1)", "nullif(v, 'x')",
    "CASE WHEN b THEN c ELSE c END", "CASE WHEN b THEN c END", "greatest(n2, n2)", "least(ts3, ts)", "ARRAY[v, v]",
    "v::varchar(3)", "v::varchar", "v::varchar(30)", "c::char(3)", "t::char(4)", "n2::numeric(6, 1)", "n2::numeric",
    "n::numeric(20, 4)", "ts3::timestamp", "ts::timestamp(2)", "(NULL::varchar(5))::varchar(7)", "dom", "dom::text",
    "coalesce(dom, v)", "coalesce(dom, dom)", "lower(v)", "v || 'x'", "n2 + 1", "(SELECT v)", "max(v) OVER ()",
    "ARRAY[v, 'x']", "ARRAY[n2, n2]", "ARRAY[n2, 1]", "ARRAY(SELECT v FROM tag)", "ARRAY[c]",
    "ARRAY[t, v]::varchar(3)[]",
    "ARRAY['abcdef']::varchar(3)[]", "ARRAY[v]::varchar[]", "ARRAY[v]::text[]", "ARRAY[1.25, n2]::numeric(20, 1)[]",
    "ARRAY['abcdef'::varchar(4), v]", "ARRAY['a'::char(3), 'b'::char(3)]", "ARRAY[]::varchar(3)[]",
)  # fmt: skip


@pytest.mark.integration
@pytest.mark.parametrize("expression", MODIFIERS)
async def test_a_modifier_is_kept_or_lost_as_postgres_does(world: World, expression: str) -> None:
    """The description is compared, and every value fitted to it."""
    where = "" if expression.startswith("n") else " WHERE id <> 4"
    await world.same(f"SELECT {expression} FROM vals{where} ORDER BY id")


CONFLICTS = (
    """'a' COLLATE "C" || 'b' COLLATE "POSIX\"""",
    """length((t COLLATE "C") || (v COLLATE "POSIX"))""",
    """coalesce(t COLLATE "C", t COLLATE "POSIX")""",
    """concat(t COLLATE "C", v COLLATE "POSIX")""",
    """ARRAY[t COLLATE "C", v COLLATE "POSIX"]""",
    """t IN ('a' COLLATE "C", 'b' COLLATE "POSIX")""",
    """CASE WHEN b THEN t COLLATE "C" ELSE t COLLATE "POSIX" END""",
    """string_agg(t COLLATE "C", ',' COLLATE "POSIX")""",
    """lag(t COLLATE "C", 1, v COLLATE "POSIX") OVER (ORDER BY id)""",
    """t COLLATE "C" FROM vals UNION ALL SELECT t COLLATE "POSIX\"""",
)


@pytest.mark.integration
@pytest.mark.parametrize("expression", CONFLICTS)
async def test_two_collations_asked_for_are_an_error_of_postgres_and_never_answered(
    world: World, expression: str
) -> None:
    sql = f"SELECT {expression} FROM vals"
    assert world.oracle.ask(sql, [], []).sqlstate == "42P21"
    with pytest.raises(Unsupported, match="two collations that were asked for"):
        world.compile(sql)


@pytest.mark.integration
@pytest.mark.parametrize(
    "sql",
    [
        """SELECT x || icu FROM folded, (SELECT 'b' COLLATE "C") s (x)""",
        """SELECT id FROM folded WHERE c < 'b' ORDER BY c""",
        """SELECT id FROM folded WHERE (icu COLLATE "C") < c ORDER BY id""",
        """SELECT c FROM folded UNION SELECT c COLLATE "C" FROM folded ORDER BY 1""",
        """SELECT min(x) FROM (VALUES ('a' COLLATE "C"), ('b')) s (x)""",
        """SELECT string_agg(t COLLATE "C", ',' ORDER BY v COLLATE "POSIX", id) FROM vals""",
        """SELECT t >= 'a' COLLATE "C" AND t <= 'b' COLLATE "POSIX" FROM vals""",
    ],
)
async def test_collations_that_go_together(world: World, sql: str) -> None:
    await world.same(sql)


@pytest.mark.integration
@pytest.mark.parametrize(
    "condition",
    [
        "c < icu",
        """(SELECT 'b' COLLATE "C") < icu""",
        "lag(c, 1, icu) OVER (ORDER BY id) < 'x'",
        "(SELECT c FROM folded UNION ALL SELECT icu FROM folded LIMIT 1) < 'x'",
    ],
)
def test_what_collations_imply_conflicts_silently_and_then_nothing_is_sorted(
    world: World, condition: str
) -> None:
    """What COLLATE says in a query is no more than implied to the one around it."""
    sql = f"SELECT {condition} FROM folded"
    assert world.oracle.ask(sql, [], []).sqlstate in ("42P22", "42P21")
    with pytest.raises(Unsupported, match="collation"):
        world.compile(sql)


REFUSED = (
    ("coalesce(age, name)", "values that have no common type", "coalesce(age, name)"),
    ("coalesce(NULL::date, NULL::time)", "no cast time to date", "coalesce(NULL::date, NULL::time)"),
    ("age::date", "no cast int8 to date", "::date"),
    ("'x'::int", "a constant that PostgreSQL refuses", "::int"),
    ("age WHERE age", "a condition that is not boolean", "age"),
)


@pytest.mark.parametrize(("expression", "reason", "at"), REFUSED)
def test_what_is_refused_says_where(expression: str, reason: str, at: str) -> None:
    sql = f"SELECT {expression}".replace(" WHERE", " FROM people WHERE")
    sql = sql if "FROM" in sql else f"{sql} FROM people"
    with pytest.raises(Unsupported) as caught:
        plan(sql)
    assert caught.value.reason == reason
    assert caught.value.position in (None, sql.rindex(at))


def test_a_parameter_has_one_type() -> None:
    with pytest.raises(Unsupported, match="operator = of int8 text"):
        plan("SELECT id FROM people WHERE name = $1 AND age = $1")
    assert plan("SELECT id FROM people WHERE age = $1 AND age > $1").parameter_types == (20,)
