"""What the terminal summary says of the reads that the store has answered."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.support.shares import PROPERTY, note_reads, summary


def report(when: str, *properties: tuple[str, object]) -> pytest.TestReport:
    return pytest.TestReport(
        "tests/test_any.py::test_any",
        ("tests/test_any.py", 1, "test_any"),
        {},
        "passed",
        None,
        when,  # type: ignore[arg-type]
        user_properties=list(properties),
    )


def test_reads_of_a_suite_are_added_up() -> None:
    first, second = {"store": 2, "a gap": 1}, {"store": 1, "a gap": 3, "BUSY": 1}
    reports = [report("teardown", (PROPERTY, ["django", one])) for one in (first, second)]
    assert summary(reports) == [
        "served from the store: 3 of 8 reads (38 %), django (PostgreSQL: 4 a gap; 1 BUSY)"
    ]


def test_several_suites_have_a_line_each() -> None:
    reports = [
        report("teardown", (PROPERTY, ["psql", {"store": 1}])),
        report("teardown", (PROPERTY, ["jdbc", {"store": 1, "a gap": 2}])),
    ]
    assert summary(reports) == [
        "served from the store: 1 of 3 reads (33 %), jdbc (PostgreSQL: 2 a gap)",
        "served from the store: 1 of 1 reads (100 %), psql",
    ]


def test_reasons_that_are_rare_are_one() -> None:
    found = {"store": 79, "a": 6, "b": 5, "c": 4, "d": 3, "e": 2, "f": 1}
    assert summary([report("teardown", (PROPERTY, ["psql", found]))]) == [
        "served from the store: 79 of 100 reads (79 %), psql (PostgreSQL: 6 a; 5 b; 4 c; 3 d; 3 for other reasons)"
    ]


def test_only_what_is_noted_at_the_end_of_a_test_counts() -> None:
    noted = (PROPERTY, ["psql", {"store": 1}])
    reports = [report("setup", noted), report("call", noted), report("teardown", ("other", 1)), object()]
    assert summary(reports) == []
    assert summary([report("teardown", (PROPERTY, ["psql", {}]))]) == []


def test_a_test_that_is_run_again_notes_its_reads_anew(request: pytest.FixtureRequest) -> None:
    properties = request.node.user_properties
    kept = list(properties)
    try:
        properties.append(("other", 1))
        note_reads(request.node, "psql", Counter(store=1))
        note_reads(request.node, "psql", Counter(store=5))
        assert properties == [*kept, ("other", 1), (PROPERTY, ["psql", {"store": 5}])]
    finally:
        properties[:] = kept
