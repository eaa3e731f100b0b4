"""One collection's writes: the newest of each key, none of a key that is under way."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy.mirror.effects import Rows
from proxy.mirror.held import Held
from proxy.mirror.lane import Lane, Pending
from proxy.mirror.meters import TableMeter
from proxy.stores.protocol import Key, Write
from tests.mirror.world import ACCOUNTS, ACCOUNTS_ID, DATABASE


def lane(batch: int = 3) -> Lane:
    return Lane(ACCOUNTS, DATABASE, ACCOUNTS_ID, TableMeter(), batch)


def nowhere(write: Write) -> Rows | None:
    return None


def pending(id: int, version: int, *, since: float = 0.0, replay: bool = False) -> Pending:
    held = Held(DATABASE, [], 0, version, since, replay=replay)
    return Pending(Write(Key(id, id), {"_id": id}, version), held)


def put(lane: Lane, one: Pending) -> None:
    token = one.write.key.token
    if token in lane.waiting:
        lane.waiting[token][0].newer(one)
    else:
        lane.waiting[token] = (one, nowhere)


def test_the_newer_write_stands_and_everybody_is_remembered() -> None:
    old, new = pending(1, 10, since=5.0), pending(1, 20, since=7.0, replay=True)
    old.newer(new)
    assert (old.write.version, old.since, old.replay, len(old.holds)) == (20, 5.0, True, 2)
    old.newer(pending(1, 15, since=2.0))
    assert (old.write.version, old.since, len(old.holds)) == (20, 2.0, 3)


def test_a_batch_leaves_out_keys_that_are_under_way() -> None:
    lanes = lane()
    for id in range(5):
        put(lanes, pending(id, 10))
    first = lanes.take()
    assert [token for token, _, _ in first] == [0, 1, 2]
    for id in range(5):
        put(lanes, pending(id, 20))
    assert [token for token, _, _ in lanes.take()] == [3, 4]
    assert lanes.take() == []


def test_what_comes_back_is_sent_again_with_what_came_meanwhile_and_before_it() -> None:
    lanes = lane()
    for id in range(3):
        put(lanes, pending(id, 10, since=1.0))
    batch = lanes.take()
    put(lanes, pending(1, 20, since=2.0))
    put(lanes, pending(9, 30, since=3.0))
    lanes.put_back(batch)
    again = lanes.take()
    assert [(token, one.write.version, one.replay) for token, one, _ in again] == [
        (0, 10, True),
        (1, 20, True),
        (2, 10, True),
    ]
    assert lanes.meter.coalesced == 1
    assert list(lanes.waiting) == [9]


def test_the_oldest_commit_is_that_of_what_waits_is_under_way_or_truncates() -> None:
    lanes = lane()
    assert lanes.oldest() is None
    put(lanes, pending(1, 10, since=5.0))
    assert lanes.oldest() == 5.0
    lanes.in_flight[1] = 3.0
    assert lanes.oldest() == 3.0
    lanes.truncations.append((10, Held(DATABASE, [], 0, 10, 2.0)))
    assert lanes.oldest() == 2.0


@given(st.lists(st.tuples(st.sampled_from(["put", "take", "back", "done"]), st.integers(0, 4)), max_size=40))
def test_no_key_is_twice_under_way_and_no_write_is_lost(steps: list[tuple[str, int]]) -> None:
    lanes = lane(2)
    under_way = []
    newest: dict[int, int] = {}
    reached: dict[int, int] = {}
    for number, (what, id) in enumerate(steps, 1):
        if what == "put":
            put(lanes, pending(id, number))
            newest[id] = number
        elif what == "take":
            if batch := lanes.take():
                under_way.append(batch)
        elif under_way:
            batch = under_way.pop(0)
            if what == "back":
                lanes.put_back(batch)
            for token, one, _ in batch if what == "done" else ():
                lanes.busy.discard(token)
                assert isinstance(token, int)
                reached[token] = max(reached.get(token, 0), one.write.version)
        tokens = [token for batch in under_way for token, _, _ in batch]
        assert len(tokens) == len(set(tokens))
        assert set(tokens) == lanes.busy
    held = {token: one.write.version for token, (one, _) in lanes.waiting.items()}
    for batch in under_way:
        held |= {token: max(one.write.version, held.get(token, 0)) for token, one, _ in batch}
    for id, version in newest.items():
        assert max(held.get(id, 0), reached.get(id, 0)) == version
