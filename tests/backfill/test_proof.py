"""The history of pgbench's tables is copied under its full load through two proxies, with kills; then nothing differs,
and damage done by hand is found to the last document, and nothing else touched.

CAUSEWAY_TEST_PROOF_ROWS=1000000 makes of it what docs/backfill.md tells of; that takes a while.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from devstack.document_store import DocumentStore
from devstack.postgres import PostgresServer
from proxy.backfill.run import Status
from tests.backfill.proof_world import ACCOUNTS, TABLES, ProofWorld, kill
from tests.mirroring.zygote import Zygote
from tests.support.fleet import forget_fleet

ROWS = int(os.environ.get("CAUSEWAY_TEST_PROOF_ROWS", "3000"))
LARGE = ROWS >= 100_000
CLIENTS = int(os.environ.get("CAUSEWAY_TEST_PROOF_CLIENTS", "2" if LARGE else "1"))
"""Of pgbench, at each proxy; they do as much as they can."""
KILLS = 6 if LARGE else 2
"""Of the backfill; one of a proxy between them."""
CHUNK_ROWS = min(5000, max(50, ROWS // 50))
EACH = max(20, ROWS // 5000)
"""Documents deleted, changed and added by hand."""

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600 + ROWS // 200)]


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with Zygote() as running:
        yield running


@pytest.fixture
async def world(
    postgres: PostgresServer, document_store: DocumentStore, zygote: Zygote, tmp_path: Path
) -> AsyncIterator[ProofWorld]:
    forget_fleet(document_store.uri)
    with postgres.database("proof") as name:
        lost_after = "30s" if LARGE else "5s"
        made = ProofWorld(postgres, name, document_store.uri, zygote, tmp_path, ROWS, lost_after)
        made.fill()
        yield made
        await made.close()


async def copied_with_kills(world: ProofWorld, generator: random.Random) -> int:
    """How often the command was begun until all was copied."""
    arguments = ("backfill", "--all", "--chunk-rows", str(CHUNK_ROWS))
    marks = sorted(generator.sample(range(1, 10), KILLS))
    starts = 1
    process = world.command(*arguments)
    try:
        for number, mark in enumerate(marks):
            await world.until_copied(ROWS * mark // 10, process)
            kill(process)
            world.say(f"backfill killed with {world.copied():,} accounts copied")
            if number == KILLS // 2:
                victim = generator.choice(world.proxies)
                await victim.kill()
                await asyncio.sleep(1)
                await victim.start()
                world.say("a proxy was killed and is back")
            process = world.command(*arguments)
            starts += 1
        while True:  # it is refused for the moment in which a proxy starts
            out, err = await asyncio.to_thread(process.communicate)
            if process.returncode == 0:
                return starts
            world.say(f"backfill ended with {process.returncode}: {(out + err)[-300:]}")
            assert starts < 3 * KILLS, out + err
            process = world.command(*arguments)
            starts += 1
    finally:
        process.kill()
        process.communicate()


async def test_a_large_table_is_copied_under_load_and_proved_equal(world: ProofWorld) -> None:
    generator = random.Random(4)
    await world.mirrored()
    world.load(CLIENTS)
    world.say(f"{ROWS:,} accounts, {CLIENTS} clients at each of two proxies")
    before = world.transactions()
    starts = await copied_with_kills(world, generator)
    done = world.transactions() - before
    world.say(f"all is copied, by {starts} processes one after the other; {done:,} transactions meanwhile")
    for table in TABLES:
        run = world.run(table)
        assert run is not None
        assert run.status is Status.DONE
    assert done > 50

    code, found = await world.verified("--all")
    numbers = {name: (one["outcome"], one["left"], one["transient"]) for name, one in found.items()}
    world.say(f"verify under load: {numbers}")
    assert (code, [one["left"] for one in found.values()]) == (0, [0] * len(TABLES)), found
    await world.rest()
    code, found = await world.verified("--all")
    world.say(f"verify at rest: {found[ACCOUNTS]['rows']:,} accounts, {found[ACCOUNTS]['left']} differences")
    assert (code, [one["differences"] for one in found.values()]) == (0, [[]] * len(TABLES)), found
    assert found[ACCOUNTS]["rows"] == world.accounts().count_documents({})
    assert world.gaps() == []

    healthy = world.digests()
    deleted, changed, added = world.damage(generator, EACH)
    code, found = await world.verified(ACCOUNTS)
    one = found[ACCOUNTS]
    world.say(f"damage: {one['missing']} missing, {one['different']} different, {one['extra']} extra")
    assert (code, one["missing"], one["different"], one["extra"]) == (1, EACH, EACH, EACH)
    code, found = await world.verified(ACCOUNTS, "--repair")
    assert (code, found[ACCOUNTS]["repaired"], found[ACCOUNTS]["left"]) == (0, 3 * EACH, 0)
    code, found = await world.verified(ACCOUNTS)
    assert (code, found[ACCOUNTS]["differences"]) == (0, [])
    after = world.digests()
    assert after.keys() == healthy.keys()
    touched = {key for key, digest in after.items() if digest != healthy[key]}
    world.say(f"{len(touched)} documents of {len(after):,} are other bytes than before the damage")
    assert touched <= {*deleted, *changed}
    assert not set(added) & after.keys()
