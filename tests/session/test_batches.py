"""A batch as it is gathered, and its reply."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proxy.serve.candidates import Reading
from proxy.session.batches import CANCELLED, Batch, BoundRead, same_meaning, simple, types_of
from proxy.session.prepared import Prepared
from proxy.wire import messages, rewriting
from tests.session.served import bind, served
from tests.support.capture import BOUND, CLOSED, SUSPENDED, description, row
from tests.support.transcript import complete, ready

READING = Reading(("public.orders",), versions=("as it is",))


def batch(limit: int = 0) -> Batch:
    made = Batch()
    made.bind(b"", BoundRead(READING, b"\0\0", bind()))
    assert made.take(messages.DESCRIBE, rewriting.describe(b"P", b"")) == ""
    assert made.take(messages.EXECUTE, rewriting.execute(b"", limit)) == ""
    return made


def test_a_reply_is_what_the_server_would_say() -> None:
    made = batch()
    assert made.take(messages.CLOSE, rewriting.close(b"P", b"")) == ""
    assert made.whole() == ""
    assert not made.done
    assert made.found(served(b"1", b"2"), block=True) == ""
    assert made.done
    rows = (row(b"1"), row(b"2"), complete("SELECT 2"))
    assert made.reply(ord("T")) == b"".join((BOUND, description("id"), *rows, CLOSED, ready("T")))


def test_a_query_has_no_answer_to_a_bind() -> None:
    made = simple(READING)
    made.found(served(b"1"), block=False)
    assert made.reply(ord("I")) == b"".join((description("id"), row(b"1"), complete("SELECT 1"), ready()))


def test_one_that_was_cancelled_ends_there() -> None:
    made = batch()
    made.cancelled = True
    assert made.reply(ord("I")) == BOUND + CANCELLED + ready()
    assert messages.sqlstate_of(CANCELLED[5:]) == "57014"


def test_rows_that_are_taken_in_parts() -> None:
    part = replace(served(b"1"), suspended=True)
    assert batch(limit=1).found(part, block=True) != ""
    made = batch(limit=1)
    assert made.found(part, block=False) == ""
    assert made.reply(ord("I")) == b"".join((BOUND, description("id"), row(b"1"), SUSPENDED, ready()))


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (messages.DESCRIBE, rewriting.describe(b"S", b"s")),
        (messages.DESCRIBE, rewriting.describe(b"P", b"other")),
        (messages.CLOSE, rewriting.close(b"S", b"s")),
        (messages.CLOSE, rewriting.close(b"P", b"other")),
        (messages.EXECUTE, rewriting.execute(b"")),
        (messages.EXECUTE, rewriting.execute(b"other")),
        (messages.FLUSH, rewriting.FLUSH),
    ],
)
def test_what_it_may_not_hold(kind: int, message: bytes) -> None:
    assert batch().take(kind, message) != ""


def test_what_is_bound_must_be_executed() -> None:
    made = Batch()
    made.bind(b"", BoundRead(READING, b"\0\0", bind()))
    assert made.whole() != ""


def test_parameter_types() -> None:
    assert types_of(b"\0\2\0\0\0\x17\0\0\0\0") == (23, 0)
    with pytest.raises(rewriting.MalformedMessage):
        types_of(b"")


def test_a_prepared_read_means_the_same_while_its_relations_do() -> None:
    prepared = Prepared(b"", b"", None, 0, spliced=False)
    assert not same_meaning(prepared, READING)
    prepared.versions = ("as it is",)
    assert same_meaning(prepared, READING)
    prepared.versions = ("as it was",)
    assert not same_meaning(prepared, READING)
