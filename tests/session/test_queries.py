"""Simple queries: what goes to the server instead, what the client sees, and when the commit goes out."""

from __future__ import annotations

import struct

import pytest

from proxy.mirror.effects import Cause, Rows, Truncation, Unseen
from proxy.mirror.versions import pack
from proxy.session.queries import OWN
from proxy.wire import rewriting
from proxy.wire.messages import error_fields, frame
from tests.support.capture import (
    BOUND,
    CLOSED,
    FLUSH,
    NO_DATA,
    PARSED,
    SYNC,
    CaptureScript,
    as_text,
    description,
    ground,
    image,
    row,
)
from tests.support.transcript import complete, error, query, ready

UPDATE = "UPDATE orders SET total = 1 WHERE id = 1"


def split(script: CaptureScript, text: str) -> bytes:
    """What the server got of one statement sent in the extended protocol, its text left out."""
    got = script.server_got
    assert got[0:1] == b"P"
    _, sent, _ = rewriting.split_parse(got)
    assert sent.decode().startswith(text)
    return got[1 + struct.unpack_from("!i", got, 1)[0] :]


def test_a_write_outside_a_block_commits_once_its_image_is_on_disk() -> None:
    script = CaptureScript()
    script.client(query(UPDATE))
    rest = split(script, UPDATE + " RETURNING ")
    assert rest == rewriting.bind(b"", b"", binary=True) + rewriting.execute(b"") + FLUSH
    script.server(PARSED, BOUND, row(image()), complete("UPDATE 1"))
    script.client_sees(complete("UPDATE 1")).mirror_heard("secure i").server_sees()
    script.mirror.let()
    script.server_sees(rewriting.close(b"S", b""), SYNC).mirror_heard()
    script.server(CLOSED, ready()).client_sees(ready()).mirror_heard("committed i")
    assert script.relay.idle


def test_rows_the_client_asked_for_lose_our_column() -> None:
    script = CaptureScript(waits=False)
    script.client(query("DELETE FROM orders RETURNING id"))
    rest = split(script, "DELETE FROM orders RETURNING id, pg_catalog.record_send(")
    assert rewriting.bind(b"", b"", binary=False) + rewriting.describe(b"P", b"") in rest
    script.server(
        PARSED, BOUND, description("id", "record_send"), row(b"1", as_text(image())), complete("DELETE 1")
    )
    script.server(CLOSED, ready())
    script.client_sees(description("id"), row(b"1"), complete("DELETE 1"), ready())
    assert [type(effect).__name__ for effect in script.mirror.committed_effects] == ["Image"]


def test_fast_tables_do_not_wait() -> None:
    script = CaptureScript(ground(strict=False))
    script.client(query(UPDATE))
    assert rewriting.SYNC not in script.server_got
    script.server(description("record_send"), row(as_text(image())), complete("UPDATE 1"), ready())
    script.client_sees(complete("UPDATE 1"), ready()).mirror_heard("committed i")


def test_in_a_block_the_commit_waits_and_nothing_else() -> None:
    script = CaptureScript().begin()
    script.client(query(UPDATE))
    assert script.server_got.startswith(b"Q")
    script.server(description("record_send"), row(as_text(image())), complete("UPDATE 1"), ready("T"))
    script.client_sees(complete("UPDATE 1"), ready("T")).mirror_heard()
    script.client(query("COMMIT")).server_sees().mirror_heard("secure i")
    script.mirror.let()
    script.server_sees(query("COMMIT"))
    script.server(complete("COMMIT"), ready()).client_sees(complete("COMMIT"), ready())
    script.mirror_heard("committed i")


@pytest.mark.parametrize("tag", ["ROLLBACK", "COMMIT"])
def test_what_the_tag_says_counts(tag: str) -> None:
    script = CaptureScript(waits=False).begin()
    script.client(query(UPDATE)).server(row(as_text(image())), complete("UPDATE 1"), ready("T"))
    script.client(query("COMMIT")).server(complete(tag), ready())
    assert script.mirror.heard()[-1] == ("aborted i" if tag == "ROLLBACK" else "committed i")


def test_several_statements_are_one_transaction() -> None:
    script = CaptureScript(waits=False)
    script.client(query(f"SELECT 1; {UPDATE}; {UPDATE}"))
    got = script.server_got
    assert got.count(b"record_send") == 2
    assert got.endswith(rewriting.execute(b"") + FLUSH)
    script.server(
        PARSED, BOUND, description("one"), row(b"1"), complete("SELECT 1"),
        PARSED, BOUND, row(image()), complete("UPDATE 1"),
        PARSED, BOUND, row(image()), row(image()), complete("UPDATE 2"),
    )  # fmt: skip
    script.server_sees(rewriting.close(b"S", b""), SYNC)
    script.server(CLOSED, ready())
    script.client_sees(
        description("one"),
        row(b"1"),
        complete("SELECT 1"),
        complete("UPDATE 1"),
        complete("UPDATE 2"),
        ready(),
    )
    script.mirror_heard("secure i,i,i", "committed i,i,i")


def test_an_error_undoes_them_all_and_its_position_is_that_of_the_text() -> None:
    script = CaptureScript(waits=False)
    script.client(query(f"{UPDATE}; SELECT nothing"))
    script.server(PARSED, BOUND, row(image()), complete("UPDATE 1"))
    script.server(frame(ord("E"), b"SERROR\x00C42703\x00P8\x00\x00"))
    script.server(ready())
    got = script.client_got
    assert got.startswith(complete("UPDATE 1") + b"E")
    assert error_fields(got[len(complete("UPDATE 1")) + 5 :])["P"] == str(8 + len(UPDATE) + 2)
    assert script.server_got.endswith(FLUSH + SYNC)
    script.mirror_heard("aborted i")


def test_a_statement_behind_an_error_is_not_run() -> None:
    script = CaptureScript(waits=False)
    script.client(query(f"{UPDATE}; COMMIT; {UPDATE}"))
    script.server_got  # noqa: B018 - forget it
    script.server(PARSED, error("23505"))
    script.server_sees(SYNC)
    script.server(ready())
    script.client_sees(error("23505"), ready()).mirror_heard("aborted nothing")


def test_a_commit_among_the_statements_is_held_too() -> None:
    script = CaptureScript()
    script.client(query(f"BEGIN; {UPDATE}; COMMIT"))
    assert b"COMMIT" not in script.server_got
    script.server(
        PARSED, BOUND, NO_DATA, complete("BEGIN"), PARSED, BOUND, row(image()), complete("UPDATE 1")
    )
    script.mirror_heard("secure i")
    assert b"COMMIT" not in script.server_got
    script.mirror.let()
    assert b"COMMIT" in script.server_got
    script.server(PARSED, BOUND, NO_DATA, complete("COMMIT"), CLOSED, ready())
    script.client_sees(complete("BEGIN"), complete("UPDATE 1"), complete("COMMIT"), ready())
    script.mirror_heard("committed i")


def test_what_cannot_be_split_is_announced_before_and_secured_after() -> None:
    script = CaptureScript(waits=False)
    script.client(query(f"VACUUM other; {UPDATE}"))
    assert script.server_got.startswith(b"Q")
    script.mirror_heard("secure now unobserved")
    script.server(complete("VACUUM"), row(as_text(image())), complete("UPDATE 1"), ready())
    script.mirror_heard("secure now i", "committed i", "aborted unobserved")


def test_a_write_that_cannot_be_seen_is_secured_before_it_is_sent() -> None:
    script = CaptureScript()
    script.client(query("DO $$ begin delete from orders; end $$"))
    script.server_sees().mirror_heard("secure function")
    script.mirror.let()
    script.server_sees(query("DO $$ begin delete from orders; end $$"))
    script.server(complete("DO"), ready()).mirror_heard("committed function")


def test_a_truncate_asks_where_it_stands() -> None:
    script = CaptureScript(waits=False)
    script.client(query("TRUNCATE orders"))
    got = script.server_got
    assert got.count(OWN + b"_position") == 6
    script.server(PARSED, BOUND, NO_DATA, complete("TRUNCATE TABLE"))
    script.server(PARSED, BOUND, row(b"0/2000", b"000000010000000000000001", b"700"), complete("SELECT 1"))
    script.server(CLOSED, CLOSED)
    script.server(CLOSED, ready())
    script.client_sees(complete("TRUNCATE TABLE"), ready())
    script.mirror_heard("secure t", "committed t")
    effect = script.mirror.committed_effects[0]
    assert isinstance(effect, Truncation)
    assert effect.version == pack(1, 0x2000)


def test_the_old_key_of_an_update_is_taken_from_its_text() -> None:
    script = CaptureScript(waits=False).begin()
    script.client(query("UPDATE orders SET id = 2 WHERE id = 1"))
    script.server(row(as_text(image())), complete("UPDATE 1"), ready("T"))
    script.client(query("COMMIT")).server(complete("COMMIT"), ready())
    pinned = [effect for effect in script.mirror.committed_effects if isinstance(effect, Unseen)]
    assert [(effect.cause, effect.rows) for effect in pinned] == [
        (Cause.KEY_CHANGE, Rows(("id",), (("1",),)))
    ]


def test_sql_level_prepare_and_execute() -> None:
    script = CaptureScript(waits=False)
    script.client(query("PREPARE p(int) AS UPDATE orders SET total = $1"))
    assert b"record_send" in script.server_got
    script.server(complete("PREPARE"), ready()).client_sees(complete("PREPARE"), ready())
    script.client(query("EXECUTE p(5)"))
    split(script, "EXECUTE p(5)")
    script.server(PARSED, BOUND, row(as_text(image())), complete("UPDATE 1"))
    script.server(CLOSED, ready())
    script.client_sees(complete("UPDATE 1"), ready()).mirror_heard("secure i", "committed i")
    script.client(query("DEALLOCATE p")).server(complete("DEALLOCATE"), ready())
    script.server_got  # noqa: B018 - forget it
    script.client(query("EXECUTE p(5)"))
    assert script.server_got == query("EXECUTE p(5)")


def test_a_failed_prepare_prepares_nothing() -> None:
    script = CaptureScript(waits=False)
    script.client(query("PREPARE p AS DELETE FROM orders")).server(error("42P05"), ready())
    script.server_got  # noqa: B018 - forget it
    script.client(query("EXECUTE p")).server_sees(query("EXECUTE p"))


def test_parameters_in_a_simple_query_are_the_servers_to_refuse() -> None:
    script = CaptureScript(waits=False)
    script.client(query("DELETE FROM orders WHERE id = $1"))
    assert script.server_got.startswith(b"Q")
    script.server(error("42P02"), ready()).client_sees(error("42P02"), ready())
    assert script.mirror.heard()[-1] == "aborted unobserved"


def test_queries_sent_ahead_wait_their_turn() -> None:
    script = CaptureScript(waits=False)
    script.client(query("SELECT 1"), query(UPDATE), query("SELECT 2")).server_sees(query("SELECT 1"))
    script.server(complete("SELECT 1"), ready())
    assert b"record_send" in script.server_got
    script.server(PARSED, BOUND, row(image()), complete("UPDATE 1"))
    script.server_sees(rewriting.close(b"S", b""), SYNC, query("SELECT 2"))
    script.server(CLOSED, ready(), complete("SELECT 1"), ready())
    script.client_sees(
        complete("SELECT 1"), ready(), complete("UPDATE 1"), ready(), complete("SELECT 1"), ready()
    )


def test_the_reply_to_ddl_on_a_watched_table_waits_for_the_catalogue() -> None:
    script = CaptureScript()
    script.client(query("ALTER TABLE orders ADD COLUMN x int")).server(complete("ALTER TABLE"), ready())
    script.client_sees(complete("ALTER TABLE"))
    script.defined.pop()()
    script.client_sees(ready())


def test_other_ddl_has_the_catalogue_looked_at_and_waits_for_nothing() -> None:
    script = CaptureScript()
    script.client(query("CREATE FUNCTION f() RETURNS int AS $$ select 1 $$ LANGUAGE sql"))
    script.server(complete("CREATE FUNCTION"), ready()).client_sees(complete("CREATE FUNCTION"), ready())
    assert len(script.defined) == 1


def test_ddl_that_was_rolled_back_changes_nothing() -> None:
    script = CaptureScript().begin()
    script.client(query("DROP TABLE orders")).server(complete("DROP TABLE"), ready("T"))
    script.client(query("ROLLBACK")).server(complete("ROLLBACK"), ready())
    script.client_sees(complete("DROP TABLE"), ready("T"), complete("ROLLBACK"), ready())


def test_a_text_may_run_what_it_has_prepared_itself() -> None:
    script = CaptureScript(ground(strict=False)).begin()
    script.client(query(f"PREPARE up AS {UPDATE}; EXECUTE up"))
    script.server(
        complete("PREPARE"), description("record_send"), row(as_text(image())), complete("UPDATE 1")
    )
    script.client_sees(complete("PREPARE"), complete("UPDATE 1"))


@pytest.mark.parametrize(
    "first", [f"PREPARE up AS {UPDATE}", "SET ROLE ann", "SELECT set_config('role', 'ann', false)"]
)
def test_what_changes_how_statements_are_planned_is_waited_for(first: str) -> None:
    script = CaptureScript(ground(strict=False))
    script.client(query(first))
    script.server_got  # noqa: B018 - forget it
    script.client(query("EXECUTE up")).server_sees()
    script.server(complete(first.partition(" ")[0]), ready())
    script.server_sees(query("EXECUTE up"))


def test_positions_behind_a_splice_are_those_of_the_clients_text() -> None:
    script = CaptureScript().begin()
    text = f"{UPDATE}; UPDATE orders SET totel = 1"
    script.client(query(text))
    sent = script.server_got.decode()
    wrong = frame(ord("E"), b"SERROR\x00C42703\x00P%d\x00\x00" % (sent.index("totel") - 4))
    script.server(description("record_send"), row(as_text(image())), complete("UPDATE 1"), wrong)
    shown = script.client_got
    assert shown.startswith(complete("UPDATE 1"))
    assert error_fields(shown[len(complete("UPDATE 1")) + 5 :])["P"] == str(text.index("totel") + 1)


def test_rows_are_described_when_a_simple_query_would_describe_them() -> None:
    """Behind the notices of the statement; not at all if it fails."""
    notice = frame(ord("N"), b"SNOTICE\x00C00000\x00Mfired\x00\x00")
    script = CaptureScript(waits=False)
    script.client(query("DELETE FROM orders RETURNING id"))
    script.server(PARSED, BOUND, description("id", "record_send"), notice).client_sees(notice)
    script.server(row(b"1", as_text(image())), complete("DELETE 1"))
    script.client_sees(description("id"), row(b"1"), complete("DELETE 1"))
    script.server(CLOSED, ready()).client_sees(ready())
    script.client(query("DELETE FROM orders RETURNING id"))
    script.server(PARSED, BOUND, description("id", "record_send"), complete("DELETE 0"))
    script.client_sees(description("id"), complete("DELETE 0"))
    script.server(CLOSED, ready()).client_sees(ready())
    script.client(query("DELETE FROM orders RETURNING id"))
    script.server(PARSED, BOUND, description("id", "record_send"), error("22012"))
    script.client_sees(error("22012"))


def test_rows_of_other_statements_among_writes_are_described_in_time() -> None:
    script = CaptureScript(waits=False)
    script.client(query(f"{UPDATE}; EXPLAIN SELECT 1; SELECT 2"))
    script.server(PARSED, BOUND, row(image()), complete("UPDATE 1"))
    script.client_sees(complete("UPDATE 1"))
    script.server(PARSED, BOUND, description("QUERY PLAN")).client_sees()
    script.server(row(b"Result"), row(b"..."), complete("EXPLAIN"))
    script.client_sees(description("QUERY PLAN"), row(b"Result"), row(b"..."), complete("EXPLAIN"))
    script.server(PARSED, BOUND, description("?column?")).client_sees(description("?column?"))


@pytest.mark.parametrize("other", ["SAVEPOINT a", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"])
def test_what_the_protocols_refuse_differently_is_sent_as_it_came(other: str) -> None:
    script = CaptureScript(waits=False)
    script.client(query(f"{UPDATE}; {other}"))
    assert script.server_got.startswith(b"Q")


def test_nothing_is_split_in_a_block_that_has_failed() -> None:
    script = CaptureScript(waits=False).begin()
    script.client(query("SELECT 1/0")).server(error("22012"), ready("E"))
    script.server_got  # noqa: B018 - forget it
    script.client(query("TRUNCATE orders"))
    assert script.server_got.startswith(b"Q")


def test_the_portal_of_a_statement_does_not_outlive_its_query_in_a_block() -> None:
    script = CaptureScript(waits=False)
    script.client(query(f"{UPDATE}; BEGIN; {UPDATE} RETURNING id"))
    script.server(
        PARSED, BOUND, row(image()), complete("UPDATE 1"), PARSED, BOUND, NO_DATA, complete("BEGIN")
    )
    script.server_got  # noqa: B018 - forget it
    script.server(PARSED, BOUND, description("id", "record_send"), complete("UPDATE 0"))
    script.server_sees(rewriting.close(b"S", b""), rewriting.close(b"P", b""), SYNC)
    script.server(CLOSED, CLOSED, ready("T"))
    assert script.client_got.endswith(complete("UPDATE 0") + ready("T"))


LEFT = rewriting.close(b"S", b"")
USES = {
    "bind": rewriting.bind(b"", b"", binary=False),
    "describe": rewriting.describe(b"S", b""),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.parametrize("answers", [(PARSED,), (PARSED, BOUND)], ids=["bind", "execute"])
def test_a_query_that_fails_leaves_no_unnamed_statement(answers: tuple[bytes, ...], use: bytes) -> None:
    """Sent statement by statement, it has made one that a simple query would not have made."""
    script = CaptureScript(waits=False)
    script.client(query(UPDATE)).server(*answers, error("22012")).server(ready())
    script.server_got  # noqa: B018 - forget it
    script.client(use, SYNC).server_sees(LEFT, use, SYNC)
    script.client_got  # noqa: B018 - forget it
    script.server(CLOSED, error("26000"), ready()).client_sees(error("26000"), ready())
    script.client(use, SYNC).server_sees(use, SYNC)  # it is closed once


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_so_does_one_that_fails_only_once_all_of_it_is_sent(use: bytes) -> None:
    script = CaptureScript().begin()
    script.client(query("TRUNCATE orders"))
    script.client(use, SYNC)
    script.server(PARSED, BOUND, NO_DATA, complete("TRUNCATE TABLE"), error("42501")).server(ready("E"))
    assert script.server_got.endswith(SYNC + LEFT + use + SYNC)


def test_an_unnamed_statement_of_the_client_behind_it_is_kept() -> None:
    script = CaptureScript(waits=False)
    script.client(query(UPDATE))
    own = rewriting.parse(b"", b"SELECT 1")
    use = USES["bind"]
    script.client(own, use, SYNC)  # both wait behind the query
    script.server(PARSED, error("22012")).server(ready())
    assert SYNC + own + use in script.server_got
    script.server(PARSED, BOUND).server_sees(SYNC)
    script.server(ready())
    script.client(use, SYNC).server_sees(use, SYNC)


def test_where_nothing_is_split_nothing_is_left() -> None:
    script = CaptureScript(ground(strict=False), waits=False)
    script.client(query(UPDATE)).server(error("22012"), ready())
    script.server_got  # noqa: B018 - forget it
    use = USES["bind"]
    script.client(use, SYNC).server_sees(use, SYNC)
