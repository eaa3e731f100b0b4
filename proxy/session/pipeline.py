"""Which ReadyForQuery a connection still owes its client.

Every Query, Sync and FunctionCall is answered by one ReadyForQuery, several may be outstanding, and the start-up
itself ends with one. The exception is COPY FROM STDIN: while the server reads copy data it ignores Sync (manual,
"COPY Operations"), so the Syncs a client sent between the statement and the end of its data are never answered.
"""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING

from proxy.wire import messages

STARTUP = 0
"""The entry that stands for the StartupMessage."""

FRONTEND_MARKS = bytes(
    [messages.QUERY, messages.SYNC, messages.FUNCTION_CALL, messages.COPY_DONE, messages.COPY_FAIL]
)
"""The client's messages that this bookkeeping needs to see, and no others."""

_COPY_ENDS = frozenset((messages.COPY_DONE, messages.COPY_FAIL))


class PyPipeline:
    """The outstanding requests of one connection, in order."""

    __slots__ = ("_copying", "_pending", "status", "surplus")

    def __init__(self) -> None:
        self._pending: deque[int] = deque((STARTUP,))
        self._copying = False
        self.status = 0
        """The transaction status of the last ReadyForQuery: `I`, `T`, `E`; 0 before the first."""
        self.surplus = 0
        """ReadyForQuery messages nothing had asked for."""

    @property
    def idle(self) -> bool:
        """Whether the server owes nothing and no transaction is open."""
        return self.status == 0x49 and not self._pending

    @property
    def copying(self) -> bool:
        """Whether the server is reading copy data as far as is known."""
        return self._copying

    @property
    def outstanding(self) -> int:
        """ReadyForQuery messages still owed."""
        return sum(1 for kind in self._pending if kind not in _COPY_ENDS)

    def sent(self, kind: int) -> None:
        """The client sent one of FRONTEND_MARKS."""
        if kind in _COPY_ENDS:
            if self._copying:
                self._copying = False
            elif self._pending:
                # Copy data sent ahead of the server's CopyInResponse; see `copy_in`.
                self._pending.append(kind)
        elif kind == messages.SYNC and self._copying:
            return
        else:
            self._pending.append(kind)

    def copy_in(self) -> None:
        """The server said CopyInResponse: it reads copy data, sent already or still to come, until its end."""
        pending = list(self._pending)
        start = 1 if pending and pending[0] == messages.QUERY else 0
        end = next((i for i in range(start, len(pending)) if pending[i] in _COPY_ENDS), None)
        if end is None:
            self._copying = True
            end = len(pending)
            rest: list[int] = []
        else:
            rest = pending[end + 1 :]
        swallowed = [kind for kind in pending[start:end] if kind != messages.SYNC]
        self._pending = deque(pending[:start] + swallowed + rest)

    def failed(self) -> None:
        """The server said ErrorResponse: a COPY it was reading is over."""
        self._copying = False

    def ready(self, status: int) -> None:
        """The server said ReadyForQuery."""
        self.status = status
        self._copying = False
        pending = self._pending
        answered = False
        # Ends of copy data around the request belong to a COPY that failed before it read them.
        while pending and (not answered or pending[0] in _COPY_ENDS):
            answered = pending.popleft() not in _COPY_ENDS or answered
        if not answered:
            self.surplus += 1


if TYPE_CHECKING:
    Pipeline = PyPipeline
else:
    try:
        if os.environ.get("CAUSEWAY_PURE_PYTHON") == "1":
            raise ImportError("CAUSEWAY_PURE_PYTHON=1")
        from proxy.session._relay import Pipeline
    except ImportError:
        Pipeline = PyPipeline
