"""Rows of metrics and the buckets of histograms."""

from __future__ import annotations

from proxy.admin.metric import MetricRow, cumulative


def test_a_name_is_shown_as_it_stands_in_queries() -> None:
    assert MetricRow("errors", "counter", (), "Errors.").shown_name == "causeway_errors_total"
    assert MetricRow("build", "info", (), "The build.").shown_name == "causeway_build_info"
    assert MetricRow("lag_seconds", "gauge", (), "The lag.").shown_name == "causeway_lag_seconds"


def test_buckets_are_cumulative_and_end_with_all() -> None:
    assert cumulative([1, 0, 2, 0, 4], [1, 3]) == [("2e-09", 1.0), ("8e-09", 3.0), ("+Inf", 7.0)]


def test_a_histogram_may_be_shorter_than_its_bounds() -> None:
    assert cumulative([1], [10]) == [("1.024e-06", 1.0), ("+Inf", 1.0)]
