"""What a metric is: a row that says how one scrape is turned into samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from proxy.admin.counters import Snapshot
from proxy.admin.mirror import MirrorReport
from proxy.admin.status import Status

PREFIX = "causeway_"

Kind = Literal["counter", "gauge", "histogram", "info"]
Sample = tuple[tuple[str, ...], float]
"""Label values and the value."""
Histogram = tuple[tuple[str, ...], Sequence[tuple[str, float]], float]
"""Label values, cumulative buckets (bound as written, count) ending with `+Inf`, and the sum."""


@dataclass(frozen=True)
class Source:
    """What one scrape is made of."""

    counters: Snapshot
    status: Status
    limits: Mapping[str, float]

    @cached_property
    def mirror(self) -> MirrorReport | None:
        """The mirror's part of `counters`."""
        found = self.counters["mirror"]
        return None if found is None else MirrorReport.model_validate(found)


@dataclass(frozen=True)
class MetricRow:
    name: str
    """Without prefix, and for counters without `_total`."""
    kind: Kind
    labels: tuple[str, ...]
    help: str
    read: Callable[[Source], Iterable[Sample]] = lambda _: ()
    histograms: Callable[[Source], Iterable[Histogram]] = lambda _: ()
    """Of a histogram, in place of `read`."""

    @property
    def shown_name(self) -> str:
        """As it stands in queries."""
        suffix = {"counter": "_total", "info": "_info"}.get(self.kind, "")
        return PREFIX + self.name + suffix


def cumulative(counts: Sequence[int], powers: Iterable[int]) -> list[tuple[str, float]]:
    """The buckets Prometheus is shown of a log2 histogram of nanoseconds, bounds in seconds.

    `counts[i]` are the durations below 2**i and not below 2**(i-1); what is below the first bound is counted there,
    what is above the last in `+Inf` only.
    """
    buckets = [(repr(2**power / 1e9), float(sum(counts[: power + 1]))) for power in powers]
    return [*buckets, ("+Inf", float(sum(counts)))]
