"""Which gates stand before which phase."""

from __future__ import annotations

import pytest

from proxy.fleet.switches import Switch, Switched
from proxy.phases import Phase
from proxy.phasing.opening import gates_to
from proxy.switch_gates import Gate, Judged
from tests.test_gates import NAME, NOW, copied
from tests.test_switch_gates import BACK, known

IN = Switch(Switched.ADMITTED, "digest", NOW, "p")
ENTERING = [Gate.HISTORY, Gate.GAPS, Gate.LAG, Gate.COMPARISONS, Gate.MISMATCHES, Gate.FLEET, Gate.ROLLBACK]


def gates(phase: Phase, switch: Switch | None = None, *, from_: Phase = Phase.DUAL_WRITE) -> list[Judged]:
    return gates_to(phase, NAME, copied(), known(gaps=2, switch=switch), from_=from_)


@pytest.mark.parametrize(
    ("phase", "switch", "wanted"),
    [
        (Phase.PASSTHROUGH, None, []),
        (Phase.BACKFILL, None, []),
        (Phase.DARK_READ, None, [Gate.HISTORY, Gate.GAPS]),
        (Phase.PRIMARY_SWITCH, None, ENTERING),
        (Phase.PRIMARY_SWITCH, BACK, ENTERING),
        (Phase.PRIMARY_SWITCH, IN, [Gate.HISTORY, Gate.FLEET, Gate.ROLLBACK]),
    ],
)
def test_the_gates_before_a_phase(phase: Phase, switch: Switch | None, wanted: list[Gate]) -> None:
    assert [one.gate for one in gates(phase, switch)] == wanted


def test_each_says_how_it_stands() -> None:
    found = {one.gate: (one.open, one.text) for one in gates(Phase.PRIMARY_SWITCH, BACK)}
    assert found[Gate.HISTORY] == (True, "its history is in the store")
    assert found[Gate.GAPS] == (False, "2 open gaps")
    assert found[Gate.ROLLBACK] == (False, BACK.rolled_back)
    assert not gates_to(Phase.DARK_READ, NAME, None, known(), from_=Phase.BACKFILL)[0].open


def test_a_table_in_dark_read_stays_there_with_open_gaps() -> None:
    assert [one.gate for one in gates(Phase.DARK_READ, from_=Phase.DARK_READ)] == [Gate.HISTORY]
