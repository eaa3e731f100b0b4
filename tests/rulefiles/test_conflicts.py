from __future__ import annotations

import pytest

from proxy.rulefiles import conflicts
from proxy.rulefiles.conflicts import CHECKS, Check
from proxy.rulefiles.problems import RulesError
from tests.rulefiles.texts import problems, rules

CONFLICTS = [
    ("ack: {mode: async, timeout: 1s}", "ack.timeout", "nothing waits with `ack: async`"),
    ("{key: [id, no], exclude: [x, id]}", "exclude[1]", "id is a column of the key"),
    ("{exclude: a, rename: {a: b}}", "rename.a", "no field to rename"),
    ("rename: {a: c, b: c}", "rename.b", "a and b cannot both become c"),
    ("{key: [k, l], rename: {a: k}}", "rename.a", "a cannot become k, which is a column"),
    ("{last_modified: at, rename: {a: at}}", "rename.a", "a cannot become at, which is a column"),
    ("{key: k, rename: {k: id}}", "rename.k", "k is the whole key and becomes _id"),
    ("verify: {since: 1h}", "verify.since", "`since` needs to know when a row was changed"),
    ("auto_rollback: {window: 1h}", "auto_rollback", "no limit is given"),
    ("auto_rollback: {max_lag: 9s}", "auto_rollback.max_lag", "below the gate's max_lag of 10s"),
    ("auto_rollback: {max_mismatch_rate: 0%}", "auto_rollback.max_mismatch_rate", "max_mismatch_rate of 0.01%"),
    ("{phase: decommission, durability: fast}", "durability", "may lose writes"),
    ("{phase: decommission, ack: async}", "ack", "comes before the write is anywhere"),
    ("{phase: decommission, reads: 99%}", "reads", "all reads come from the store"),
    ("{phase: decommission, exclude: a}", "exclude", "excluded columns would be lost"),
]  # fmt: skip

AGREEMENTS = [
    "ack: {mode: sync, timeout: 1s}",
    "ack: {timeout: 1s}",
    "{key: [id], exclude: [x]}",
    "rename: {a: b, b: a}",
    "{key: [k, l], rename: {k: id, a: k}}",
    "{last_modified: at, exclude: at, rename: {a: at}}",
    "{last_modified: at, verify: {since: 1h}}",
    "auto_rollback: {max_lag: 10s}",
    "auto_rollback: {max_error_rate: 0%}",
    "{phase: decommission, ack: sync, reads: 100%}",
    "{phase: primary_switch, ack: async, durability: fast, exclude: a, reads: 1%}",
    "{phase: passthrough, shadow: 5%}",
]


def _file(settings: str) -> str:
    table = settings if settings.startswith("{") else "{" + settings + "}"
    return f"tables:\n  orders: {table}\n"


@pytest.mark.parametrize(("settings", "key", "message"), CONFLICTS)
def test_settings_that_contradict_each_other(settings: str, key: str, message: str) -> None:
    (found,) = problems(_file(settings))
    assert found.key_path == f"tables.orders.{key}"
    assert found.line == 2
    assert message in found.message
    assert found.hint


@pytest.mark.parametrize("settings", AGREEMENTS)
def test_settings_that_look_alike_and_agree(settings: str) -> None:
    assert len(rules(_file(settings)).tables) == 1


def test_an_ack_timeout_of_the_defaults_belongs_to_the_mode_of_the_defaults() -> None:
    rules("defaults: {ack: {mode: sync, timeout: 1s}}\ntables: {a: {ack: async}}\n")
    rules("defaults: {ack: {timeout: 1s}}\ntables: {a: {ack: async}}\n")
    (found,) = problems("defaults: {ack: async}\ntables: {a: {ack: {timeout: 1s}}}\n")
    assert found.key_path == "tables.a.ack.timeout"
    (found,) = problems("defaults: {ack: {mode: async, timeout: 1s}}\ntables: {a: {}, b: {}}\n")
    assert found.key_path == "defaults.ack.timeout"


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_every_check_has_a_conflict_here(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conflicts, "CHECKS", (check,))
    found = 0
    for settings, _, _ in CONFLICTS:
        try:
            rules(_file(settings))
        except RulesError:
            found += 1
    assert found
