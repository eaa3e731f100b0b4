"""The byte path: everything arrives unchanged, and what was seen on the way is right."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.admin.counters import Counters
from proxy.session.relay import BODY_CAP, Relay, ReportWhen
from proxy.wire.messages import frame
from tests.support.transcript import complete, error, query, ready

SYNC = frame(ord("S"), b"")


class Wires:
    """A relay between two byte strings."""

    def __init__(self) -> None:
        self.counters = Counters()
        self.client = bytearray()
        self.server = bytearray()
        self.idle_reports = 0
        self.relay = Relay(self, self.counters)
        self.relay.to_client = self.client.extend
        self.relay.to_server = self.server.extend
        self.relay.pipeline.ready(ord("I"))

    def may_end(self) -> None:
        self.idle_reports += 1

    def may_switch(self) -> None:
        self.idle_reports += 1


def cut(data: bytes, places: list[int]) -> list[bytes]:
    return [data[a:b] for a, b in pairwise([0, *sorted({p % (len(data) + 1) for p in places}), len(data)])]


REQUESTS = query("begin") + frame(ord("P"), b"s\x00select 1\x00\x00\x00") + SYNC + frame(ord("d"), b"x" * 300)
REPLIES = (
    complete("BEGIN")
    + ready("T")
    + frame(ord("1"), b"")
    + ready("T")
    + frame(ord("D"), b"y" * 500)
    + error("23505", "z" * 2 * BODY_CAP)
    + complete("INSERT 0 5")
    + complete("COPY 7")
)


@given(places=st.lists(st.integers(0, 4000), max_size=40), order=st.randoms(use_true_random=False))
def test_any_fragmentation_and_interleaving(places: list[int], order: object) -> None:
    wires = Wires()
    for chunk in cut(REQUESTS, places):
        wires.relay.from_client(chunk)
    for chunk in cut(REPLIES, places):
        wires.relay.from_server(chunk)
    assert wires.server == REQUESTS
    assert wires.client == REPLIES
    counted = wires.counters.snapshot()
    assert counted["statements"] == {"BEGIN": 1, "INSERT": 1, "COPY": 1}
    assert counted["errors"] == {"23": 1}
    assert counted["bytes_from_client"] == len(REQUESTS)
    assert counted["bytes_from_server"] == len(REPLIES)
    assert wires.relay.pipeline.outstanding == 0
    assert wires.relay.pipeline.status == ord("T")


def test_the_chunk_is_forwarded_before_it_is_looked_at() -> None:
    wires = Wires()
    wires.relay.report_when = ReportWhen.IDLE
    seen: list[str] = []
    wires.relay.to_client = lambda data: seen.append("forwarded")
    wires.may_end = lambda: seen.append("idle")  # type: ignore[method-assign]
    wires.relay.from_client(query("x"))
    wires.relay.from_server(ready())
    assert seen == ["forwarded", "idle"]


def test_idle_is_reported_only_when_asked_for() -> None:
    wires = Wires()
    wires.relay.from_client(query("x"))
    wires.relay.from_server(ready())
    assert wires.idle_reports == 0
    wires.relay.report_when = ReportWhen.IDLE
    wires.relay.from_client(query("x"))
    wires.relay.from_server(ready("T"))
    assert wires.idle_reports == 0
    wires.relay.from_client(query("x"))
    wires.relay.from_server(ready("I"))
    assert wires.idle_reports == 1


@pytest.mark.parametrize(
    ("side", "data", "reason"),
    [
        ("from_client", frame(ord("~"), b""), "unknown_frontend_message"),
        ("from_client", b"Q\x00\x00\x00\x03", "invalid_frontend_length"),
        ("from_server", frame(ord("~"), b""), "unknown_backend_message"),
        ("from_server", b"D\xff\xff\xff\xff", "invalid_backend_length"),
    ],
)
def test_a_stream_that_makes_no_sense_is_forwarded_and_counted_once(
    side: str, data: bytes, reason: str
) -> None:
    wires = Wires()
    for _ in range(3):
        getattr(wires.relay, side)(data)
    assert (wires.server if side == "from_client" else wires.client) == data * 3
    assert wires.counters.streams_unobserved == {reason: 1}
    assert not wires.relay.idle


def test_a_half_sent_message_is_not_idle() -> None:
    wires = Wires()
    assert wires.relay.idle
    wires.relay.from_client(query("select 1")[:2])
    assert not wires.relay.idle


def test_untouched_until_the_client_speaks() -> None:
    wires = Wires()
    assert wires.relay.untouched
    wires.relay.from_client(b"Q")
    assert not wires.relay.untouched


def test_the_own_share_is_one_measurement_a_chunk() -> None:
    wires = Wires()
    wires.relay.from_client(query("x"))
    wires.relay.from_server(ready())
    assert sum(wires.counters.own_share) == 2
    assert wires.counters.own_share_sum > 0


def test_answered_does_not_wait_for_the_transaction() -> None:
    wires = Wires()
    wires.relay.report_when = ReportWhen.ANSWERED
    wires.relay.from_client(query("x") + query("y"))
    wires.relay.from_server(ready("T"))
    assert wires.idle_reports == 0
    wires.relay.from_server(ready("T"))
    assert wires.idle_reports == 1
