from __future__ import annotations

import os
from pathlib import Path

import pytest

from proxy.rules import (
    DEFAULT_MAX_RULES_SIZE,
    MAX_RULES_SIZE,
    Phase,
    Problem,
    RulesError,
    json_schema,
    load_rules,
    rule_files,
)

ROOT = Path(__file__).parents[1]
GOOD = "tables: {%s: {phase: dual_write}}\n"


def refused(path: Path, max_size: int = DEFAULT_MAX_RULES_SIZE) -> tuple[Problem, ...]:
    with pytest.raises(RulesError) as caught:
        load_rules(path, max_size=max_size)
    return caught.value.problems


def test_the_default_directory_leaves_every_table_in_passthrough() -> None:
    found = load_rules(ROOT / "rules")
    assert not found.needs_sql
    assert all(rule.phase is Phase.PASSTHROUGH for rule in found.tables.values())


def test_the_examples_load_together() -> None:
    found = load_rules(ROOT / "rules" / "examples", last_built=Phase.DECOMMISSION)
    assert {rule.phase for rule in found.tables.values()} == set(Phase) - {Phase.DECOMMISSION}
    assert found.needs_sql


def test_one_file(tmp_path: Path) -> None:
    file = tmp_path / "any.name"
    file.write_text(GOOD % "a")
    found = load_rules(file)
    assert (found.source, found.files) == (str(file), (str(file),))
    assert [name.name for name in found.tables] == ["a"]


def test_a_directory_in_the_order_of_its_names(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yml", "c.yaml"):
        (tmp_path / name).write_text(GOOD % name[0])
    (tmp_path / "notes.txt").write_text("not: [a rule")
    (tmp_path / ".hidden.yaml").write_text("not: [a rule")
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "d.yaml").write_text("not: [a rule")
    found = load_rules(tmp_path)
    assert found.files == tuple(str(tmp_path / name) for name in ("a.yml", "b.yaml", "c.yaml"))
    assert {name.name for name in found.tables} == {"a", "b", "c"}


def test_a_config_map(tmp_path: Path) -> None:
    data = tmp_path / "..2026_01_01"
    data.mkdir()
    (data / "shop.yaml").write_text(GOOD % "orders")
    (tmp_path / "..data").symlink_to(data.name)
    (tmp_path / "shop.yaml").symlink_to("..data/shop.yaml")
    found = load_rules(tmp_path)
    assert found.files == (str(tmp_path / "shop.yaml"),)
    assert [name.name for name in found.tables] == ["orders"]


def test_no_rule_files(tmp_path: Path) -> None:
    (problem,) = refused(tmp_path)
    assert (problem.file, problem.line) == (str(tmp_path), None)
    assert "there is no rule file in this directory" in str(problem)
    assert "`tables: {}`" in problem.hint


def test_what_cannot_be_read_is_told_with_everything_else(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").symlink_to("nowhere")
    (tmp_path / "b.yaml").mkdir()
    (tmp_path / "c.yaml").write_text("tabels: {}")
    (tmp_path / "d.yaml").symlink_to("d.yaml")
    os.mkfifo(tmp_path / "e.yaml")
    (tmp_path / "f.yaml").write_text(GOOD % "f")
    found = {Path(problem.file).name: str(problem) for problem in refused(tmp_path)}
    assert set(found) == {"a.yaml", "b.yaml", "c.yaml", "d.yaml", "e.yaml"}
    assert "cannot be read: No such file or directory (the link points to nothing)" in found["a.yaml"]
    assert "cannot be read: Is a directory" in found["b.yaml"]
    assert "c.yaml:1:1: tabels: unknown key" in found["c.yaml"]
    assert "Too many levels of symbolic links" in found["d.yaml"]
    assert "this is not a file" in found["e.yaml"]


def test_unreadable_alone(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").symlink_to("nowhere")
    (tmp_path / "f.yaml").write_text(GOOD % "f")
    (problem,) = refused(tmp_path)
    assert problem.file.endswith("a.yaml")


@pytest.mark.parametrize("path", ["missing", "missing/deeper.yaml", "nul\0byte"])
def test_a_path_that_is_not_there(tmp_path: Path, path: str) -> None:
    (problem,) = refused(tmp_path / path)
    assert "cannot be read" in problem.message
    assert problem.hint


def test_the_limit_on_size(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD % "a")
    (tmp_path / "b.yaml").write_text(GOOD % "b")
    size = sum(file.stat().st_size for file in rule_files(tmp_path))
    assert len(load_rules(tmp_path, max_size=size).tables) == 2
    (problem,) = refused(tmp_path, max_size=size - 1)
    assert problem.file.endswith("b.yaml")
    assert problem.limit == MAX_RULES_SIZE
    assert f"raise {MAX_RULES_SIZE}" in problem.hint
    os.truncate(tmp_path / "a.yaml", 10 * DEFAULT_MAX_RULES_SIZE)  # sparse
    (problem,) = refused(tmp_path)
    assert "larger than 1MiB together" in problem.message


def test_an_error_reads_as_its_problems(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("tables:\n  orders: {phase: dark_reed}\n")
    with pytest.raises(RulesError) as caught:
        load_rules(file)
    assert str(caught.value) == (
        f"{file}:2:19: tables.orders.phase: dark_reed is not one of the words for this key "
        "(did you mean dark_read? write passthrough, dual_write, backfill, dark_read, "
        "primary_switch or decommission)"
    )


def test_the_schema_is_at_hand() -> None:
    assert json_schema()["title"] == "Causeway rules"
