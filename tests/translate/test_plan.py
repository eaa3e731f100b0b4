"""What is asked of the store: no more rows than are of interest, and no fewer."""

from __future__ import annotations

import pytest

from tests.translate.world import World

pytestmark = pytest.mark.integration

FETCHED = (
    ("SELECT title FROM book WHERE id = 7", {"book": 1}),
    ("SELECT title FROM book WHERE id IN (7, 8, 900)", {"book": 2}),
    ("SELECT count(*) FROM book WHERE price > 10", {"book": 0}),
    ("SELECT id FROM book ORDER BY id LIMIT 3", {"book": 4}),
    ("SELECT id FROM book ORDER BY price DESC NULLS LAST, id LIMIT 3 OFFSET 2", {"book": 6}),
    ("SELECT b.id, a.name FROM book b JOIN author a ON a.id = b.author_id WHERE b.id = 7", {"book": 1, "author": 1}),
    # a side that is kept whole is asked for whole
    ("SELECT a.id, b.id FROM author a LEFT JOIN book b ON b.author_id = a.id AND b.id = 7", {"author": 40, "book": 1}),
    # only values of the other side are of interest
    (
        "SELECT id FROM book WHERE author_id IN (SELECT id FROM author WHERE name = 'ann 8')",
        {"author": 1, "book": 2},
    ),
    (
        "SELECT id FROM author a WHERE EXISTS (SELECT 1 FROM book b WHERE b.author_id = a.id AND b.id < 3)",
        {"book": 2, "author": 2},
    ),
    (
        "SELECT id FROM author WHERE id IN (SELECT author_id FROM book ORDER BY id LIMIT 2)",
        {"book": 3, "author": 3},
    ),
    # nothing of that where it is negated, one of several, or over groups
    (
        "SELECT id FROM author a WHERE NOT EXISTS (SELECT 1 FROM book b WHERE b.author_id = a.id AND b.id < 3)",
        {"book": 2, "author": 40},
    ),
    ("SELECT id FROM author WHERE id NOT IN (SELECT author_id FROM book WHERE id < 3)", {"book": 2, "author": 40}),
    (
        "SELECT id FROM author WHERE id = 1 OR id IN (SELECT author_id FROM book WHERE id < 3)",
        {"book": 2, "author": 40},
    ),
    (
        "SELECT id FROM author WHERE id IN (SELECT max(author_id) FROM book WHERE id < 3)",
        {"book": 2, "author": 40},
    ),
    (
        "SELECT id FROM author a WHERE EXISTS (SELECT count(*) FROM book b WHERE b.author_id = a.id AND b.id < 3)",
        {"book": 2, "author": 40},
    ),
)  # fmt: skip


@pytest.mark.parametrize(("sql", "documents"), FETCHED, ids=[sql[:70] for sql, _ in FETCHED])
async def test_what_is_fetched(world: World, sql: str, documents: dict[str, int]) -> None:
    await world.same(sql)
    result = await world.run(world.compile(sql).bind((), (), world.session))
    assert {one.table.split(".")[-1].strip('"'): one.documents for one in result.fetched} == documents
