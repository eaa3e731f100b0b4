"""The start-up and the ends of a session, as transcripts."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.session.session import MAX_LOGIN_MESSAGE, Stage
from proxy.wire.messages import TERMINATE_MESSAGE, frame
from tests.support.transcript import (
    LOGIN,
    Transcript,
    auth,
    complete,
    error,
    gssenc_request,
    key_data,
    query,
    ready,
    sasl_offer,
    ssl_request,
    startup_message,
)


def test_a_plain_start_up() -> None:
    hello = startup_message(user="ann", application_name="shop", options="-c geqo=off", **{"_pq_.novel": "1"})
    script = Transcript()
    script.client(hello).does("connect").sees(b"")
    script.connected().receives(hello)
    script.server(auth(3)).sees(auth(3))
    script.client(frame(ord("p"), b"secret\x00")).receives(frame(ord("p"), b"secret\x00"))
    script.server(LOGIN).sees(LOGIN).does("established")
    assert script.keys == [key_data()[5:]]
    assert script.session.stage is Stage.RELAY
    assert script.session.relay.idle


def test_version_3_2_and_its_negotiation_pass_verbatim() -> None:
    hello = startup_message(196610, user="ann")
    negotiation = frame(ord("v"), b"\x00\x03\x00\x00\x00\x00\x00\x01_pq_.novel\x00")
    long_key = key_data(9, b"k" * 256)
    script = Transcript().client(hello).connected().receives(hello)
    script.server(negotiation + auth(0) + long_key + ready()).sees(negotiation + auth(0) + long_key + ready())
    assert script.keys == [long_key[5:]]


@given(places=st.lists(st.integers(0, 400), max_size=30))
def test_the_start_up_may_come_in_any_fragments(places: list[int]) -> None:
    hello, notice = startup_message(user="ann"), frame(ord("N"), b"SNOTICE\x00Mhi\x00\x00")
    script = Transcript()
    data = ssl_request()
    for byte in data:
        script.client(bytes([byte]))
    script.sees(b"N")
    for a, b in pairwise([0, *sorted({p % len(hello) for p in places}), len(hello)]):
        script.client(hello[a:b])
    script.does("connect").connected().receives(hello)
    reply = notice + LOGIN + frame(ord("A"), b"\x00\x00\x00\x01ch\x00\x00")
    for a, b in pairwise([0, *sorted({p % len(reply) for p in places}), len(reply)]):
        script.server(reply[a:b])
    script.sees(reply)


def test_what_follows_the_startup_message_reaches_the_server_behind_it() -> None:
    hello = startup_message()
    script = Transcript().client(hello + query("select 1")[:3])
    script.client(query("select 1")[3:]).connected().receives(hello + query("select 1"))
    script.server(LOGIN)
    assert not script.session.relay.idle
    script.server(complete("SELECT 1") + ready())
    assert script.session.relay.idle


def test_bytes_behind_ready_for_query_go_through_the_relay() -> None:
    script = Transcript().client(startup_message()).connected()
    script.client(query("select 1")).server(LOGIN + complete("SELECT 1") + ready())
    script.sees(LOGIN + complete("SELECT 1") + ready())
    assert script.counters.statements == {b"SELECT": 1}
    assert script.session.relay.idle


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_captured_from_the_first_statement(size: int) -> None:
    """What a client says ahead of the end of the login is looked at too; only passwords go on."""
    password = frame(ord("p"), b"secret\x00")
    said = password + password + query("insert") + TERMINATE_MESSAGE
    script = Transcript()
    script.session.captured = True
    script.client(startup_message(user="ann") + said[:5]).connected().does("connect")
    script.receives(startup_message(user="ann"))
    for at in range(5, len(said), size):
        script.client(said[at : at + size])
    script.receives(password + password)
    assert set(script.effects) == {"hold client"}
    script.effects.clear()
    script.server(LOGIN).does("established", "release client").receives(query("insert") + TERMINATE_MESSAGE)


def test_ready_is_never_inferred_from_the_key() -> None:
    script = Transcript().client(startup_message()).connected()
    script.server(auth(0) + key_data())
    assert script.session.stage is Stage.LOGIN
    script.server(frame(ord("N"), b"\x00") + error("3D000"))
    assert script.session.stage is Stage.LOGIN
    assert script.counters.errors == {"3D": 1}


# Encryption requests.


def test_encryption_is_declined_in_either_order() -> None:
    Transcript().client(ssl_request()).sees(b"N").client(gssenc_request()).sees(b"N").client(
        startup_message()
    ).does("connect")
    Transcript().client(gssenc_request()).sees(b"N").client(ssl_request()).sees(b"N").client(
        startup_message()
    ).does("connect")


def test_tls_is_accepted_where_it_is_offered() -> None:
    script = Transcript(tls_offered=True)
    script.client(gssenc_request()).sees(b"N").client(ssl_request()).sees(b"S").does("start_client_tls")
    script.session.client_secured()
    script.client(startup_message()).does("connect")


@pytest.mark.parametrize("request_packet", [ssl_request(), gssenc_request()])
def test_each_request_may_come_once(request_packet: bytes) -> None:
    script = Transcript().client(request_packet).sees(b"N").client(request_packet)
    script.sees_error("0A000", "unsupported frontend protocol")
    script.does("finish_client", "finish_server")


def test_no_second_request_inside_tls() -> None:
    script = Transcript(tls_offered=True).client(ssl_request()).sees(b"S")
    script.session.client_secured()
    script.client(gssenc_request()).sees_error("0A000", "unsupported frontend protocol")


@pytest.mark.parametrize("offered", [True, False])
@pytest.mark.parametrize("request_packet", [ssl_request(), gssenc_request()])
def test_plaintext_behind_an_encryption_request_is_an_injection(request_packet: bytes, offered: bool) -> None:
    script = Transcript(tls_offered=offered).client(request_packet + startup_message())
    script.sees_error("08P01", "received unencrypted data after")
    script.does("finish_client", "finish_server")


def test_plaintext_during_the_handshake_is_an_injection() -> None:
    script = Transcript(tls_offered=True).client(ssl_request()).sees(b"S").client(b"x")
    script.sees_error("08P01", "received unencrypted data after SSL request")


def test_direct_tls_needs_alpn() -> None:
    script = Transcript(tls_offered=True)
    script.session.client_secured(direct=True, alpn=None)
    script.sees_error("08P01", "without ALPN")
    script = Transcript(tls_offered=True)
    script.session.client_secured(direct=True, alpn="postgresql")
    script.client(startup_message()).does("connect")


def test_tls_can_be_required() -> None:
    script = Transcript(tls_offered=True, tls_required=True).client(startup_message())
    script.sees_error("28000", "requires TLS")
    assert script.counters.connections_refused == {"tls": 1}


def test_a_cancel_request_needs_no_tls() -> None:
    packet = b"\x00\x00\x00\x10\x04\xd2\x16\x2e\x00\x00\x00\x07abcd"
    script = Transcript(tls_offered=True, tls_required=True).client(packet).does("forward_cancel")
    assert script.cancelled is not None
    assert script.cancelled.packet == packet
    assert script.cancelled.key == b"\x00\x00\x00\x07abcd"
    script.session.client_closed()
    script.does()


# SCRAM and channel binding.

BOTH = ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256")


@pytest.mark.parametrize(
    ("client_tls", "server_tls", "seen"),
    [
        (False, False, ("SCRAM-SHA-256",)),
        (False, True, ("SCRAM-SHA-256",)),
        (True, False, ("SCRAM-SHA-256",)),
        (True, True, BOTH),
    ],
)
def test_scram_mechanisms(client_tls: bool, server_tls: bool, seen: tuple[str, ...]) -> None:
    script = Transcript(tls_offered=client_tls)
    if client_tls:
        script.client(ssl_request()).sees(b"S")
        script.session.client_secured()
    script.client(startup_message()).connected(secure=server_tls)
    offered = sasl_offer(*BOTH) if server_tls else sasl_offer("SCRAM-SHA-256")
    script.server(offered).sees(sasl_offer(*seen))


def test_a_binding_to_the_wrong_channel_is_explained_to_the_operator() -> None:
    script = Transcript(tls_offered=True).client(ssl_request())
    script.session.client_secured()
    script.client(startup_message()).connected(secure=True).server(sasl_offer(*BOTH))
    script.effects.clear()
    script.server(error("28P01")).does()
    script.server(error("28000")).does("channel_binding_failed")


def test_other_authentication_passes_verbatim_over_a_tls_server_leg() -> None:
    script = Transcript().client(startup_message()).connected(secure=True)
    for message in (
        auth(5, b"salt"),
        auth(3),
        auth(7),
        auth(8, b"token"),
        auth(11, b"r=.."),
        auth(12, b"v=.."),
    ):
        script.server(message).sees(message)


# Trouble.


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n\r\n", b"\x00\x00\x00\x07....", b"\xff\xff\xff\xff...."]
)
def test_strangers_are_closed_without_a_word(data: bytes) -> None:
    script = Transcript().client(data).sees(b"").does("finish_client", "finish_server")
    assert script.counters.connections_refused == {"protocol": 1}


def test_an_unknown_protocol_version_is_the_servers_to_refuse() -> None:
    hello = startup_message(2 << 16)
    script = Transcript().client(hello).connected().receives(hello)
    script.server(b"EFATAL:  unsupported frontend protocol 2.0").sees(
        b"EFATAL:  unsupported frontend protocol 2.0"
    )
    script.session.server_closed()
    script.sees(b"").does("connect", "finish_client", "finish_server")


def test_no_server_gives_an_error_with_every_attempt() -> None:
    script = Transcript().client(startup_message())
    script.does("connect")
    script.session.server_unreachable(["h1:5432: Connection refused", "h2:5432: no answer within 10 s"])
    fields = script.sees_error("08001", "could not connect")
    assert fields["D"] == "h1:5432: Connection refused\nh2:5432: no answer within 10 s"
    script.does("finish_client", "finish_server")


def test_a_server_that_closes_during_start_up_gives_an_error() -> None:
    script = Transcript().client(startup_message()).connected()
    script.session.server_closed()
    script.sees_error("08006", "closed the connection during start-up")


def test_a_server_that_has_said_why_is_not_talked_over() -> None:
    script = Transcript().client(startup_message()).connected().server(error("28P01"))
    script.session.server_closed()
    script.sees(error("28P01"))
    assert script.effects[-2:] == ["finish_client", "finish_server"]


def test_a_server_that_speaks_something_else() -> None:
    script = Transcript().client(startup_message()).connected().server(b"HTTP/1.1 400 Bad Request\r\n")
    script.sees_error("08P01", "does not speak the PostgreSQL protocol")


def test_the_largest_login_message() -> None:
    big = frame(ord("N"), b"x" * (MAX_LOGIN_MESSAGE - 4))
    Transcript().client(startup_message()).connected().server(big).sees(big)
    script = Transcript().client(startup_message()).connected()
    script.server(frame(ord("N"), b"x" * (MAX_LOGIN_MESSAGE - 3)))
    script.sees_error("08P01", "does not speak")


def test_too_many_connections_answers_as_postgres_does() -> None:
    script = Transcript().client(startup_message())
    script.session.refuse_too_many()
    script.sees_error("53300", "sorry, too many clients already")
    assert script.counters.connections_refused == {"max_connections": 1}


def test_start_up_takes_too_long() -> None:
    script = Transcript().client(b"\x00")
    script.session.startup_timed_out()
    script.sees(b"").does("finish_client", "finish_server")
    script = Transcript().client(startup_message()).connected()
    script.session.startup_timed_out()
    script.sees_error("57014", "canceling authentication due to timeout")
    script = Transcript().logged_in()
    script.session.startup_timed_out()
    script.sees(b"").does()


# Another host, another encryption.


@pytest.mark.parametrize("sqlstate", ["57P03", "28000"])
def test_a_refusal_is_tried_elsewhere_and_not_shown(sqlstate: str) -> None:
    hello = startup_message()
    script = Transcript()
    script.elsewhere = lambda seen: seen == sqlstate
    script.client(hello).connected().receives(hello).server(error(sqlstate)).sees(b"")
    assert script.effects[-1] == "retry_elsewhere"
    script.connected().receives(hello).server(LOGIN).sees(LOGIN)


def test_the_last_refusal_is_shown() -> None:
    Transcript().client(startup_message()).connected().server(error("57P03")).sees(error("57P03"))


@pytest.mark.parametrize("first", [auth(3), frame(ord("N"), b"\x00")])
def test_nothing_is_retried_once_the_server_has_spoken(first: bytes) -> None:
    script = Transcript()
    script.elsewhere = lambda seen: True
    script.client(startup_message()).connected().server(first + error("28000")).sees(first + error("28000"))


def test_nothing_is_retried_once_the_client_has_sent_more() -> None:
    script = Transcript()
    script.elsewhere = lambda seen: True
    script.client(startup_message() + query("select 1")).connected().server(error("57P03")).sees(
        error("57P03")
    )


# Ends.


def test_a_drain_ends_an_idle_session_at_once() -> None:
    script = Transcript().logged_in()
    script.session.drain()
    script.sees_error("57P01", "terminating connection due to administrator command")
    script.receives(TERMINATE_MESSAGE).does("finish_client", "finish_server")


def test_a_drain_waits_for_the_transaction() -> None:
    script = Transcript().logged_in().client(query("begin")).server(complete("BEGIN") + ready("T"))
    script.session.drain()
    script.sees(complete("BEGIN") + ready("T")).does()
    script.client(query("commit")).server(complete("COMMIT"))
    script.does()
    script.sees(complete("COMMIT")).server(ready("I"))
    assert script.client_got.startswith(ready("I"))
    script.client_got = script.client_got[len(ready("I")) :]
    script.sees_error("57P01", "administrator")
    script.does("finish_client", "finish_server")


def test_a_drain_waits_for_every_outstanding_reply() -> None:
    script = Transcript().logged_in().client(query("select 1") + query("select 2"))
    script.session.drain()
    script.server(complete("SELECT 1") + ready()).does()
    script.server(complete("SELECT 1") + ready()).does("finish_client", "finish_server")


def test_a_drain_during_start_up() -> None:
    script = Transcript()
    script.session.drain()
    script.sees_error("57P03", "shutting down")
    script = Transcript().client(startup_message()).connected()
    script.session.drain()
    script.server(LOGIN)
    assert script.client_got.startswith(LOGIN)
    assert script.effects[-2:] == ["finish_client", "finish_server"]


def test_a_shutdown_does_not_wait_and_does_not_cut_into_a_message() -> None:
    script = Transcript().logged_in().client(query("select pg_sleep(9)"))
    script.session.shut_down()
    script.receives(query("select pg_sleep(9)")).sees_error("57P01", "administrator")
    script.does("finish_client", "finish_server")
    row = frame(ord("D"), b"x" * 50)
    script = Transcript().logged_in().client(query("select 1")).server(row[:20])
    script.session.shut_down()
    script.sees(row[:20]).does("finish_client", "finish_server")


def test_an_interruption_waits_for_the_answer_and_not_for_the_transaction() -> None:
    script = Transcript().logged_in().client(query("begin")).server(complete("BEGIN") + ready("T"))
    script.client(query("select pg_sleep(9)"))
    script.session.interrupt()
    script.does()
    script.sees(complete("BEGIN") + ready("T")).server(error("57014")).sees(error("57014")).does()
    script.server(ready("E"))
    assert script.client_got.startswith(ready("E"))
    script.client_got = script.client_got[len(ready("E")) :]
    script.sees_error("57P01", "administrator")
    script.does("finish_client", "finish_server")
    script = Transcript().logged_in().client(query("begin")).server(complete("BEGIN") + ready("T"))
    script.session.interrupt()
    script.does("finish_client", "finish_server")
    script = Transcript().client(startup_message())
    script.session.interrupt()
    script.sees_error("57P01", "administrator")


def test_terminate_is_forwarded_and_the_server_ends_it() -> None:
    script = Transcript().logged_in().client(query("select 1") + TERMINATE_MESSAGE)
    script.receives(query("select 1") + TERMINATE_MESSAGE).does()
    script.server(complete("SELECT 1") + ready()).sees(complete("SELECT 1") + ready()).does()
    script.session.server_closed()
    script.sees(b"").does("finish_client", "finish_server")


def test_a_lost_client_takes_its_server_connection_along() -> None:
    script = Transcript().logged_in().client(query("select 1"))
    script.session.client_closed()
    script.does("finish_client", "finish_server")
    script.session.server_closed()
    script.does()


def test_a_server_reached_too_late_is_let_go() -> None:
    script = Transcript().client(startup_message())
    script.session.client_closed()
    script.effects.clear()
    script.connected().receives(b"").does("finish_server")
