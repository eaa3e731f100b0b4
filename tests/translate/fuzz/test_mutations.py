"""The fuzzer catches mistakes: each of `mutations` within so many reads."""

from __future__ import annotations

import pytest

from tests.translate.fuzz.conftest import Opened
from tests.translate.fuzz.mutations import MUTATIONS
from tests.translate.fuzz.run import BATCH, Tally

pytestmark = [pytest.mark.integration, pytest.mark.timeout(0)]

MOST = 1000
"""Reads; a run of CI has several times as many of every class."""
SEED = 20


async def test_every_mistake_is_caught(fuzzing: Opened, capsys: pytest.CaptureFixture[str]) -> None:
    missed, shown = [], []
    async with fuzzing(SEED, Tally()) as fuzzer:
        for mutation in MUTATIONS:
            fuzzer.tally = Tally()
            before = fuzzer.random.getstate()
            with pytest.MonkeyPatch.context() as patch:
                mutation.put(patch)
                while not fuzzer.tally.different and sum(fuzzer.tally.made.values()) < MOST:
                    await fuzzer.run(BATCH, mutation.groups)
            shown.append(f"{mutation.name}: after {sum(fuzzer.tally.made.values())} reads")
            if not fuzzer.tally.different:
                missed.append(mutation.name)
            # the same reads, without the mistake
            count, fuzzer.tally = sum(fuzzer.tally.made.values()), Tally()
            fuzzer.random.setstate(before)
            for _ in range(0, count, BATCH):
                await fuzzer.run(BATCH, mutation.groups)
            assert not fuzzer.tally.different, fuzzer.tally.different[:3]
    with capsys.disabled():
        print("\n" + "\n".join(shown))
    assert not missed, shown
