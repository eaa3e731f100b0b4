"""The extended protocol: splices, formats, row limits, pipelines and errors, and the Sync that is held back."""

from __future__ import annotations

import struct

from proxy.mirror.effects import Cause, Rows, Unseen
from proxy.wire import rewriting
from proxy.wire.messages import frame
from tests.support.capture import (
    BOUND,
    CLOSED,
    FLUSH,
    NO_DATA,
    PARSED,
    SHOP,
    SUSPENDED,
    SYNC,
    CaptureScript,
    as_text,
    description,
    ground,
    image,
    relation,
    row,
    snapshot,
)
from tests.support.transcript import complete, error, query, ready
from tests.wire.test_rewriting import bind

UPDATE = b"UPDATE orders SET total = $1"
RETURNING = b"DELETE FROM orders RETURNING id, total"


def parse(name: bytes, text: bytes) -> bytes:
    return rewriting.parse(name, text)


BIND = bind(b"", b"s", [], [b"1"], [])
EXECUTE = rewriting.execute(b"")


def test_a_write_is_spliced_and_its_sync_held() -> None:
    script = CaptureScript()
    script.client(
        parse(b"", UPDATE), bind(b"", b"", [], [b"1"], []), rewriting.describe(b"P", b""), EXECUTE, SYNC
    )
    got = script.server_got
    assert got.startswith(b"P")
    assert b" RETURNING pg_catalog.record_send(" in got
    assert got.endswith(EXECUTE + FLUSH)
    script.server(PARSED, BOUND, description("record_send"), row(as_text(image())), complete("UPDATE 1"))
    script.client_sees(PARSED, BOUND, NO_DATA, complete("UPDATE 1")).mirror_heard("secure i").server_sees()
    script.mirror.let()
    script.server_sees(SYNC)
    script.server(ready()).client_sees(ready()).mirror_heard("committed i")


def test_messages_behind_a_held_sync_wait() -> None:
    script = CaptureScript()
    script.client(parse(b"s", UPDATE), BIND, EXECUTE, SYNC, BIND, EXECUTE, SYNC)
    assert script.server_got.endswith(EXECUTE + FLUSH)
    script.server(PARSED, BOUND, row(as_text(image())), complete("UPDATE 1"))
    script.mirror.let()
    script.server_sees(SYNC, BIND, FLUSH)
    script.server(ready(), BOUND).server_sees(EXECUTE, FLUSH)
    script.server(row(as_text(image(2))), complete("UPDATE 1"))
    script.mirror.let()
    script.server_sees(SYNC)
    script.server(ready())
    script.client_sees(PARSED, BOUND, complete("UPDATE 1"), ready(), BOUND, complete("UPDATE 1"), ready())
    script.mirror_heard("secure i", "committed i", "secure i", "committed i")


def test_formats_listed_one_by_one_get_one_more() -> None:
    script = CaptureScript(waits=False)
    script.client(parse(b"d", RETURNING), rewriting.describe(b"S", b"d"), SYNC)
    script.server_got  # noqa: B018 - forget it
    script.server(PARSED, frame(ord("t"), b"\x00\x00"), description("id", "total", "record_send"), ready())
    script.client_sees(PARSED, frame(ord("t"), b"\x00\x00"), description("id", "total"), ready())
    script.client(bind(b"", b"d", [], [], [1, 0]), EXECUTE, SYNC)
    script.server_sees(bind(b"", b"d", [], [], [1, 0, 1]), EXECUTE, FLUSH)
    script.server(BOUND, row(b"\x00\x01", b"2", image()), complete("DELETE 1"))
    script.server(ready()).client_sees(BOUND, row(b"\x00\x01", b"2"), complete("DELETE 1"), ready())
    script.mirror_heard("secure i", "committed i")


def test_a_row_limit_means_nothing_without_rows() -> None:
    script = CaptureScript(waits=False)
    script.client(parse(b"s", UPDATE), BIND, rewriting.execute(b"", 1), SYNC)
    assert script.server_got.endswith(rewriting.execute(b"", 0) + FLUSH)


def test_rows_the_client_never_fetches_are_mirrored_all_the_same() -> None:
    script = CaptureScript(waits=False)
    script.client(parse(b"", RETURNING), bind(b"c", b"", [], [], []), rewriting.execute(b"c", 1), SYNC)
    assert script.server_got.endswith(rewriting.execute(b"c", 1) + rewriting.execute(b"c") + FLUSH)
    script.server(PARSED, BOUND, row(b"1", b"2", as_text(image())), SUSPENDED)
    script.server(row(b"3", b"4", as_text(image(3))), complete("DELETE 1"))
    script.server(ready())
    script.client_sees(PARSED, BOUND, row(b"1", b"2"), SUSPENDED, ready())
    script.mirror_heard("secure i,i", "committed i,i")


def test_in_a_block_the_rest_is_fetched_when_the_portal_goes() -> None:
    script = CaptureScript(waits=False).begin()
    script.client(parse(b"", RETURNING), bind(b"c", b"", [], [], []), rewriting.execute(b"c", 1), SYNC)
    assert script.server_got.endswith(rewriting.execute(b"c", 1) + SYNC)
    script.server(PARSED, BOUND, row(b"1", b"2", as_text(image())), SUSPENDED, ready("T"))
    script.client_got  # noqa: B018 - forget it
    script.client(rewriting.close(b"P", b"c"), SYNC)
    script.server_sees(rewriting.execute(b"c"), rewriting.close(b"P", b"c"), SYNC)
    script.server(row(b"3", b"4", as_text(image(3))), complete("DELETE 1"), CLOSED, ready("T"))
    script.client_sees(CLOSED, ready("T"))
    script.client(query("COMMIT")).server(complete("COMMIT"), ready())
    script.mirror_heard("secure i,i", "committed i,i")


def test_an_error_undoes_what_was_written_before_it_in_the_pipeline() -> None:
    script = CaptureScript(waits=False)
    script.client(parse(b"s", UPDATE), BIND, EXECUTE, BIND, EXECUTE, SYNC)
    script.server_got  # noqa: B018 - forget it
    script.server(PARSED, BOUND, row(as_text(image())), complete("UPDATE 1"), error("23505"))
    script.server_sees(SYNC)
    script.server(ready())
    script.client_sees(PARSED, BOUND, complete("UPDATE 1"), error("23505"), ready()).mirror_heard("aborted i")


def test_what_comes_behind_an_error_is_not_looked_at_until_sync() -> None:
    script = CaptureScript(waits=False)
    script.client(parse(b"s", b"SELECT broken"), FLUSH).server(error("42703"))
    script.server_got  # noqa: B018 - forget it
    skipped = parse(b"w", UPDATE) + query("DELETE FROM orders")
    script.client(skipped, SYNC).server_sees(skipped, SYNC)
    script.server(ready()).client_sees(error("42703"), ready())
    script.client(bind(b"", b"w", [], [], []), EXECUTE, SYNC)
    script.server_sees(bind(b"", b"w", [], [], []), EXECUTE, SYNC)
    script.mirror_heard()


def test_a_parse_that_fails_leaves_what_the_name_meant() -> None:
    script = CaptureScript(waits=False)
    script.client(parse(b"s", UPDATE), SYNC).server(PARSED, ready())
    script.client(parse(b"s", b"SELECT 1"), SYNC).server(error("42P05"), ready())
    script.server_got  # noqa: B018 - forget it
    script.client(BIND, EXECUTE, SYNC)
    assert script.server_got.endswith(FLUSH)
    script.server(BOUND, row(as_text(image())), complete("UPDATE 1")).server(ready())
    assert script.mirror.heard() == ["secure i", "committed i"]


def test_a_commit_in_a_pipeline_waits_for_the_images_before_it() -> None:
    script = CaptureScript()
    script.client(parse(b"b", b"BEGIN"), bind(b"", b"b", [], [], []), EXECUTE)
    script.client(parse(b"s", UPDATE), BIND, EXECUTE)
    script.client(parse(b"c", b"COMMIT"), bind(b"", b"c", [], [], []), EXECUTE, SYNC)
    got = script.server_got
    assert got.endswith(bind(b"", b"c", [], [], []) + FLUSH)
    script.server(
        PARSED, BOUND, complete("BEGIN"), PARSED, BOUND, row(as_text(image())), complete("UPDATE 1")
    )
    script.mirror_heard()
    script.server(PARSED, BOUND).mirror_heard("secure i").server_sees()
    script.mirror.let()
    script.server_sees(EXECUTE, SYNC)
    script.server(complete("COMMIT"), ready()).mirror_heard("committed i")


def test_a_statement_prepared_before_its_table_was_mirrored_gets_a_spliced_twin() -> None:
    base = ground(generation=1)
    script = CaptureScript(waits=False)
    script.ground = None  # type: ignore[assignment]
    script.client(parse(b"s", UPDATE), SYNC).server(PARSED, ready())
    assert b"record_send" not in script.server_got
    script.ground = base
    script.client(BIND, rewriting.describe(b"P", b""), EXECUTE, SYNC)
    got = script.server_got
    assert got.startswith(b"P")
    assert b"_causeway_1" in got
    assert b"record_send" in got
    script.server(PARSED, BOUND, description("record_send"), row(as_text(image())), complete("UPDATE 1"))
    script.server(ready())
    script.client_sees(PARSED, ready(), BOUND, NO_DATA, complete("UPDATE 1"), ready())
    assert script.mirror.heard() == ["secure i", "committed i"]
    script.server_got  # noqa: B018 - forget it
    script.client(BIND, EXECUTE, SYNC)
    assert script.server_got == bind(b"", b"_causeway_1", [], [b"1"], []) + EXECUTE + FLUSH


def test_a_spliced_statement_whose_splice_might_fail_now_runs_as_the_client_wrote_it() -> None:
    script = CaptureScript(waits=False)
    script.client(parse(b"d", RETURNING), SYNC).server(PARSED, ready())
    script.server_got  # noqa: B018 - forget it
    picture = snapshot([relation(SHOP, "orders")], unreadable={"ann": {SHOP: "no SELECT"}})
    script.ground = ground(picture, generation=2)
    script.client(bind(b"", b"d", [], [], [0, 1]), EXECUTE, SYNC)
    script.server_sees(
        rewriting.parse(b"_causeway_1", RETURNING), bind(b"", b"_causeway_1", [], [], [0, 1]), EXECUTE, FLUSH
    )
    script.server(PARSED, BOUND, row(b"1", b"2"), complete("DELETE 1"))
    script.server(ready())
    script.client_sees(PARSED, ready(), BOUND, row(b"1", b"2"), complete("DELETE 1"), ready())
    script.mirror_heard("secure privilege", "committed privilege")
    assert not script.relay.replaceable
    script.server_got  # noqa: B018 - forget it
    script.client(rewriting.close(b"S", b"d"), SYNC)
    script.server_sees(rewriting.close(b"S", b"d"), rewriting.close(b"S", b"_causeway_1"), SYNC)
    script.server(CLOSED, CLOSED, ready()).client_sees(CLOSED, ready())
    assert script.relay.replaceable


def test_a_twin_that_could_not_be_made_is_tried_again() -> None:
    script = CaptureScript(waits=False)
    script.client(parse(b"d", RETURNING), SYNC).server(PARSED, ready()).client_sees(PARSED, ready())
    picture = snapshot([relation(SHOP, "orders")], unreadable={"ann": {SHOP: "no SELECT"}})
    script.ground = ground(picture, generation=2)
    script.server_got  # noqa: B018 - forget it
    for name in (b"_causeway_1", b"_causeway_2"):
        script.client(bind(b"", b"d", [], [], []), EXECUTE, FLUSH)
        assert script.server_got.startswith(rewriting.parse(name, RETURNING))
        script.server(error("42P01")).client(SYNC).server(ready()).client_sees(error("42P01"), ready())
        script.server_got  # noqa: B018 - forget it


def test_the_old_key_is_taken_from_the_parameters() -> None:
    script = CaptureScript(waits=False)
    text = b"UPDATE orders SET id = $1 WHERE id = $2"
    rest = struct.pack("!hII", 2, 23, 23)
    script.client(rewriting.parse(b"", text, rest))
    script.client(bind(b"", b"", [1], [struct.pack("!i", 2), struct.pack("!i", 1)], []), EXECUTE, SYNC)
    script.server(PARSED, BOUND, row(as_text(image())), complete("UPDATE 1"), ready())
    pinned = [effect for effect in script.mirror.committed_effects if isinstance(effect, Unseen)]
    assert [(effect.cause, effect.rows) for effect in pinned] == [
        (Cause.KEY_CHANGE, Rows(("id",), (("1",),)))
    ]


def test_a_failed_implicit_commit_is_a_rollback() -> None:
    script = CaptureScript(waits=False)
    script.client(parse(b"", UPDATE), bind(b"", b"", [], [b"1"], []), EXECUTE, SYNC)
    script.server(PARSED, BOUND, row(as_text(image())), complete("UPDATE 1")).server(error("23503"), ready())
    assert script.mirror.heard() == ["secure i", "aborted i"]


def test_an_execute_prepared_in_the_protocol_shows_no_more_than_it_would() -> None:
    script = CaptureScript(waits=False)
    script.client(query("PREPARE p AS DELETE FROM orders RETURNING id")).server(complete("PREPARE"), ready())
    script.client(parse(b"", b"EXECUTE p"), rewriting.describe(b"S", b""), SYNC)
    script.server(PARSED, frame(ord("t"), b"\x00\x00"), description("id", "record_send"), ready())
    script.client_sees(
        complete("PREPARE"), ready(), PARSED, frame(ord("t"), b"\x00\x00"), description("id"), ready()
    )
    script.client(bind(b"", b"", [], [], []), EXECUTE, SYNC)
    script.server(BOUND, row(b"1", as_text(image())), complete("DELETE 1")).server(ready())
    script.client_sees(BOUND, row(b"1"), complete("DELETE 1"), ready())
    assert script.mirror.heard() == ["secure i", "committed i"]


def test_what_returns_nothing_cannot_be_run_twice() -> None:
    script = CaptureScript()
    script.client(parse(b"s", UPDATE), bind(b"p", b"s", [], [b"1"], []), rewriting.execute(b"p"))
    script.server_got  # noqa: B018 - forget it
    script.client(rewriting.execute(b"p"))
    got = script.server_got
    assert b"UNLISTEN" in got
    assert got.startswith(rewriting.close(b"P", b"p"))
    assert got.endswith(rewriting.close(b"S", b"_causeway_again") + rewriting.execute(b"p"))
    script.server(PARSED, BOUND, row(as_text(image())), complete("UPDATE 1"))
    script.client_sees(PARSED, BOUND, complete("UPDATE 1"))
    script.server(CLOSED, PARSED, BOUND, complete("UNLISTEN"), CLOSED, error("55000"))
    script.client_sees(error("55000"))
    script.client(SYNC).server(ready()).client_sees(ready())
    script.mirror_heard("aborted i")


def limited(script: CaptureScript, portal: bytes) -> None:
    """Fetches one row of a portal that has more, in a transaction block."""
    script.client(
        parse(b"", RETURNING),
        bind(portal, b"", [], [], []),
        rewriting.describe(b"P", portal),
        rewriting.execute(portal, 1),
        SYNC,
    )


def test_the_rest_is_fetched_before_a_commit() -> None:
    script = CaptureScript(waits=False).begin()
    limited(script, b"p")
    script.server(PARSED, BOUND, description("id", "total", "record_send"))
    script.server(row(b"1", b"2", as_text(image(1))), SUSPENDED, ready("T"))
    script.server_got, script.client_got  # noqa: B018 - forget them
    script.client(query("COMMIT")).server_sees(rewriting.execute(b"p"), FLUSH)
    script.server(row(b"3", b"4", as_text(image(2))), complete("DELETE 2")).client_sees()
    script.server_sees(query("COMMIT")).mirror_heard("secure i,i")
    script.server(complete("COMMIT"), ready()).client_sees(complete("COMMIT"), ready())
    script.mirror_heard("committed i,i")


def test_nothing_is_fetched_of_what_may_have_failed() -> None:
    script = CaptureScript(waits=False).begin()
    limited(script, b"")
    script.server_got  # noqa: B018 - forget it
    script.client(query("SELECT 1")).server_sees()
    script.server(PARSED, BOUND, description("id", "total", "record_send"), error("23505"), ready("E"))
    script.server_sees(query("SELECT 1"))


def test_rows_left_at_a_savepoint_are_a_gap() -> None:
    script = CaptureScript(waits=False).begin()
    limited(script, b"p")
    script.server(PARSED, BOUND, description("id", "total", "record_send"))
    script.server(row(b"1", b"2", as_text(image(1))), SUSPENDED, ready("T"))
    script.client(query("SAVEPOINT a")).server(complete("SAVEPOINT"), ready("T"))
    script.client(query("ROLLBACK TO a")).server(complete("ROLLBACK"), ready("T"))
    script.client(query("COMMIT")).server(complete("COMMIT"), ready())
    script.mirror_heard("secure i,unobserved", "committed i,unobserved")


def test_a_twin_that_may_fail_is_waited_for_by_the_next_batch() -> None:
    script = CaptureScript(waits=False)
    script.client(parse(b"d", RETURNING), SYNC).server(PARSED, ready()).client_sees(PARSED, ready())
    picture = snapshot([relation(SHOP, "orders")], unreadable={"ann": {SHOP: "no SELECT"}})
    script.ground = ground(picture, generation=2)
    script.begin()
    script.client(bind(b"", b"d", [], [], []), EXECUTE, SYNC)
    assert script.server_got.startswith(rewriting.parse(b"_causeway_1", RETURNING))
    script.client(bind(b"", b"d", [], [], []), EXECUTE, SYNC).server_sees(FLUSH)
    script.server(error("25P02"), ready("E"))
    assert script.server_got.startswith(rewriting.parse(b"_causeway_2", RETURNING))


def test_a_name_whose_parse_may_fail_is_waited_for_by_the_next_batch() -> None:
    """The server may still have the spliced statement that was there before, and would describe our column."""
    script = CaptureScript(waits=False)
    script.client(parse(b"s", RETURNING), SYNC).server(PARSED, ready()).client_sees(PARSED, ready())
    script.server_got  # noqa: B018 - forget it
    describe = rewriting.describe(b"S", b"s")
    again = (parse(b"s", b"SELECT 1"), SYNC)
    script.client(*again).server_sees(*again)
    script.client(describe, SYNC).server_sees()
    script.server(error("42P05"), ready()).client_sees(error("42P05"), ready()).server_sees(describe, SYNC)
    script.server(frame(ord("t"), b"\0\0"), description("id", "total", "record_send"), ready())
    script.client_sees(frame(ord("t"), b"\0\0"), description("id", "total"), ready())


def test_a_statement_whose_close_may_fail_is_waited_for_by_the_next_batch() -> None:
    script = CaptureScript(waits=False)
    script.client(parse(b"s", RETURNING), SYNC).server(PARSED, ready()).client_sees(PARSED, ready())
    script.server_got  # noqa: B018 - forget it
    describe = rewriting.describe(b"S", b"s")
    closing = (parse(b"", b"nonsense"), rewriting.close(b"S", b"s"), SYNC)
    script.client(*closing).server_sees(*closing)
    script.client(describe, SYNC).server_sees()
    script.server(error("42601"), ready()).client_sees(error("42601"), ready()).server_sees(describe, SYNC)
    script.server(frame(ord("t"), b"\0\0"), description("id", "total", "record_send"), ready())
    script.client_sees(frame(ord("t"), b"\0\0"), description("id", "total"), ready())


def test_what_is_no_write_and_was_none_is_not_waited_for() -> None:
    script = CaptureScript(waits=False)
    first = (parse(b"s", b"SELECT 1"), SYNC)
    second = (rewriting.describe(b"S", b"s"), bind(b"", b"s", [], [], []), EXECUTE, SYNC)
    script.client(*first).server_sees(*first)
    script.client(*second).server_sees(*second)


def test_what_a_batch_prepares_itself_is_not_waited_for() -> None:
    """Drivers send Parse, Bind and Execute of the unnamed statement one behind the other, without waiting."""
    script = CaptureScript(waits=False)
    script.begin()
    batch = (parse(b"", UPDATE), bind(b"", b"", [], [b"1"], []), EXECUTE, SYNC)
    script.client(*batch, *batch, *batch)
    assert script.server_got.count(b"pg_catalog.record_send(") == 3
