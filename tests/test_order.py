"""The order in which files of tests are run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.order import LONGEST, rank

TOP = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("name", LONGEST)
def test_names_exist(name: str) -> None:
    assert (TOP / name).exists()


def test_the_longest_name_that_fits_decides() -> None:
    assert LONGEST[rank("tests/mirroring/test_kills.py::test_boundaries[rootfs]")] == LONGEST[0]
    assert LONGEST[rank("tests/mirroring/test_options.py::test_any")] == "tests/mirroring/"
    assert rank("tests/mirroring/test_kills.py::test_any") < rank("tests/mirroring/test_options.py::test_any")
    assert rank("tests/test_rules.py::test_any") == len(LONGEST)
