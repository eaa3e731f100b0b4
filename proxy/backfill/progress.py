"""How a backfill shows how far it is: a bar in a terminal, lines elsewhere, JSON where it is asked for."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from proxy.backfill.run import Run, Status
from proxy.backfill.run_view import describe, ending, line

LINE_EVERY = 5.0
"""Seconds between two lines of one table."""
JSON_EVERY = 1.0


class Shown(Protocol):
    """Used as a context manager."""

    def update(self, run: Run) -> None:
        """Called often."""

    def tell(self, text: str) -> None:
        """A line for people."""

    def end(self, run: Run) -> None:
        """Nothing more comes of this table."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class _Lines:
    """A line when something has changed and `every` seconds have passed, or the status is another one."""

    def __init__(self, write: Callable[[str], None], every: float, clock: Callable[[], float]) -> None:
        self._write = write
        self._every = every
        self._clock = clock
        self._due = float("-inf")
        self._last: tuple[str, Status] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def update(self, run: Run) -> None:
        state = run.table, run.status
        if self._clock() >= self._due or state != self._last:
            self._due = self._clock() + self._every
            self._last = state
            if not run.status.is_over:
                self.write(run)

    def write(self, run: Run) -> None:
        self._write(line(run))


class PlainLines(_Lines):
    """For a file, a pipe, or a log."""

    def __init__(
        self,
        write: Callable[[str], None],
        every: float = LINE_EVERY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(write, every, clock)

    def tell(self, text: str) -> None:
        self._write(text)

    def end(self, run: Run) -> None:
        self._write(ending(run))


class JsonLines(_Lines):
    """One object a line: `event` is `progress`, `message` or `end`."""

    def __init__(
        self,
        write: Callable[[str], None],
        every: float = JSON_EVERY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(write, every, clock)

    def write(self, run: Run) -> None:
        self._write(json.dumps({"event": "progress", **describe(run)}, ensure_ascii=False))

    def tell(self, text: str) -> None:
        self._write(json.dumps({"event": "message", "text": text}, ensure_ascii=False))

    def end(self, run: Run) -> None:
        self._write(json.dumps({"event": "end", **describe(run)}, ensure_ascii=False))


class Bars:
    """A bar for each table."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.fields[table]}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[told]}", markup=False, table_column=Column(no_wrap=True)),
            console=console,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def update(self, run: Run) -> None:
        share = run.share
        if run.table not in self._tasks:
            self._tasks[run.table] = self._progress.add_task("", table=run.table, told="", total=None)
        self._progress.update(
            self._tasks[run.table],
            total=None if share is None else 1.0,
            completed=0 if share is None else share,
            told=line(run).removeprefix(run.table).strip(),
        )

    def tell(self, text: str) -> None:
        self._console.print(Text(text))

    def end(self, run: Run) -> None:
        self.update(run)
