"""What is held of the client's messages, and what goes to the server after all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proxy.serve.port import Declined
from proxy.wire import rewriting
from proxy.wire.messages import frame
from tests.serve.made import served_ground
from tests.session.served import ANSWER, READ, ROWS, ServedScript, bind, served
from tests.support.capture import BOUND, CLOSED, FLUSH, NO_DATA, PARSED, SYNC, description, row
from tests.support.transcript import complete, error, query, ready

STORE = ("store", "")


def test_a_simple_read_is_answered_in_the_servers_place() -> None:
    script = ServedScript()
    script.client(query(READ)).server_sees().client_sees()
    assert not script.relay.idle
    (read,) = script.port.reads
    assert (read.database, read.text, read.user, read.search_path) == ("shop", READ, "ann", ("public",))
    assert (read.parameters, read.formats, read.result_formats) == ((), (), ())
    assert read.settings.now is None
    assert read.tables == ("public.orders",)
    script.stored().client_sees(*ANSWER, ready()).server_sees().counted(STORE)
    assert script.relay.idle
    assert script.counters.statements[b"SELECT"] == 1


def test_what_is_declined_goes_to_the_server_as_it_came() -> None:
    script = ServedScript()
    script.client(query(READ)).stored(Declined("timeout")).server_sees(query(READ)).client_sees()
    script.server(*ANSWER, ready()).client_sees(*ANSWER, ready()).counted(("postgres", "timeout"))
    script.client(query(READ)).server_sees().stored().client_sees(*ANSWER, ready())


def test_what_the_client_says_meanwhile_waits_its_turn() -> None:
    script = ServedScript()
    script.client(query(READ), query("INSERT INTO others VALUES (1)"), query(READ)).server_sees()
    script.stored().client_sees(*ANSWER, ready())
    assert b"INSERT" in script.server_got
    # The last one goes behind the write: the server owes something.
    script.counted(STORE, ("postgres", "other statements are under way before it"))


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "SELECT * FROM others",
        "SELECT * FROM orders, others",
        "SELECT 1; " + READ,
        "EXPLAIN " + READ,
        "DECLARE c CURSOR FOR " + READ,
        "COPY (" + READ + ") TO STDOUT",
        "EXECUTE q",
    ],
)
def test_other_texts_are_the_servers(text: str) -> None:
    script = ServedScript()
    script.client(query(text)).server_sees(query(text)).counted()
    assert script.port.reads == []


def test_what_there_is_no_plan_for_is_counted_with_its_reason() -> None:
    script = ServedScript()
    script.port.unsupported[READ] = "FOR UPDATE"
    script.client(query(READ)).server_sees(query(READ)).counted(("postgres", "FOR UPDATE"))
    script.server(*ANSWER, ready()).client_sees(*ANSWER, ready())
    script.port.unsupported.clear()
    script.port.closed = "the breaker is open"
    script.client(query(READ)).server_sees(query(READ)).counted(("postgres", "the breaker is open"))


def test_a_session_without_served_tables_is_not_looked_at() -> None:
    script = ServedScript(served_ground(served=()))
    script.client(query(READ)).server_sees(query(READ)).counted()
    assert script.port.asked == []


def test_a_prepared_read_is_answered_with_its_parameters() -> None:
    script = ServedScript().prepare()
    script.client(bind(b"\0\0\0\7", name=b"s", code=1, results=(1,)))
    script.client(rewriting.describe(b"P", b""), rewriting.execute(b""), SYNC).server_sees()
    (read,) = script.port.reads
    assert (read.parameter_types, read.parameters, read.formats, read.result_formats) == (
        (23,),
        (b"\0\0\0\7",),
        (1,),
        (1,),
    )
    script.stored().client_sees(BOUND, *ANSWER, ready()).server_sees().counted(STORE)
    script.client(bind(b"7", name=b"s"), rewriting.execute(b""), SYNC).stored()
    script.client_sees(BOUND, row(b"7"), complete("SELECT 1"), ready())


def test_a_statement_is_prepared_on_the_server_beside_its_first_read() -> None:
    script = ServedScript()
    parse = rewriting.parse(b"", READ.encode())
    script.client(parse, bind(), rewriting.describe(b"P", b""), rewriting.execute(b""), SYNC)
    script.server_sees(parse, SYNC)
    script.stored().client_sees()
    script.server(PARSED, ready()).client_sees(PARSED, BOUND, *ANSWER, ready()).counted(STORE)
    script.client(parse, bind(), rewriting.execute(b""), SYNC).server(PARSED, ready()).client_sees(PARSED)
    script.stored().client_sees(BOUND, row(b"7"), complete("SELECT 1"), ready())


def test_a_statement_the_server_refuses_has_that_for_an_answer() -> None:
    script = ServedScript()
    script.client(rewriting.parse(b"", READ.encode()), bind(), rewriting.execute(b""), SYNC)
    script.client(query("SELECT 1"))
    refused = error("42P01", "gone")
    script.server(refused, ready()).client_sees(refused, ready())
    assert script.port.cancelled == 1
    assert script.server_got.endswith(query("SELECT 1"))
    script.server(complete("SELECT 1"), ready()).client_sees(complete("SELECT 1"), ready())
    assert script.relay.idle


def test_a_declined_read_waits_for_its_statement_to_be_prepared() -> None:
    script = ServedScript()
    parse, rest = rewriting.parse(b"", READ.encode()), (bind(), rewriting.execute(b""), SYNC)
    script.client(parse, *rest).stored(Declined("timeout")).server_sees(parse, SYNC)
    script.server(PARSED, ready()).client_sees(PARSED).server_sees(*rest)
    script.server(BOUND, row(b"7"), complete("SELECT 1"), ready())
    script.client_sees(BOUND, row(b"7"), complete("SELECT 1"), ready())


def test_a_batch_of_reads_is_answered_in_order() -> None:
    script = ServedScript().prepare()
    for number in (b"1", b"2"):
        script.client(bind(number, name=b"s"), rewriting.describe(b"P", b""), rewriting.execute(b""))
    script.client(rewriting.close(b"P", b""), SYNC).server_sees()
    assert [read.parameters for read in script.port.reads] == [(b"1",)]  # one after the other
    script.stored(served(b"1"))
    assert [read.parameters for read in script.port.reads] == [(b"1",), (b"2",)]
    script.client_sees().stored(served(b"2"))
    script.client_sees(
        *(BOUND, description("id"), row(b"1"), complete("SELECT 1")),
        *(BOUND, description("id"), row(b"2"), complete("SELECT 1"), CLOSED, ready()),
    )
    script.counted(STORE, STORE)


@pytest.mark.parametrize(
    "others",
    [
        (rewriting.parse(b"w", b"SELECT 1"), bind(name=b"w"), rewriting.execute(b"")),
        (rewriting.describe(b"S", b"s"),),
        (rewriting.close(b"S", b"s"),),
        (rewriting.execute(b"elsewhere"),),
        (rewriting.execute(b""),),
        (bind(name=b"unknown"), rewriting.execute(b"")),
        (bind(b"1", name=b"s"),),
        (query("SELECT 1"),),
    ],
)
def test_a_batch_that_is_not_all_of_served_reads_goes_to_the_server_whole(others: tuple[bytes, ...]) -> None:
    script = ServedScript().prepare()
    sent = (bind(b"1", name=b"s"), rewriting.execute(b""), *others, SYNC)
    script.client(*sent).server_sees(*sent)
    assert script.port.reads == []
    assert {source for source, _ in script.port.counted} == {"postgres"}
    assert all(reason for _, reason in script.port.counted)


def test_a_batch_that_comes_in_pieces_is_held_until_its_sync() -> None:
    script = ServedScript().prepare()
    whole = b"".join((bind(b"1", name=b"s"), rewriting.execute(b""), SYNC))
    for at in range(len(whole)):
        assert script.port.reads == []
        script.client(whole[at : at + 1]).server_sees()
    script.stored().client_sees(BOUND, row(b"7"), complete("SELECT 1"), ready())


def test_who_wants_rows_before_the_sync_has_them_from_the_server() -> None:
    script = ServedScript().prepare()
    sent = (bind(b"1", name=b"s"), rewriting.execute(b""), FLUSH)
    script.client(*sent).server_sees(*sent)
    script.server(BOUND, row(b"7"), complete("SELECT 1")).client_sees(BOUND, row(b"7"), complete("SELECT 1"))
    script.client(SYNC).server(ready()).client_sees(ready())


def test_a_client_that_takes_only_so_many_rows_is_told_that_there_may_be_more() -> None:
    script = ServedScript().prepare()
    few = (bind(b"1", name=b"s"), rewriting.execute(b"", 2), SYNC)
    script.client(*few).stored(served(b"1")).client_sees(BOUND, row(b"1"), complete("SELECT 1"), ready())
    assert script.port.reads[-1].rows == 2
    script.client(*few).stored(replace(served(b"1", b"2"), suspended=True))
    script.client_sees(BOUND, row(b"1"), row(b"2"), b"s\x00\x00\x00\x04", ready())


def test_in_a_block_a_portal_that_is_not_read_to_its_end_is_the_servers() -> None:
    script = ServedScript().prepare().begin()
    few = (bind(b"1", name=b"s"), rewriting.execute(b"", 1), SYNC)
    script.client(*few).stored(replace(served(b"1"), suspended=True)).server_sees(*few)


def test_a_prefix_that_was_flushed_is_ended_on_the_server() -> None:
    script = ServedScript()
    parse = rewriting.parse(b"", READ.encode())
    script.client(parse, rewriting.describe(b"S", b""), FLUSH)
    script.server(PARSED, frame(ord("t"), b"\0\0"), description("id"))
    script.server_got, script.client_got  # noqa: B018 - forget it
    script.client(bind(), rewriting.execute(b""), SYNC).server_sees(SYNC).stored().client_sees()
    script.server(ready()).client_sees(BOUND, row(b"7"), complete("SELECT 1"), ready())


def test_a_statement_prepared_before_its_tables_were_served_goes_to_the_server_once() -> None:
    dark, lit = served_ground(served=()), served_ground(generation=2)
    script = ServedScript(dark).prepare()
    script.ground = lit
    script.relay.reconsider()
    script.client(query("BEGIN")).settle().server(complete("BEGIN"), ready("T"))
    script.client(query("COMMIT")).server(complete("COMMIT"), ready())
    script.server_got, script.client_got  # noqa: B018 - forget it
    sent = (bind(b"1", name=b"s"), rewriting.execute(b""), SYNC)
    script.client(*sent).server_sees(*sent)
    script.server(BOUND, complete("SELECT 0"), ready()).client_got  # noqa: B018 - forget it
    script.client(*sent).server_sees().stored().client_sees(BOUND, row(b"7"), complete("SELECT 1"), ready())


def test_one_the_server_would_refuse_now_is_not_served() -> None:
    dark, lit = served_ground(served=()), served_ground(generation=2)
    script = ServedScript(dark).prepare()
    script.ground = lit
    script.relay.reconsider()
    script.client(query("BEGIN")).settle().server(complete("BEGIN"), ready("T"))
    script.client(query("COMMIT")).server(complete("COMMIT"), ready())
    script.server_got, script.client_got  # noqa: B018 - forget it
    sent = (bind(b"1", name=b"s"), rewriting.execute(b""), SYNC)
    refused = error("0A000", "cached plan must not change result type")
    for _ in range(2):
        script.client(*sent).server_sees(*sent).server(refused, ready()).client_sees(refused, ready())
    assert script.port.reads == []


def test_a_served_query_destroys_the_unnamed_statement_too() -> None:
    script = ServedScript().prepare(name=b"")
    script.client(query(READ)).stored().client_sees(*ANSWER, ready())
    sent = (bind(b"1"), rewriting.execute(b""), SYNC)
    script.client(*sent).server_sees(rewriting.close(b"S", b""), *sent)
    missing = error("26000", "unnamed prepared statement does not exist")
    script.server(CLOSED, missing, ready()).client_sees(missing, ready())


def test_a_write_in_the_extended_protocol_is_captured_as_ever() -> None:
    script = ServedScript()
    script.client(rewriting.parse(b"w", b"INSERT INTO orders VALUES (1)"), bind(name=b"w"))
    script.client(rewriting.describe(b"P", b""), rewriting.execute(b""), SYNC)
    assert b"RETURNING" in script.server_got
    script.server(PARSED, BOUND, description("c"), complete("INSERT 0 1"), ready())
    script.client_sees(PARSED, BOUND, NO_DATA, complete("INSERT 0 1"), ready())


def test_rules_that_take_the_table_back_take_effect_at_once() -> None:
    script = ServedScript()
    script.client(query(READ)).stored().client_sees(*ANSWER, ready())
    script.ground = served_ground(served=(), generation=2)
    script.relay.reconsider()
    script.client(query(READ)).server_sees(query(READ)).server(*ROWS, complete("SELECT 1"), ready())


@pytest.mark.parametrize(
    "body",
    [
        b"\0s\0",
        b"\0s\0\0\0\0\x01",
        b"\0s\0\0\0\0\1\0\0\0\x7f7",
        b"\0s\0\0\0\0\1\0\0\0\x017",
        b"\0s\0\0\2\0\0",
    ],
)
def test_a_bind_that_is_too_short_is_the_servers_to_refuse(body: bytes) -> None:
    script = ServedScript().prepare()
    sent = (frame(ord("B"), body), rewriting.execute(b""), SYNC)
    script.client(*sent).server_sees(*sent)
    assert script.port.reads == []
