"""What is sent comes out as it was, whatever a TableBook is made of."""

from __future__ import annotations

import asyncio

from proxy.mirror.tables import Surroundings, TableBook
from proxy.rulefiles.ruleset import RuleSet
from proxy.shadow.channel import Begin, Tables, encode, receive
from tests.documents.made import rules_of
from tests.shadow.made import sampled
from tests.test_grounds import PICTURE

ALL = Surroundings(store=True, spool=True, control_dsn=True)


async def test_messages_come_out_as_they_went_in() -> None:
    rules = rules_of({"orders": {"phase": "dual_write", "shadow": "7%"}})
    tables = Tables(tuple(rules.tables.values()), {"shop": PICTURE}, ALL)
    reader = asyncio.StreamReader()
    for message in (Begin({"store": "mongodb://x"}), tables, sampled("select 1", [(b"1", None)])):
        reader.feed_data(encode(message))
    reader.feed_eof()
    begin, found, read = [await receive(reader) for _ in range(3)]
    assert begin == Begin({"store": "mongodb://x"})
    assert read == sampled("select 1", [(b"1", None)])
    assert isinstance(found, Tables)
    book = TableBook(RuleSet(found.rules), found.snapshots, found.surroundings)
    assert book.rules == rules
    assert [table.rule.shadow.sample for table in book.mirrored()] == [0.07]
    assert book.snapshots["shop"] == PICTURE
    assert await receive(reader) is None


async def test_a_message_cut_short_is_the_end() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(encode(Begin({}))[:-1])
    reader.feed_eof()
    assert await receive(reader) is None
