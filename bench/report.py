"""What a run hands out: sections of Markdown, the same as data, and their place in the documentation."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.errors import BenchError


@dataclass(frozen=True)
class Section:
    """One benchmark's result."""

    name: str
    title: str
    text: str
    """Markdown below the title."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """JSON-able, with every round."""


def machine(postgres: str) -> dict[str, Any]:
    """What the numbers were measured on; `postgres` is the server's version."""
    model = platform.machine()
    try:
        info = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        info = ""
    if found := re.search(r"^model name\s*: (.+)$", info, flags=re.MULTILINE):
        model = " ".join(found[1].split())
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": model,
        "cpus": len(os.sched_getaffinity(0)),
        "linux": platform.release().split("-")[0],
        "python": platform.python_version(),
        "postgres": postgres,
        "load": round(os.getloadavg()[0], 1),
    }


def machine_line(facts: Mapping[str, Any]) -> str:
    """`machine` as one line of text."""
    return (
        f"{facts['date']}, {facts['cpus']} CPUs ({facts['processor']}), Linux {facts['linux']}, "
        f"Python {facts['python']}, PostgreSQL {facts['postgres']}; load average before the run {facts['load']}."
    )


def to_json(facts: Mapping[str, Any], sections: Sequence[Section]) -> str:
    """The whole run."""
    return json.dumps(
        {"machine": dict(facts), "sections": {s.name: dict(s.data) for s in sections}}, indent=2
    )


def replace_sections(page: str, facts: Mapping[str, Any], sections: Sequence[Section]) -> str:
    """`page` with each section's text between `<!-- bench:NAME -->` and `<!-- /bench:NAME -->` renewed.

    Raises BenchError where a section has no such place.
    """
    for section in sections:
        begin, end = f"<!-- bench:{section.name} -->", f"<!-- /bench:{section.name} -->"
        before, found, rest = page.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise BenchError(f"no place for the section {section.name!r}: put {begin} and {end} on the page")
        page = f"{before}{begin}\n\n{section.text}\n\nMeasured {machine_line(facts)}\n\n{end}{after}"
    return page
