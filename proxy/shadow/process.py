"""The shadow process: runs sampled reads on the store and compares them, so that no session waits for any of it.

Started by `proxy.shadow.host` only, never by hand. Its processor time is what is left over (nice), its memory its own;
if it dies, reads go uncompared until there is another.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Sequence
from datetime import timedelta

from proxy.catalog.source import SourceDatabase
from proxy.config import Settings
from proxy.logs import configure, get_logger
from proxy.mirror.tables import MirroredTable, Surroundings, TableBook
from proxy.names import TableName
from proxy.rulefiles.ruleset import RuleSet
from proxy.shadow.channel import Ask, Begin, Message, Tables, Told, encode, receive
from proxy.shadow.engine import Case, Engine
from proxy.shadow.ledger import Ledger
from proxy.shadow.outcomes import Done, Outcome
from proxy.shadow.passing import Passing
from proxy.shadow.plans import ShadowPlans
from proxy.shadow.reader import StoreReader
from proxy.shadow.sample import SampledRead
from proxy.shadow.source import ReadSource
from proxy.stores.mongo import open_store
from proxy.stores.protocol import Store, StoreUnavailable

log = get_logger("proxy.shadow")

NICE = 10
"""Added to the niceness of the proxy."""


class Host:
    """The proxy process at the other end, as an engine asks it; and what `locate` asks of tables and the source."""

    def __init__(self, writer: asyncio.StreamWriter, store: Store, dsn: str) -> None:
        self.store: Store = store
        self.book = TableBook(RuleSet(), {}, Surroundings(False, False, False))
        self._writer = writer
        self._dsn = dsn
        self._sources: dict[str, SourceDatabase] = {}
        self._asked: dict[int, asyncio.Future[Told]] = {}
        self._number = 0
        self._passing: dict[str, Passing] = {}

    def send(self, message: Message) -> None:
        self._writer.write(encode(message))

    async def wait_passed(self, database: str, version: int) -> None:
        if database not in self._passing:

            async def ask(wanted: int) -> None:
                told = await self._ask(database, wanted)
                if told.failed:
                    raise StoreUnavailable(told.text)

            self._passing[database] = Passing(ask)
        await self._passing[database].reach(version)

    async def open_gap(self, database: str, tables: Sequence[str]) -> str:
        return (await self._ask(database, 0, tuple(tables))).text

    async def _ask(self, database: str, version: int, tables: tuple[str, ...] = ()) -> Told:
        self._number += 1
        number = self._number
        waiting: asyncio.Future[Told] = asyncio.get_running_loop().create_future()
        self._asked[number] = waiting
        try:
            self.send(Ask(number, database, version, tables))
            return await waiting
        finally:
            self._asked.pop(number, None)

    def told(self, message: Told) -> None:
        waiting = self._asked.get(message.number)
        if waiting is not None and not waiting.done():
            waiting.set_result(message)

    def table(self, name: TableName) -> MirroredTable:
        found = self.book.named(name.database or "", name.schema, name.name)
        if found is None:
            raise StoreUnavailable(f"{name} is not mirrored any more")
        return found

    def source(self, database: str) -> SourceDatabase:
        if database not in self._sources:
            self._sources[database] = SourceDatabase(self._dsn, database)
        return self._sources[database]

    async def refresh(self, database: str) -> None:
        """The proxy process sends its catalogue when it has another one."""

    async def close(self) -> None:
        for source in self._sources.values():
            await source.close()


class Worker:
    """Runs what comes, so much of it at once as each table's rule allows."""

    def __init__(self, engine: Engine, host: Host) -> None:
        self._engine = engine
        self._host = host
        self._rooms: dict[tuple[str, tuple[str, ...]], tuple[int, asyncio.Semaphore]] = {}
        self._running: set[asyncio.Task[None]] = set()

    def take(self, read: SampledRead) -> None:
        task = asyncio.get_running_loop().create_task(self._run(read))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _run(self, read: SampledRead) -> None:
        try:
            async with self._room(read):
                found = await self._engine.first(read)
            done = await self._engine.again(found) if isinstance(found, Case) else found
        except Exception as error:  # whatever it is, it is of this read alone, and is counted
            log.exception("shadow_read_failed", error, database=read.database, tables=list(read.tables))
            done = Done(read.number, read.database, read.tables, Outcome.ERROR, type(error).__name__)
        self._host.send(done)

    def _room(self, read: SampledRead) -> asyncio.Semaphore:
        """Of a read of several tables: the room of that set of tables, as large as the smallest allows."""
        wanted = min(
            (
                table.rule.shadow.concurrency
                for table in self._host.book.mirrored(read.database)
                if str(TableName(table.relation.schema, table.relation.name)) in read.tables
            ),
            default=1,
        )
        known = self._rooms.get((read.database, read.tables))
        if known is None or known[0] != wanted:
            known = (wanted, asyncio.Semaphore(wanted))
            self._rooms[read.database, read.tables] = known
        return known[1]

    async def stop(self) -> None:
        for task in tuple(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)


async def serve(sock: socket.socket) -> None:
    """Until the proxy process closes its end."""
    reader, writer = await asyncio.open_connection(sock=sock)
    begin = await receive(reader)
    if not isinstance(begin, Begin):
        return
    settings = Settings.model_validate(begin.settings)
    configure(settings.log_format, settings.log_level)
    assert settings.store is not None
    assert settings.control_dsn is not None
    store = open_store(
        settings.store.get_secret_value(),
        timeout=settings.store_timeout,
        tombstone_ttl=timedelta(seconds=settings.tombstone_ttl),
    )
    dsn = settings.control_dsn.get_secret_value()
    host = Host(writer, store, dsn)
    source = ReadSource(dsn)
    engine = Engine(ShadowPlans(host.book), StoreReader(store.link), source, host, Ledger(store))
    worker = Worker(engine, host)
    try:
        while (message := await receive(reader)) is not None:
            match message:
                case Tables(rules, snapshots, surroundings):
                    host.book = TableBook(RuleSet(rules), snapshots, surroundings)
                    engine.plans = ShadowPlans(host.book)
                case SampledRead():
                    worker.take(message)
                case Told():
                    host.told(message)
                case _:
                    pass
    finally:
        await worker.stop()
        await host.close()
        await source.close()
        await store.close()
        writer.close()


def main() -> int:
    """The socket is standard input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        os.nice(NICE)
    import uvloop

    from proxy.sql.parse import load

    load()
    uvloop.run(serve(socket.socket(fileno=os.dup(0))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
