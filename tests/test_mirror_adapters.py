"""What stands between the parts of the mirror."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from proxy.admin.counters import Counters
from proxy.catalog.book import CatalogueBook
from proxy.catalog.source import SourceUnavailable
from proxy.mirror.effects import Cause, TableId, Unseen
from proxy.mirror.gap import GapLimits
from proxy.mirror.gapfile import GapFile
from proxy.mirror.gaps import GapKeeper
from proxy.mirror.mirror import Mirror
from proxy.mirror_adapters import CountedGaps, Positions

ORDERS = TableId("public", "orders")


def test_gaps_that_a_full_spool_makes_are_counted_as_such(tmp_path: Path) -> None:
    file = GapFile(tmp_path / "gaps.sqlite")
    keeper = GapKeeper(None, file, GapLimits(), proxy="one")
    counters = Counters()
    gaps = CountedGaps(keeper, counters)
    gaps.record("shop", Unseen(Cause.OVERFLOW, ORDERS), 1)
    gaps.record("shop", Unseen(Cause.TRIGGER, ORDERS), 1)
    assert counters.limits_reached == {"spool_size": 1}
    assert set(keeper.counts()) == {
        ("shop", "public.orders", "overflow"),
        ("shop", "public.orders", "trigger"),
    }
    file.close()


async def test_a_database_that_is_gone_is_not_asked_for_its_position() -> None:
    class Gone:
        def missing(self, database: str) -> bool:
            return database == "gone"

        def source(self, database: str) -> None:
            raise LookupError(database)

    positions = Positions(cast("CatalogueBook", Gone()), cast("Mirror", None))
    with pytest.raises(SourceUnavailable, match="no such database"):
        await positions.position("gone")
    with pytest.raises(LookupError, match="there"):
        await positions.position("there")
