"""Any interleaving of workers, kills and take-overs covers every key once and comes to an end."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from proxy.backfill.moves import (
    cancel,
    claim_next,
    fail,
    finish,
    join,
    leave,
    needs_sweep,
    owns,
    pause,
    resume,
    say,
    swept,
    take_over,
    tune,
)
from proxy.backfill.run import Boundary, Claim, Counts, Run, Status, Tuning, Worker

START = datetime(2026, 1, 1, tzinfo=UTC)


def new(**given: object) -> Run:
    made = Run("shop.public.orders", 1, 16384, ("id",), START, START, 100)
    return replace(made, **given)  # type: ignore[arg-type]


def boundary(keys: list[int], low: tuple[str, ...] | None, limit: int) -> Boundary:
    """What PostgreSQL says of a table with these keys."""
    rest = sorted(key for key in keys if low is None or key > int(low[0]))
    part = rest[:limit]
    return Boundary(low, (str(part[-1]),) if part else None, len(part), len(rest) <= limit)


def covered(claim: Claim, keys: list[int]) -> list[int]:
    return [
        key
        for key in sorted(keys)
        if (claim.low is None or key > int(claim.low[0])) and key <= int(claim.high[0])
    ]


WORKERS = ("a", "b", "c")

STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["claim", "finish", "kill", "leave"]), st.sampled_from(WORKERS)),
        st.tuples(st.sampled_from(["pause", "resume"]), st.just("")),
    ),
    max_size=60,
)


class World:
    """A run, what its workers believe they hold, and what was copied."""

    def __init__(self, keys: list[int], limit: int) -> None:
        self.keys = keys
        self.limit = limit
        self.run = new()
        self.now = START
        self.copied: list[int] = []
        self.finished: list[int] = []
        self.holds: dict[str, list[Claim]] = {worker: [] for worker in (*WORKERS, "last")}
        self.gone: set[str] = set()

    def step(self, action: str, worker: str) -> None:
        self.now += timedelta(seconds=1)
        if action == "claim":
            self.claim(worker)
        elif action == "finish" and self.holds[worker]:
            claim = self.holds[worker].pop(0)
            self.copied += covered(claim, self.keys)
            after = finish(self.run, worker, claim.number, Counts(rows=1), 7, self.now)
            assert (after is not None) == owns(self.run, worker, claim.number)
            if after is not None:
                self.run = after
                self.finished += covered(claim, self.keys)
        elif action == "kill":
            # Declared gone: it may still finish late, which must not count.
            self.gone.add(worker)
        elif action == "leave":
            self.run = leave(self.run, worker, self.now)
            self.holds[worker] = []
        elif action == "pause":
            self.run = pause(self.run, "by hand", self.now)
        elif action == "resume":
            self.run = resume(self.run, self.now)

    def claim(self, worker: str) -> None:
        self.gone.discard(worker)
        self.run, claim = take_over(self.run, worker, self.gone, self.now)
        if claim is None:
            asked = boundary(self.keys, self.run.cursor, self.limit)
            self.run, claim = claim_next(self.run, worker, asked, self.now)
        if claim is not None:
            self.holds[worker].append(claim)


@given(
    keys=st.lists(st.integers(-1000, 1000), unique=True, max_size=40), limit=st.integers(1, 10), steps=STEPS
)
def test_any_interleaving_covers_every_key_exactly_once(
    keys: list[int], limit: int, steps: list[tuple[str, str]]
) -> None:
    world = World(keys, limit)
    for action, worker in steps:
        world.step(action, worker)
        under_way = [key for claim in world.run.claims for key in covered(claim, keys)]
        assert not set(under_way) & set(world.finished)
    # All of them die; somebody else must end it, within as many steps as there can be chunks.
    world.gone |= set(WORKERS)
    world.step("resume", "")
    for _ in range(2 * len(keys) + 2):
        world.step("claim", "last")
        world.step("finish", "last")
    if needs_sweep(world.run):
        assert world.run.doubt is not None
        world.run = swept(world.run, world.run.doubt, world.now) or world.run
    assert world.run.status is Status.DONE
    assert sorted(world.finished) == sorted(keys)
    assert set(world.copied) == set(keys)
    assert world.run.totals.keys == len(keys)
    assert world.run.totals.chunks == world.run.claimed


@given(keys=st.lists(st.integers(-1000, 1000), unique=True, max_size=40), limit=st.integers(1, 10))
def test_claims_cut_the_keys_into_pieces_in_order(keys: list[int], limit: int) -> None:
    run, claims = new(), []
    while True:
        run, claim = claim_next(run, "a", boundary(keys, run.cursor, limit), START)
        if claim is None:
            break
        claims.append(claim)
    assert [key for claim in claims for key in covered(claim, keys)] == sorted(keys)
    assert [claim.number for claim in claims] == list(range(1, len(claims) + 1))
    assert all(one.high == other.low for one, other in pairwise(claims))


def test_a_boundary_of_another_cursor_claims_nothing() -> None:
    run, _ = claim_next(new(), "a", Boundary(None, ("5",), 5, False), START)
    again, claim = claim_next(run, "b", Boundary(None, ("5",), 5, False), START)
    assert claim is None
    assert again == run


def test_an_empty_table_is_done_at_once() -> None:
    run, claim = claim_next(new(), "a", Boundary(None, None, 0, True), START)
    assert claim is None
    assert run.status is Status.DONE
    assert run.ended == START


def test_a_killed_worker_s_chunk_is_taken_over_and_its_own_late_end_does_not_count() -> None:
    run = join(new(), "a", Worker("host", 1, START))
    run, claim = claim_next(run, "a", Boundary(None, ("5",), 5, True), START)
    assert claim is not None
    run, taken = take_over(run, "b", {"a"}, START)
    assert taken == replace(claim, owner="b")
    assert "a" not in run.workers
    assert finish(run, "a", claim.number, Counts(rows=5), 1, START) is None
    done = finish(run, "b", claim.number, Counts(rows=5), 1, START)
    assert done is not None
    assert done.totals == Counts(keys=5, rows=5, chunks=1)
    assert done.status is Status.RUNNING
    assert needs_sweep(done)
    assert swept(done, START + timedelta(seconds=1), START) is None
    clean = swept(done, START, START)
    assert clean is not None
    assert (clean.status, clean.doubt) == (Status.DONE, None)


def test_a_chunk_that_failed_half_way_casts_a_doubt() -> None:
    run, _ = claim_next(new(), "a", Boundary(None, ("5",), 5, True), START)
    done = finish(run, "a", 1, Counts(), 1, START, doubtful=True)
    assert done is not None
    assert needs_sweep(done)
    assert not needs_sweep(run)
    assert cancel(run, START).doubt == START
    assert cancel(new(), START).doubt is None


def test_only_claims_of_those_that_are_gone_are_taken_over() -> None:
    run, _ = claim_next(new(), "a", Boundary(None, ("5",), 5, True), START)
    again, taken = take_over(run, "b", {"c"}, START)
    assert taken is None
    assert again == run


def test_who_leaves_gives_back_what_it_has() -> None:
    run = join(new(), "a", Worker("host", 1, START))
    run, claim = claim_next(run, "a", Boundary(None, ("5",), 5, True), START)
    assert claim is not None
    run = leave(run, "a", START)
    assert not run.workers
    _, taken = take_over(run, "b", (), START)
    assert taken == replace(claim, owner="b")


def test_paused_nothing_is_begun_and_what_is_under_way_is_finished() -> None:
    run, claim = claim_next(new(), "a", Boundary(None, ("5",), 5, False), START)
    assert claim is not None
    run = pause(run, "by hand", START)
    assert run.reason == "by hand"
    assert claim_next(run, "a", Boundary(("5",), ("9",), 4, True), START)[1] is None
    finished = finish(run, "a", 1, Counts(), 1, START)
    assert finished is not None
    assert finished.status is Status.PAUSED
    going = resume(finished, START)
    assert (going.status, going.reason) == (Status.RUNNING, "")
    assert claim_next(going, "a", Boundary(("5",), ("9",), 4, True), START)[1] is not None


def test_a_pause_by_hand_outlasts_one_for_want_of_a_proxy() -> None:
    held = pause(new(), "proxy 1 does not mirror it", START, held=True)
    assert (held.status, held.held) == (Status.PAUSED, True)
    assert pause(held, "proxy 2 does not mirror it", START, held=True) is held
    by_hand = pause(held, "by hand", START)
    assert (by_hand.reason, by_hand.held) == ("by hand", False)
    assert pause(by_hand, "proxy 2 does not mirror it", START, held=True) is by_hand
    assert not resume(held, START).held


def test_the_last_chunk_ends_a_run_even_while_it_is_paused() -> None:
    run, _ = claim_next(new(), "a", Boundary(None, ("5",), 5, True), START)
    finished = finish(pause(run, "", START), "a", 1, Counts(), 1, START)
    assert finished is not None
    assert finished.status is Status.DONE


def test_nothing_counts_after_cancel() -> None:
    run, _ = claim_next(new(), "a", Boundary(None, ("5",), 5, False), START)
    run = cancel(run, START)
    assert finish(run, "a", 1, Counts(), 1, START) is None
    assert resume(run, START) == run
    assert pause(run, "", START) == run
    assert fail(run, "x", START) == run
    assert cancel(replace(run, status=Status.DONE), START).status is Status.DONE


def test_a_failed_run_goes_on_when_a_worker_joins() -> None:
    run, _ = claim_next(new(), "a", Boundary(None, ("5",), 5, False), START)
    run = fail(run, "no privilege", START)
    assert (run.status, run.reason, run.ended) == (Status.FAILED, "no privilege", START)
    run = join(run, "b", Worker("host", 2, START))
    assert (run.status, run.reason, run.ended) == (Status.RUNNING, "", None)
    assert run.cursor == ("5",)


def test_what_throttles_is_said() -> None:
    run = join(new(), "a", Worker("host", 1, START))
    assert say(run, "a", "replication lag").throttled == "replication lag"
    assert say(run, "a", "") is run
    assert say(run, "b", "x") is run
    assert pause(say(run, "a", "replication lag"), "", START).throttled == ""


def test_rate_share_and_what_remains_follow_the_marks() -> None:
    run, low = new(estimate=1000), None
    for n in range(1, 11):
        now = START + timedelta(seconds=10 * n)
        run, claim = claim_next(run, "a", Boundary(low, (str(n),), 50, False), now)
        assert claim is not None
        finished = finish(run, "a", claim.number, Counts(), 1, now + timedelta(seconds=10))
        assert finished is not None
        run, low = finished, claim.high
    assert run.share == 0.5
    assert 4 < run.rate < 6
    assert run.remaining is not None
    assert 80 < run.remaining < 130
    assert resume(pause(run, "", START), START + timedelta(hours=1)).rate == 0


def test_shares_and_rates_that_cannot_be_told() -> None:
    assert new(estimate=-1).share is None
    assert new().rate == 0
    assert new().remaining is None
    assert new(totals=Counts(keys=500)).share == 0.999
    assert new(status=Status.DONE, estimate=0).share == 1.0


def test_marks_are_bounded() -> None:
    run, low = new(), None
    for n in range(1, 100):
        now = START + timedelta(seconds=10 * n)
        run, claim = claim_next(run, "a", Boundary(low, (str(n),), 1, False), now)
        assert claim is not None
        low = claim.high
    assert len(run.marks) == 12


def test_tune() -> None:
    assert tune(new(), rate=5.0, concurrency=1).tuning == Tuning(rate=5.0, concurrency=1)
