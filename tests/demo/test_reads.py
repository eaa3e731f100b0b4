"""What the demo does to documents, and what it reads of them."""

from __future__ import annotations

from demo import shop
from demo.reads import DAMAGE, RENAMED, _told


def test_what_is_done_is_told() -> None:
    assert _told(DAMAGE) == "3 missing, 2 different, 1 extra"
    assert _told({"match": 1200, "mismatch": 0}) == "1,200 match"


def test_customers_that_are_renamed_exist() -> None:
    assert set(RENAMED) <= set(range(1, shop.CUSTOMERS + 1))
    assert len(RENAMED) * 10 == shop.CUSTOMERS
