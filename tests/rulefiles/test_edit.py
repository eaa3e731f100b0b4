"""A table's phase is changed in the text of its file, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from proxy.phases import Phase
from proxy.rulefiles.compile import RuleText, compile_rules
from proxy.rulefiles.edit import BOM, CannotEdit, Edit, set_phase
from proxy.rulefiles.problems import Place
from proxy.rulefiles.ruleset import RuleSet


def compiled(data: bytes) -> RuleSet:
    return compile_rules([RuleText("shop.yaml", data)])


def edited(text: str | bytes, table: str = "orders", phase: Phase = Phase.DARK_READ) -> Edit:
    data = text.encode() if isinstance(text, str) else text
    place = next(rule.place for rule in compiled(data).tables.values() if rule.name.name == table)
    return set_phase(data, place, phase)


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        (
            "tables:\n  orders:\n    phase: dual_write  # since May\n    # the key\n    key: [id]\n",
            "tables:\n  orders:\n    phase: dark_read  # since May\n    # the key\n    key: [id]\n",
            3,
        ),
        ("tables:\n  orders:\n    phase: 'dual_write'\n", "tables:\n  orders:\n    phase: 'dark_read'\n", 3),
        ('tables: {orders: {phase: "backfill"}}', 'tables: {orders: {phase: "dark_read"}}', 1),
        ("tables: {orders: {key: [id]}}", "tables: {orders: {phase: dark_read, key: [id]}}", 1),
        ("tables: {orders: { key: [id] }}", "tables: {orders: { phase: dark_read, key: [id] }}", 1),
        ("tables: {orders: {}}", "tables: {orders: {phase: dark_read}}", 1),
        ("tables: {orders: ~}", "tables: {orders: {phase: dark_read}}", 1),
        (
            "defaults: {phase: backfill}\ntables:\n  orders:\n    # the key\n    key: [id]\n",
            "defaults: {phase: backfill}\ntables:\n  orders:\n    # the key\n    phase: dark_read\n    key: [id]\n",
            5,
        ),
        (
            "tables:\n  orders:  # all of them\n  items:\n",
            "tables:\n  orders:  # all of them\n    phase: dark_read\n  items:\n",
            3,
        ),
        ("tables:\n    orders:", "tables:\n    orders:\n        phase: dark_read", 3),
        (
            "tables:\n  items: {phase: dual_write}\r\n  orders:\r\n    key: [id]\r\n",
            "tables:\n  items: {phase: dual_write}\r\n  orders:\r\n    phase: dark_read\r\n    key: [id]\r\n",
            4,
        ),
        (
            'tables:\n  "orders":\n    phase: dual_write\n  items:\n    phase: dual_write\n',
            'tables:\n  "orders":\n    phase: dark_read\n  items:\n    phase: dual_write\n',
            3,
        ),
    ],
)
def test_one_line_is_changed(before: str, after: str, line: int) -> None:
    edit = edited(before)
    assert edit.after.decode() == after
    assert edit.line == line
    assert edit.new == edit.after.decode().splitlines()[line - 1].strip()
    assert edit.old in ("", *(one.strip() for one in before.splitlines()))
    marked = edited(BOM + before.encode())
    assert marked.after == BOM + edit.after


def test_a_phase_that_is_there_already_changes_nothing() -> None:
    edit = edited("tables: {orders: {phase: dark_read}}")
    assert not edit.changed


@pytest.mark.parametrize(
    "text",
    [
        'tables: {orders: {phase: "dual\\u005fwrite"}}',
        "tables: {orders: , items: }",
        "tables:\n  orders:\n    phase: >-\n      dual_write\n",
    ],
)
def test_what_cannot_be_changed_safely_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(CannotEdit, match="write `phase: dark_read`"):
        edited(text)


def test_a_file_that_has_changed_is_refused() -> None:
    with pytest.raises(CannotEdit, match="try again"):
        set_phase(b"tables:\n  items:\n", Place("shop.yaml", 9, 1), Phase.DARK_READ)


COMMENTS = st.sampled_from(["", "  # why: 'so'", "  # {not: yaml}"])
PHASES = st.sampled_from([phase for phase in Phase if phase is not Phase.DECOMMISSION])


@st.composite
def tables(draw: st.DrawFn, name: str) -> list[str]:
    """The lines of one table."""
    quote = draw(st.sampled_from(["", "'", '"']))
    phase = f"{quote}{draw(PHASES)}{quote}"
    settings = draw(st.lists(st.sampled_from([f"phase: {phase}", "key: [id]", "shadow: 5%"]), unique=True))
    if draw(st.booleans()):
        return [f"  {name}: {{{', '.join(settings)}}}" + draw(COMMENTS)]
    lines = [f"  {name}:" + draw(COMMENTS)]
    for setting in settings:
        lines += draw(st.lists(st.sampled_from(["", "    # a note", "# phase: dual_write"]), max_size=2))
        lines.append(f"    {setting}" + draw(COMMENTS))
    return lines


@given(st.data(), st.sampled_from(["\n", "\r\n"]), PHASES, st.sampled_from(["orders", "items", "lines"]))
def test_whatever_a_file_looks_like_only_the_one_phase_changes(
    data: st.DataObject, newline: str, phase: Phase, table: str
) -> None:
    lines = ["# rules", "tables:"]
    for one in ("orders", "items", "lines"):
        lines += data.draw(tables(one))
    before = (newline.join(lines) + data.draw(st.sampled_from(["", newline]))).encode()
    edit = edited(before, table, phase)
    old, new = compiled(before), compiled(edit.after)
    for name, rule in new.tables.items():
        assert rule.phase is (phase if name.name == table else old.tables[name].phase)
        settings = old.tables[name].settings.model_copy(update={"phase": rule.phase})
        assert rule.settings == settings
    left = edit.after.decode().split(newline)
    assume(edit.changed)
    assert edit.new == left[edit.line - 1].strip()
    del left[edit.line - 1]
    kept = list(lines) + ([""] if before.endswith(b"\n") else [])
    if edit.old:
        del kept[edit.line - 1]
    assert left == kept
