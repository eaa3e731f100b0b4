"""The metrics as Prometheus reads them."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from proxy.admin.counters import OWN_SHARE_BUCKETS, Counters
from proxy.admin.exposition import METRICS, expose, own_share
from proxy.admin.metric import Source
from proxy.admin.status import combine
from tests.admin.sources import book, process

STATUS = combine([process(), process(worker=1, clients=2)], workers=2)


def scrape(counters: Counters | None = None, **limits: float) -> dict[str, dict[tuple[str, ...], float]]:
    """Values by metric name and label values."""
    text, content_type = expose(Source((counters or Counters()).snapshot(), STATUS, limits))
    assert content_type.startswith("text/plain; version=0.0.4")
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


def test_counters_come_out_under_their_names() -> None:
    counters = Counters()
    counters.connections_total = 7
    counters.client_connections = 2
    counters.bytes_from_client = 100
    counters.bytes_from_server = 200
    counters.new_verb(b"SELECT\x00")
    counters.errors["23"] += 4
    counters.connections_refused["max_connections"] += 1
    counters.reloads["rejected"] += 2
    counters.cancel_requests["forwarded"] += 5
    counters.server_connect_failures["db:5432"] += 6
    counters.limits_reached["max_connections"] += 8
    counters.loop_lag_max = 0.25
    found = scrape(counters, max_connections=10)
    assert found["causeway_connections_total"] == {(): 7}
    assert found["causeway_client_connections"] == {(): 2}
    assert found["causeway_bytes_total"] == {("client",): 100, ("server",): 200}
    assert found["causeway_statements_total"] == {("SELECT",): 1}
    assert found["causeway_errors_total"] == {("23",): 4}
    assert found["causeway_connections_refused_total"] == {("max_connections",): 1}
    assert found["causeway_rules_reloads_total"] == {("rejected",): 2}
    assert found["causeway_cancel_requests_total"] == {("forwarded",): 5}
    assert found["causeway_server_connect_failures_total"] == {("db:5432",): 6}
    assert found["causeway_limits_reached_total"] == {("max_connections",): 8}
    assert found["causeway_limit"] == {("max_connections",): 10}
    assert found["causeway_loop_lag_max_seconds"] == {(): 0.25}


def test_processes_and_rules_come_from_the_status() -> None:
    found = scrape()
    assert found["causeway_process_cpu_seconds_total"] == {("0",): 1.5, ("1",): 1.5}
    assert found["causeway_process_resident_memory_bytes"] == {("0",): 50 << 20, ("1",): 50 << 20}
    assert found["causeway_process_open_fds"] == {("0",): 12, ("1",): 12}
    assert found["causeway_client_connections_by_state"] == {("starting",): 0, ("idle",): 3, ("active",): 2}
    assert found["causeway_rules_valid"] == {(): 1}


def test_every_counter_is_exposed() -> None:
    """A counter that is added and not put into the table is found here."""
    counters = Counters()
    marks: dict[str, float] = {}
    for number, name in enumerate(counters.snapshot(), start=1001):
        value = getattr(counters, name)
        if name in ("own_share", "own_share_sum", "mirror"):
            continue
        if isinstance(value, dict):
            value[b"mark" if name == "statements" else "mark"] = number
        else:
            setattr(counters, name, number)
        marks[name] = number
    shown = {value for samples in scrape(counters).values() for value in samples.values()}
    assert {name for name, number in marks.items() if number not in shown} == set()


def test_what_has_not_happened_yet_has_its_help_already() -> None:
    text = expose(Source(Counters().snapshot(), STATUS, {}))[0].decode()
    for row in METRICS:
        assert re.search(rf"^# HELP {re.escape(row.shown_name)} \S", text, re.MULTILINE), row.name


def test_names_follow_the_rules_of_prometheus() -> None:
    for row in METRICS:
        assert re.fullmatch(r"causeway_[a-z][a-z_]*", row.shown_name)
        assert row.help.endswith(".")
    assert len({row.name for row in METRICS}) == len(METRICS)


def test_openmetrics_where_it_is_asked_for() -> None:
    text, content_type = expose(Source(Counters().snapshot(), STATUS, {}), "application/openmetrics-text")
    assert content_type.startswith("application/openmetrics-text")
    assert text.endswith(b"# EOF\n")
    families = parse_openmetrics(text.decode())  # type: ignore[no-untyped-call]
    assert {family.name for family in families} >= {"causeway_connections"}


@given(st.lists(st.integers(0, 2**58 - 1), max_size=30))
def test_the_histogram_counts_every_observation_below_its_bound(nanoseconds: list[int]) -> None:
    counters = Counters()
    for observation in nanoseconds:
        counters.own_share[min(observation.bit_length(), OWN_SHARE_BUCKETS - 1)] += 1
        counters.own_share_sum += observation
    buckets, total = own_share(counters.snapshot())
    for bound, count in buckets:
        assert count == sum(observation < float(bound) * 1e9 for observation in nanoseconds)
    assert total == sum(nanoseconds) / 1e9
    assert [bound for bound, _ in buckets][-1] == "+Inf"


def test_the_histogram_is_one_for_prometheus() -> None:
    counters = Counters()
    counters.own_share[15] = 3  # 16 to 33 µs
    counters.own_share_sum = 60_000
    found = scrape(counters)
    buckets = {float(key[0]): value for key, value in found["causeway_own_share_seconds_bucket"].items()}
    assert (buckets[2**14 / 1e9], buckets[2**15 / 1e9], buckets[float("inf")]) == (0, 3, 3)
    assert found["causeway_own_share_seconds_count"] == {(): 3}
    assert found["causeway_own_share_seconds_sum"] == {(): 60e-6}


def test_rejected_rules_show() -> None:
    from proxy.rules import Problem, RulesError

    error = RulesError([Problem("a.yaml", 1, 1, "", "wrong")])
    status = combine([process(book(error=error))], workers=1)
    text = expose(Source(Counters().snapshot(), status, {}))[0].decode()
    assert "causeway_rules_valid 0.0" in text
