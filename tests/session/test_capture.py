"""The server's direction: fragments, acknowledgements, ends, and a stream that makes no sense."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.session.relay import ReportWhen
from proxy.wire import rewriting
from proxy.wire.messages import frame
from tests.support.capture import (
    BOUND,
    PARSED,
    SYNC,
    CaptureScript,
    as_text,
    description,
    ground,
    image,
    row,
)
from tests.support.transcript import complete, query, ready
from tests.wire.test_rewriting import bind
from tests.wire.test_splitting import chunks

DELETE = "DELETE FROM orders RETURNING id"
REQUESTS = (
    query("SELECT * FROM orders")
    + rewriting.parse(b"s", DELETE.encode())
    + rewriting.describe(b"S", b"s")
    + SYNC
    + bind(b"", b"s", [], [], [])
    + rewriting.execute(b"")
    + SYNC
)
REPLIES = (
    description("id")
    + row(b"x" * 300) * 3
    + frame(ord("N"), b"SNOTICE\x00\x00")
    + complete("SELECT 3")
    + ready("T"),
    PARSED + frame(ord("t"), b"\x00\x00") + description("id", "record_send") + ready("T"),
    BOUND + row(b"1", as_text(image())) + row(None, as_text(image(2))) + complete("DELETE 2") + ready("T"),
)
SEEN = (
    REPLIES[0],
    PARSED + frame(ord("t"), b"\x00\x00") + description("id") + ready("T"),
    BOUND + row(b"1") + row(None) + complete("DELETE 2") + ready("T"),
)


@given(st.lists(st.integers(0, 3000), max_size=30), st.lists(st.integers(0, 3000), max_size=30))
def test_fragments_make_no_difference(requests: list[int], replies: list[int]) -> None:
    script = CaptureScript(waits=False, status="T")
    for chunk in chunks(REQUESTS, requests):
        script.client(chunk)
    for chunk in chunks(b"".join(REPLIES), replies):
        script.server(chunk)
    script.client_sees(*SEEN)
    assert script.relay.transaction is not None
    assert script.mirror.describe(script.relay.transaction) == "i,i"


def test_what_is_not_captured_is_handed_on_as_it_comes() -> None:
    script = CaptureScript()
    script.client(query("SELECT 1")).server_sees(query("SELECT 1"))
    reply = row(b"y" * 1000)
    script.server(reply[:20]).client_sees(reply[:20])
    script.server(reply[20:] + b"C\x00").client_sees(reply[20:])
    rest = complete("SELECT 1")[2:]
    script.server(rest, ready()).client_sees(complete("SELECT 1"), ready())


def test_the_reply_to_a_commit_waits_for_the_store_where_the_rule_says_so() -> None:
    script = CaptureScript(ground(ack=0.5, strict=False))
    script.client(query("DELETE FROM orders"))
    script.server(row(as_text(image())), complete("DELETE 1"), ready(), frame(ord("N"), b"later\x00"))
    script.client_sees(complete("DELETE 1"))
    script.server(frame(ord("A"), b"more"))
    script.client_sees()
    script.mirror.acknowledgements.pop()()
    script.client_sees(ready(), frame(ord("N"), b"later\x00"), frame(ord("A"), b"more"))


def test_in_a_block_the_tag_of_the_commit_waits() -> None:
    script = CaptureScript(ground(ack=0.5), waits=False).begin()
    script.client(query("DELETE FROM orders")).server(row(as_text(image())), complete("DELETE 1"), ready("T"))
    script.client_sees(complete("DELETE 1"), ready("T"))
    script.client(query("COMMIT")).server(complete("COMMIT"), ready()).client_sees()
    script.mirror.acknowledgements.pop()()
    script.client_sees(complete("COMMIT"), ready())


def test_a_flood_behind_an_acknowledgement_is_held() -> None:
    script = CaptureScript(ground(ack=0.5, strict=False))
    script.client(query("DELETE FROM orders")).server(row(as_text(image())), complete("DELETE 1"), ready())
    script.server(frame(ord("A"), b"x" * 200_000))
    assert script.held == ["server"]
    script.mirror.acknowledgements.pop()()
    assert script.held == []


@pytest.mark.parametrize(("sync", "told"), [(True, "doubtful i"), (False, "aborted i")])
def test_a_lost_connection_is_doubtful_only_if_a_commit_was_under_way(sync: bool, told: str) -> None:
    script = CaptureScript(waits=False)
    script.client(
        rewriting.parse(b"", b"DELETE FROM orders"), bind(b"", b"", [], [], []), rewriting.execute(b"")
    )
    if sync:
        script.client(SYNC)
    script.server(PARSED, BOUND, row(as_text(image())), complete("DELETE 1"))
    script.relay.ended()
    assert script.mirror.heard()[-1] == told


def test_an_unanswered_write_without_a_held_commit_may_have_happened() -> None:
    script = CaptureScript(ground(strict=False))
    script.client(query("DELETE FROM orders"))
    script.relay.ended()
    assert script.mirror.heard() == ["doubtful unobserved"]
    script.relay.ended()
    assert script.mirror.heard() == []


def test_a_read_only_session_ends_without_a_word() -> None:
    script = CaptureScript()
    script.client(query("SELECT 1"))
    script.relay.ended()
    script.mirror_heard()


def test_a_stream_that_makes_no_sense_is_handed_on_and_is_a_gap() -> None:
    script = CaptureScript()
    nonsense = b"?\x00\x00\x00\x07xyz"
    script.server(nonsense).client_sees(nonsense)
    assert script.relay.unobserved
    script.mirror_heard("doubtful unobserved")
    script.client(b"anything").server_sees(b"anything")
    assert script.counters.streams_unobserved["invalid_backend_message"] == 1


def test_drains_are_told_when_it_is_idle() -> None:
    script = CaptureScript(waits=False)
    script.relay.report_when = ReportWhen.IDLE
    script.client(query("DELETE FROM orders"))
    script.server(PARSED, BOUND, row(image()), complete("DELETE 1"))
    assert script.ends == 0
    script.server(frame(ord("3"), b""), ready())
    assert script.ends == 1


def test_a_server_that_ends_takes_nothing_back() -> None:
    """The reply to a commit was held for the store; the server's end comes before the store's word."""
    script = CaptureScript(ground(ack=0.5, strict=False))
    script.client(query("DELETE FROM orders")).server(row(as_text(image())), complete("DELETE 1"), ready())
    script.server(frame(ord("N"), b"goodbye\x00")).client_sees(complete("DELETE 1"))
    script.relay.ended()
    script.client_sees(ready(), frame(ord("N"), b"goodbye\x00"))
    script.mirror.acknowledgements.pop()()
    script.client_sees()


def test_the_reply_goes_out_before_anybody_is_told_that_the_session_is_idle() -> None:
    script = CaptureScript(waits=False).begin()
    script.relay.report_when = ReportWhen.IDLE
    seen: list[bytes] = []

    class Owner:
        def may_end(self) -> None:
            seen.append(script.client_got)

        def __getattr__(self, name: str) -> object:
            return getattr(script, name)

    script.relay._owner = Owner()  # type: ignore[assignment]
    script.client(query("DELETE FROM orders"))
    script.server(row(as_text(image())), complete("DELETE 1"), ready("T"))
    script.client(query("COMMIT")).server(complete("COMMIT"), ready())
    assert seen == [complete("DELETE 1") + ready("T") + complete("COMMIT") + ready()]


def test_what_was_only_described_when_the_connection_was_lost_has_not_run() -> None:
    script = CaptureScript(waits=False)
    script.client(query("DELETE FROM orders"))
    script.server(PARSED, BOUND, row(image()), complete("DELETE 1"))
    script.client(rewriting.parse(b"", b"DELETE FROM orders"), rewriting.describe(b"S", b""))
    script.relay.ended()
    script.mirror_heard("secure i", "doubtful i")
