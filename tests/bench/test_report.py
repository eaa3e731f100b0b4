"""Results as JSON and on a page of the documentation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.__main__ import BENCHMARKS
from bench.errors import BenchError
from bench.report import Section, machine, machine_line, replace_sections, to_json

FACTS = {
    "date": "2030-01-31",
    "processor": "Fast",
    "cpus": 2,
    "linux": "6.1",
    "python": "3.11",
    "postgres": "15.1",
    "load": 0.1,
}
PAGE = (
    "# Page\n<!-- bench:latency -->\nold\n<!-- /bench:latency -->\n"
    "text\n<!-- bench:memory --><!-- /bench:memory -->\n"
)


def test_only_the_sections_that_were_run_are_replaced() -> None:
    page = replace_sections(PAGE, FACTS, [Section("latency", "Latency", "new")])
    assert "old" not in page
    assert "<!-- bench:latency -->\n\nnew\n\nMeasured 2030-01-31, 2 CPUs (Fast)" in page
    assert page.endswith("text\n<!-- bench:memory --><!-- /bench:memory -->\n")


def test_replacing_twice_is_replacing_once() -> None:
    sections = [Section("latency", "Latency", "new")]
    once = replace_sections(PAGE, FACTS, sections)
    assert replace_sections(once, FACTS, sections) == once


def test_a_page_without_the_place_says_what_to_add() -> None:
    with pytest.raises(BenchError, match="<!-- bench:profile --> and <!-- /bench:profile -->"):
        replace_sections(PAGE, FACTS, [Section("profile", "Profile", "new")])


def test_the_documentation_has_a_place_for_every_benchmark() -> None:
    page = (Path(__file__).parents[2] / "docs/performance.md").read_text(encoding="utf-8")
    replaced = replace_sections(page, FACTS, [Section(name, name, f"text of {name}") for name in BENCHMARKS])
    assert all(f"text of {name}" in replaced for name in BENCHMARKS)


def test_json_has_every_section() -> None:
    run = json.loads(to_json(FACTS, [Section("latency", "Latency", "text", {"rounds": [1, 2]})]))
    assert run == {"machine": FACTS, "sections": {"latency": {"rounds": [1, 2]}}}


def test_the_machine_is_described() -> None:
    facts = machine("15.1")
    assert facts["cpus"] >= 1
    assert "PostgreSQL 15.1" in machine_line(facts)
