"""The rule file of the demo, and what is changed in it while the applications run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from demo.shop import TABLES
from proxy.phases import Phase

FILE_NAME = "shop.yaml"


def rule_file(default: str, phases: Mapping[str, str] | None = None, *, defaults: str = "") -> str:
    """A rule for each table of the shop: the phase that `phases` names, else the `default` one."""
    text = f"database: shop\n\ndefaults:\n  phase: {default}\n{defaults}\ntables:\n"
    for table in TABLES:
        phase = (phases or {}).get(table)
        text += f"  {table}:\n" + (f"    phase: {phase}\n" if phase else "")
    return text


HELD_AT = Phase.BACKFILL
"""Further no table gets whose history is not in the store."""


@dataclass(frozen=True)
class Edit:
    """One change of the file."""

    title: str
    default: str
    phases: Mapping[str, str] = field(default_factory=dict)
    """What is asked for beside the default, by table."""
    defaults: str = ""
    mistakes: tuple[int, ...] = ()
    """Numbers (from 1) of the lines that the proxy is to complain of."""

    @property
    def good(self) -> bool:
        """Whether the proxy is to take it."""
        return not self.mistakes

    @property
    def text(self) -> str:
        """The whole file after it."""
        return rule_file(self.default, self.phases, defaults=self.defaults)

    @property
    def requested(self) -> Mapping[str, Phase]:
        """By table, of a good edit."""
        return {table: Phase(self.phases.get(table, self.default)) for table in TABLES}

    @property
    def effective(self) -> Mapping[str, Phase]:
        """What each table is to come to: no history is copied yet when these edits are made."""
        return {table: min(phase, HELD_AT) for table, phase in self.requested.items()}


START = Edit("rules: the shop in dual_write", "dual_write")
MISTAKE = Edit(
    "rules: a mistake, rejected",
    "dual_write",
    {"order_items": "dual_wirte"},
    defaults="  shadow: 5\n",
    mistakes=(5, 12),
)
REPAIRED = Edit(
    "rules: mended, more asked",
    "dual_write",
    {"products": "dark_read", "payments": "primary_switch", "visits": "backfill"},
    defaults="  shadow: 5%\n",
)
BACK = Edit("rules: back, all but customers", "passthrough", {"customers": "dual_write"})

EDITS = (MISTAKE, REPAIRED, BACK)
"""In this order: two under load, the last when all has been compared."""


def changed_lines(before: str, after: str) -> frozenset[int]:
    """Numbers (from 1) of the lines of `after` that `before` does not have in their place."""
    matcher = SequenceMatcher(a=before.splitlines(), b=after.splitlines(), autojunk=False)
    return frozenset(
        number + 1
        for kind, _, _, start, stop in matcher.get_opcodes()
        if kind in ("replace", "insert")
        for number in range(start, stop)
    )
