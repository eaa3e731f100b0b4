"""The rule file of the demo, and what is changed in it while the applications run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from demo.shop import TABLES
from proxy.phases import Phase

FILE_NAME = "shop.yaml"

SAMPLED = "shadow: 100%"
"""Every read is compared in `dark_read`; in production a few percent are enough."""

GATES = "\ngates:\n  window: 20s\n  min_comparisons: 25\n"
"""Before `primary_switch`: as many reads as the demo has time for."""


def rule_file(default: str, phases: Mapping[str, str] | None = None, *, shadow: str = SAMPLED) -> str:
    """A rule for each table of the shop: the phase that `phases` names, else the `default` one."""
    text = (
        f"database: shop\n\ndefaults:\n  phase: {default}\n  {shadow}\n  ack: {{timeout: 250ms}}\n\ntables:\n"
    )
    for table in TABLES:
        phase = (phases or {}).get(table)
        text += f"  {table}:\n" + (f"    phase: {phase}\n" if phase else "")
    return text + GATES


@dataclass(frozen=True)
class Edit:
    """One change of the file."""

    title: str
    default: str
    phases: Mapping[str, str] = field(default_factory=dict)
    """What is asked for beside the default, by table."""
    shadow: str = SAMPLED
    mistakes: tuple[int, ...] = ()
    """Numbers (from 1) of the lines that the proxy is to complain of."""
    held: Mapping[str, Phase] = field(default_factory=dict)
    """Where tables are to stay that ask for too much."""
    patience: float = 10.0
    """Seconds until every table must be where it is to come to: gates may have to open first."""

    @property
    def good(self) -> bool:
        """Whether the proxy is to take it."""
        return not self.mistakes

    @property
    def text(self) -> str:
        """The whole file after it."""
        return rule_file(self.default, self.phases, shadow=self.shadow)

    @property
    def requested(self) -> Mapping[str, Phase]:
        """By table, of a good edit."""
        return {table: Phase(self.phases.get(table, self.default)) for table in TABLES}

    @property
    def effective(self) -> Mapping[str, Phase]:
        """What each table is to come to."""
        return {**self.requested, **self.held}


START = Edit("rules: the shop in passthrough", "passthrough")
MISTAKE = Edit(
    "rules: a mistake, rejected",
    "dual_write",
    {"order_items": "dual_wirte"},
    shadow="shadow: 5",
    mistakes=(5, 13),
)
MIRRORED = Edit("rules: dual_write", "dual_write")
ASKED = Edit(
    "rules: backfill, and too much",
    "backfill",
    {"payments": "primary_switch"},
    held={"payments": Phase.BACKFILL},
)
COMPARED = Edit("rules: dark_read", "dark_read")
SERVED = Edit("rules: primary_switch", "primary_switch", patience=40.0)
BACK = Edit("rules: back to dark_read", "dark_read")
PASSED = Edit("rules: back, all but customers", "passthrough", {"customers": "dual_write"})

EDITS = (MISTAKE, MIRRORED, ASKED, COMPARED, SERVED, BACK, PASSED)
"""In this order, all under load."""


def changed_lines(before: str, after: str) -> frozenset[int]:
    """Numbers (from 1) of the lines of `after` that `before` does not have in their place."""
    matcher = SequenceMatcher(a=before.splitlines(), b=after.splitlines(), autojunk=False)
    return frozenset(
        number + 1
        for kind, _, _, start, stop in matcher.get_opcodes()
        if kind in ("replace", "insert")
        for number in range(start, stop)
    )
