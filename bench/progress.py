"""What a run says while it works, on standard error; results go to standard output."""

from __future__ import annotations

import sys
import time

_EVERY_SECONDS = 5.0


class Progress:
    """On a terminal one line that is rewritten; elsewhere a line every few seconds."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._last = 0.0
        self._terminal = sys.stderr.isatty()

    def step(self, title: str) -> None:
        """Something new begins; always shown."""
        self._last = 0.0
        self.update(title)

    def update(self, detail: str) -> None:
        now = time.monotonic()
        if now - self._last < (0.2 if self._terminal else _EVERY_SECONDS):
            return
        self._last = now
        elapsed = f"[{now - self._started:4.0f} s]"
        if self._terminal:
            print(f"\r\x1b[K{elapsed} {detail}", end="", file=sys.stderr, flush=True)
        else:
            print(f"{elapsed} {detail}", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Before results are printed."""
        if self._terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
