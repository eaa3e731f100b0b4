"""What may work later is tried again; what never will is not."""

from __future__ import annotations

import pytest

from proxy.backfill.patience import Patience
from proxy.catalog.source import SourceRefused, SourceUnavailable
from proxy.mirror.reread_rows import CatalogueBehind
from proxy.stores.protocol import StoreRefused, StoreUnavailable


class Step:
    """Fails with these, then works."""

    def __init__(self, *faults: Exception) -> None:
        self.faults = list(faults)
        self.refreshed = 0
        self.said: list[str] = []

    async def __call__(self) -> str:
        if self.faults:
            raise self.faults.pop(0)
        return "done"

    async def refresh(self) -> None:
        self.refreshed += 1

    def patience(self, seconds: float = 60.0) -> Patience:
        return Patience(self.refresh, self.said.append, seconds)


async def test_a_step_that_works_says_nothing() -> None:
    step = Step()
    assert await step.patience().of(step) == "done"
    assert step.said == []


async def test_what_cannot_be_reached_is_tried_again() -> None:
    step = Step(StoreUnavailable("store"), SourceUnavailable("shop", "source"), CatalogueBehind("shape"))
    assert await step.patience().of(step) == "done"
    assert step.said == ["store", "database shop: source", "shape", ""]
    assert step.refreshed == 1


@pytest.mark.parametrize("fault", [StoreRefused("no"), SourceRefused("shop", "no", "42501"), ValueError()])
async def test_what_is_refused_is_not(fault: Exception) -> None:
    step = Step(fault)
    with pytest.raises(type(fault)):
        await step.patience().of(step)


async def test_patience_ends() -> None:
    step = Step(*[StoreUnavailable("away")] * 1000)
    with pytest.raises(StoreUnavailable):
        await step.patience(0.05).of(step)
