"""The metrics of /metrics: one table that says what each is made of, written out as Prometheus reads it.

The table is also the source of docs/metrics.md. Names begin with `causeway_`; units are seconds and bytes.
"""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable, Iterator

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector, CollectorRegistry

from proxy import __version__
from proxy.admin.counters import OWN_SHARE_BUCKETS, Snapshot
from proxy.admin.history_metrics import HISTORY_METRICS
from proxy.admin.metric import PREFIX, MetricRow, Sample, Source, cumulative
from proxy.admin.mirror_metrics import MIRROR_METRICS
from proxy.admin.serving_metrics import SERVING_METRICS
from proxy.admin.shadow_metrics import SHADOW_METRICS
from proxy.admin.status import ProcessStatus

FIRST_BUCKET, LAST_BUCKET = 10, 33
"""Bounds of the own-share histogram written out, as powers of two of nanoseconds: 1 µs to 8.6 s."""


def _number(key: str) -> Callable[[Source], Iterator[Sample]]:
    def read(source: Source) -> Iterator[Sample]:
        yield (), source.counters[key]

    return read


def _by(key: str) -> Callable[[Source], Iterator[Sample]]:
    def read(source: Source) -> Iterator[Sample]:
        for label, value in sorted(source.counters[key].items()):
            yield (str(label),), value

    return read


def _bytes(source: Source) -> Iterator[Sample]:
    yield ("client",), source.counters["bytes_from_client"]
    yield ("server",), source.counters["bytes_from_server"]


def _process(value: Callable[[ProcessStatus], float | None]) -> Callable[[Source], Iterator[Sample]]:
    def read(source: Source) -> Iterator[Sample]:
        for process in source.status.processes:
            number = value(process)
            if number is not None:
                yield (str(process.worker),), number

    return read


def _states(source: Source) -> Iterator[Sample]:
    connections = source.status.connections
    yield ("starting",), connections.starting
    yield ("idle",), connections.idle
    yield ("active",), connections.active


def _tables(source: Source) -> Iterator[Sample]:
    phases = Counter((str(t.requested.value), str(t.effective.value)) for t in source.status.tables)
    yield from sorted(phases.items())


def _limits(source: Source) -> Iterator[Sample]:
    for name, value in source.limits.items():
        yield (name,), value


METRICS: tuple[MetricRow, ...] = (
    MetricRow(
        "build",
        "info",
        ("version", "python"),
        "The version that runs.",
        lambda _: [((__version__, platform.python_version()), 1)],
    ),
    MetricRow(
        "client_connections",
        "gauge",
        (),
        "Client connections open.",
        _number("client_connections"),
    ),
    MetricRow(
        "client_connections_by_state",
        "gauge",
        ("state",),
        "Client connections open by what they do: `starting` until authenticated, `active` in a statement or "
        "transaction, else `idle`.",
        _states,
    ),
    MetricRow(
        "server_connections",
        "gauge",
        (),
        "Connections to the upstream open.",
        _number("server_connections"),
    ),
    MetricRow(
        "connections",
        "counter",
        (),
        "Client connections accepted, cancel requests included.",
        _number("connections_total"),
    ),
    MetricRow(
        "connections_refused",
        "counter",
        ("reason",),
        "Client connections turned away before they reached the server.",
        _by("connections_refused"),
    ),
    MetricRow("bytes", "counter", ("sender",), "Bytes received, by who sent them.", _bytes),
    MetricRow(
        "statements",
        "counter",
        ("verb",),
        "Statements completed, by the verb of the command tag.",
        _by("statements"),
    ),
    MetricRow(
        "errors",
        "counter",
        ("sqlstate_class",),
        "ErrorResponses that reached clients, by the first two characters of the SQLSTATE.",
        _by("errors"),
    ),
    MetricRow(
        "own_share_seconds",
        "histogram",
        (),
        "The proxy's own share of the latency: from receiving a chunk until it is handed on and observed.",
        histograms=lambda s: [((), *own_share(s.counters))],
    ),
    MetricRow(
        "cancel_requests",
        "counter",
        ("result",),
        "Cancel requests: `forwarded`, `unknown` key, or `failed` to reach the server.",
        _by("cancel_requests"),
    ),
    MetricRow(
        "server_connect_failures",
        "counter",
        ("host",),
        "Failed attempts to reach an upstream host.",
        _by("server_connect_failures"),
    ),
    MetricRow(
        "tls_handshake_failures",
        "counter",
        ("leg",),
        "TLS handshakes that failed, with a `client` or with the `server`.",
        _by("tls_handshake_failures"),
    ),
    MetricRow(
        "streams_unobserved",
        "counter",
        ("reason",),
        "Connections whose stream stopped making sense; they are forwarded without being read.",
        _by("streams_unobserved"),
    ),
    MetricRow("limit", "gauge", ("limit",), "Limits and times as configured.", _limits),
    MetricRow(
        "limits_reached",
        "counter",
        ("limit",),
        "How often a configured limit was met.",
        _by("limits_reached"),
    ),
    MetricRow(
        "rules_reloads",
        "counter",
        ("result",),
        "Loads of the rule files: `applied`, `unchanged`, or `rejected` because of a mistake in them.",
        _by("reloads"),
    ),
    MetricRow(
        "rules_valid",
        "gauge",
        (),
        "1 while the rule files as they are now are in force, 0 while they are rejected.",
        lambda s: [((), 0 if s.status.rules.problems else 1)],
    ),
    MetricRow(
        "rules_loaded_timestamp_seconds",
        "gauge",
        (),
        "When the rule files were last found good.",
        lambda s: [((), s.status.rules.loaded_at.timestamp())],
    ),
    MetricRow(
        "tables",
        "gauge",
        ("requested", "effective"),
        "Tables with a rule, by the phase requested and the phase they are in.",
        _tables,
    ),
    MetricRow(
        "loop_lag_seconds",
        "gauge",
        (),
        "How late the event loop's last tick was; of the worst worker.",
        _number("loop_lag_seconds"),
    ),
    MetricRow(
        "loop_lag_max_seconds",
        "gauge",
        (),
        "The largest such lateness since the start.",
        _number("loop_lag_max"),
    ),
    MetricRow(
        "background_failures",
        "counter",
        ("task",),
        "Background tasks that failed and were started again.",
        _by("background_failures"),
    ),
    MetricRow(
        "worker_restarts",
        "counter",
        (),
        "Workers that died and were started again.",
        _number("worker_restarts"),
    ),
    MetricRow(
        "process_cpu_seconds",
        "counter",
        ("worker",),
        "User and system time of a worker process.",
        _process(lambda p: p.cpu_seconds),
    ),
    MetricRow(
        "process_resident_memory_bytes",
        "gauge",
        ("worker",),
        "Resident memory of a worker process.",
        _process(lambda p: p.rss_bytes),
    ),
    MetricRow(
        "process_open_fds",
        "gauge",
        ("worker",),
        "File descriptors open in a worker process.",
        _process(lambda p: p.open_fds),
    ),
    MetricRow(
        "process_max_fds",
        "gauge",
        ("worker",),
        "File descriptors a worker process may open.",
        _process(lambda p: p.max_fds),
    ),
    MetricRow(
        "process_start_time_seconds",
        "gauge",
        ("worker",),
        "When a worker process started, seconds since 1970.",
        _process(lambda p: p.started_at.timestamp()),
    ),
    *MIRROR_METRICS,
    *HISTORY_METRICS,
    *SHADOW_METRICS,
    *SERVING_METRICS,
)


def own_share(counters: Snapshot) -> tuple[list[tuple[str, float]], float]:
    """Cumulative buckets (bound in seconds, count) and the sum in seconds."""
    powers = range(FIRST_BUCKET, min(LAST_BUCKET + 1, OWN_SHARE_BUCKETS))
    return cumulative(counters["own_share"], powers), counters["own_share_sum"] / 1e9


def families(source: Source) -> Iterator[Metric]:
    """Every row of METRICS with its samples."""
    for row in METRICS:
        name, labels = PREFIX + row.name, list(row.labels)
        if row.kind == "histogram":
            histogram = HistogramMetricFamily(name, row.help, labels=labels)
            for values, buckets, total in row.histograms(source):
                histogram.add_metric(list(values), buckets, total)
            yield histogram
        elif row.kind == "info":
            info = InfoMetricFamily(name, row.help)
            for values, _ in row.read(source):
                info.add_metric([], dict(zip(labels, values, strict=True)))
            yield info
        else:
            kind = CounterMetricFamily if row.kind == "counter" else GaugeMetricFamily
            family = kind(name, row.help, labels=labels)
            for values, number in row.read(source):
                family.add_metric(list(values), number)
            yield family


class _OneScrape(Collector):
    def __init__(self, source: Source) -> None:
        self._source = source

    def collect(self) -> Iterator[Metric]:
        return families(self._source)


def expose(source: Source, accept: str = "") -> tuple[bytes, str]:
    """The text of one scrape and its content type, in the format that the Accept header asks for."""
    encode, content_type = choose_encoder(accept)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_OneScrape(source))
    return encode(registry), content_type
