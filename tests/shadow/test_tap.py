"""Replies are kept as they pass, whole or in pieces, and the client sees no difference."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.shadow.rows import values
from proxy.shadow.tap import SessionTap
from proxy.wire import rewriting
from proxy.wire.messages import frame
from tests.shadow.made import ORDERS, RecordingPort, dark_ground
from tests.support.capture import (
    BOUND,
    CLOSED,
    NO_DATA,
    PARSED,
    SUSPENDED,
    SYNC,
    CaptureScript,
    as_text,
    description,
    image,
    row,
)
from tests.support.transcript import complete, error, query, ready

LOGIN = {"TimeZone": "Europe/Paris", "DateStyle": "ISO, DMY", "IntervalStyle": "postgres"}
READ = "SELECT id, note FROM orders WHERE total = 7"


class Tapped(CaptureScript):
    def __init__(self, share: float = 1.0, room: int = 1000, dice: float = 0.0, **rule: Any) -> None:
        super().__init__(dark_ground(share, **rule), waits=False)
        self.port = RecordingPort(room)
        self.relay.taps = SessionTap(self.relay.plans, self.port, LOGIN, dice=lambda: dice)

    def ask(self, text: str, *reply: bytes) -> Tapped:
        """A simple query: the server gets what was sent, the client what was answered."""
        self.client(query(text)).server_sees(query(text))
        self.server(*reply).client_sees(*reply)
        return self

    def answered(self, text: str = READ, rows: int = 2, status: str = "I") -> Tapped:
        found = [row(b"%d" % number, b"note") for number in range(rows)]
        return self.ask(text, description("id", "note"), *found, complete(f"SELECT {rows}"), ready(status))


def bind(*values: bytes | None, portal: bytes = b"", name: bytes = b"", code: int = 0) -> bytes:
    body = portal + b"\0" + name + b"\0" + struct.pack("!hhh", 1, code, len(values))
    for value in values:
        body += struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value
    return frame(ord("B"), body + struct.pack("!hh", 1, 1))


def test_a_simple_read_is_kept_with_its_session() -> None:
    script = Tapped().answered()
    (read,) = script.port.reads
    assert (read.text, read.database, read.user, read.search_path) == (READ, "shop", "ann", ("public",))
    assert dict(read.settings) == LOGIN
    assert read.tables == (ORDERS,)
    assert read.count == 2
    assert values(read.rows, 2) == [(b"0", b"note"), (b"1", b"note")]
    assert read.description == description("id", "note")
    assert script.port.taken == 1


@given(st.data())
def test_rows_are_kept_however_the_reply_is_cut(data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.binary(max_size=40), max_size=6))
    reply = b"".join(
        (description("id"), *(row(one) for one in rows), complete(f"SELECT {len(rows)}"), ready())
    )
    script = Tapped()
    script.client(query(READ))
    seen = b""
    while reply:
        size = data.draw(st.integers(1, len(reply)))
        script.server(reply[:size])
        reply = reply[size:]
        seen += script.client_got
    (read,) = script.port.reads
    assert values(read.rows, 1) == [(one,) for one in rows]
    assert read.rows in seen


def test_a_prepared_read_is_kept_with_its_parameters() -> None:
    script = Tapped()
    parse = rewriting.parse(b"s", b"SELECT id FROM orders WHERE id = $1 AND note = $2", b"\0\1\0\0\0\x17")
    bound = bind(b"\0\0\0\7", None, name=b"s", code=1)
    sent = (parse, bound, rewriting.describe(b"P", b""), rewriting.execute(b""), SYNC)
    script.client(*sent).server_sees(*sent)
    reply = (PARSED, BOUND, description("id"), row(b"\0\0\0\7"), complete("SELECT 1"), ready())
    script.server(*reply).client_sees(*reply)
    (read,) = script.port.reads
    assert read.parameter_types == (23,)
    assert read.parameters == (b"\0\0\0\7", None)
    assert (read.formats, read.result_formats) == ((1, 1), (1,))
    assert read.description == description("id")
    again = (bind(b"\0\0\0\x08", None, name=b"s", code=1), rewriting.execute(b""), SYNC)
    script.client(*again).server_sees(*again)
    script.server(BOUND, complete("SELECT 0"), ready())
    assert script.port.reads[1].parameters == (b"\0\0\0\x08", None)
    assert script.port.reads[1].description is None


def test_pipelined_reads_keep_their_own_rows() -> None:
    script = Tapped()
    script.client(rewriting.parse(b"s", b"SELECT id FROM orders WHERE id = $1"))
    for number in range(3):
        script.client(bind(b"%d" % number, name=b"s"), rewriting.execute(b""))
    script.client(SYNC)
    script.server(
        PARSED, *(b"".join((BOUND, row(b"%d" % n), complete("SELECT 1"))) for n in range(3)), ready()
    )
    assert [values(read.rows, 1) for read in script.port.reads] == [[(b"%d" % n,)] for n in range(3)]
    assert [read.parameters for read in script.port.reads] == [(b"0",), (b"1",), (b"2",)]


def test_what_is_not_sampled_is_not_kept() -> None:
    script = Tapped(0.05, dice=0.05).answered()
    assert not script.port.reads
    assert not script.port.done
    assert len(Tapped(0.05, dice=0.049).answered().port.reads) == 1


@pytest.mark.parametrize(
    "text",
    [
        "SELECT id FROM others",
        "SELECT orders.id FROM orders, others",
        "SELECT 1",
        "SELECT id FROM orders; SELECT 2 FROM orders",
        "EXPLAIN SELECT id FROM orders",
        "SHOW TimeZone",
    ],
)
def test_reads_of_other_tables_are_no_candidates(text: str) -> None:
    script = Tapped().ask(text, complete("SELECT 0"), ready())
    assert not script.port.reads
    assert not script.port.done


def test_a_read_in_a_transaction_that_has_written_is_skipped() -> None:
    script = Tapped()
    script.begin()
    script.answered(status="T")
    assert len(script.port.reads) == 1
    script.client(query("UPDATE orders SET total = 1"))
    script.server(description("x"), row(as_text(image())), complete("UPDATE 1"), ready("T"))
    script.server_got, script.client_got  # noqa: B018 - forget it
    script.answered(status="T")
    assert len(script.port.reads) == 1
    assert script.port.told == ["skipped: its transaction has written"]


def test_without_room_nothing_is_kept() -> None:
    script = Tapped(room=1).answered().answered()
    assert len(script.port.reads) == 1


def test_large_results_are_skipped() -> None:
    script = Tapped(max_rows=1).answered()
    assert script.port.told == ["skipped: the result has more rows than max_rows"]
    script = Tapped(max_bytes=2048)
    script.ask(READ, description("id"), row(b"x" * 3000), complete("SELECT 1"), ready())
    assert script.port.told == ["skipped: the result is larger than max_bytes"]
    assert script.port.taken == 0


def test_errors_give_the_room_back() -> None:
    script = Tapped().ask(READ, error("57014"), ready())
    assert (script.port.reads, script.port.done, script.port.taken) == ([], [], 0)
    script.client(rewriting.parse(b"", READ.encode()), bind(), rewriting.execute(b""), SYNC)
    script.server(error("42703"), ready())
    assert script.port.taken == 0
    script.client(rewriting.parse(b"", READ.encode()), bind(), SYNC)
    assert script.port.taken == 0
    script.client(query(READ))
    assert script.port.taken == 1
    script.relay.ended()
    assert script.port.taken == 0


def test_of_a_portal_read_in_parts_the_first_is_kept() -> None:
    script = Tapped()
    script.client(
        rewriting.parse(b"", READ.encode()),
        bind(),
        rewriting.execute(b"", 1),
        rewriting.execute(b"", 1),
        SYNC,
    )
    script.server(PARSED, BOUND, row(b"1", b"a"), SUSPENDED, row(b"2", b"b"), complete("SELECT 1"), ready())
    (read,) = script.port.reads
    assert (read.partial, read.count, read.rows) == (True, 1, row(b"1", b"a"))
    assert script.port.told == []


def test_closed_portals_give_the_room_back() -> None:
    script = Tapped()
    script.client(rewriting.parse(b"", READ.encode()), bind(portal=b"p"), rewriting.close(b"P", b"p"))
    assert script.port.taken == 0
    script.client(SYNC).server(PARSED, BOUND, CLOSED, ready())


def test_settings_are_followed() -> None:
    script = Tapped()
    script.server(frame(ord("S"), b"TimeZone\0Asia/Tokyo\0"), frame(ord("S"), b"application_name\0x\0"))
    script.client_got  # noqa: B018 - forget it
    script.ask("SET extra_float_digits = 0", complete("SET"), ready())
    script.answered()
    found = dict(script.port.reads[0].settings)
    assert (found["TimeZone"], found["extra_float_digits"]) == ("Asia/Tokyo", "0")
    assert "application_name" not in found


def test_sessions_with_temporary_tables_are_skipped() -> None:
    script = Tapped()
    script.client(query("CREATE TEMP TABLE orders (id int)")).server(complete("CREATE TABLE"), ready())
    for then in script.defined:
        then()
    script.server_got, script.client_got  # noqa: B018 - forget it
    script.answered()
    assert script.port.told == ["skipped: the session may have temporary tables"]
    script.ask("DISCARD ALL", complete("DISCARD ALL"), ready())
    script.answered()
    assert script.port.told[1:] == ["skipped: the session's search_path is not known"]


def test_a_describe_without_rows_leaves_it_alone() -> None:
    script = Tapped()
    script.client(
        rewriting.parse(b"", READ.encode()),
        bind(),
        rewriting.describe(b"P", b""),
        rewriting.execute(b""),
        SYNC,
    )
    script.server(PARSED, BOUND, NO_DATA, complete("SELECT 0"), ready())
    assert len(script.port.reads) == 1
