"""Batches on their way to a store: what goes together, what waits, what is tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.mirror.held import Held
from proxy.mirror.lane import Lane
from proxy.mirror.lanes import Lanes
from proxy.mirror.meters import Meters
from proxy.mirror.port import MirrorLimits
from proxy.stores.protocol import Key, Namespace, Outcome, Poison, StoreUnavailable, Write
from tests.mirror.world import ACCOUNTS, ACCOUNTS_ID, DATABASE, NOTES, FaultyStore, Gaps, until

LIMITS = MirrorLimits(mirror_batch=4, mirror_lanes=2, mirror_linger=0.01, retry_backoff_max=0.05)


class Bench:
    def __init__(self, limits: MirrorLimits = LIMITS) -> None:
        self.store = FaultyStore()
        self.gaps = Gaps()
        self.finished: list[Held] = []
        self.meters = Meters(asyncio.get_running_loop().time)
        self.lanes = Lanes(
            self.store, limits, self.gaps, self.meters, self.finished.append, chance=lambda: 1.0
        )

    def lane(self, namespace: Namespace = ACCOUNTS) -> Lane:
        meter = self.meters.table(DATABASE, namespace.collection)
        return self.lanes.lane(namespace, DATABASE, ACCOUNTS_ID, meter)

    def put(
        self,
        id: int,
        version: int,
        *,
        lane: Lane | None = None,
        held: Held | None = None,
        urgent: bool = False,
    ) -> Held:
        held = held or Held(DATABASE, [], 1, version, asyncio.get_running_loop().time())
        held.urgent = urgent
        write = Write(Key(id, id), {"_id": id, "name": str(version)}, version)
        self.lanes.put(lane or self.lane(), write, held, lambda write: None)
        return held

    def sent(self) -> list[list[int]]:
        return [[write.key.value for write in writes] for _, writes, _ in self.store.batches]


async def test_writes_gather_for_a_while_then_go_together() -> None:
    bench = Bench()
    for id in range(3):
        bench.put(id, 10)
    await asyncio.sleep(0)
    assert bench.sent() == []
    await until(lambda: len(bench.finished) == 3)
    assert bench.sent() == [[0, 1, 2]]


async def test_a_full_batch_and_one_somebody_waits_for_go_at_once() -> None:
    bench = Bench(replace(LIMITS, mirror_linger=30.0))
    bench.put(1, 10, urgent=True)
    await until(lambda: len(bench.finished) == 1)
    for id in range(9):
        bench.put(id, 20)
    await until(lambda: len(bench.finished) == 9)
    assert [len(batch) for batch in bench.sent()] == [1, 4, 4]
    await bench.lanes.stop()


async def test_no_more_operations_at_once_than_lanes_and_none_of_the_same_key() -> None:
    bench = Bench()
    bench.store.gate = asyncio.Event()
    for id in range(20):
        bench.put(id, 10)
    await until(lambda: len(bench.sent()) == 2)
    for id in range(20):
        bench.put(id, 20)
    await asyncio.sleep(0.05)
    assert bench.sent() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert bench.lane().meter.queued == 40
    bench.store.gate.set()
    await until(lambda: len(bench.finished) == 40)
    assert set(bench.store.rows().values()) == {"20"}
    assert (bench.lane().meter.queued, bench.lane().oldest()) == (0, None)


async def test_one_collection_that_fails_does_not_hold_up_another() -> None:
    bench = Bench()

    class Partly(FaultyStore):
        async def apply(
            self, namespace: Namespace, writes: Sequence[Write], *, replay: bool = False
        ) -> list[Outcome | Poison]:
            if namespace == ACCOUNTS:
                raise StoreUnavailable("that shard is away")
            return await super().apply(namespace, writes, replay=replay)

    bench.lanes._store = store = Partly()
    for id in range(30):
        bench.put(id, 10)
        bench.put(id, 10, lane=bench.lane(NOTES))
    await until(lambda: len(store.rows(NOTES)) == 30)
    assert bench.lane().meter.retried > 0
    await bench.lanes.stop()


async def test_backoff_grows_to_its_bound_and_batches_shrink() -> None:
    bench = Bench(replace(LIMITS, mirror_batch=64, retry_backoff_max=0.4))
    bench.store.down()
    bench.put(1, 10)
    lane = bench.lane()
    pauses = []
    for attempt in range(1, 7):
        await until(lambda attempt=attempt: lane.attempts == attempt)  # type: ignore[misc]
        pauses.append(round(lane.due - asyncio.get_running_loop().time(), 2))
    assert all(pause <= bound for pause, bound in zip(pauses, (0.05, 0.1, 0.2, 0.4, 0.4, 0.4), strict=True))
    assert pauses[-1] > 0.3
    assert lane.batch == 1
    bench.store.failure = None
    await until(lambda: len(bench.finished) == 1)
    assert (lane.attempts, lane.batch) == (0, 2)


async def test_a_store_that_never_answers_is_given_up_on() -> None:
    bench = Bench(replace(LIMITS, store_timeout=0.02))
    bench.store.gate = asyncio.Event()
    bench.put(1, 10)
    await until(lambda: bench.lane().meter.retried > 0)
    assert (bench.meters.store, bench.meters.store_error) == ("away", "no answer within 0.04 s")
    bench.store.gate.set()
    await until(lambda: bench.store.rows() == {1: "10"})


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 5), st.integers(1, 30), st.sampled_from(["put", "put", "down", "up", "turn"])
        ),
        max_size=40,
    )
)
async def test_whatever_happens_the_newest_of_each_key_arrives_and_everybody_is_told(
    steps: list[tuple[int, int, str]],
) -> None:
    bench = Bench(replace(LIMITS, mirror_linger=0.0, retry_backoff_max=0.001, mirror_batch=3))
    newest: dict[int, int] = {}
    put = 0
    for id, version, what in steps:
        if what == "put":
            bench.put(id, version)
            newest[id] = max(version, newest.get(id, 0))
            put += 1
        elif what == "down":
            bench.store.down()
            bench.store.half = bool(version % 2)
        elif what == "up":
            bench.store.failure = None
        else:
            await asyncio.sleep(0.001)
    bench.store.failure = None
    await until(lambda: len(bench.finished) == put)
    assert bench.store.rows() == {id: str(version) for id, version in newest.items()}
    assert bench.lane().meter.queued == 0
    await bench.lanes.stop()


async def test_a_batch_that_fails_while_another_lane_has_its_turn_is_sent_again() -> None:
    bench = Bench()
    bench.store.gate = asyncio.Event()
    bench.store.failure = StoreUnavailable("it is away")
    bench.put(1, 10, urgent=True)
    await until(lambda: len(bench.store.batches) == 1)
    bench.put(2, 10, lane=bench.lane(NOTES), urgent=True)
    await until(lambda: len(bench.store.batches) == 2)
    bench.store.gate.set()
    await until(lambda: bench.lane().meter.retried > 0)
    bench.store.failure = None
    await until(lambda: len(bench.finished) == 2)
    assert bench.store.rows() == {1: "10"}
