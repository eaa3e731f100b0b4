"""A process is killed while it writes its spool; whoever comes next has everything that was secured."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.mirror.world import World

SECONDS = 0.25
"""For which a writer lives, at most."""


def killed(spool: Path, store: str, memory: int, after: float) -> tuple[set[int], set[int], set[int]]:
    """(secured, committed, applied) as a writer said before it was killed."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.mirror.spool_writer", str(spool), store, str(memory)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first, process.stderr.read().decode() if process.stderr else ""
        time.sleep(after)
        process.send_signal(signal.SIGKILL)
        told = (first + process.stdout.read()).decode()
    found = re.findall(r"^([sca]) (\d+)$", told, re.MULTILINE)
    secured, committed, applied = ({int(n) for kind, n in found if kind == one} for one in "sca")
    return secured, committed, applied


@pytest.mark.parametrize("store", ["down", "store"])
@pytest.mark.parametrize("memory", [64 << 20, 5_000])
async def test_nothing_secured_is_lost(tmp_path: Path, store: str, memory: int) -> None:
    chance = random.Random(f"{store}{memory}")
    for turn in range(4):
        spool = tmp_path / f"spool{turn}"
        secured, committed, applied = killed(spool, store, memory, chance.random() * SECONDS)
        world = World()
        # of those whose end nobody has told of, the source says that every second one committed
        numbers = range(1, max(secured) + 1000)
        happened = {n for n in numbers if n in committed or n % 2}
        world.fake_source.statuses = {n: "committed" if n in happened else "aborted" for n in numbers}
        mirror = world.mirror(spool)
        await mirror.start()
        assert await mirror.drain(20)
        assert await mirror.stop()
        rows = world.store.rows()
        wanted = (secured & happened) - applied
        assert {n: rows.get(n) for n in wanted} == dict.fromkeys(wanted, "second")
        assert set(rows) <= happened
        assert applied <= happened
        assert wanted or store == "store"
        assert world.gaps.recorded == []
        assert list(spool.glob("*.spool*")) == []
