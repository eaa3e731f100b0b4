"""What is told of backfills and comparisons."""

from __future__ import annotations

from datetime import timedelta

from proxy.admin.history import TableHistory, newest
from proxy.admin.mirror import MirrorReport, compose, merge
from proxy.phases import Holding, Phase
from tests.admin.histories import DIFFERENT, DONE, NOW, RUNNING


def test_of_two_processes_the_one_that_has_read_later_counts() -> None:
    later = RUNNING.model_copy(update={"updated_at": NOW + timedelta(seconds=1), "rows": 1})
    assert newest(RUNNING, later) is later
    assert newest(later, RUNNING) is later
    assert newest(None, DONE) is DONE
    assert newest(DONE, None) is DONE


def test_they_are_told_of_tables_that_are_in_the_report_and_survive_a_process_border() -> None:
    holdings = {("shop", "public.orders"): Holding(Phase.BACKFILL, Phase.BACKFILL)}
    histories = {
        ("shop", "public.orders"): TableHistory(RUNNING, DIFFERENT),
        ("shop", "public.gone"): TableHistory(DONE, None),
    }
    report = compose({}, holdings=holdings, histories=histories)
    (table,) = report.tables
    assert (table.backfill, table.verify) == (RUNNING, DIFFERENT)
    again = MirrorReport.model_validate_json(report.model_dump_json())
    assert again == report
    alone = compose({}, holdings=holdings)
    merged = merge([alone, again])
    assert merged is not None
    assert merged.tables[0].backfill == RUNNING
