"""Messages wait in order, and only as long as they must."""

from __future__ import annotations

from proxy.session.waiting import FINISH, STEP
from proxy.wire import rewriting
from tests.support.capture import BOUND, CLOSED, PARSED, CaptureScript, image, row
from tests.support.transcript import complete, query, ready


def test_own_entries_are_no_message_types() -> None:
    assert min(STEP, FINISH) > 255


def test_a_commit_without_anything_to_secure_goes_at_once() -> None:
    script = CaptureScript().begin()
    script.client(query("COMMIT")).server_sees(query("COMMIT")).mirror_heard()


def test_what_was_let_through_is_not_asked_for_again() -> None:
    script = CaptureScript()
    script.client(query("DELETE FROM orders"))
    script.server(PARSED, BOUND, row(image()), complete("DELETE 1"))
    script.client(query("SELECT 1"), query("SELECT 2"))
    script.mirror.let()
    got = script.server_got
    assert got.endswith(rewriting.SYNC + query("SELECT 1") + query("SELECT 2"))
    script.server(CLOSED, ready(), complete("SELECT 1"), ready(), complete("SELECT 1"), ready())
    script.mirror_heard("secure i", "committed i")
    assert script.relay.idle


def test_the_disk_answers_after_the_connection_is_gone() -> None:
    script = CaptureScript()
    script.client(query("DELETE FROM orders"))
    script.server(PARSED, BOUND, row(image()), complete("DELETE 1"))
    script.server_got  # noqa: B018 - forget it
    script.relay.ended()
    script.mirror.let()
    script.server_sees().mirror_heard("secure i", "aborted i")


def test_the_end_of_what_the_client_says_comes_after_all_of_it() -> None:
    script = CaptureScript()
    assert not script.relay.delays_eof()
    script.client(query("DELETE FROM orders"))
    assert script.relay.delays_eof()
    script.server(PARSED, BOUND, row(image()), complete("DELETE 1"))
    assert script.held == []
    script.mirror.let()
    assert script.server_got.endswith(rewriting.SYNC)
    assert script.held == ["eof passed on"]
