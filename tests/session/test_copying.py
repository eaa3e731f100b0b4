"""COPY FROM STDIN: the keys are taken as the data passes, and are safe before it ends."""

from __future__ import annotations

from proxy.mirror.effects import Cause, Rows, Unseen
from proxy.wire import rewriting
from proxy.wire.messages import frame
from tests.support.capture import BOUND, PARSED, SYNC, CaptureScript
from tests.support.transcript import complete, error, query, ready
from tests.wire.test_rewriting import bind

COPY = "COPY orders (id, total) FROM STDIN"
COPY_IN = frame(ord("G"), b"\x00\x00\x02\x00\x00\x00\x00")
DONE, FAIL = frame(ord("c"), b""), frame(ord("f"), b"no\x00")


def data(text: bytes) -> bytes:
    return frame(ord("d"), text)


def seen(script: CaptureScript) -> list[Rows | None]:
    return [
        effect.rows
        for effect in script.mirror.committed_effects
        if isinstance(effect, Unseen) and effect.cause is Cause.COPY
    ]


def test_its_end_waits_until_the_keys_are_on_disk() -> None:
    script = CaptureScript()
    script.client(query(COPY)).server_sees(query(COPY))
    script.server(COPY_IN).client_sees(COPY_IN)
    script.client(data(b"1\t5\n2"), data(b"\t6\n"), DONE)
    script.server_sees(data(b"1\t5\n2"), data(b"\t6\n")).mirror_heard("secure copy")
    script.mirror.let()
    script.server_sees(DONE)
    script.server(complete("COPY 2"), ready()).client_sees(complete("COPY 2"), ready())
    assert seen(script) == [Rows(("id",), (("1",), ("2",)))]


def test_a_copy_that_fails_writes_nothing() -> None:
    script = CaptureScript(waits=False)
    script.client(query(COPY)).server(COPY_IN)
    script.client(data(b"1\t5\n"), FAIL).server(error("57014"), ready())
    assert script.mirror.heard() == ["aborted nothing"]


def test_data_sent_ahead_of_the_servers_answer() -> None:
    script = CaptureScript(waits=False)
    script.client(query(COPY), data(b"1\t5\n"), DONE, query("SELECT 1"))
    script.server(COPY_IN, complete("COPY 1"), ready(), complete("SELECT 1"), ready())
    assert seen(script) == [Rows(("id",), (("1",),))]
    assert script.relay.idle


def test_in_the_extended_protocol_the_sync_before_the_data_is_not_held() -> None:
    script = CaptureScript(waits=False)
    run = rewriting.parse(b"", COPY.encode()) + bind(b"", b"", [], [], []) + rewriting.execute(b"")
    script.client(run, SYNC)
    assert not script.server_got.endswith(SYNC)
    script.server(PARSED, BOUND, COPY_IN).server_sees(SYNC)
    script.client(data(b"3\t5\n"), DONE, SYNC)
    script.server(complete("COPY 1"))
    script.server(ready())
    script.client_sees(PARSED, BOUND, COPY_IN, complete("COPY 1"), ready())
    assert seen(script) == [Rows(("id",), (("3",),))]
    assert script.relay.idle


def test_too_many_rows_are_a_gap_of_the_table() -> None:
    script = CaptureScript(waits=False)
    script.plans.max_copy_keys = 1
    script.client(query(COPY)).server(COPY_IN)
    script.client(data(b"1\t5\n2\t5\n"), DONE).server(complete("COPY 2"), ready())
    assert seen(script) == [None]


def test_an_empty_copy_is_nothing() -> None:
    script = CaptureScript(waits=False)
    script.client(query(COPY)).server(COPY_IN).client(DONE).server(complete("COPY 0"), ready())
    assert seen(script) == []


def test_in_a_block_the_keys_wait_for_the_commit() -> None:
    script = CaptureScript(waits=False).begin()
    script.client(query(COPY)).server(COPY_IN)
    script.client(data(b"1\t5\n"), DONE).server(complete("COPY 1"), ready("T"))
    script.client(query("ROLLBACK")).server(complete("ROLLBACK"), ready())
    assert script.mirror.heard()[-1] == "aborted copy"
