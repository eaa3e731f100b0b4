"""What happens, step by step, and what is expected of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import aiohttp
import asyncpg

from demo import documents, rule_edits
from demo.closing import Closing
from demo.editing import Editing
from demo.errors import DemoError
from demo.figures import duration
from demo.history import History
from demo.mirrored import Mirrored
from demo.opening import Opening
from demo.outage import StoreOutage
from demo.pace import Pace
from demo.reads import Reads
from demo.scene import Scene
from demo.state import COPIED, State, Step
from devstack.errors import DevstackError

LIMIT_SECONDS = 120
"""For the whole, databases cached."""
_STEP_SECONDS = 90.0
"""For one step; past it something hangs."""

FAILURES = (
    DemoError,
    DevstackError,
    TimeoutError,
    OSError,
    aiohttp.ClientError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    *documents.FAILURES,
)
"""What may go wrong in a step without being a mistake of the demo itself."""


class Story:
    """One run. `state` is what can be seen of it; `changed` is called when a step begins or ends."""

    def __init__(self, pace: Pace, changed: Callable[[], None] = lambda: None) -> None:
        self.changed = changed
        self.state = State(time.monotonic(), [])
        self._scene = Scene(self.state, pace)
        opening, closing, history = Opening(self._scene), Closing(self._scene), History(self._scene)
        mirrored, reads, outage = Mirrored(self._scene), Reads(self._scene), StoreOutage(self._scene)
        editing = Editing(self._scene)
        mistake, dual_write, backfill, dark_read, primary_switch, back, passthrough = (
            (edit.title, editing.step(edit)) for edit in rule_edits.EDITS
        )
        self._plan: tuple[tuple[str, Callable[[Step], Awaitable[str]]], ...] = (
            ("databases", opening.start_databases),
            ("proxy", opening.start_proxy),
            ("pgbench fills its tables", opening.fill_pgbench),
            ("the shop's tables are made", opening.make_tables),
            ("years go by without Causeway", history.write),
            ("the shop opens", opening.open_shop),
            ("both under load", opening.load),
            mistake,
            dual_write,
            ("rows become documents", mirrored.appear),
            backfill,
            (COPIED, history.copy),
            ("verify: rows and documents", history.verify),
            dark_read,
            ("reads are compared in the dark", reads.compare),
            ("a planted difference is found", reads.find),
            ("damage is repaired", reads.mend),
            ("the document store is gone", outage.goes_away),
            ("the document store is back", outage.comes_back),
            primary_switch,
            ("reads come from documents", reads.serve),
            ("psql: Ctrl-C stops a query", closing.cancel),
            back,
            ("applications end, books hold", closing.finish_applications),
            ("every row equals its document", mirrored.equal),
            ("side by side with PostgreSQL", closing.compare_mirrored),
            passthrough,
            ("side by side once more", closing.compare_passed),
            ("the proxy drains", closing.drain),
        )
        self.state.steps = [Step(title) for title, _ in self._plan]

    async def run(self) -> None:
        """To the end, to the first step that fails, or until cancelled; what was started is stopped in each case."""
        state = self.state
        try:
            async with self._scene.stage.exit:
                for step, (_, action) in zip(state.steps, self._plan, strict=True):
                    if not await self._carry_out(step, action):
                        break
        except asyncio.CancelledError:
            state.interrupted = True
            raise
        finally:
            state.ended = time.monotonic()
            for step in state.steps:
                if step.status in ("waiting", "running"):
                    step.status = "skipped"
            self.changed()
        if state.failed_step is None:
            seconds = state.ended - state.started
            state.expect(f"the whole within {LIMIT_SECONDS} s", seconds <= LIMIT_SECONDS, duration(seconds))

    async def _carry_out(self, step: Step, action: Callable[[Step], Awaitable[str]]) -> bool:
        step.status, step.began = "running", time.monotonic()
        self.changed()
        try:
            async with asyncio.timeout(_STEP_SECONDS):
                step.detail = await action(step)
        except FAILURES as error:
            step.status = "failed"
            step.detail = str(error) or f"{type(error).__name__} after {_STEP_SECONDS:.0f} s"
        else:
            step.status = "done"
        step.ended = time.monotonic()
        self.changed()
        return step.status == "done"
