"""When a store is not asked at all: after failures, until probes succeed again. Pure: the time is given.

Closed, every read may go. It opens when several reads in a row fail, or when the share of those that fail passes a
bound; then none may go until a pause is over. After it one read at a time goes as a probe (half open): so many
successes in a row close it, a failure opens it again for a longer pause. What a read that began before the breaker
last changed says about the store is too old to count.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum


class State(Enum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class BreakerLimits:
    consecutive: int = 5
    """Failures in a row that open it."""
    rate: float = 0.5
    """Share of failures that opens it, ..."""
    least: int = 20
    """... of so many reads at least, ..."""
    window: float = 10.0
    """... within so many seconds."""
    pause: float = 1.0
    """Seconds before the first probe; doubled each time a probe fails, ..."""
    pause_max: float = 30.0
    """... up to this."""
    probes: int = 3
    """Successes in a row that close it."""
    remembered: int = 1000
    """Reads that the rate is taken over, at most."""


class Breaker:
    """Of one store. Every `enter` that says yes is followed by one `succeeded`, `failed` or `left`."""

    def __init__(self, limits: BreakerLimits | None = None) -> None:
        self.limits = limits or BreakerLimits()
        self.state = State.CLOSED
        self.opened = 0
        """How often it has opened."""
        self._epoch = 0
        """Rises with every change of state."""
        self._row = 0
        """Failures in a row while closed, successes in a row while half open."""
        self._recent: deque[tuple[float, bool]] = deque(maxlen=self.limits.remembered)
        """When reads of this epoch ended, and whether they failed."""
        self._failures = 0
        """Among these."""
        self._pause = self.limits.pause
        self._until = 0.0
        """When the pause is over."""
        self._probing = False

    def refuses(self, now: float) -> bool:
        """Whether `enter` would."""
        if self.state is State.CLOSED:
            return False
        return self._probing or (self.state is State.OPEN and now < self._until)

    def enter(self, now: float) -> int:
        """A read that may go gets a number, to be told of its end with; 0: it may not."""
        if self.state is State.CLOSED:
            return self._epoch + 1
        if self.refuses(now):
            return 0
        if self.state is State.OPEN:
            self._turn(State.HALF_OPEN)
        self._probing = True
        return self._epoch + 1

    def succeeded(self, number: int, now: float) -> None:
        """The store has answered."""
        if number != self._epoch + 1:
            return
        if self.state is State.HALF_OPEN:
            self._probing = False
            self._row += 1
            if self._row >= self.limits.probes:
                self._pause = self.limits.pause
                self._turn(State.CLOSED)
            return
        self._row = 0
        self._count(now, False)

    def failed(self, number: int, now: float) -> None:
        """The store has not answered, not in time, or refuses whatever it is asked."""
        if number != self._epoch + 1:
            return
        if self.state is State.HALF_OPEN:
            self._pause = min(2 * self._pause, self.limits.pause_max)
            self._open(now)
            return
        self._row += 1
        self._count(now, True)
        many = len(self._recent) >= self.limits.least
        if self._row >= self.limits.consecutive or (
            many and self._failures >= self.limits.rate * len(self._recent)
        ):
            self._open(now)

    def left(self, number: int) -> None:
        """The read has ended without telling anything about the store."""
        if number == self._epoch + 1 and self.state is State.HALF_OPEN:
            self._probing = False

    def _count(self, now: float, failed: bool) -> None:
        recent = self._recent
        while recent and (recent[0][0] <= now - self.limits.window or len(recent) == recent.maxlen):
            self._failures -= recent.popleft()[1]
        recent.append((now, failed))
        self._failures += failed

    def _open(self, now: float) -> None:
        self.opened += 1
        self._until = now + self._pause
        self._turn(State.OPEN)

    def _turn(self, state: State) -> None:
        self.state = state
        self._epoch += 1
        self._row = 0
        self._probing = False
        self._recent.clear()
        self._failures = 0
