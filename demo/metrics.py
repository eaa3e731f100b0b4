"""What a scrape of /metrics says, and what two of them say together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from prometheus_client.parser import text_string_to_metric_families

Buckets = tuple[tuple[float, float], ...]
"""Of a histogram: upper bound (seconds, the last infinite) and the number of observations up to it, rising."""

_OWN_SHARE = "causeway_own_share_seconds"


@dataclass(frozen=True)
class Reading:
    """One scrape. Counters since the proxy's start."""

    at: float
    """time.monotonic() of the scrape."""
    statements: Mapping[str, float] = field(default_factory=dict)
    """By verb."""
    errors: Mapping[str, float] = field(default_factory=dict)
    """ErrorResponses passed on, by SQLSTATE class."""
    reloads: Mapping[str, float] = field(default_factory=dict)
    """By result: applied, unchanged, rejected."""
    cancels: Mapping[str, float] = field(default_factory=dict)
    """By result: forwarded, unknown, failed."""
    reads: Mapping[str, float] = field(default_factory=dict)
    """Of tables in `primary_switch`, by who has answered: store, postgres."""
    own_share: Buckets = ()
    connections: float = 0
    """Accepted."""
    clients: float = 0
    """Open."""
    servers: float = 0
    """Open."""
    bytes: float = 0
    """From both sides."""
    memory: float = 0
    """Resident bytes of all workers."""
    cpu: float = 0
    """Seconds of all workers."""

    @property
    def statements_total(self) -> float:
        return sum(self.statements.values())


def parse(text: str, at: float) -> Reading:
    """`text` in the Prometheus text format."""
    samples: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            samples.setdefault(sample.name, []).append((dict(sample.labels), sample.value))

    def total(name: str) -> float:
        return sum(value for _, value in samples.get(f"causeway_{name}", ()))

    def by(name: str, label: str) -> dict[str, float]:
        return {labels[label]: value for labels, value in samples.get(f"causeway_{name}", ())}

    def sums(name: str, label: str) -> dict[str, float]:
        found: dict[str, float] = {}
        for labels, value in samples.get(f"causeway_{name}", ()):
            found[labels[label]] = found.get(labels[label], 0.0) + value
        return found

    return Reading(
        at=at,
        statements=by("statements_total", "verb"),
        errors=by("errors_total", "sqlstate_class"),
        reloads=by("rules_reloads_total", "result"),
        cancels=by("cancel_requests_total", "result"),
        reads=sums("reads_total", "source"),
        own_share=tuple(
            sorted((float(labels["le"]), count) for labels, count in samples.get(f"{_OWN_SHARE}_bucket", ()))
        ),
        connections=total("connections_total"),
        clients=total("client_connections"),
        servers=total("server_connections"),
        bytes=total("bytes_total"),
        memory=total("process_resident_memory_bytes"),
        cpu=total("process_cpu_seconds_total"),
    )


@dataclass(frozen=True)
class Traffic:
    """Between two scrapes."""

    statements_per_second: float = 0
    bytes_per_second: float = 0
    cpu: float = 0
    """Cores in use: 1 is one core fully."""
    own_share_p50: float | None = None
    """Seconds; None where nothing passed."""
    own_share_p99: float | None = None


def between(earlier: Reading, later: Reading) -> Traffic:
    seconds = later.at - earlier.at
    if seconds <= 0:
        return Traffic()
    buckets = subtract(later.own_share, earlier.own_share)
    return Traffic(
        statements_per_second=(later.statements_total - earlier.statements_total) / seconds,
        bytes_per_second=(later.bytes - earlier.bytes) / seconds,
        cpu=(later.cpu - earlier.cpu) / seconds,
        own_share_p50=quantile(buckets, 0.5),
        own_share_p99=quantile(buckets, 0.99),
    )


def subtract(later: Buckets, earlier: Buckets) -> Buckets:
    """What was observed since; all of it where there is nothing earlier."""
    if not earlier:
        return later
    return tuple((bound, count - before) for (bound, count), (_, before) in zip(later, earlier, strict=True))


def quantile(buckets: Sequence[tuple[float, float]], q: float) -> float | None:
    """Seconds below which the share `q` of the observations lies, in a straight line within its bucket.

    None without observations; in the last, infinite bucket its lower bound. The answer is as exact as the
    buckets are narrow: the proxy's double from one to the next.
    """
    if not buckets or buckets[-1][1] <= 0:
        return None
    rank = q * buckets[-1][1]
    for (low, below), (high, count) in pairwise(((0.0, 0.0), *buckets)):
        if count >= rank and count > below:
            return low if high == float("inf") else low + (high - low) * (rank - below) / (count - below)
    return buckets[-1][0]
