"""Many clients, several proxies, one source: when all is quiet, every table equals its collection.

`CAUSEWAY_TEST_MIRROR_SCALE=20` makes the run as many times longer.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.mirroring.actions import Sight, available
from tests.mirroring.conftest import SCALE
from tests.mirroring.rig import Rig
from tests.mirroring.workload import histories
from tests.support.versions import AND_OLDEST

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300 + 60 * SCALE)]


@pytest.mark.parametrize("source", AND_OLDEST, indirect=True)
@settings(
    max_examples=max(1, int(3 * SCALE)),
    deadline=None,
    # The tables keep what earlier examples wrote; a smaller example would not be the same one.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    seed=st.integers(0, 1 << 32),
    clients=st.integers(1, 8),
    transactions=st.integers(1, 30),
    sights=st.sampled_from([(Sight.CAPTURED,), tuple(Sight)]),
)
async def test_tables_equal_collections(
    rig: Rig, seed: int, clients: int, transactions: int, sights: tuple[Sight, ...]
) -> None:
    if not rig.proxies:
        await rig.started(2)
    record = await histories(
        [proxy.address for proxy in rig.proxies],
        available(rig.source.major, *sights),
        seed=seed,
        clients=clients,
        transactions=transactions,
    )
    assert record.findings == []
    assert rig.missing(record.committed) == []
    await rig.agree()
