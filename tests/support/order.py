"""The order of test files: those that take longest first.

Processes that run tests side by side take one file after the other (`make test`); were a long one the last, the others
would wait for it.
"""

from __future__ import annotations

from typing import Final

LONGEST: Final = (
    "tests/mirroring/test_kills.py",
    "tests/demo/test_demo.py",
    "tests/differential/test_captured.py",
    "tests/mirroring/test_outages.py",
    "tests/mirroring/test_statements.py",
    "tests/mirroring/test_equality.py",
    "tests/translate/fuzz/",
    "tests/mirroring/",
    "tests/switching/",
    "tests/serving/",
    "tests/faults/",
    "tests/shadow/",
    "tests/backfill/",
    "tests/clients/",
    "tests/bench/",
    "tests/packaging/",
    "tests/differential/",
    "tests/devstack/",
)
"""Beginnings of the names of files, from those that take minutes to those that take many seconds."""


def rank(nodeid: str) -> int:
    """The smaller, the earlier. The longest name that fits decides."""
    fitting = [one for one in LONGEST if nodeid.startswith(one)]
    return LONGEST.index(max(fitting, key=len)) if fitting else len(LONGEST)
