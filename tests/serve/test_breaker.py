"""What holds whatever the reads of a store come to."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from proxy.serve.breaker import Breaker, BreakerLimits, State

LIMITS = BreakerLimits(consecutive=3, rate=0.5, least=8, window=10.0, pause=1.0, pause_max=4.0, probes=2)


def state(breaker: Breaker) -> State:
    return breaker.state


def failing(breaker: Breaker, now: float, times: int) -> None:
    for _ in range(times):
        breaker.failed(breaker.enter(now), now)


def test_failures_in_a_row_open_it_and_a_success_between_does_not() -> None:
    breaker = Breaker(LIMITS)
    failing(breaker, 0.0, 2)
    breaker.succeeded(breaker.enter(0.0), 0.0)
    failing(breaker, 0.0, 2)
    assert state(breaker) is State.CLOSED
    failing(breaker, 0.0, 1)
    assert state(breaker) is State.OPEN
    assert breaker.opened == 1
    assert breaker.refuses(0.5)
    assert breaker.enter(0.5) == 0


def test_a_share_of_failures_opens_it() -> None:
    breaker = Breaker(LIMITS)
    for place in range(7):
        number = breaker.enter(float(place))
        (breaker.failed if place % 2 else breaker.succeeded)(number, float(place))
    assert state(breaker) is State.CLOSED  # fewer than `least`
    breaker.failed(breaker.enter(7.0), 7.0)
    assert state(breaker) is State.OPEN


def test_failures_before_the_window_do_not_count() -> None:
    breaker = Breaker(LIMITS)
    for place in range(6):
        number = breaker.enter(0.0)
        (breaker.failed if place % 2 else breaker.succeeded)(number, 0.0)
    for place in range(8):
        number = breaker.enter(11.0)
        (breaker.failed if place in (3, 6) else breaker.succeeded)(number, 11.0)
    assert state(breaker) is State.CLOSED


def test_probes_close_it_one_at_a_time() -> None:
    breaker = Breaker(LIMITS)
    failing(breaker, 0.0, 3)
    assert not breaker.refuses(1.0)
    probe = breaker.enter(1.0)
    assert probe
    assert state(breaker) is State.HALF_OPEN
    assert breaker.enter(1.0) == 0  # while the first is under way
    breaker.succeeded(probe, 1.1)
    breaker.succeeded(breaker.enter(1.2), 1.3)
    assert state(breaker) is State.CLOSED
    assert not breaker.refuses(1.3)


def test_a_probe_that_fails_doubles_the_pause_up_to_its_bound() -> None:
    breaker = Breaker(LIMITS)
    failing(breaker, 0.0, 3)
    now = 0.0
    for pause in (1.0, 2.0, 4.0, 4.0):
        assert breaker.refuses(now + pause - 0.01)
        now += pause
        breaker.failed(breaker.enter(now), now)
    assert breaker.opened == 5
    now += 4.0
    for _ in range(2):
        breaker.succeeded(breaker.enter(now), now)
    failing(breaker, now, 3)
    assert not breaker.refuses(now + 1.0)  # back to the first pause


def test_a_probe_that_is_given_up_makes_room_for_another() -> None:
    breaker = Breaker(LIMITS)
    failing(breaker, 0.0, 3)
    probe = breaker.enter(2.0)
    breaker.left(probe)
    assert state(breaker) is State.HALF_OPEN
    assert breaker.enter(2.0)


def test_reads_that_began_before_it_opened_are_not_counted() -> None:
    breaker = Breaker(LIMITS)
    old = [breaker.enter(0.0) for _ in range(10)]
    for number in old[:3]:
        breaker.failed(number, 0.0)
    probe = breaker.enter(1.0)
    for number in old[3:]:
        breaker.failed(number, 1.0)
        breaker.succeeded(number, 1.0)
        breaker.left(number)
    assert state(breaker) is State.HALF_OPEN
    assert breaker.opened == 1
    assert breaker.enter(1.0) == 0  # the probe is still under way
    breaker.succeeded(probe, 1.0)
    assert breaker.enter(1.0)


class Life(RuleBasedStateMachine):
    """Reads come and end in any order, at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker(LIMITS)
        self.now = 0.0
        self.under_way: list[tuple[int, State]] = []

    @rule(seconds=st.floats(0, 12))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def begin(self) -> None:
        refused = self.breaker.refuses(self.now)
        number = self.breaker.enter(self.now)
        assert bool(number) is not refused
        if number:
            self.under_way.append((number, self.breaker.state))

    @precondition(lambda self: self.under_way)
    @rule(place=st.integers(0, 1000), how=st.sampled_from(("succeeded", "failed", "left")))
    def end(self, place: int, how: str) -> None:
        number, _ = self.under_way.pop(place % len(self.under_way))
        if how == "left":
            self.breaker.left(number)
        else:
            getattr(self.breaker, how)(number, self.now)

    @invariant()
    def one_probe_at_most(self) -> None:
        if state(self.breaker) is State.HALF_OPEN:
            current = self.breaker._epoch + 1
            assert sum(number == current for number, _ in self.under_way) <= 1

    @invariant()
    def never_shut_for_good(self) -> None:
        """With nothing under way, it lets a read through after the longest pause."""
        if not self.under_way:
            assert not self.breaker.refuses(self.now + LIMITS.pause_max)

    @invariant()
    def what_is_remembered_is_bounded(self) -> None:
        breaker = self.breaker
        assert len(breaker._recent) <= LIMITS.remembered
        assert breaker._failures == sum(failed for _, failed in breaker._recent)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@given(st.lists(st.booleans(), max_size=200), st.integers(1, 6), st.integers(1, 30))
def test_a_store_that_only_fails_is_asked_no_more_than_the_limit(
    ends: list[bool], consecutive: int, waiting: int
) -> None:
    """However many wait at once: after the failures in a row everything that is new is refused."""
    breaker = Breaker(BreakerLimits(consecutive=consecutive))
    under_way = [breaker.enter(0.0) for _ in range(waiting)]
    assert all(under_way)
    for number in under_way:
        breaker.failed(number, 0.0)
    if waiting >= consecutive:
        assert breaker.enter(0.0) == 0
    for healthy in ends:
        if number := breaker.enter(0.5):
            (breaker.succeeded if healthy else breaker.failed)(number, 0.5)
    if waiting >= consecutive:
        assert state(breaker) is State.OPEN


@pytest.mark.parametrize("remembered", [8, 20])
def test_the_oldest_are_forgotten(remembered: int) -> None:
    breaker = Breaker(BreakerLimits(consecutive=100, least=8, rate=0.9, remembered=remembered))
    for _ in range(50):
        breaker.succeeded(breaker.enter(0.0), 0.0)
    failing(breaker, 0.0, remembered - 1)
    assert breaker.opened == (remembered > 9)
