"""The client's direction: what cannot be looked at, function calls, and too much at once."""

from __future__ import annotations

import pytest

from proxy.catalog.model import Reach, SideEffect
from proxy.mirror.effects import Cause
from proxy.wire import rewriting
from proxy.wire.messages import frame
from tests.support.capture import (
    BOUND,
    PARSED,
    SHOP,
    SYNC,
    CaptureScript,
    description,
    ground,
    relation,
    row,
    snapshot,
)
from tests.support.transcript import complete, error, query, ready


def test_an_unknown_message_ends_the_looking() -> None:
    script = CaptureScript()
    unknown = frame(ord("~"), b"x")
    script.client(unknown).server_sees(unknown)
    assert script.relay.unobserved
    assert script.counters.streams_unobserved["unknown_frontend_message"] == 1
    script.mirror_heard("doubtful unobserved")
    script.client(b"\x00garbage").server_sees(b"\x00garbage")


def test_an_impossible_length_too() -> None:
    script = CaptureScript()
    script.client(b"Q\x00\x00\x00\x01more").server_sees(b"Q\x00\x00\x00\x01more")
    assert script.relay.unobserved


def test_a_malformed_message_is_the_servers_to_refuse() -> None:
    script = CaptureScript()
    message = frame(ord("B"), b"no end")
    script.client(message).server_sees(message)
    assert script.counters.streams_unobserved["malformed_frontend_message"] == 1


def test_a_function_called_by_oid_may_write() -> None:
    call = frame(ord("F"), b"\x00" * 10)
    script = CaptureScript(waits=False)
    script.client(call).server_sees(call)
    script.server(frame(ord("V"), b"\xff\xff\xff\xff"), ready()).mirror_heard()
    effect = SideEffect(SHOP, Cause.FUNCTION, Reach.TABLE)
    script = CaptureScript(
        ground(snapshot([relation(SHOP, "orders")], functions={"f": (effect,)})), waits=False
    )
    script.client(call).server(frame(ord("V"), b"\xff\xff\xff\xff"), ready())
    script.mirror_heard("secure function", "committed function")


def test_a_function_call_waits_for_no_disk_where_no_table_asks_for_it() -> None:
    effect = SideEffect(SHOP, Cause.FUNCTION, Reach.TABLE)
    picture = snapshot([relation(SHOP, "orders")], functions={"f": (effect,)})
    call = frame(ord("F"), b"\x00" * 10)
    script = CaptureScript(ground(picture, strict=False))
    script.client(call).server_sees(call)
    script.server(frame(ord("V"), b"\xff\xff\xff\xff"), ready())
    script.mirror_heard("committed function")


def test_too_long_a_message_goes_through_in_pieces_and_is_a_gap() -> None:
    script = CaptureScript(waits=False)
    text = query("x" * (script.plans.max_message + 10))
    script.client(text[:1000]).server_sees(text[:1000]).mirror_heard("secure now unparsed")
    script.client(text[1000:]).server_sees(text[1000:])
    script.server(complete("INSERT 0 1"), ready()).client_sees(complete("INSERT 0 1"), ready())
    script.mirror_heard("committed unparsed")
    assert script.counters.limits_reached["max_message"] == 1


@pytest.mark.parametrize("name", [b"", b"s"])
def test_what_a_name_means_is_not_known_after_a_parse_that_is_too_long(name: bytes) -> None:
    script = CaptureScript(waits=False)
    script.client(rewriting.parse(name, b"DELETE FROM orders RETURNING id"), SYNC)
    script.server(PARSED, ready()).client_sees(PARSED, ready())
    long = rewriting.parse(name, b"x" * (script.plans.max_message + 10))
    use = (
        rewriting.bind(b"", name, binary=False),
        rewriting.describe(b"P", b""),
        rewriting.execute(b""),
        SYNC,
    )
    script.client(long, SYNC).server(PARSED, ready()).client_sees(PARSED, ready())
    script.server_got  # noqa: B018 - forget it
    script.client(*use).server_sees(*use)
    script.server(BOUND, description("one", "two"), row(b"1", b"2"), complete("SELECT 1"), ready())
    script.client_sees(BOUND, description("one", "two"), row(b"1", b"2"), complete("SELECT 1"), ready())


def test_one_that_fails_leaves_what_the_name_meant() -> None:
    """A later batch waits until that is known."""
    script = CaptureScript(waits=False)
    script.client(rewriting.parse(b"s", b"DELETE FROM orders RETURNING id"), SYNC)
    script.server(PARSED, ready()).client_sees(PARSED, ready())
    script.client(rewriting.parse(b"s", b"x" * (script.plans.max_message + 10)), SYNC)
    script.server_got  # noqa: B018 - forget it
    describe = rewriting.describe(b"S", b"s")
    script.client(describe, SYNC).server_sees()
    script.server(error("42P05"), ready()).client_sees(error("42P05"), ready()).server_sees(describe, SYNC)
    script.server(frame(ord("t"), b"\0\0"), description("id", "record_send"), ready())
    script.client_sees(frame(ord("t"), b"\0\0"), description("id"), ready())


def test_an_unnamed_one_of_the_client_is_not_destroyed() -> None:
    script = CaptureScript(waits=False)
    script.client(query("DELETE FROM orders")).server(PARSED, error("22012")).server(ready())
    long = rewriting.parse(b"", b"x" * (script.plans.max_message + 10))
    script.client(long, SYNC).server(PARSED, ready())
    script.server_got  # noqa: B018 - forget it
    use = rewriting.bind(b"", b"", binary=False)
    script.client(use, SYNC).server_sees(use, SYNC)


def test_a_client_that_sends_far_ahead_is_not_read() -> None:
    script = CaptureScript()
    script.client(query("DELETE FROM orders"))
    script.client(*[rewriting.parse(b"", b"x" * 1000) for _ in range(200)])
    assert script.held == ["client"]
    script.server(complete("DELETE 0"))
    script.mirror.let()
    script.server(ready())
    assert script.held == []


def test_terminate_goes_on() -> None:
    script = CaptureScript()
    terminate = frame(ord("X"), b"")
    script.client(terminate).server_sees(terminate)
    assert script.relay.idle


def test_a_plain_relay_may_take_over_when_nothing_is_spliced() -> None:
    script = CaptureScript()
    script.relay.switch_when_idle = True
    script.client(rewriting.parse(b"", b"SELECT 1"), SYNC).server(frame(ord("1"), b""), ready())
    assert script.switches == 1
