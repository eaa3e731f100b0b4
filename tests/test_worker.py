"""What a worker answers its supervisor and its siblings; whole workers are shown in test_workers.py."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from proxy.admin.status import ProcessReport
from proxy.config import Settings
from proxy.instance import Instance
from proxy.wire.startup import cancel_request
from proxy.worker import _handlers
from tests.support.transcript import startup_message


async def test_answers_cross_a_process_border() -> None:
    instance = Instance(
        Settings.model_validate({"listen": "127.0.0.1:0", "upstream": "127.0.0.1:1"}), index=4
    )
    await instance.start()
    handlers = _handlers(instance)
    counters = json.loads(json.dumps(await handlers["counters"]({})))
    assert counters == instance.counters.snapshot()
    told = json.loads(json.dumps(await handlers["report"]({})))
    assert ProcessReport.model_validate(told).process.worker == 4
    unknown = cancel_request(b"\x00\x00\x00\x01abcd").packet.hex()
    assert await handlers["cancel"]({"packet": unknown}) is False
    for nonsense in (startup_message().hex(), "00000010"):
        with pytest.raises(ValueError, match="not a cancel request"):
            await handlers["cancel"]({"packet": nonsense})
    await instance.drain()


def test_a_worker_without_an_assignment_does_not_hang() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "proxy.worker"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode != 0
