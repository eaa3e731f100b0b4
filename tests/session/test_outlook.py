"""What decides whether a session's reads may be served: settings, own commits, transactions, notifications."""

from __future__ import annotations

import struct
from dataclasses import replace
from time import monotonic
from types import MappingProxyType

import pytest

from proxy.rulefiles.schema import Reads
from proxy.serve.candidates import ServedTable, ServedTables
from proxy.session import outlook
from proxy.wire import rewriting
from proxy.wire.messages import frame
from tests.serve.made import ORDERS, served_ground
from tests.session.served import ANSWER, READ, ServedScript, bind, served, settings_reply
from tests.support.capture import BOUND, CLOSED, PARSED, SHOP, SYNC, as_text, image, relation, row, snapshot
from tests.support.transcript import complete, error, query, ready


def to_postgres(script: ServedScript, reason: str, text: str = READ) -> None:
    """A read goes to the server, for this reason."""
    script.client(query(text)).server_sees(query(text)).counted(("postgres", reason))
    status = chr(script.relay.status)
    script.server(*ANSWER, ready(status)).client_sees(*ANSWER, ready(status))


def to_store(script: ServedScript) -> None:
    status = chr(script.relay.status)
    script.port.counted.clear()
    script.client(query(READ)).server_sees().stored().client_sees(*ANSWER, ready(status))
    script.counted(("store", ""))


def insert(script: ServedScript) -> None:
    """A write to `orders` that is committed."""
    script.client(query("INSERT INTO orders VALUES (7)"))
    script.server(row(as_text(image())), complete("INSERT 0 1"), ready())
    script.client_sees(complete("INSERT 0 1"), ready())
    script.server_got  # noqa: B018 - forget it


# Settings.


def test_settings_are_asked_for_once_before_the_first_read() -> None:
    script = ServedScript(asked=False)
    script.client(query(READ)).client_sees().settle({"extra_float_digits": "-2", "TimeZone": "Asia/Tokyo"})
    (read,) = script.port.reads
    assert (read.settings.extra_float_digits, read.settings.time_zone) == (-2, "Asia/Tokyo")
    script.stored().client_sees(*ANSWER, ready())
    to_store(script)


@pytest.mark.parametrize(
    "text",
    ["SET extra_float_digits = 0", "SELECT f()", "DO $$ BEGIN END $$", "DISCARD ALL", "SELEC 1"],
)
def test_and_again_behind_what_may_have_changed_them(text: str) -> None:
    script = ServedScript()
    script.client(query(text)).server_sees(query(text)).server(complete("SET"), ready())
    script.client_sees(complete("SET"), ready())
    script.client(query(READ)).settle({"extra_float_digits": "0"}).stored().client_sees(*ANSWER, ready())
    assert script.port.reads[0].settings.extra_float_digits == 0


@pytest.mark.parametrize(
    "text", ["SELECT 1", "SELECT count(*) FROM others", "SET application_name = 'x'", "SHOW x"]
)
def test_but_not_behind_what_cannot_have(text: str) -> None:
    script = ServedScript()
    script.client(query(text)).server_sees(query(text)).server(complete("SET"), ready())
    script.client_sees(complete("SET"), ready())
    to_store(script)


def test_and_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    script = ServedScript()
    now = monotonic() + outlook.SETTINGS_AGE + 1
    monkeypatch.setattr(outlook, "monotonic", lambda: now)
    script.client(query(READ)).settle().stored().client_sees(*ANSWER, ready())
    to_store(script)


def test_the_server_tells_of_some_by_itself() -> None:
    script = ServedScript()
    told = frame(ord("S"), b"TimeZone\0Europe/Paris\0")
    script.client(query("SET TIME ZONE 'Europe/Paris'")).server(complete("SET"), told, ready())
    script.client_sees(complete("SET"), told, ready()).server_got  # noqa: B018 - forget it
    to_store(script)
    assert script.port.reads[0].settings.time_zone == "Europe/Paris"


def test_a_question_that_fails_leaves_reads_to_the_server() -> None:
    script = ServedScript(asked=False)
    script.client(query(READ))
    asked = script.server_got
    assert b"current_setting" in asked
    assert asked.startswith(rewriting.close(b"S", b"_causeway_settings"))  # else it would fail for ever after
    script.server(CLOSED, error("57014", "timeout"), ready()).client_sees().server_sees(query(READ))
    script.server(*ANSWER, ready()).client_sees(*ANSWER, ready())
    script.counted(("postgres", outlook.UNASKED))
    to_postgres(script, outlook.UNASKED)  # not asked again for a while


def test_an_end_of_the_session_is_told_whatever_was_asked() -> None:
    script = ServedScript(asked=False)
    script.client(query(READ))
    fatal = frame(ord("E"), b"SFATAL\0VFATAL\0C57P01\0Mterminating\0\0")
    script.server(fatal).client_sees(fatal)


def test_the_question_leaves_the_unnamed_statement_alone() -> None:
    script = ServedScript(asked=False)
    script.client(query("SELECT f()")).server(complete("SELECT 1"), ready())
    parse = rewriting.parse(b"", READ.encode())
    script.server_got, script.client_got  # noqa: B018 - forget it
    script.client(parse, SYNC).settle().server_sees(parse, SYNC)
    assert script.server(PARSED, ready()).client_got == PARSED + ready()
    script.client(bind(), rewriting.execute(b""), SYNC).server_sees().stored()
    script.client_sees(BOUND, row(b"7"), complete("SELECT 1"), ready())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("default_transaction_isolation", "serializable"),
        ("idle_session_timeout", "1min"),
        ("client_min_messages", "debug1"),
    ],
)
def test_settings_that_keep_a_session_on_postgresql(name: str, value: str) -> None:
    script = ServedScript(asked=False)
    script.client(query(READ)).settle({name: value}).server_sees(query(READ))
    ((source, reason),) = script.port.counted
    assert source == "postgres"
    assert name in reason


def test_a_read_takes_no_longer_than_a_statement_may() -> None:
    script = ServedScript(asked=False)
    script.client(query(READ)).settle({"statement_timeout": "250ms"})
    assert script.port.reads[0].limits.timeout == 0.25


def test_a_session_of_another_role_than_it_seems() -> None:
    script = ServedScript(asked=False)
    script.client(query(READ))
    script.server_got  # noqa: B018 - forget it
    script.server(settings_reply().replace(b"\0\0\0\x03ann", b"\0\0\0\x03bob"))
    script.server_sees(query(READ)).counted(("postgres", outlook.ROLE))


# Who is served.


def test_sessions_keep_to_one_side_of_the_share() -> None:
    out = ServedScript(served_ground(0.1), asked=False, thrown=0.1)
    out.client(query(READ)).server_sees(query(READ)).counted()
    to_store(ServedScript(served_ground(0.1), thrown=0.09))


def test_a_read_of_tables_with_other_shares() -> None:
    picture = snapshot(
        [relation(SHOP, "orders"), relation(SHOP + 1, "others")], search_paths={"ann": ("public",)}
    )
    base = served_ground(picture=picture)
    tables = {
        SHOP: ServedTable(ORDERS, Reads.model_validate({"share": "10%"})),
        SHOP + 1: ServedTable("public.others", Reads.model_validate({"share": "90%"})),
    }
    base = replace(base, served=ServedTables(MappingProxyType(tables), 0.9))
    to_postgres(ServedScript(base, thrown=0.5), outlook.SHARE)


def test_a_role_that_may_not_see_every_row() -> None:
    picture = snapshot(
        [relation(SHOP, "orders")],
        search_paths={"ann": ("public",)},
        invisible={"ann": frozenset({SHOP})},
    )
    to_postgres(
        ServedScript(served_ground(picture=picture)), "the session's role may not see every row and column"
    )


def test_a_client_that_does_not_take_its_results() -> None:
    script = ServedScript()
    script.backlog = 100_001
    to_postgres(script, outlook.BACKLOG)


def test_who_is_notified_reads_from_postgresql_from_then_on() -> None:
    script = ServedScript()
    told = frame(ord("A"), struct.pack("!i", 1) + b"orders\0\0")
    script.server(told).client_sees(told)
    to_postgres(script, outlook.NOTIFIED)


def test_a_notification_while_a_read_is_under_way() -> None:
    script = ServedScript()
    told = frame(ord("A"), struct.pack("!i", 1) + b"orders\0\0")
    script.client(query(READ)).server(told).client_sees(told).server_sees(query(READ))
    assert script.port.cancelled == 1
    script.server(*ANSWER, ready()).client_sees(*ANSWER, ready()).counted(("postgres", outlook.NOTIFIED))


# Own writes.


def test_reads_behind_a_write_wait_for_the_store_to_have_it() -> None:
    script = ServedScript()
    insert(script)
    script.mirror.oldest = 0
    to_postgres(script, outlook.OWN_WRITES)
    (stored,) = script.mirror.unstored
    stored()
    to_store(script)


def test_what_waits_on_disk_is_known_by_the_watermark() -> None:
    script = ServedScript()
    insert(script)
    script.mirror.oldest = 0
    to_postgres(script, outlook.OWN_WRITES)
    script.mirror.oldest = 1 << 62
    to_store(script)
    insert(script)
    script.mirror.oldest = 0
    first, second = script.mirror.unstored
    first()  # late, and of an earlier commit
    to_postgres(script, outlook.OWN_WRITES)
    second()
    to_store(script)


def test_commits_from_before_the_tables_were_served_count() -> None:
    script = ServedScript(served_ground(served=()))
    insert(script)
    script.mirror.oldest = 0
    script.ground = served_ground(generation=2)
    script.relay.reconsider()
    script.client(query(READ)).settle().server_sees(query(READ)).counted(("postgres", outlook.OWN_WRITES))
    script.server(*ANSWER, ready()).client_got  # noqa: B018 - forget it
    script.mirror.oldest = None
    to_store(script)


def test_a_prepared_transaction_may_be_anybodys() -> None:
    script = ServedScript()
    script.client(query("COMMIT PREPARED 'x'")).server(complete("COMMIT PREPARED"), ready())
    script.server_got, script.client_got  # noqa: B018 - forget it
    to_postgres(script, outlook.PREPARED)


# Transactions.


def test_a_block_of_reads_alone_reads_from_the_store() -> None:
    script = ServedScript().begin()
    to_store(script)
    script.client(query("SHOW TimeZone")).server(complete("SHOW"), ready("T"))
    script.server_got, script.client_got  # noqa: B018 - forget it
    to_store(script)
    script.client(query("COMMIT")).server_sees(query("COMMIT")).server(complete("COMMIT"), ready())
    script.client_sees(complete("COMMIT"), ready())
    to_store(script)


@pytest.mark.parametrize(
    "text", ["SELECT 1", "LOCK TABLE orders", "SAVEPOINT s", "SELECT * FROM orders FOR UPDATE"]
)
def test_behind_anything_else_the_block_reads_from_postgresql(text: str) -> None:
    script = ServedScript().begin()
    to_store(script)
    script.port.unsupported[text] = "locks"
    script.client(query(text)).server_sees(query(text)).server(complete("X"), ready("T"))
    script.client_got  # noqa: B018 - forget it
    script.port.counted.clear()
    to_postgres(script, outlook.OTHER_SIDE)
    script.client(query("COMMIT")).server(complete("COMMIT"), ready())
    script.server_got, script.client_got  # noqa: B018 - forget it
    to_store(script)


def test_behind_a_read_that_was_declined_too() -> None:
    script = ServedScript().begin()
    script.port.closed = "lag"
    to_postgres(script, "lag")
    script.port.closed = ""
    to_postgres(script, outlook.OTHER_SIDE)


@pytest.mark.parametrize("level", ["SERIALIZABLE", "REPEATABLE READ"])
def test_other_isolation_levels_are_postgresqls(level: str) -> None:
    to_postgres(ServedScript().begin(f"BEGIN ISOLATION LEVEL {level}"), outlook.OTHER_SIDE)
    script = ServedScript().begin()
    script.client(query(f"SET TRANSACTION ISOLATION LEVEL {level}")).server(complete("SET"), ready("T"))
    script.server_got, script.client_got  # noqa: B018 - forget it
    to_postgres(script, outlook.OTHER_SIDE)


def test_a_block_the_relay_has_not_seen_begin() -> None:
    script = ServedScript(asked=False, status="T")
    to_postgres(script, outlook.OTHER_SIDE)


def test_a_block_of_a_server_that_ends_idle_ones() -> None:
    script = ServedScript(asked=False)
    script.client(query("BEGIN")).settle({"idle_in_transaction_session_timeout": "1min"})
    script.server(complete("BEGIN"), ready("T"))
    script.server_got, script.client_got  # noqa: B018 - forget it
    script.client(query(READ)).server_sees(query(READ))
    ((_, reason),) = script.port.counted
    assert "idle_in_transaction" in reason


def test_a_block_whose_settings_are_not_known_any_more() -> None:
    script = ServedScript().begin()
    script.client(query("SET extra_float_digits = 0")).server(complete("SET"), ready("T"))
    script.server_got, script.client_got  # noqa: B018 - forget it
    to_postgres(script, outlook.UNASKED)


def test_a_failed_block_is_postgresqls() -> None:
    script = ServedScript().begin()
    script.client(query("SELECT 1/0")).server(error("22012"), ready("E"))
    script.server_got, script.client_got  # noqa: B018 - forget it
    script.client(query(READ)).server_sees(query(READ)).counted(("postgres", outlook.OTHER_SIDE))


def test_a_begin_in_the_same_batch_as_its_first_read() -> None:
    script = ServedScript().prepare()
    begin = (rewriting.parse(b"", b"BEGIN"), bind(), rewriting.execute(b""))
    script.client(*begin, bind(b"7", name=b"s"), rewriting.execute(b""), SYNC)
    script.server_sees(*begin, SYNC).stored()
    script.server(PARSED, BOUND, complete("BEGIN"), ready("T"))
    script.client_sees(PARSED, BOUND, complete("BEGIN"), BOUND, row(b"7"), complete("SELECT 1"), ready("T"))
    script.counted(("store", ""))
    to_store(script)


def test_a_query_sent_together_with_its_begin_waits_for_the_answer() -> None:
    script = ServedScript()
    script.client(query("BEGIN"), query(READ)).server_sees(query("BEGIN"))
    assert script.port.reads == []
    script.server(complete("BEGIN"), ready("T")).client_sees(complete("BEGIN"), ready("T"))
    script.stored().client_sees(*ANSWER, ready("T")).server_sees().counted(("store", ""))


def test_no_query_waits_that_is_not_served_anyway() -> None:
    script = ServedScript()
    script.port.closed = "lag"
    script.client(query("BEGIN"), query(READ)).server_sees(query("BEGIN"), query(READ))
    script.counted(("postgres", "lag"))
    both = (query("BEGIN; SELECT 1"), query(READ))
    ServedScript().client(*both).server_sees(*both)


def test_a_cursor_that_begins_with_its_block_is_postgresqls() -> None:
    script = ServedScript().prepare()
    begin = (rewriting.parse(b"", b"BEGIN"), bind(), rewriting.execute(b""))
    read = (bind(b"7", name=b"s", portal=b"c"), rewriting.execute(b"c", 1), SYNC)
    script.client(*begin, *read).server_sees(*begin, *read)
    unnamed = (bind(b"7", name=b"s"), rewriting.execute(b"", 1), SYNC)
    script = ServedScript().prepare()
    script.client(*begin, *unnamed).server_sees(*begin, SYNC)
    script.stored(replace(served(), suspended=True)).server(PARSED, BOUND, complete("BEGIN"), ready("T"))
    script.server_sees(*unnamed)


def test_a_write_in_the_same_batch_before_it() -> None:
    script = ServedScript().prepare()
    begin = (rewriting.parse(b"", b"BEGIN"), bind(), rewriting.execute(b""))
    other = (rewriting.parse(b"", b"SELECT 1"), bind(), rewriting.execute(b""))
    read = (bind(b"7", name=b"s"), rewriting.execute(b""), SYNC)
    script.client(*begin, *other, *read).server_sees(*begin, *other, *read)
    assert served().rows  # nothing was asked for
    assert script.port.reads == []
