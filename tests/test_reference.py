"""The reference pages say what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.admin.exposition import METRICS
from proxy.admin.status import Status
from proxy.config import settings_table
from proxy.reference import PAGES, main

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_not_stale(name: str) -> None:
    assert (DOCS / name).read_text() == PAGES[name](), "run: python -m proxy.reference docs"


def test_nothing_is_left_out() -> None:
    configuration, metrics, status = (PAGES[name]() for name in PAGES)
    for row in settings_table():
        assert f"| `{row.name}` | `{row.flag} " in configuration
    for metric in METRICS:
        assert f"| `{metric.shown_name}` | {metric.kind} |" in metrics
    for field in Status.model_fields:
        assert f"| `{field}` |" in status


def test_the_pages_are_written_where_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == set(PAGES)
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err
