"""An error of PostgreSQL's alone is let through only where an expression of the read can fail like it."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.translate.compiler import compile_text
from tests.translate.fuzz.errors import Explainer
from tests.translate.made import BOOK, SESSION, V


@pytest.mark.parametrize(
    ("read", "sqlstate", "expected"),
    [
        (f"SELECT 1 / (i - 1) FROM {V} WHERE i > 1", "22012", True),
        (f"SELECT 1 / (i - 1) FROM {V} WHERE i > 1", "22003", False),
        (f"SELECT 1 / (i - 9) FROM {V}", "22012", False),
        (f"SELECT i FROM {V} WHERE i > 1 AND 5 / (i - 1) > 0 LIMIT 1", "22012", True),
        (f"SELECT CASE WHEN i = 1 THEN 0 ELSE 1 / (i - 1) END FROM {V}", "22012", True),
        (f"SELECT t FROM {V} GROUP BY t HAVING t::int > 1", "22P02", True),
        (f"SELECT sum(1 / (i - 1)) FILTER (WHERE i > 1) FROM {V}", "22012", True),
        (f"SELECT q.k FROM (SELECT i - 2 AS k FROM {V}) q WHERE q.k > 0 AND 1 / q.k > 0", "22012", True),
        (f"SELECT 2147483646 + i FROM {V} WHERE i < 2", "22003", True),
        (f"SELECT i + 1 FROM {V}", "22003", False),
    ],
)
async def test_what_may_come_of_the_order_of_evaluation(read: str, sqlstate: str, expected: bool) -> None:
    plan = compile_text(read, BOOK, "shop", ("public",), (), push_down=False)
    reader: Any = None
    assert await Explainer(plan, (), SESSION).explains(sqlstate, reader) is expected
