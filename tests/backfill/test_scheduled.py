"""The process of a scheduled comparison ends when whoever began it has gone, and has its secrets from nowhere else."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devstack.document_store import DocumentStore
from devstack.postgres import PostgresServer
from proxy.backfill.schedule import MODULE
from proxy.backfill.scheduled import compare
from tests.backfill.verify_world import World, made_world

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


@pytest.fixture
def world(postgres: PostgresServer, document_store: DocumentStore, tmp_path: Path) -> Iterator[World]:
    with made_world(postgres, document_store, tmp_path) as made:
        yield made


def task(world: World, table: str, **more: Any) -> dict[str, Any]:
    told = {
        "settings": world.settings.reveal(),
        "database": world.database,
        "schema": "public",
        "table": table,
    }
    return {**told, "sample": 1.0, "since": "", "repair": False, **more}


async def test_comparing(world: World) -> None:
    assert not await compare(task(world, "smalls"), asyncio.Event())
    assert await compare(task(world, "smalls", repair=True), asyncio.Event())
    assert await compare(task(world, "items", since="24h"), asyncio.Event())


async def process() -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", MODULE, stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )


async def test_it_ends_with_its_input(world: World) -> None:
    """The store is not there: it would try for long."""
    running = await process()
    told = task(world, "words")
    told["settings"]["store"] = "mongodb://127.0.0.1:9/"
    told["settings"]["connect_timeout"] = 600.0
    assert running.stdin is not None
    running.stdin.write(json.dumps(told).encode() + b"\n")
    await running.stdin.drain()
    running.stdin.close()
    async with asyncio.timeout(60):
        assert await running.wait() != 0


async def test_what_it_cannot_do_is_said(world: World) -> None:
    running = await process()
    _, said = await running.communicate(json.dumps(task(world, "nothing")).encode() + b"\n")
    assert running.returncode == 3
    assert b"no rule is about table" in said
    assert world.given["store"].encode() not in said
    running = await process()
    await running.communicate(b"")
    assert running.returncode == 2
