"""Reads under way: cancelled, cut off, in the way of a drain."""

from __future__ import annotations

import pytest

from proxy.serve.port import Declined
from proxy.session.batches import CANCELLED
from proxy.session.relay import ReportWhen
from proxy.wire import rewriting
from proxy.wire.messages import frame
from tests.session.served import ANSWER, READ, ServedScript, bind, served
from tests.support.capture import BOUND, FLUSH, SYNC, row
from tests.support.transcript import complete, error, query, ready

NOTICE = frame(ord("N"), b"SNOTICE\0C00000\0Mhello\0\0")


def test_a_cancelled_read_is_told_so() -> None:
    script = ServedScript()
    script.client(query(READ))
    assert script.relay.cancel_read()
    script.client_sees(CANCELLED, ready()).server_sees()
    assert script.port.cancelled == 1
    assert script.relay.idle
    assert script.counters.errors["57"] == 1
    script.client(query(READ)).stored().client_sees(*ANSWER, ready())


def test_the_results_before_it_in_the_batch_are_the_clients() -> None:
    script = ServedScript().prepare()
    one = (bind(b"1", name=b"s"), rewriting.execute(b""))
    script.client(*one, *one, SYNC).stored(served(b"1"))
    assert script.relay.cancel_read()
    script.client_sees(BOUND, row(b"1"), complete("SELECT 1"), BOUND, CANCELLED, ready())


def test_in_a_block_the_server_is_made_to_fail_it() -> None:
    script = ServedScript().begin()
    script.client(query(READ))
    assert script.relay.cancel_read()
    script.client_sees()
    assert script.server_got.endswith(SYNC)
    script.server(error("26000", "no such statement"), ready("E")).client_sees(CANCELLED, ready("E"))
    script.client(query(READ)).server_sees(query(READ))


def test_a_cancel_request_for_what_runs_on_the_server_is_the_servers() -> None:
    script = ServedScript()
    assert not script.relay.cancel_read()
    script.client(query("SELECT pg_sleep(9)"))
    assert not script.relay.cancel_read()
    script.server(complete("SELECT 1"), ready()).client(query(READ)).stored(Declined("timeout"))
    assert not script.relay.cancel_read()


def test_a_cancel_request_that_comes_too_late_changes_nothing() -> None:
    script = ServedScript()
    script.client(query(READ)).server(NOTICE[:7]).stored()
    assert script.relay.cancel_read()  # the results are there
    script.server(NOTICE[7:]).client_sees(NOTICE, *ANSWER, ready())


def test_a_reply_comes_between_two_messages_of_the_server() -> None:
    script = ServedScript()
    script.client(query(READ)).server(NOTICE[:9]).stored()
    assert not script.client_got.endswith(ready())
    script.server(NOTICE[9:])
    assert script.client_got.endswith(b"".join((*ANSWER, ready())))


def test_a_drain_waits_for_a_read_under_way() -> None:
    script = ServedScript()
    script.client(query(READ))
    script.relay.report_when = ReportWhen.IDLE
    assert not script.relay.may_end
    script.stored().client_sees(*ANSWER, ready())
    assert script.ends == 1


def test_and_so_does_one_that_waits_for_answers_only() -> None:
    script = ServedScript().begin()
    script.client(query(READ))
    script.relay.report_when = ReportWhen.ANSWERED
    assert not script.relay.may_end
    script.stored()
    assert script.ends == 1


def test_a_batch_that_is_held_is_not_idle() -> None:
    script = ServedScript().prepare()
    script.client(bind(b"1", name=b"s"))
    assert not script.relay.idle
    assert not script.relay.replaceable


def test_a_client_that_ends_its_side_gets_its_answer_first() -> None:
    script = ServedScript()
    script.client(query(READ))
    assert script.relay.delays_eof()
    assert script.held == []
    script.stored().client_sees(*ANSWER, ready())
    assert script.held == ["eof passed on"]


def test_one_that_ends_its_side_in_the_middle_of_a_batch() -> None:
    script = ServedScript().prepare()
    sent = (bind(b"1", name=b"s"), rewriting.execute(b""))
    script.client(*sent).server_sees()
    script.relay.delays_eof()
    script.server_sees(*sent)


def test_a_connection_that_is_lost_asks_the_store_no_more() -> None:
    script = ServedScript()
    script.client(query(READ))
    script.relay.ended()
    assert script.port.cancelled == 1
    assert script.port.open_reads == []
    script.client_sees()


def test_a_held_batch_goes_out_when_the_client_stops_making_sense() -> None:
    script = ServedScript().prepare()
    sent = (bind(b"1", name=b"s"), rewriting.execute(b""))
    nonsense = b"Q\x00\x00\x00\x01more"
    script.client(*sent).client(nonsense).server_sees(*sent, nonsense)
    assert script.relay.unobserved


def test_and_so_does_a_read_when_the_server_stops_making_sense() -> None:
    script = ServedScript()
    script.client(query(READ), query("SELECT 1"))
    script.server(b"\xff\x00\x00\x00\x05zz")
    script.server_sees(query(READ), query("SELECT 1"))
    assert script.port.cancelled == 1


def test_a_batch_that_is_too_long_is_not_held() -> None:
    script = ServedScript().prepare()
    one = (bind(b"1", name=b"s"), rewriting.execute(b""))
    script.client(*one * 4000)
    assert script.server_got == b"".join(one * 4000)
    script.client(SYNC).server_sees(SYNC)
    assert "client" not in script.held


def test_results_that_are_too_large_together_are_the_servers() -> None:
    script = ServedScript().prepare()
    one = (bind(b"1", name=b"s"), rewriting.execute(b""))
    script.client(*one, *one, SYNC).stored(served(b"x" * 100_001)).server_sees(*one, *one, SYNC)
    assert script.port.counted[0] == ("postgres", "the results of the batch are too large")


@pytest.mark.parametrize("end", [FLUSH, query("SELECT 1"), frame(ord("X"), b"")])
def test_whatever_else_comes_in_a_batch_sends_it_on(end: bytes) -> None:
    script = ServedScript().prepare()
    sent = (bind(b"1", name=b"s"), rewriting.execute(b""), end)
    script.client(*sent).server_sees(*sent)
