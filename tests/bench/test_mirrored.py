"""Rules that differ in their phase only, and what is read from a proxy's status."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.dual_write import LOADS
from bench.lag import LOAD
from bench.mirrored import STATEMENTS, TABLES, WRITES, captured, lag, rules, waiting
from bench.pgbench import Load, Pgbench
from proxy.admin.mirror import MirrorOverview, MirrorStatus
from proxy.admin.status import Status, TableStatus
from proxy.phases import Phase
from proxy.rulefiles.types import Durability
from proxy.rules import load_rules


@pytest.mark.parametrize(
    ("phase", "durability", "expected"),
    [
        ("passthrough", "strict", (Phase.PASSTHROUGH, Durability.STRICT)),
        ("dual_write", "strict", (Phase.DUAL_WRITE, Durability.STRICT)),
        ("dual_write", "fast", (Phase.DUAL_WRITE, Durability.FAST)),
    ],
)
def test_rules_say_the_phase_of_every_table(
    tmp_path: Path, phase: str, durability: str, expected: tuple[Phase, Durability]
) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(rules("bench", phase, durability), encoding="utf-8")
    found = load_rules(file).for_database("bench")
    assert {name for _, name in found} == set(TABLES)
    assert {(rule.phase, rule.durability) for rule in found.values()} == {expected}


def table(**mirror: Any) -> TableStatus:
    return TableStatus(
        database="bench",
        table="public.pgbench_history",
        requested=Phase.DUAL_WRITE,
        effective=Phase.DUAL_WRITE,
        reasons=[],
        overridden=[],
        force=False,
        collection="pgbench_history",
        rule="rules.yaml:6:3",
        mirror=MirrorStatus(**mirror),
    )


def status_of(tables: list[TableStatus], mirror: MirrorOverview | None) -> Status:
    """What else a status holds does not matter here."""
    construct: Any = Status.model_construct
    made: Status = construct(tables=tables, mirror=mirror)
    return made


def test_a_status_is_summed_up() -> None:
    tables = [
        table(queued=3, lag_seconds=0.5, captured=7),
        table(queued=4, lag_seconds=2.5, captured=1),
        table().model_copy(update={"mirror": None}),
    ]
    status = status_of(tables, MirrorOverview(spool_entries=10))
    assert waiting(status) == 17
    assert lag(status) == 2.5
    assert captured(status) == 8


def test_a_status_without_a_mirror_has_nothing() -> None:
    status = status_of([], None)
    assert (waiting(status), lag(status), captured(status)) == (0, 0.0, 0)


@pytest.mark.parametrize("load", [*LOADS, LOAD], ids=str)
def test_statements_and_writes_of_every_load_are_known(load: Load) -> None:
    assert 0 < WRITES[load.script] < STATEMENTS[load.script]


def test_a_script_by_name_is_two_arguments() -> None:
    assert Pgbench.arguments(LOADS[0], 1)[:2] == ["-b", "tpcb-like"]
