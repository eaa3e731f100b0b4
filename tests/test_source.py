"""What the admin interface is told while processes answer, fall silent and end."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import pytest

from proxy.admin.counters import Counters
from proxy.config import Settings
from proxy.instance import Instance
from proxy.source import ProcessSource, WorkersSource
from proxy.workers import Supervisor


class Workers:
    """A supervisor's answers, as `ask_all` gives them."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Any]] = {"report": [], "counters": []}
        self.restarts = 0
        self.stopping = False

    async def ask_all(self, op: str) -> list[Any]:
        return self.answers[op]


async def report(index: int) -> dict[str, Any]:
    instance = Instance(
        Settings.model_validate({"listen": "127.0.0.1:0", "upstream": "127.0.0.1:1"}), index=index
    )
    await instance.start()
    found = instance.report().model_dump(mode="json")
    await instance.drain()
    found["process"]["state"] = "running"
    return dict(found)


async def test_one_process_speaks_for_itself() -> None:
    instance = Instance(Settings.model_validate({"listen": "127.0.0.1:0", "upstream": "127.0.0.1:1"}))
    await instance.start()
    source = ProcessSource(instance)
    instance.counters.connections_total = 3
    assert (await source.counters())["connections_total"] == 3
    assert (await source.status()).workers == 1
    assert (await source.ready()).ready
    await instance.drain()
    assert not (await source.ready()).ready


async def test_workers_are_added_up() -> None:
    workers = Workers()
    source = WorkersSource(cast(Supervisor, workers), 2)
    parts = [Counters(), Counters()]
    parts[0].connections_total, parts[1].connections_total = 3, 4
    workers.answers = {
        "report": [await report(0), await report(1)],
        "counters": [part.snapshot() for part in parts],
    }
    workers.restarts = 5
    counters = await source.counters()
    assert (counters["connections_total"], counters["worker_restarts"]) == (7, 5)
    status = await source.status()
    assert ([p.worker for p in status.processes], status.worker_restarts) == ([0, 1], 5)
    assert (await source.ready()).ready


async def test_silent_workers_leave_what_was_last_known() -> None:
    workers = Workers()
    source = WorkersSource(cast(Supervisor, workers), 1)
    with pytest.raises(RuntimeError, match=str(datetime.now(UTC).year)):
        await source.status()
    workers.answers["report"] = [await report(0)]
    await source.status()
    workers.answers["report"] = []
    assert (await source.status()).state == "starting"
    assert not (await source.ready()).ready
    workers.stopping = True
    assert (await source.status()).state == "draining"
