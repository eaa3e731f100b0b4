"""What a long step says while it works."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

_EVERY_SECONDS = 2.0


class Progress:
    """One step. On a terminal its line is rewritten; elsewhere a line every few seconds."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._started = time.monotonic()
        self._last = 0.0
        self._terminal = sys.stderr.isatty()

    def update(self, detail: str) -> None:
        now = time.monotonic()
        if now - self._last < (0.2 if self._terminal else _EVERY_SECONDS):
            return
        self._last = now
        self._print(detail, end="" if self._terminal else "\n")

    def finish(self, detail: str) -> None:
        self._print(f"{detail} ({time.monotonic() - self._started:.0f} s)", end="\n")

    def _print(self, detail: str, end: str) -> None:
        start = "\r\x1b[K" if self._terminal else ""
        print(f"{start}devstack: {self._title}: {detail}", end=end, file=sys.stderr, flush=True)


@contextmanager
def step(title: str) -> Iterator[Progress]:
    """Say what begins, and how long it took or that it failed."""
    progress = Progress(title)
    progress.update("started")
    try:
        yield progress
    except BaseException:
        progress.finish("failed")
        raise
    progress.finish("done")
