"""A task that is cancelled while it uses the store ends, in whichever turn of the event loop that happens."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterator

import pytest

from proxy.stores import mongo_errors
from proxy.stores.mongo import MongoStore
from proxy.stores.protocol import Key, Namespace, StoreUnavailable, Write

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

TURNS = 400
"""Of the event loop; an operation is over in fewer."""


async def kept(store: MongoStore, namespace: Namespace) -> tuple[int, int]:
    """(cancellations that were kept from the task, those in all); one operation is cancelled in each of its turns."""
    lost = cancelled = 0
    write = Write(Key(1, 1), {"_id": 1}, 0)
    for turn in range(TURNS):
        task = asyncio.create_task(store.seed(namespace, [write]))
        for _ in range(turn):
            await asyncio.sleep(0)
        if task.done():
            break
        task.cancel()
        await asyncio.wait({task})
        cancelled += 1
        lost += not task.cancelled()
    return lost, cancelled


async def test_no_cancellation_is_lost(store: MongoStore, namespace: Namespace) -> None:
    await store.seed(namespace, [Write(Key(1, 1), {"_id": 1}, 0)])
    lost, cancelled = await kept(store, namespace)
    assert cancelled > 5
    assert lost == 0


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="asyncio.wait_for loses none from there on")
async def test_the_driver_by_itself_loses_some(
    store: MongoStore, namespace: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason for `_not_kept`; once this fails, a driver is in use that does not need it any more."""

    @contextlib.contextmanager
    def nothing() -> Iterator[None]:
        yield

    await store.seed(namespace, [Write(Key(1, 1), {"_id": 1}, 0)])
    monkeypatch.setattr(mongo_errors, "_not_kept", nothing)
    lost, cancelled = await kept(store, namespace)
    assert 0 < lost < cancelled


async def test_a_timeout_is_kept(store: MongoStore, namespace: Namespace) -> None:
    await store.seed(namespace, [Write(Key(1, 1), {"_id": 1}, 0)])

    async def without_end() -> None:
        while True:
            await store.seed(namespace, [Write(Key(1, 1), {"_id": 1}, 0)])

    async def for_a_while(seconds: float) -> None:
        async with asyncio.timeout(seconds):
            await without_end()

    for tenths in range(1, 20):
        with pytest.raises(TimeoutError):
            await for_a_while(tenths / 10_000)


async def test_what_the_driver_raises_instead_is_no_answer_either() -> None:
    async def failing() -> None:
        with mongo_errors.translated():
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise StoreUnavailable("away") from None

    task = asyncio.create_task(failing())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
