"""The shadow process: its beginning, what comes of its reads, its end, and what one that fails takes with it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

import pytest

from devstack.ports import free_port
from proxy.config import Settings
from proxy.mirror.tables import Surroundings, TableBook
from proxy.names import TableName
from proxy.rulefiles.ruleset import RuleSet
from proxy.shadow.channel import Ask, Begin, Message, Tables, Told, encode, receive
from proxy.shadow.engine import Engine
from proxy.shadow.outcomes import Done, Outcome
from proxy.shadow.process import NICE, Host, Worker
from proxy.shadow.sample import SampledRead
from proxy.stores.protocol import Store, StoreUnavailable
from tests.documents.made import rules_of
from tests.shadow.made import ORDERS, sampled
from tests.test_grounds import PICTURE

NOTHING = Tables((), {}, Surroundings(True, True, True))


@dataclass
class Child:
    """A real one, as the proxy process has it."""

    process: asyncio.subprocess.Process
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, *messages: Message) -> None:
        self.writer.write(b"".join(map(encode, messages)))

    async def done(self) -> Done:
        async with asyncio.timeout(60):
            found = await receive(self.reader)
        assert isinstance(found, Done)
        return found

    async def ended(self) -> int:
        async with asyncio.timeout(60):
            return await self.process.wait()


@asynccontextmanager
async def child() -> AsyncIterator[Child]:
    ours, theirs = socket.socketpair()
    with theirs:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "proxy.shadow.process", stdin=theirs.fileno(), start_new_session=True
        )
    reader, writer = await asyncio.open_connection(sock=ours)
    try:
        yield Child(process, reader, writer)
    finally:
        writer.close()
        if process.returncode is None:
            process.kill()
            await process.wait()


def begin() -> Begin:
    """Of a store and a source that nobody is at."""
    nobody = f"127.0.0.1:{free_port()}"
    settings = Settings.model_validate(
        {
            "upstream": nobody,
            "store": f"mongodb://{nobody}/?serverSelectionTimeoutMS=100&serverMonitoringMode=poll",
            "control_dsn": f"postgresql://postgres@{nobody}/shop",
            "log_level": "error",
        }
    )
    return Begin(settings.reveal())


async def test_reads_are_answered_by_number_and_the_end_of_the_socket_is_the_end() -> None:
    async with child() as made:
        made.send(begin(), NOTHING, sampled(number=7), sampled(number=8))
        found = {(done.number, done.outcome) for done in (await made.done(), await made.done())}
        assert {number for number, _ in found} == {7, 8}
        assert {outcome for _, outcome in found} <= {Outcome.UNSUPPORTED, Outcome.SKIPPED, Outcome.ERROR}
        assert os.getpriority(os.PRIO_PROCESS, made.process.pid) >= min(
            19, os.getpriority(os.PRIO_PROCESS, 0) + NICE
        )
        made.writer.close()
        assert await made.ended() == 0


async def test_a_terminals_interrupt_is_for_the_proxy_alone() -> None:
    async with child() as made:
        made.send(begin(), NOTHING, sampled(number=1))
        await made.done()
        made.process.send_signal(signal.SIGINT)
        made.send(sampled(number=2))
        assert (await made.done()).number == 2


async def test_one_that_is_not_told_how_to_begin_ends() -> None:
    async with child() as made:
        made.send(NOTHING)
        assert await made.ended() == 0


async def test_a_message_cut_short_is_the_end() -> None:
    async with child() as made:
        made.send(begin(), NOTHING, sampled(number=1))
        await made.done()
        made.writer.write(encode(sampled(number=2))[:-5])
        made.writer.close()
        assert await made.ended() == 0


class Wire:
    """The proxy process's end."""

    def __init__(self) -> None:
        self.sent: list[Message] = []

    def write(self, data: bytes) -> None:
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        self._reading = asyncio.ensure_future(self._read(reader))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        message = await receive(reader)
        assert message is not None
        self.sent.append(message)

    async def next(self, count: int = 1) -> list[Message]:
        async with asyncio.timeout(10):
            while len(self.sent) < count:  # noqa: ASYNC110 - told by whoever writes
                await asyncio.sleep(0)
        found, self.sent = self.sent, []
        return found


def host(wire: Wire) -> Host:
    return Host(cast("asyncio.StreamWriter", wire), cast("Store", None), "postgresql://127.0.0.1/shop")


async def test_a_question_to_the_proxy_has_its_answer_and_no_other() -> None:
    wire = Wire()
    made = host(wire)
    first = asyncio.ensure_future(made.open_gap("shop", (ORDERS,)))
    second = asyncio.ensure_future(made.open_gap("shop", ("public.lines",)))
    asked = await wire.next(2)
    assert [(one.tables, one.version) for one in asked if isinstance(one, Ask)] == [
        ((ORDERS,), 0),
        (("public.lines",), 0),
    ]
    numbers = [one.number for one in asked if isinstance(one, Ask)]
    made.told(Told(999, "of nobody"))
    made.told(Told(numbers[1], "second"))
    made.told(Told(numbers[0], "first"))
    made.told(Told(numbers[0], "once more"))
    assert (await first, await second) == ("first", "second")


async def test_a_wait_that_fails_is_a_store_that_cannot_be_asked() -> None:
    wire = Wire()
    made = host(wire)
    waiting = asyncio.ensure_future(made.wait_passed("shop", 42))
    (asked,) = await wire.next()
    assert isinstance(asked, Ask)
    assert (asked.version, asked.tables) == (42, ())
    made.told(Told(asked.number, "TimeoutError", failed=True))
    with pytest.raises(StoreUnavailable, match="TimeoutError"):
        await waiting


async def test_a_version_that_was_passed_is_not_asked_for_again() -> None:
    wire = Wire()
    made = host(wire)
    waiting = asyncio.ensure_future(made.wait_passed("shop", 42))
    (asked,) = await wire.next()
    assert isinstance(asked, Ask)
    made.told(Told(asked.number))
    await waiting
    await made.wait_passed("shop", 41)
    assert wire.sent == []


def test_a_table_that_is_not_mirrored_any_more_cannot_be_looked_at() -> None:
    made = host(Wire())
    with pytest.raises(StoreUnavailable, match="not mirrored any more"):
        made.table(TableName("public", "orders", "shop"))
    rules = rules_of({"orders": {"phase": "dual_write"}}, database="shop")
    made.book = TableBook(rules, {"shop": PICTURE}, Surroundings(True, True, True))
    assert made.table(TableName("public", "orders", "shop")).relation.name == "orders"


class Slow:
    """An engine whose reads end when they are let."""

    def __init__(self, first: Callable[[SampledRead], Any]) -> None:
        self._first = first
        self.running = 0
        self.most = 0
        self.let = asyncio.Event()
        self.cancelled = 0

    async def first(self, read: SampledRead) -> Done:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.let.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
        found = self._first(read)
        if isinstance(found, Exception):
            raise found
        return Done(read.number, read.database, read.tables, found)


def worker(first: Callable[[SampledRead], Any], **rule: Any) -> tuple[Worker, Slow, Wire, Host]:
    wire, engine = Wire(), Slow(first)
    made = host(wire)
    rules = (
        RuleSet()
        if not rule
        else rules_of({"orders": {"phase": "dual_write", "shadow": rule}}, database="shop")
    )
    made.book = TableBook(rules, {"shop": PICTURE}, Surroundings(True, True, True))
    return Worker(cast("Engine", engine), made), engine, wire, made


async def test_no_more_run_at_once_than_the_tables_rule_allows() -> None:
    made, engine, wire, _ = worker(lambda read: Outcome.MATCH, concurrency=2)
    for number in range(5):
        made.take(sampled(number=number))
    await asyncio.sleep(0.01)
    assert engine.running == 2
    engine.let.set()
    done = await wire.next(5)
    assert sorted(one.number for one in done if isinstance(one, Done)) == [0, 1, 2, 3, 4]
    assert engine.most == 2


async def test_of_a_table_without_a_rule_one_at_a_time() -> None:
    made, engine, wire, _ = worker(lambda read: Outcome.MATCH)
    for number in range(3):
        made.take(sampled(number=number))
    engine.let.set()
    await wire.next(3)
    assert engine.most == 1


async def test_a_read_that_fails_in_a_way_nobody_has_thought_of_is_counted_and_is_the_only_one() -> None:
    made, engine, wire, _ = worker(lambda read: KeyError("a value") if read.number == 1 else Outcome.MATCH)
    engine.let.set()
    for number in (1, 2):
        made.take(sampled(number=number))
    done = {one.number: one for one in await wire.next(2) if isinstance(one, Done)}
    assert (done[1].outcome, done[1].reason) == (Outcome.ERROR, "KeyError")
    assert done[2].outcome is Outcome.MATCH


async def test_at_the_end_nothing_goes_on() -> None:
    made, engine, wire, _ = worker(lambda read: Outcome.MATCH, concurrency=3)
    for number in range(3):
        made.take(sampled(number=number))
    await asyncio.sleep(0.01)
    await made.stop()
    assert (engine.cancelled, engine.running, wire.sent) == (3, 0, [])
