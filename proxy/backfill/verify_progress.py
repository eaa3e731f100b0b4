"""How a comparison shows how far it is: a bar in a terminal, lines elsewhere. On standard error, beside the result."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bar

from proxy.backfill.verify import Progress
from proxy.backfill.verify_view import line, share_of

LINE_EVERY = 5.0
"""Seconds between two lines."""


class Shown(Protocol):
    """Used as a context manager."""

    def update(self, table: str, progress: Progress) -> None:
        """Called often."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Lines:
    """A line every few seconds; none where `write` is None."""

    def __init__(
        self,
        write: Callable[[str], None] | None,
        every: float = LINE_EVERY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._write = write
        self._every = every
        self._clock = clock
        self._due = clock() + every

    def update(self, table: str, progress: Progress) -> None:
        if self._write is not None and self._clock() >= self._due:
            self._due = self._clock() + self._every
            self._write(line(table, progress))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return


class Bars:
    """A bar for each table."""

    def __init__(self, console: Console) -> None:
        self._bar = Bar(
            TextColumn("{task.fields[table]}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[told]}", markup=False),
            console=console,
        )
        self._tasks: dict[str, TaskID] = {}

    def update(self, table: str, progress: Progress) -> None:
        if table not in self._tasks:
            self._tasks[table] = self._bar.add_task("", table=table, told="", total=None)
        share = share_of(progress) if progress.phase else 1.0
        self._bar.update(
            self._tasks[table],
            total=None if share is None else 1.0,
            completed=share or 0,
            told=line(table, progress).removeprefix(table).strip(),
        )

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
