"""How often Python looks for garbage in processes that handle many rows."""

from __future__ import annotations

import gc

THRESHOLDS = (50_000, 20, 50)
"""See `gc.set_threshold`."""


def calm_collector() -> None:
    """Fewer looks for garbage cycles: many short-lived objects are made and hardly any cycles. What is there now is not
    looked at any more."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
