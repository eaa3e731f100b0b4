"""The history of a table is copied while two proxies mirror writes to it; the backfill and one proxy are killed."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest

from devstack.document_store import DocumentStore
from devstack.postgres import PostgresServer
from proxy.backfill.run import Run, Status, parse_run
from tests.backfill.copy_world import kill
from tests.mirroring.drivers import Lost, Refused, connected
from tests.mirroring.rig import MirrorProxy, Rig, eventually, prepare
from tests.mirroring.schema import NAMED, Table
from tests.mirroring.zygote import Zygote
from tests.support.fleet import forget_fleet

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

TABLES: tuple[Table, ...] = (NAMED["items"], NAMED["cells"], NAMED["events"], NAMED["moments"])
HISTORY = """
insert into items (name, qty, note) select 'item ' || n, n, 'x' from generate_series(1, 1500) n;
delete from items where id % 7 = 0;
insert into cells (x, y, value) select n / 50, n % 50, 'v' || n from generate_series(1, 700) n;
insert into events (id, day, kind) select n, date '2024-11-01' + (n % 500), 'k' from generate_series(1, 400) n;
insert into moments (at, what) select timestamptz '2024-01-01' + n * interval '1.000001 s', 'w' || n
  from generate_series(1, 400) n;
"""


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with Zygote() as running:
        yield running


@pytest.fixture
async def rig(
    postgres: PostgresServer, document_store: DocumentStore, zygote: Zygote, tmp_path: Path
) -> AsyncIterator[Rig]:
    forget_fleet(document_store.uri)
    with postgres.database("beside_traffic") as name:
        with psycopg.connect(postgres.dsn(name), autocommit=True) as connection:
            prepare(connection)
            connection.execute(HISTORY)
        made = Rig(postgres, name, document_store.uri, zygote, tmp_path, TABLES)
        made.copied = True
        yield made
        await made.close()


def backfill(rig: Rig, *arguments: str) -> subprocess.Popen[str]:
    given = {name: rig.proxies[0].settings[name] for name in ("upstream", "control_dsn", "store", "rules")}
    given |= {"heartbeat_interval": "100ms", "proxy_lost_after": "5s", "retry_backoff_max": "500ms"}
    variables = {f"CAUSEWAY_{name.upper()}": str(value) for name, value in given.items()}
    return subprocess.Popen(
        [sys.executable, "-m", "proxy", "backfill", *arguments],
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class Traffic:
    """Clients that write to all of the tables, old rows and new ones, until they are stopped."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self.over = False
        self.committed = 0

    async def client(self, number: int) -> None:
        generator = random.Random(number)
        while not self.over:
            proxy = self._rig.proxies[generator.randrange(len(self._rig.proxies))]
            try:
                async with connected(
                    proxy.address, generator.choice(("simple", "extended", "asyncpg"))
                ) as one:
                    for _ in range(20):
                        await one.run(self.statement(generator))
                        self.committed += 1
                        if self.over:
                            return
            except (Lost, Refused, OSError):
                await asyncio.sleep(0.05)  # the proxy was killed, or a key is taken

    def statement(self, generator: random.Random) -> str:
        item, cell = generator.randrange(1, 1500), generator.randrange(1, 700)
        return generator.choice(
            [
                f"update items set qty = qty + 1, note = 'u{generator.random()}' where id = {item}",
                f"delete from items where id = {item}",
                f"insert into items (id, name) values ({item}, 'again') on conflict (id) do update set qty = -1",
                f"update cells set n = n + 1 where x = {cell // 50} and y = {cell % 50}",
                f"delete from cells where x = {cell // 50} and y = {cell % 50}",
                f"insert into events (id, day) values ({generator.randrange(10**6, 10**9)}, '2024-12-31')",
                f"update events set kind = 'u' where id = {generator.randrange(1, 400)}",
                f"delete from moments where what = 'w{generator.randrange(1, 400)}'",
                "insert into moments values (clock_timestamp(), 'now')",
            ]
        )


def run_of(rig: Rig, table: str) -> Run | None:
    found = rig.client["_causeway"]["backfill"].find_one({"_id": f"{rig.database}.public.{table}"})
    return None if found is None else parse_run(found["value"])


def chunks_done(rig: Rig) -> int:
    runs = [run_of(rig, table.name) for table in TABLES]
    return sum(run.totals.chunks for run in runs if run is not None)


def all_done(rig: Rig) -> bool:
    runs = [run_of(rig, table.name) for table in TABLES]
    return all(run is not None and run.status is Status.DONE for run in runs)


async def test_rows_and_documents_are_equal_in_the_end(rig: Rig) -> None:
    generator = random.Random(11)
    proxies: list[MirrorProxy] = [rig.proxy(proxy_lost_after="5s") for _ in range(2)]
    await asyncio.gather(*(proxy.start() for proxy in proxies))
    await asyncio.gather(*(proxy.mirroring(TABLES) for proxy in proxies))
    traffic = Traffic(rig)
    clients = [asyncio.create_task(traffic.client(number)) for number in range(4)]
    arguments = ("--all", "--chunk-rows", "60", "--rate", "1500")
    process = backfill(rig, *arguments)
    try:
        for turn in range(2):
            before = chunks_done(rig)
            await eventually(
                lambda goal=before + 8: chunks_done(rig) >= goal or all_done(rig),  # type: ignore[misc]
                lambda: "the backfill does not go on",
            )
            kill(process)
            if turn:
                victim = generator.choice(proxies)
                await victim.kill()
                await victim.start()
            process = backfill(rig, *arguments)
        assert traffic.committed > 100
        for _ in range(5):  # it may be refused for the moment in which a proxy starts
            out, err = await asyncio.to_thread(process.communicate, timeout=120)
            if process.returncode == 0:
                break
            process = backfill(rig, *arguments)
        assert process.returncode == 0, out + err
        assert all_done(rig)
    finally:
        traffic.over = True
        process.kill()
        print(*process.communicate())  # shown where the test fails
        await asyncio.gather(*clients)
    await rig.agree(patience=60)
