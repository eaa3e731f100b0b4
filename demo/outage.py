"""The steps in which the document store is gone, and comes back."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import replace

from demo.errors import DemoError
from demo.figures import duration, number
from demo.scene import Scene
from demo.state import Outage, Step, Work
from devstack.documentdb import DocumentDb

_NOTICE_SECONDS = 10.0
_CATCH_UP_SECONDS = 30.0
_BEHIND_SECONDS = 1.0
"""The documents have caught up when they are no further behind than this, while everybody goes on writing."""
_TOLERATED = 1.5
_TOLERATED_SECONDS = 0.005
"""How much longer an action may take than before, as a factor and in seconds: other things run on this machine."""
_BEFORE_SECONDS = 5.0
_LOOK_SECONDS = 0.5

NOT_OURS = "not shown: only a DocumentDB that the demo has started can be stopped from here"


class StoreOutage:
    """Each step gives what has come of it."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._store: DocumentDb | None = None

    async def goes_away(self, step: Step) -> str:
        scene, state, stage = self._scene, self._scene.state, self._scene.stage
        store = stage.databases.document_store
        if not isinstance(store, DocumentDb):
            return NOT_OURS
        self._store = store
        await stage.sample()
        spooled = scene.waiting.spooled
        began = time.monotonic()
        before = state.work(began - _BEFORE_SECONDS, began)
        step.detail = "killed; the applications go on, and what they write waits on the proxy's disk"
        await asyncio.to_thread(store.stop_gateway)
        state.store_stopped = True
        await stage.until(
            lambda: bool(state.status and state.status.mirror and state.status.mirror.store == "away"),
            "the proxy does not notice that the document store is gone",
            patience=_NOTICE_SECONDS,
        )
        noticed = scene.waiting.spooled
        telling = asyncio.create_task(self._ask_at(began + scene.pace.outage / 2))
        try:
            while not telling.done() or time.monotonic() < began + scene.pace.outage:
                await scene.watch(_LOOK_SECONDS)
                during = state.work(began, time.monotonic())
                step.detail = (
                    f"killed; {number(scene.waiting.images)} rows wait on the proxy's disk; "
                    f"{state.application_errors} errors, an action takes {duration(during.p50)}, "
                    f"before {duration(before.p50)}"
                )
        finally:
            telling.cancel()
        told = telling.result()
        await stage.sample()
        most = scene.waiting
        during = state.work(began, time.monotonic())
        state.outage = Outage(
            time.monotonic() - began, before, during, most.images, most.spooled, of_mirror(told)
        )
        state.expect(
            "without the store, writes wait on the proxy's disk",
            most.spooled > max(spooled, noticed) and most.images > 0,
            f"{number(most.spooled)} transactions, {number(most.images)} rows",
        )
        state.expect("`causeway status` says that the store is away", "store away" in told, _what_waits(told))
        self._expect_no_harm()
        return (
            f"{number(most.spooled)} transactions wait on disk; an action takes {duration(during.p50)}, "
            f"before {duration(before.p50)}; {state.application_errors} errors"
        )

    async def _ask_at(self, moment: float) -> str:
        """What `causeway status` says then."""
        await asyncio.sleep(max(0.0, moment - time.monotonic()))
        return await self._scene.stage.proxy.told()

    async def comes_back(self, step: Step) -> str:
        scene, state, stage = self._scene, self._scene.state, self._scene.stage
        if self._store is None or state.outage is None:
            return NOT_OURS
        step.detail = "what has waited is written while the applications go on"
        began = time.monotonic()
        await asyncio.to_thread(self._store.start_gateway)
        state.store_stopped = False
        self._store = None
        await stage.until(
            lambda: scene.waiting.behind <= _BEHIND_SECONDS,
            f"the documents do not catch up within {_CATCH_UP_SECONDS:.0f} s of the store's return",
            patience=_CATCH_UP_SECONDS,
        )
        caught_up = time.monotonic() - began
        state.outage = replace(state.outage, caught_up=caught_up)
        state.expect(
            "once it is back, the documents catch up under load",
            scene.waiting.behind <= _BEHIND_SECONDS,
            f"after {duration(caught_up)}",
        )
        self._expect_no_harm()
        scene.shop.check()
        return f"{number(state.outage.most_spooled)} transactions caught up with after {duration(caught_up)}"

    def _expect_no_harm(self) -> None:
        state, outage = self._scene.state, self._scene.state.outage
        assert outage is not None
        state.expect(
            "no application sees the store's absence: no error",
            state.application_errors == 0 and outage.during.actions_per_second > 0,
            f"{state.application_errors} errors, {outage.during.actions_per_second:.0f} actions/s; "
            f"before {outage.before.actions_per_second:.0f}",
        )
        if not outage.before.p50:
            raise DemoError("the shop has not reported how long its actions took before the outage")
        state.expect(
            "… and no added latency",
            as_fast(outage.during, outage.before),
            f"p50 of an action {duration(outage.during.p50)}; before {duration(outage.before.p50)}",
        )


def as_fast(during: Work, before: Work) -> bool:
    """Whether an action took no longer than before, within what is tolerated."""
    return 0 < during.p50 <= before.p50 * _TOLERATED + _TOLERATED_SECONDS


def _what_waits(told: str) -> str:
    """Of the same, without what the driver said."""
    found = re.search(r"memory .*?\)", of_mirror(told))
    return f"store away, {found[0]}" if found else of_mirror(told)


def of_mirror(told: str) -> str:
    """The line of `causeway status` on mirroring, as one."""
    lines = told.splitlines()
    start = next((n for n, line in enumerate(lines) if line.startswith("mirror:")), None)
    if start is None:
        return ""
    found = []
    for line in lines[start:]:
        if not line.strip():
            break
        found.append(line.strip())
    return " ".join(found)
