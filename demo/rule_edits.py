"""The rule file of the demo, and what is changed in it while the applications run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from demo.shop import TABLES

FILE_NAME = "shop.yaml"


def rule_file(phases: Mapping[str, str] | None = None, *, defaults: str = "") -> str:
    """A rule for each table of the shop: the phase that `phases` names, else the default phase."""
    text = f"database: shop\n\ndefaults:\n  phase: passthrough\n{defaults}\ntables:\n"
    for table in TABLES:
        phase = (phases or {}).get(table)
        text += f"  {table}:\n" + (f"    phase: {phase}\n" if phase else "")
    return text


@dataclass(frozen=True)
class Edit:
    """One change of the file."""

    title: str
    phases: Mapping[str, str] = field(default_factory=dict)
    """What is asked for, by table; the others are to be in passthrough."""
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
        return rule_file(self.phases, defaults=self.defaults)


START = Edit("rules: everything in passthrough")
MIRROR = Edit("rules: orders to dual_write", {"orders": "dual_write", "order_items": "dual_write"})
MISTAKE = Edit(
    "rules: a mistake, rejected",
    {"orders": "dual_write", "order_items": "dual_wirte"},
    defaults="  shadow: 5\n",
    mistakes=(5, 13),
)
REPAIRED = Edit(
    "rules: mended, more asked",
    {
        "products": "dark_read",
        "orders": "dual_write",
        "order_items": "dual_write",
        "payments": "primary_switch",
    },
    defaults="  shadow: 5%\n",
)
BACK = Edit("rules: all the way back")

EDITS = (MIRROR, MISTAKE, REPAIRED, BACK)
"""In this order, under load."""


def changed_lines(before: str, after: str) -> frozenset[int]:
    """Numbers (from 1) of the lines of `after` that `before` does not have in their place."""
    matcher = SequenceMatcher(a=before.splitlines(), b=after.splitlines(), autojunk=False)
    return frozenset(
        number + 1
        for kind, _, _, start, stop in matcher.get_opcodes()
        if kind in ("replace", "insert")
        for number in range(start, stop)
    )
