"""The rule file of the demo, and what is changed in it while the applications run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
    text: str
    """The whole file after it."""
    good: bool = True
    """Whether the proxy is to take it."""


START = rule_file()

MIRROR = Edit(
    "rules: orders ask for dual_write",
    rule_file({"orders": "dual_write", "order_items": "dual_write"}),
)
TYPO = Edit(
    "rules: a mistake is rejected",
    rule_file({"orders": "dual_write", "order_items": "dual_wirte"}, defaults="  shadow: 5\n"),
    good=False,
)
REPAIRED = Edit(
    "rules: mistake repaired, more asked",
    rule_file(
        {
            "products": "dark_read",
            "orders": "dual_write",
            "order_items": "dual_write",
            "payments": "primary_switch",
        },
        defaults="  shadow: 5%\n",
    ),
)
BACK = Edit("rules: all the way back", START)


def changed_lines(before: str, after: str) -> frozenset[int]:
    """Numbers (from 1) of the lines of `after` that `before` does not have in their place."""
    matcher = SequenceMatcher(a=before.splitlines(), b=after.splitlines(), autojunk=False)
    return frozenset(
        number + 1
        for kind, _, _, start, stop in matcher.get_opcodes()
        if kind in ("replace", "insert")
        for number in range(start, stop)
    )
