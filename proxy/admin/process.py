"""What this process costs the machine, as Linux tells it."""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Usage:
    cpu_seconds: float
    """User and system time since the start."""
    rss_bytes: int | None
    """None where there is no /proc."""
    open_fds: int | None
    max_fds: int | None
    """The soft limit; None for no limit."""


def read_usage(proc: Path = Path("/proc/self")) -> Usage:
    times = os.times()
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return Usage(
        cpu_seconds=times.user + times.system,
        rss_bytes=_rss(proc),
        open_fds=_open_fds(proc),
        max_fds=None if soft == resource.RLIM_INFINITY else soft,
    )


def _rss(proc: Path) -> int | None:
    try:
        return int((proc / "statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError, ValueError):
        return None


def _open_fds(proc: Path) -> int | None:
    try:
        return len(os.listdir(proc / "fd"))
    except OSError:
        return None
