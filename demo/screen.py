"""Where the view goes: a picture that is kept current on a terminal, plain lines anywhere else."""

from __future__ import annotations

import asyncio
import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.live import Live

from demo.state import State
from demo.summary import summary
from demo.view import render, step_line, traffic_line

_REFRESH_SECONDS = 0.25
_LINE_SECONDS = 5.0


class Output(AbstractContextManager["Output"], Protocol):
    """Shows a state while it changes, then how it ended."""

    def changed(self) -> None:
        """A step has begun or ended."""

    async def keep_current(self) -> None:
        """Show what changes between steps, until cancelled."""

    def finish(self) -> None:
        """Show the summary."""


class Screen(Output):
    """The alternate screen of a terminal; what was on it before comes back, with the summary below."""

    def __init__(self, state: State, console: Console) -> None:
        self._state = state
        self._console = console
        self._live = Live(console=console, screen=True, auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def changed(self) -> None:
        width, height = self._console.size
        self._live.update(render(self._state, time.monotonic(), width, height), refresh=True)

    async def keep_current(self) -> None:
        while True:
            self.changed()
            await asyncio.sleep(_REFRESH_SECONDS)

    def finish(self) -> None:
        self._console.print(summary(self._state, time.monotonic(), with_steps=True))


class Lines(Output):
    """A line for each step that has ended and, in between, how things are."""

    def __init__(self, state: State, console: Console) -> None:
        self._state = state
        self._console = console
        self._printed = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.changed()

    def changed(self) -> None:
        for step in self._state.steps[self._printed :]:
            if step.status not in ("done", "failed"):
                return
            self._console.print(step_line(self._state, step), soft_wrap=True)
            self._printed += 1

    async def keep_current(self) -> None:
        while True:
            await asyncio.sleep(_LINE_SECONDS)
            self._console.print(traffic_line(self._state, time.monotonic()), soft_wrap=True)

    def finish(self) -> None:
        self._console.print(summary(self._state, time.monotonic(), with_steps=False))
