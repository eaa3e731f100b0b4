"""What share of its reads each suite has had answered by the store, in pytest's terminal summary.

A test notes its reads as a property of its report, so that they also come from a process of pytest-xdist.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest

from proxy.admin.serving import ServingStatus

PROPERTY = "reads"
"""Name of the property; its value: the suite, and its reads by who has answered them."""

TOLD = 4
"""Reasons of one suite that are told apart, the most frequent."""


def note_reads(test: pytest.Item, suite: str, found: Counter[str]) -> None:
    """`found`: the reads of one test, `store` for those that the store answered, and others by the reason.

    A test that is run again notes them anew.
    """
    others: list[tuple[str, object]] = [one for one in test.user_properties if one[0] != PROPERTY]
    test.user_properties[:] = [*others, (PROPERTY, [suite, dict(found)])]


def reads_of(status: ServingStatus | None) -> Counter[str]:
    """All that the proxies of one status have counted."""
    if status is None:
        return Counter()
    found = Counter({one.reason: one.count for one in status.reasons})
    found["store"] = sum(table.store for table in status.tables)
    return found


def summary(reports: Iterable[object]) -> list[str]:
    """A line for each suite that has had reads, by name."""
    suites: dict[str, Counter[str]] = {}
    for report in reports:
        if not isinstance(report, pytest.TestReport) or report.when != "teardown":
            continue
        properties: list[tuple[str, Any]] = report.user_properties
        for name, value in properties:
            if name == PROPERTY:
                suite, found = value
                suites.setdefault(suite, Counter()).update(found)
    return [_line(suite, found) for suite, found in sorted(suites.items()) if found.total()]


def _line(suite: str, found: Counter[str]) -> str:
    total = found.total()
    share = f"{found['store']} of {total} reads ({100 * found['store'] / total:.0f} %)"
    reasons = [(reason, count) for reason, count in found.most_common() if reason != "store"]
    told = [f"{count} {reason}" for reason, count in reasons[:TOLD]]
    if rest := sum(count for _, count in reasons[TOLD:]):
        told.append(f"{rest} for other reasons")
    left = f" (PostgreSQL: {'; '.join(told)})" if told else ""
    return f"served from the store: {share}, {suite}{left}"
