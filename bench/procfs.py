"""What the kernel says about a process: processor time and memory."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_RESET_PEAK = "5"
"""Written to `clear_refs`, it sets the peak of the resident set size back to the present one (proc(5))."""


@dataclass(frozen=True)
class CpuTime:
    """Seconds of processor time."""

    total: float
    """Exact to the scheduler's switches where the kernel keeps schedstat, else user + system."""
    user: float
    """In ticks, usually of 10 ms."""
    system: float

    def __sub__(self, earlier: CpuTime) -> CpuTime:
        return CpuTime(self.total - earlier.total, self.user - earlier.user, self.system - earlier.system)

    def __add__(self, other: CpuTime) -> CpuTime:
        return CpuTime(self.total + other.total, self.user + other.user, self.system + other.system)


NO_TIME = CpuTime(0.0, 0.0, 0.0)


def tree(pid: int) -> tuple[int, ...]:
    """The process and its descendants."""
    children: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            try:
                fields = _stat_fields(int(entry.name))
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [pid]
    for parent in found:
        found.extend(children.get(parent, ()))
    return tuple(found)


def cpu_time(pids: Iterable[int]) -> CpuTime:
    """Of all threads of all of them. Raises OSError where one has ended."""
    ticks = os.sysconf("SC_CLK_TCK")
    total = NO_TIME
    for pid in pids:
        fields = _stat_fields(pid)
        user, system = int(fields[11]) / ticks, int(fields[12]) / ticks
        total += CpuTime(_scheduled(pid) or user + system, user, system)
    return total


def family_cpu_time(pid: int) -> float:
    """Seconds, in ticks, of the process, its descendants, and all those of them that have ended and were waited for."""
    ticks = os.sysconf("SC_CLK_TCK")
    total = 0
    for member in tree(pid):
        try:
            fields = _stat_fields(member)
        except OSError:
            continue  # ended since; its parent has its time
        total += sum(map(int, fields[11:15]))
    return total / ticks


def pss(pids: Iterable[int]) -> int:
    """Bytes: the proportional set size, in which a page shared by n processes counts 1/n."""
    return sum(_kilobytes(_PROC / str(pid) / "smaps_rollup", "Pss") for pid in pids)


def resident(pids: Iterable[int]) -> int:
    """Bytes resident now."""
    return sum(_kilobytes(_PROC / str(pid) / "status", "VmRSS") for pid in pids)


def peak_resident(pids: Iterable[int]) -> int:
    """The most bytes that were resident since `reset_peak`."""
    return sum(_kilobytes(_PROC / str(pid) / "status", "VmHWM") for pid in pids)


def reset_peak(pids: Iterable[int]) -> None:
    """Raises OSError where the process belongs to somebody else."""
    for pid in pids:
        (_PROC / str(pid) / "clear_refs").write_text(_RESET_PEAK, encoding="ascii")


def _scheduled(pid: int) -> float:
    """Seconds on a processor; 0.0 where the kernel does not keep it."""
    nanoseconds = 0
    for thread in (_PROC / str(pid) / "task").iterdir():
        try:
            nanoseconds += int((thread / "schedstat").read_text(encoding="ascii").split()[0])
        except OSError:
            continue
    return nanoseconds / 1e9


def _stat_fields(pid: int) -> list[str]:
    """From the third on, `state`: the second, the name in parentheses, may itself contain spaces."""
    return (
        (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    )


def _kilobytes(path: Path, name: str) -> int:
    for line in path.read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"{path} has no line {name}")
