"""The server's messages, one by one."""

from __future__ import annotations

import pytest

from proxy.mirror.effects import Cause, Unseen
from proxy.wire import rewriting
from proxy.wire.messages import frame
from tests.support.capture import (
    BOUND,
    CLOSED,
    NO_DATA,
    PARSED,
    SYNC,
    CaptureScript,
    as_text,
    description,
    image,
    row,
)
from tests.support.transcript import complete, error, query, ready
from tests.wire.test_rewriting import bind


def test_big_transactions_are_spilled() -> None:
    script = CaptureScript(waits=False).begin()
    script.client(query("DELETE FROM orders"))
    big = as_text(image() + b"x" * (5 << 20))
    script.server(row(big), row(big)).server(complete("DELETE 2"), ready("T"))
    script.mirror_heard("spill i,i")


def test_errors_are_counted_and_seen() -> None:
    script = CaptureScript()
    script.client(query("SELECT x")).server(error("42703"), ready()).client_sees(error("42703"), ready())
    assert script.counters.errors["42"] == 1
    script.server(error("57P01")).client_sees(error("57P01"))


def test_no_data_of_others_is_left_alone() -> None:
    script = CaptureScript()
    script.client(rewriting.parse(b"", b"SET x = 1"), rewriting.describe(b"S", b""), SYNC)
    script.server(PARSED, frame(ord("t"), b"\x00\x00"), NO_DATA, ready())
    script.client_sees(PARSED, frame(ord("t"), b"\x00\x00"), NO_DATA, ready())


def test_what_was_prepared_before_is_learned() -> None:
    script = CaptureScript(waits=False)
    script.relay.learn()
    assert b"pg_prepared_statements" in script.server_got
    script.client(bind(b"", b"s", [], [b"1"], []), rewriting.execute(b""), SYNC).server_sees()
    script.server(
        description("name", "statement", "types"),
        row(b"s", b"UPDATE orders SET total = $1", b"{23}"),
        row(b"t", b"SELECT 1", b"{}"),
        complete("SELECT 2"),
        ready(),
    )
    script.client_sees()
    got = script.server_got
    assert b"record_send" in got
    assert b"_causeway_1" in got
    script.server(PARSED, BOUND, row(as_text(image())), complete("UPDATE 1"), ready())
    script.client_sees(BOUND, complete("UPDATE 1"), ready())


@pytest.mark.parametrize(
    "answer",
    [
        (None, b"000000010000000000000001", b"700"),
        (b"0/2000", b"000008000000000000000001", b"700"),
        (b"0/2000", b"somewhere", b"700"),
        (b"nowhere", b"000000010000000000000001", b"700"),
        (b"0/2000", b"000000010000000000000001", None),
        (b"0/2000",),
    ],
)
def test_a_truncate_whose_position_cannot_be_read_is_a_gap(answer: tuple[bytes | None, ...]) -> None:
    script = CaptureScript(waits=False)
    script.client(query("TRUNCATE orders"))
    script.server(PARSED, BOUND, NO_DATA, complete("TRUNCATE TABLE"))
    script.server(PARSED, BOUND, row(*answer), complete("SELECT 1"), CLOSED, CLOSED)
    script.server(CLOSED, ready()).client_sees(complete("TRUNCATE TABLE"), ready())
    (effect,) = script.mirror.committed_effects
    assert isinstance(effect, Unseen)
    assert (effect.cause, effect.rows) == (Cause.TRUNCATE, None)
