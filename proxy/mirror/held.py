"""A committed transaction, or a part of one, from its commit until the store has everything of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from proxy.mirror.effects import Effect

if TYPE_CHECKING:
    from proxy.mirror.journal import Journal
    from proxy.mirror.meters import TableMeter
    from proxy.mirror.tides import Tide


class Keeping(Protocol):
    """The spool that holds an entry."""

    journal: Journal
    in_memory: int

    def finished(self, held: Held) -> None:
        """The store has everything of it."""


class Held:
    """Owned by the mirror; lanes only count down `open`."""

    __slots__ = (
        "database",
        "disk",
        "effects",
        "entry",
        "kept",
        "marked",
        "meters",
        "open",
        "part",
        "replay",
        "since",
        "size",
        "spool",
        "stored",
        "then",
        "tide",
        "timer",
        "urgent",
        "version",
    )

    def __init__(
        self,
        database: str,
        effects: list[Effect],
        size: int,
        version: int,
        since: float,
        *,
        replay: bool = False,
    ) -> None:
        self.database = database
        self.effects = effects
        """Until they are decoded."""
        self.kept: Sequence[Effect] = ()
        """The same until the end, where no disk has them."""
        self.size = size
        """Bytes of memory it counts for."""
        self.version = version
        """Not newer than its oldest image."""
        self.since = since
        """When its commit was seen, monotonic."""
        self.replay = replay
        """Whether some of its writes may have been carried out, or half carried out, by a process that was killed."""
        self.open = 0
        """Writes the store does not have yet."""
        self.spool: Keeping | None = None
        self.entry = 0
        """Its entry in `spool`; 0: none."""
        self.part = 0
        """Number of the entry's part that it is; 0: the entry itself."""
        self.disk = 0
        """Bytes it counts for in the spool."""
        self.marked = False
        """Whether its entry says that it is committed."""
        self.meters: list[TableMeter] = []
        """Of the tables whose rows it changes."""
        self.then: Callable[[], None] | None = None
        """Whom to tell that the store has it, or that the time is up."""
        self.stored: Callable[[], None] | None = None
        """Whom to tell that the store has it, however late."""
        self.timer: asyncio.TimerHandle | None = None
        self.urgent = False
        """A client waits for it."""
        self.tide: Tide | None = None
