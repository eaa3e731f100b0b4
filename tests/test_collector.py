"""Fewer looks for garbage, and none at what was there before."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from proxy.collector import THRESHOLDS, calm_collector


@pytest.fixture
def collector() -> Iterator[None]:
    """As it was, afterwards."""
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


@pytest.mark.usefixtures("collector")
def test_it_looks_seldom_and_at_nothing_from_before() -> None:
    here = [object()]
    assert gc.is_tracked(here)
    calm_collector()
    assert gc.get_threshold() == THRESHOLDS
    assert gc.get_freeze_count() > 0
    assert all(one is not here for one in gc.get_objects())
    assert gc.isenabled()
