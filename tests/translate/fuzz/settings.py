"""How much is run, and from which seed: the environment says it, and every run prints it."""

from __future__ import annotations

import os
from random import SystemRandom


def seed() -> int:
    """CAUSEWAY_TEST_FUZZ_SEED, or another one every time."""
    given = os.environ.get("CAUSEWAY_TEST_FUZZ_SEED")
    return int(given) if given else SystemRandom().randrange(1_000_000_000)


def reads() -> int:
    """CAUSEWAY_TEST_FUZZ_QUERIES: about a minute's worth on two slow cores if it is not said."""
    return int(os.environ.get("CAUSEWAY_TEST_FUZZ_QUERIES", "3000"))


PER_SCHEMA = 1500
