"""The server's messages, one by one."""

from __future__ import annotations

import pytest

from proxy.mirror.effects import Cause, Unseen
from proxy.wire import rewriting
from proxy.wire.messages import frame
from tests.support.capture import (
    BOUND,
    CLOSED,
    FLUSH,
    NO_DATA,
    PARSED,
    SYNC,
    CaptureScript,
    as_text,
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
    rows = (row(b"s", b"UPDATE orders SET total = $1", b"{23}"), row(b"t", b"SELECT 1", b"{}"))
    script.server(CLOSED, PARSED, BOUND, *rows, complete("SELECT 2"), CLOSED, CLOSED, ready()).client_sees()
    got = script.server_got
    assert b"record_send" in got
    assert b"_causeway_1" in got
    script.server(PARSED, BOUND, row(as_text(image())), complete("UPDATE 1"), ready())
    script.client_sees(BOUND, complete("UPDATE 1"), ready())


RUN_UNNAMED = (bind(b"", b"", [], [], []), rewriting.execute(b""), SYNC)
DONE = (BOUND, complete("UPDATE 1"), ready())


def learned(*answers: bytes) -> CaptureScript:
    """A session that was not captured from the start."""
    script = CaptureScript(waits=False)
    script.relay.learn()
    assert not script.server_got.startswith(b"Q")  # which would destroy what is unnamed
    told = answers or (CLOSED, PARSED, BOUND, complete("SELECT 0"), CLOSED, CLOSED, ready())
    return script.server(*told).client_sees()


def run_held_back(script: CaptureScript, run: tuple[bytes, bytes, bytes]) -> None:
    """Its Sync, which commits, waits until it is on disk that something may have been written."""
    bound, executed, sync = run
    script.client(*run).server_sees(bound, executed, FLUSH).server(*DONE[:2]).server_sees(sync)
    script.server(DONE[2]).client_sees(*DONE)


def causes(script: CaptureScript) -> set[Cause]:
    effects = script.mirror.committed_effects
    assert all(isinstance(effect, Unseen) for effect in effects)
    return {effect.cause for effect in effects if isinstance(effect, Unseen)}


def test_an_unnamed_statement_from_before_stays_and_what_it_writes_is_a_gap() -> None:
    script = learned()
    for _ in range(2):
        run_held_back(script, RUN_UNNAMED)
    assert causes(script) == {Cause.UNPREPARED}


@pytest.mark.parametrize(
    ("gone", "answer"),
    [
        (query("SELECT 1"), complete("SELECT 1")),
        (rewriting.parse(b"", b"SELECT 1") + SYNC, PARSED),
        (rewriting.close(b"S", b"") + SYNC, CLOSED),
    ],
    ids=["a query", "another", "closed"],
)
def test_it_is_gone_where_postgresql_drops_it(gone: bytes, answer: bytes) -> None:
    script = learned()
    script.client(gone).server(answer, ready())
    script.client(*RUN_UNNAMED).server(*DONE)
    assert script.mirror.committed_effects == []


def test_it_stays_where_what_would_replace_it_is_skipped() -> None:
    script = learned()
    script.client(bind(b"", b"gone", [], [], []), rewriting.parse(b"", b"SELECT 1"), SYNC)
    script.server(error("26000"), ready())
    script.client(*RUN_UNNAMED).server(*DONE)
    assert causes(script) == {Cause.UNPREPARED}


def test_a_statement_that_is_not_there_writes_nothing() -> None:
    script = learned()
    script.client(*RUN_UNNAMED).server(error("26000"), ready())
    assert script.mirror.committed_effects == []


def test_where_the_server_does_not_tell_the_client_hears_nothing_of_it() -> None:
    script = learned(CLOSED, PARSED, BOUND, error("57014"), ready())
    run = (bind(b"", b"s", [], [], []), rewriting.execute(b""), SYNC)
    run_held_back(script, run)
    assert causes(script) == {Cause.UNPREPARED}


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
