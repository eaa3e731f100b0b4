"""The metrics of mirroring, as Prometheus reads them."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from proxy.admin.counters import Counters
from proxy.admin.exposition import expose
from proxy.admin.metric import Source
from proxy.admin.mirror import CatalogueReport, MirrorReport, TableHolding, TableReport
from proxy.admin.mirror_metrics import MIRROR_METRICS
from proxy.admin.status import combine
from proxy.phases import Phase
from tests.admin.sources import process

ORDERS = ("shop", "public.orders")


def scrape(report: MirrorReport | None) -> dict[str, dict[tuple[str, ...], float]]:
    """Values of the mirror's metrics by name and label values, in the order of the labels' names."""
    counters = Counters()
    if report is not None:
        counters.mirror = lambda: report
    text, _ = expose(Source(counters.snapshot(), combine([process()], workers=1), {}))
    names = tuple(row.shown_name for row in MIRROR_METRICS)
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            if sample.name.startswith(names):
                found.setdefault(sample.name, {})[_values(sample.labels)] = sample.value
    return found


def _values(labels: dict[str, str]) -> tuple[str, ...]:
    return tuple(value for _, value in sorted(labels.items()))


def test_while_nothing_is_mirrored_there_is_no_sample() -> None:
    assert scrape(None) == {}


def test_every_number_of_a_report_is_exposed() -> None:
    """A field that is added to the report and not to the metrics is found here."""
    numbers: dict[str, float] = {}

    def marked(model: type[TableReport] | type[MirrorReport]) -> dict[str, int]:
        names = [name for name, field in model.model_fields.items() if field.annotation in (int, float)]
        marks = {name: 1000 + len(numbers) + place for place, name in enumerate(names)}
        numbers.update(marks)
        return marks

    row = {"database": "shop", "table": "public.orders", "latency": [1], **marked(TableReport)}
    found = scrape(MirrorReport.model_validate({"tables": [row], **marked(MirrorReport)}))
    shown = {value for samples in found.values() for value in samples.values()}
    assert {name for name, number in numbers.items() if number not in shown} == set()


def test_a_table_that_is_held_and_has_nothing_to_tell_is_left_out() -> None:
    held = TableHolding(requested=Phase.DUAL_WRITE, effective=Phase.PASSTHROUGH, reasons=["no key"])
    table = TableReport(database="shop", table="public.orders", holding=held)
    assert "causeway_mirror_queued" not in scrape(MirrorReport(tables=[table]))
    left = table.model_copy(update={"gaps": {"ddl": 1}})
    assert scrape(MirrorReport(tables=[left]))["causeway_mirror_gaps_open"] == {("ddl", *ORDERS): 1}


def test_what_was_taken_back_and_what_is_forced() -> None:
    switch = Phase.PRIMARY_SWITCH
    forced = TableHolding(requested=switch, effective=switch, overridden=["2 open gaps", "mirror lag"])
    tables = [
        TableReport(database="shop", table="public.orders", holding=forced, captured=1),
        TableReport(database="shop", table="public.items", rollbacks=3),
    ]
    samples = scrape(MirrorReport(tables=tables))
    assert samples["causeway_table_rollbacks_total"]["shop", "public.items"] == 3
    assert samples["causeway_table_forced_gates"] == {("shop", "public.orders"): 2}


def test_gaps_are_counted_by_cause() -> None:
    table = TableReport(database="shop", table="public.orders", gaps={"ddl": 1, "copy": 3})
    assert scrape(MirrorReport(tables=[table]))["causeway_mirror_gaps_open"] == {
        ("copy", *ORDERS): 3,
        ("ddl", *ORDERS): 1,
    }


def test_the_durations_of_store_writes_are_a_histogram() -> None:
    latency = [0] * 20 + [4] + [0] * 9 + [1]  # four of about 1 ms, one of about 1 s
    table = TableReport(database="shop", table="public.orders", latency=latency, latency_sum=1.5)
    found = scrape(MirrorReport(tables=[table]))
    buckets = {
        float(bound): value
        for (_, bound, _), value in found["causeway_mirror_store_write_seconds_bucket"].items()
    }
    assert (buckets[2**18 / 1e9], buckets[2**20 / 1e9], buckets[2**30 / 1e9]) == (0, 4, 5)
    assert buckets[float("inf")] == 5
    assert found["causeway_mirror_store_write_seconds_sum"] == {ORDERS: 1.5}


def test_what_was_not_asked_yet_is_neither_up_nor_down() -> None:
    catalogues = [CatalogueReport(database="a", state="unknown"), CatalogueReport(database="b", state="away")]
    found = scrape(MirrorReport(catalogues=catalogues))
    assert "causeway_mirror_store_up" not in found
    assert found["causeway_mirror_catalogue_up"] == {("b",): 0}
    assert scrape(MirrorReport(store="ok"))["causeway_mirror_store_up"] == {(): 1}
    assert scrape(MirrorReport(store="refused"))["causeway_mirror_store_up"] == {(): 0}
