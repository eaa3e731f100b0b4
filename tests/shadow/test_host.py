"""Room for reads, and a shadow process that is slow, dies, or is not there: nothing waits, everything is counted."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from proxy.admin.shadow import ShadowReport
from proxy.mirror.tables import Surroundings
from proxy.rulefiles.schema import Shadow
from proxy.shadow.candidates import Candidate, DarkTable
from proxy.shadow.channel import Tables
from proxy.shadow.host import ShadowHost
from tests.shadow.made import ORDERS, sampled

TABLES = Tables((), {}, Surroundings(True, True, True))

CHILD = """
import asyncio, os, socket, sys
from dataclasses import replace
from proxy.shadow.channel import *
from proxy.shadow.outcomes import Done, Outcome

async def main():
    reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=os.dup(0)))
    while (message := await receive(reader)) is not None:
        if isinstance(message, SampledRead):
            if message.text == "die":
                os._exit(1)
            if message.text == "hang":
                continue
            if message.text == "ask":
                writer.write(encode(Ask(1, message.database, 42)))
                told = await receive(reader)
                assert told.number == 1 and not told.failed
                writer.write(encode(Ask(2, message.database, 0, message.tables)))
                gap = await receive(reader)
                writer.write(encode(Done(message.number, "shop", message.tables, Outcome.ERROR, gap.text)))
                continue
            writer.write(encode(Done(message.number, "shop", message.tables, Outcome.MATCH, fingerprint="a" * 16)))
asyncio.run(main())
"""


class Fleet:
    def __init__(self) -> None:
        self.passed: list[int] = []

    async def wait_passed(self, database: str, version: int) -> None:
        self.passed.append(version)

    def open_gap(self, database: str, tables: tuple[str, ...]) -> str:
        return f"gaps of {', '.join(tables)}"


@asynccontextmanager
async def running(directory: Path, **more: int) -> AsyncIterator[tuple[ShadowHost, Fleet]]:
    program = directory / "child.py"
    program.write_text(CHILD)
    fleet = Fleet()
    host = ShadowHost({}, fleet, command=(sys.executable, str(program)), **more)
    task = asyncio.create_task(host.run())
    assert host.report() is None
    host.use(TABLES, wanted=True)
    await until(lambda: report(host).up)
    yield host, fleet
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what is waited for is in another process
            await asyncio.sleep(0.01)


def report(host: ShadowHost) -> ShadowReport:
    found = host.report()
    assert found is not None
    return found


def candidate(**rule: int) -> Candidate:
    return Candidate((DarkTable(ORDERS, Shadow.model_validate(rule)),), 1.0)


def outcomes(host: ShadowHost) -> dict[str, int]:
    tables = report(host).tables
    return tables[0].outcomes if tables else {}


async def test_reads_go_out_and_outcomes_come_back(tmp_path: Path) -> None:
    async with running(tmp_path) as (host, fleet):
        found = candidate()
        for _ in range(5):
            assert host.admit("shop", found)
            host.submit(sampled("select 1"), found)
        assert report(host).waiting == 5
        await until(lambda: not report(host).waiting)
        assert outcomes(host) == {"match": 5}
        assert host.admit("shop", found)
        host.submit(sampled("ask"), found)
        await until(lambda: not report(host).waiting)
        assert fleet.passed == [42]
        assert [one.reason for one in report(host).reasons] == [f"gaps of {ORDERS}"]


async def test_beyond_its_room_a_table_drops(tmp_path: Path) -> None:
    async with running(tmp_path) as (host, _):
        found = candidate(queue=2, concurrency=1)
        for _ in range(3):
            assert host.admit("shop", found)
            host.submit(sampled("hang"), found)
        assert not host.admit("shop", found)
        assert host.admit("blog", found), "every database has room of its own"
        host.release("blog", found)
        assert outcomes(host) == {"dropped": 1}


async def test_beyond_its_memory_everything_is_dropped(tmp_path: Path) -> None:
    async with running(tmp_path, max_bytes=5000) as (host, _):
        found = candidate()
        assert host.admit("shop", found)
        host.submit(sampled("hang", [(b"x" * 6000,)]), found)
        assert not host.admit("shop", found)
        assert [one.reason for one in report(host).reasons] == ["too much waits"]


async def test_a_shadow_that_dies_is_started_again(tmp_path: Path) -> None:
    async with running(tmp_path) as (host, _):
        found = candidate(queue=10)
        for text in ("hang", "hang", "die"):
            assert host.admit("shop", found)
            host.submit(sampled(text), found)
        await until(lambda: outcomes(host).get("dropped") == 3)
        assert not host.admit("shop", found)
        await until(lambda: report(host).up)
        assert report(host).restarts == 1
        assert host.admit("shop", found)
        host.submit(sampled("select 1"), found)
        await until(lambda: outcomes(host).get("match") == 1)


async def test_a_shadow_that_cannot_be_started_is_tried_again_and_nothing_is_admitted(tmp_path: Path) -> None:
    host = ShadowHost({}, Fleet(), command=(str(tmp_path / "none"),))
    task = asyncio.create_task(host.run())
    host.use(TABLES, wanted=True)
    await asyncio.sleep(0.1)
    assert not task.done()
    assert not host.admit("shop", candidate())
    assert [one.reason for one in report(host).reasons] == ["the shadow process is away"]
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
