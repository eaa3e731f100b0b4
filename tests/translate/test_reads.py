"""What applications send, on both sides: the same rows, order, errors and row description."""

from __future__ import annotations

import pytest

from tests.translate.cases import CLASSES, Case
from tests.translate.world import World

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=f"{name}: {case.sql[:60]}") for name, found in CLASSES.items() for case in found],
)
async def test_a_read_gives_what_postgres_gives(world: World, case: Case) -> None:
    await world.same(case.sql, case.parameters)
