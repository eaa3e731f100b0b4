"""What the fleet has agreed on about a table's served reads, kept in `_causeway.switches`. Pure.

A table that no document is about, or one that says `gated`, has to pass the gates. The first proxy that finds them
open writes `admitted`, and from then on no proxy asks them again, nor does one that is started later. A table that
has fallen back by itself is `rolled_back`, for every proxy, until it is told otherwise. Documents are replaced, never
removed: a revision stands for one state for good.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

KIND = "switches"


class Switched(Enum):
    GATED = "gated"
    ADMITTED = "admitted"
    ROLLED_BACK = "rolled_back"


@dataclass(frozen=True, slots=True)
class Switch:
    """One table's document."""

    state: Switched
    rules: str
    """Digest of the rules under which it was written: other rules may tell the table otherwise."""
    at: datetime
    """By the clock of who has written it."""
    by: str
    """The proxy."""
    why: str = ""
    """Of a table that was rolled back: the limit that was passed."""
    revision: int = 0
    """As the store has it; see `Store.swap_state`."""

    def document(self) -> dict[str, Any]:
        return {
            "state": self.state.value,
            "rules": self.rules,
            "at": self.at,
            "by": self.by,
            "why": self.why,
        }

    @property
    def admitted(self) -> bool:
        return self.state is Switched.ADMITTED

    @property
    def rolled_back(self) -> str:
        """Why it is kept out; empty where it was not rolled back."""
        if self.state is not Switched.ROLLED_BACK:
            return ""
        return f"rolled back by itself on {self.at:%Y-%m-%d at %H:%M:%S}Z: {self.why}"


def parse_switch(document: Mapping[str, Any]) -> Switch:
    at = document["at"]
    return Switch(
        Switched(document["state"]),
        str(document["rules"]),
        at if at.tzinfo is not None else at.replace(tzinfo=UTC),
        str(document["by"]),
        str(document.get("why", "")),
        int(document["revision"]),
    )
