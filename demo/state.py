"""What the demo knows at a moment: written by the story, read by the view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import Any, Literal, Self

from demo.clerks import Report
from demo.equality import Equality
from demo.figures import duration, number
from demo.metrics import Reading, Traffic, between
from demo.pgbench import Progress
from demo.side_by_side import Comparison
from proxy.admin.shadow import StatementStatus
from proxy.admin.status import Status

StepStatus = Literal["waiting", "running", "done", "failed", "skipped"]

WINDOW_SECONDS = 2.0
"""What "now" means for rates and for the proxy's own share."""
KEPT_READINGS = 200
KEPT_REPORTS = 1000
COPIED = "the history is copied"
"""Title of the step in which a backfill is shown."""


@dataclass
class Step:
    title: str
    status: StepStatus = "waiting"
    detail: str = ""
    """What is going on, then what has come of it."""
    began: float = 0.0
    """time.monotonic()."""
    ended: float = 0.0

    def seconds(self, now: float) -> float:
        if self.status == "waiting" or self.status == "skipped":
            return 0.0
        return (now if self.status == "running" else self.ended) - self.began


@dataclass(frozen=True)
class Expectation:
    """Something that must be so, and what was seen."""

    name: str
    held: bool
    seen: str = ""


@dataclass(frozen=True)
class LogLine:
    """Of the proxy's log."""

    level: str
    """`info`, `warning`, `error`, ..."""
    text: str


@dataclass(frozen=True)
class Waiting:
    """What waits for the document store, at a moment."""

    at: float
    """time.monotonic()."""
    images: int = 0
    spooled: int = 0
    """Transactions on the proxy's disk."""
    behind: float = 0.0
    """Age of the oldest commit that is not in the store, seconds."""

    @classmethod
    def of(cls, status: Status, at: float) -> Self:
        mirrors = [table.mirror for table in status.tables if table.mirror is not None]
        return cls(
            at,
            sum(mirror.queued for mirror in mirrors),
            status.mirror.spool_entries if status.mirror else 0,
            max((mirror.lag_seconds for mirror in mirrors), default=0.0),
        )


@dataclass(frozen=True)
class Work:
    """How the shop worked for a while."""

    p50: float
    """Of an action, seconds: the median of those of its reports."""
    actions_per_second: float


@dataclass(frozen=True)
class Outage:
    """The document store was gone."""

    seconds: float
    before: Work
    during: Work
    most_images: int
    """That waited for it."""
    most_spooled: int
    """Transactions on disk."""
    told: str
    """What `causeway status` said meanwhile."""
    caught_up: float | None = None
    """Seconds from its return until the documents were no further behind than before."""


@dataclass(frozen=True)
class Served:
    """Reads of tables in `primary_switch`, for a while."""

    store: int
    postgres: int
    work: Work

    @property
    def share(self) -> float:
        """Answered by the documents, 0 to 1."""
        return self.store / max(1, self.store + self.postgres)


@dataclass(frozen=True)
class Copying:
    """How far a backfill is."""

    table: str
    share: float | None
    """0 to 1."""
    rows: int
    rate: float
    """Rows a second."""
    remaining: float | None
    """Seconds."""
    said: str
    """Its status, or what holds it back."""

    @classmethod
    def of(cls, line: Mapping[str, Any]) -> Self:
        """Of a line of `causeway backfill --json`."""
        return cls(
            str(line["table"]),
            line["share"],
            line["rows"],
            line["rate"],
            line["remaining_seconds"],
            line["throttled"] or line["status"],
        )

    @property
    def told(self) -> str:
        """In a few words."""
        parts = [f"{number(self.rows)} rows"]
        if self.share is not None:
            parts[0] += f" ({int(self.share * 100)} %)"
        if self.rate:
            parts.append(f"{number(self.rate)}/s")
        if self.remaining is not None and self.said == "running":
            parts.append(f"{duration(self.remaining)} left")
        return ", ".join([*parts, self.said])


@dataclass(frozen=True)
class Pair:
    """A row and its document."""

    step: str
    """In which it is shown."""
    title: str
    row: Mapping[str, str]
    """Text output, by column."""
    document: str


@dataclass
class State:
    started: float
    """time.monotonic()."""
    steps: list[Step]
    postgres: str = ""
    """Name and version."""
    store: str = ""
    """Name and version."""
    proxy: str = ""
    """Where applications find it."""
    status: Status | None = None
    copying: Copying | None = None
    """Of the backfill, as it last said."""
    copied: str = ""
    """What has come of it."""
    readings: list[Reading] = field(default_factory=list)
    shop: Report | None = None
    pgbench: dict[str, Progress] = field(default_factory=dict)
    """By protocol, while it runs."""
    pgbench_transactions: int = 0
    """Once it has run."""
    pgbench_failed: int = 0
    rule_file: str = ""
    """As it is on disk."""
    rules_changed: frozenset[int] = frozenset()
    """Lines (from 1) that the last edit has changed."""
    rules_rejected: bool = False
    """Whether the proxy has refused the file as it is."""
    events: list[LogLine] = field(default_factory=list)
    """What the proxy has logged."""
    documents: Mapping[str, int] = field(default_factory=dict)
    """By collection, when last counted."""
    waiting: list[Waiting] = field(default_factory=list)
    """For the store; the newest last."""
    store_stopped: bool = False
    pair: Pair | None = None
    outage: Outage | None = None
    shadowed: tuple[StatementStatus, ...] = ()
    """The reads that were compared most, with their times on both sides."""
    served: Served | None = None
    equalities: list[Equality] = field(default_factory=list)
    compared_in: str = ""
    """The step in which they were found."""
    compared: Status | None = None
    """When they were found."""
    reports: list[tuple[float, Report]] = field(default_factory=list)
    """Of the shop, each with time.monotonic(); the newest last."""
    comparisons: list[Comparison] = field(default_factory=list)
    expectations: list[Expectation] = field(default_factory=list)
    ended: float | None = None
    """time.monotonic(), once all is over."""
    interrupted: bool = False

    def expect(self, name: str, held: bool, seen: str = "") -> None:
        """Note that something must be so and whether it is. What did not hold once stays so.

        Expected again, it keeps what was seen before unless there is something new to say.
        """
        for place, known in enumerate(self.expectations):
            if known.name == name:
                if known.held:
                    self.expectations[place] = Expectation(name, held, seen or known.seen)
                return
        self.expectations.append(Expectation(name, held, seen))

    def add(self, reading: Reading) -> None:
        self.readings.append(reading)
        del self.readings[:-KEPT_READINGS]

    def wait(self, waiting: Waiting) -> None:
        self.waiting.append(waiting)
        del self.waiting[:-KEPT_READINGS]

    def report(self, report: Report, at: float) -> None:
        """Of the shop."""
        self.shop = report
        self.reports.append((at, report))
        del self.reports[:-KEPT_REPORTS]

    def work(self, since: float, until: float) -> Work:
        """Of the shop between two moments."""
        reports = [(at, report) for at, report in self.reports if since <= at <= until]
        if len(reports) < 2:
            return Work(0.0, 0.0)
        (first, earliest), (last, latest) = reports[0], reports[-1]
        p50s = [report.p50 for _, report in reports[1:] if report.p50]
        return Work(
            median(p50s) if p50s else 0.0, (latest.actions - earliest.actions) / max(last - first, 1e-9)
        )

    @property
    def last(self) -> Reading | None:
        return self.readings[-1] if self.readings else None

    @property
    def traffic(self) -> Traffic:
        """Of the last WINDOW_SECONDS."""
        if len(self.readings) < 2:
            return Traffic()
        last = self.readings[-1]
        first = next(
            (r for r in reversed(self.readings[:-1]) if last.at - r.at >= WINDOW_SECONDS), self.readings[0]
        )
        return between(first, last)

    def rates(self, number: int) -> Sequence[float]:
        """Statements a second between the last `number` + 1 readings."""
        return [
            between(earlier, later).statements_per_second
            for earlier, later in pairwise(self.readings[-number - 1 :])
        ]

    @property
    def application_errors(self) -> int:
        return (
            (self.shop.errors if self.shop else 0)
            + self.pgbench_failed
            + sum(progress.failed for progress in self.pgbench.values())
        )

    @property
    def failed_step(self) -> Step | None:
        return next((step for step in self.steps if step.status == "failed"), None)

    @property
    def success(self) -> bool:
        return (
            not self.interrupted
            and all(step.status == "done" for step in self.steps)
            and all(expectation.held for expectation in self.expectations)
        )
