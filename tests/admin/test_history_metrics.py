"""The metrics of backfills and comparisons, as Prometheus reads them."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from proxy.admin.counters import Counters
from proxy.admin.exposition import expose
from proxy.admin.history import BackfillStatus, VerifyStatus
from proxy.admin.history_metrics import HISTORY_METRICS
from proxy.admin.metric import Source
from proxy.admin.mirror import MirrorReport, TableReport
from proxy.admin.status import combine
from tests.admin.histories import COMPARING, DIFFERENT, DONE, NOW, RUNNING
from tests.admin.sources import process

ORDERS = ("shop", "public.orders")


def scrape(
    backfill: BackfillStatus | None, verify: VerifyStatus | None = None
) -> dict[str, dict[tuple[str, ...], float]]:
    """Values by name and label values, in the order of the labels' names."""
    table = TableReport(database="shop", table="public.orders", backfill=backfill, verify=verify)
    report = MirrorReport(tables=[table])
    counters = Counters()
    counters.mirror = lambda: report
    text, _ = expose(Source(counters.snapshot(), combine([process()], workers=1), {}))
    names = {row.shown_name for row in HISTORY_METRICS}
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            if sample.name in names:
                labels = tuple(value for _, value in sorted(sample.labels.items()))
                found.setdefault(sample.name, {})[labels] = sample.value
    return found


def test_without_either_there_is_no_sample() -> None:
    assert scrape(None) == {}


def test_every_number_is_exposed() -> None:
    """A field that is added to a status and not to the metrics is found here."""
    numbers: dict[str, float] = {}
    marked = []
    for model, made in ((BackfillStatus, RUNNING), (VerifyStatus, DIFFERENT)):
        kinds = (int, float, int | None, float | None)
        names = [name for name, field in model.model_fields.items() if field.annotation in kinds]
        marks: dict[str, float] = {name: 7000 + len(numbers) + n for n, name in enumerate(names)}
        numbers |= marks
        marked.append(made.model_copy(update=marks))
    backfill, verify = marked
    assert isinstance(backfill, BackfillStatus)
    assert isinstance(verify, VerifyStatus)
    shown = {value for samples in scrape(backfill, verify).values() for value in samples.values()}
    assert {name for name, number in numbers.items() if number not in shown} == set()


def test_states_are_told_by_label() -> None:
    found = scrape(DONE, COMPARING)
    states = {labels[1]: value for labels, value in found["causeway_backfill_status"].items()}
    assert states == {"running": 0, "paused": 0, "done": 1, "failed": 0, "cancelled": 0}
    outcomes = {labels[1]: value for labels, value in found["causeway_verify_status"].items()}
    assert outcomes == {"running": 1, "equal": 0, "different": 0, "unsettled": 0, "failed": 0}


def test_differences_by_kind_and_what_is_not_known_is_left_out() -> None:
    found = scrape(DONE, DIFFERENT)
    kinds = {labels[1]: value for labels, value in found["causeway_verify_differences"].items()}
    assert kinds == {"missing": 3, "extra": 1, "different": 2}
    assert found["causeway_verify_whole_timestamp_seconds"] == {ORDERS: NOW.timestamp()}
    assert "causeway_backfill_remaining_seconds" not in found
    assert "causeway_verify_whole_left" not in scrape(None, COMPARING)
    assert scrape(RUNNING)["causeway_backfill_throttled"] == {ORDERS: 1}
