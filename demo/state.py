"""What the demo knows at a moment: written by the story, read by the view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from demo.clerks import Report
from demo.metrics import Reading, Traffic, between
from demo.pgbench import Progress
from demo.side_by_side import Comparison
from proxy.admin.status import Status

StepStatus = Literal["waiting", "running", "done", "failed", "skipped"]

WINDOW_SECONDS = 2.0
"""What "now" means for rates and for the proxy's own share."""
KEPT_READINGS = 200


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
    comparisons: list[Comparison] = field(default_factory=list)
    expectations: list[Expectation] = field(default_factory=list)
    ended: float | None = None
    """time.monotonic(), once all is over."""
    interrupted: bool = False

    def expect(self, name: str, held: bool, seen: str = "") -> None:
        """Note that something must be so and whether it is. What did not hold once stays so.

        Expected again, it keeps what was seen before unless there is something new to say.
        """
        for number, known in enumerate(self.expectations):
            if known.name == name:
                if known.held:
                    self.expectations[number] = Expectation(name, held, seen or known.seen)
                return
        self.expectations.append(Expectation(name, held, seen))

    def add(self, reading: Reading) -> None:
        self.readings.append(reading)
        del self.readings[:-KEPT_READINGS]

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
