"""FROM: which columns there are, of which side, and in which order; against PostgreSQL."""

from __future__ import annotations

import pytest

from proxy.translate.api import Unsupported
from tests.translate.made import BOOK, plan
from tests.translate.world import World

L = "(VALUES (1, 'a', 10), (2, 'b', NULL), (3, NULL, 30), (NULL, 'n', 4)) l (k, x, y)"
R = "(VALUES (1::int8, 'p', 10), (3, 'q', 31), (3, 'r', 30), (NULL, 's', 4), (9, 't', NULL)) r (k, z, y)"
JOINS = ("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN")


@pytest.mark.integration
@pytest.mark.parametrize("kind", JOINS)
async def test_joins(world: World, kind: str) -> None:
    """The column that USING makes is of the side that is kept, and stands before all others."""
    for join in (
        f"{L} {kind} {R} ON l.k = r.k",
        f"{L} {kind} {R} ON l.k = r.k AND l.y = r.y",
        f"{L} {kind} {R} USING (k)",
        f"{L} {kind} {R} USING (k, y)",
        f"{L} {kind} {R} USING (y)",
        f"{L} NATURAL {kind} {R}",
        f"{L} {kind} {R} ON r.y = l.k AND l.y < r.y",
        f"{L} {kind} {R} ON true",
        *([f"{L} {kind} {R} ON l.k < r.k"] if kind != "FULL JOIN" else []),
    ):
        for columns in ("*", "l.*", "r.*", "l.k, r.k, x, z"):
            await world.same(f"SELECT {columns} FROM {join}")
        if "USING (k" in join:
            await world.same(f"SELECT k, x, z FROM {join} WHERE k IS NOT NULL")


@pytest.mark.integration
@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT * FROM {L}, {R}",
        f"SELECT * FROM {L} CROSS JOIN {R}",
        f"SELECT * FROM {L} JOIN {R} ON l.k = r.k JOIN tag ON tag.id = l.k",
        f"SELECT * FROM {L} JOIN ({R} JOIN tag ON tag.id = r.k) ON l.k = tag.id",
        f"SELECT * FROM {L}, LATERAL (SELECT z FROM {R} WHERE r.k = l.k) s",
        f"SELECT * FROM {L} LEFT JOIN LATERAL (SELECT z FROM {R} WHERE r.k = l.k) s ON true",
        f"SELECT * FROM {L} LEFT JOIN LATERAL (SELECT max(z) AS m FROM {R} WHERE r.y = l.y) s ON m > 'a'",
        "SELECT a.*, b.label FROM tag a JOIN tag AS b (n) ON b.n = a.id + 1",
        "SELECT n FROM tag AS b (n)",
        "SELECT * FROM tag AS b (n, m) WHERE m > 'tag3'",
        "SELECT public.tag.label FROM public.tag",
        "WITH w (n) AS (SELECT id FROM tag) SELECT a.n, b.n FROM w a JOIN w b ON a.n = b.n + 1",
        "WITH tag AS (SELECT 1 AS id) SELECT * FROM tag",
        "WITH tag AS (SELECT 1 AS id) SELECT count(*) FROM public.tag",
        "SELECT dom, x FROM (SELECT dom, dom AS x FROM vals) s",
        "SELECT * FROM (SELECT id FROM tag) s (n) WHERE n > 3",
        "SELECT v.id, t.id FROM vals v FULL JOIN tag t ON v.id = t.id",
    ],
)
async def test_other_sources(world: World, sql: str) -> None:
    await world.same(sql)


NOT_BY_EQUALITY = (
    "l.k < r.k", "l.k = 1", "l.k = r.k OR l.k = 1", "l.k = l.y", "l.x = 'a' AND l.k < r.k",
    "l.k::text::date = r.z::timestamp AND l.k < r.k",
)  # fmt: skip


@pytest.mark.integration
@pytest.mark.parametrize("condition", NOT_BY_EQUALITY)
def test_a_full_join_is_by_equality_or_an_error(world: World, condition: str) -> None:
    sql = f"SELECT * FROM {L} FULL JOIN {R} ON {condition}"
    assert world.oracle.ask(sql, [], []).sqlstate == "0A000"
    with pytest.raises(Unsupported, match="a full join that is not by equality"):
        world.compile(sql)


@pytest.mark.integration
@pytest.mark.parametrize(
    "condition",
    [
        "a.d = b.ts",
        "a.d = b.ts AND a.i4 = b.i8",
        "a.i2 = b.i8 AND a.i4 < b.i4",
        "a.n = b.i4",
        "a.at = b.at",
        "a.e = b.e",
    ],
)
async def test_a_full_join_by_equality_of_other_types(world: World, condition: str) -> None:
    await world.same(f"SELECT a.id, b.id FROM vals a FULL JOIN vals b ON {condition}")


REFUSED = (
    ("people p, visits p", "a table named twice"),
    ("people JOIN visits ON true, people", "a table named twice"),
    ("nowhere", "a table that is not mirrored"),
    ("other.people", "a table that is not mirrored"),
    ("elsewhere.public.people", "a table of another database"),
    ("people AS p (a, b, c, d, e, f, g, h)", "more aliases than columns"),
    ("people JOIN visits USING (nope)", "a column of USING that is not known"),
    ("people p JOIN people q ON true JOIN visits v USING (id)", "a column of USING that is not known"),
    ("generate_series(1, 3)", "RangeFunction in FROM"),
    ("people TABLESAMPLE system (1)", "RangeTableSample in FROM"),
    ("people p RIGHT JOIN LATERAL (SELECT p.id) s ON true", "LATERAL in such a join"),
)


@pytest.mark.parametrize(("source", "reason"), REFUSED, ids=[source for source, _ in REFUSED])
def test_what_is_refused_says_why_and_where(source: str, reason: str) -> None:
    sql = f"SELECT 1 FROM {source}"
    with pytest.raises(Unsupported) as caught:
        plan(sql)
    assert caught.value.reason == reason
    position = caught.value.position  # 0: of what the grammar gives no place
    assert not position or len("SELECT 1 FROM") <= position < len(sql)


def test_a_star_is_every_column_in_the_tables_order() -> None:
    people = BOOK.named("shop", "public", "people")
    assert people is not None
    assert [one.name for one in plan("SELECT * FROM people").columns] == list(people.mapping.attributes)
