"""The bar of a backfill."""

from __future__ import annotations

from demo.bars import copying_bar
from demo.state import Copying
from tests.demo.states import shown


def test_it_grows_with_the_share() -> None:
    def length(share: float | None) -> int:
        return shown(copying_bar(Copying("shop.public.visits", share, 5, 1.0, None, "running"))).count("━")

    assert length(0.0) <= length(0.5) <= length(1.0) == 30


def test_what_is_not_known_is_left_out() -> None:
    text = shown(copying_bar(Copying("t", None, 7, 0.0, None, "replication lag")))
    assert "%" not in text
    assert "left" not in text
    assert "replication lag" in text
