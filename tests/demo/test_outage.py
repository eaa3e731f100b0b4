from __future__ import annotations

import pytest

from demo.outage import as_fast, of_mirror
from demo.state import Work

TOLD = """causeway 0.1.0  running for 41s
127.0.0.1:6432 → 127.0.0.1:5432

rules: /tmp/rules, digest fc5cb2e9de59b5e6, 5 tables, good since 20s
mirror: store away (AutoReconnect: 127.0.0.1:27017: connection is already
closed), memory 1.2 MiB, spool 2.3 MiB (478 transactions), 99.9% of 5000 statements cached

 mirrored              captured   applied   queue
"""


def test_the_line_on_mirroring_is_one() -> None:
    assert of_mirror(TOLD) == (
        "mirror: store away (AutoReconnect: 127.0.0.1:27017: connection is already "
        "closed), memory 1.2 MiB, spool 2.3 MiB (478 transactions), 99.9% of 5000 statements cached"
    )
    assert of_mirror("causeway 0.1.0  running") == ""


@pytest.mark.parametrize(
    ("before", "during", "held"),
    [
        (0.010, 0.009, True),
        (0.010, 0.019, True),
        (0.010, 0.021, False),
        (0.100, 0.160, False),
        (0.010, 0.0, False),
    ],
)
def test_an_action_must_not_take_longer(before: float, during: float, held: bool) -> None:
    assert as_fast(Work(during, 100.0), Work(before, 100.0)) is held
