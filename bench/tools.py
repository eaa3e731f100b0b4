"""Outside tools that look into a running process: perf, py-spy and strace, each only where it is installed."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

PERF_HINT = "perf: apt-get install linux-perf"
PY_SPY_HINT = "py-spy: pip install py-spy"
STRACE_HINT = "strace: apt-get install strace"

_SAMPLES_PER_SECOND = 999
_PY_SPY_SAMPLES = 400
_GRACE_SECONDS = 60

PARTS: Sequence[tuple[str, str]] = (
    ("kernel (sockets, epoll)", r"^\[kernel|^\[k\]|^\[guest"),
    ("CPython", r"^(libpython|python)3"),
    ("compiled parts of Causeway", r"^_(framing|relay)\b"),
    ("uvloop, libuv", r"^loop\.cpython|^libuv"),
    ("libevent", r"^libevent"),
    ("PgBouncer", r"^pgbouncer$"),
    ("C library", r"^libc[.-]|^\[vdso\]|^libpthread|^ld-linux"),
)
"""What perf calls a shared object, and whose time it is."""

OTHER = "other"


def find(program: str) -> str | None:
    """On the PATH or beside this Python."""
    places = [os.environ.get("PATH", ""), str(Path(sys.executable).parent), str(Path(sys.prefix) / "bin")]
    return shutil.which(program, path=os.pathsep.join(places))


def perf_shares(pid: int, seconds: int, directory: Path) -> dict[str, float] | None:
    """Share of the process's time by PARTS; None where perf is missing or may not look."""
    perf = find("perf")
    if perf is None:
        return None
    recording = directory / "perf.data"
    record = [perf, "record", "--quiet", "--event=cpu-clock", f"--freq={_SAMPLES_PER_SECOND}"]
    command = [*record, f"--output={recording}", f"--pid={pid}", "--", "sleep", str(seconds)]
    if _output(command, seconds) is None:
        return None
    report = _output([perf, "report", f"--input={recording}", "--stdio", "--sort=dso"], seconds)
    return parse_perf(report) if report else None


def parse_perf(report: str) -> dict[str, float]:
    """`perf report --sort=dso` as shares of one by part."""
    shares: defaultdict[str, float] = defaultdict(float)
    for percent, name in re.findall(r"^\s*([\d.]+)%\s+(\S+)", report, flags=re.MULTILINE):
        part = next((part for part, pattern in PARTS if re.search(pattern, name)), OTHER)
        shares[part] += float(percent) / 100
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def py_spy_functions(pid: int, seconds: int, directory: Path) -> dict[str, float] | None:
    """Share of samples by innermost Python function; None where py-spy is missing or may not look."""
    spy = find("py-spy")
    if spy is None:
        return None
    stacks = directory / "stacks.txt"
    command = [spy, "record", f"--duration={seconds}", f"--rate={_PY_SPY_SAMPLES}", "--format=raw"]
    if _output([*command, "--function", f"--output={stacks}", f"--pid={pid}"], seconds) is None:
        return None
    return parse_stacks(stacks.read_text(encoding="utf-8"))


def parse_stacks(stacks: str) -> dict[str, float]:
    """Collapsed stacks, `outer;inner count`, as shares of one by the innermost frame."""
    samples: Counter[str] = Counter()
    for line in stacks.splitlines():
        stack, _, count = line.rpartition(" ")
        if stack and count.isdigit():
            samples[stack.rpartition(";")[2]] += int(count)
    total = samples.total()
    return {name: count / total for name, count in samples.most_common()}


def system_calls(pid: int, work: Callable[[], None], directory: Path) -> dict[str, int] | None:
    """How often the process called what while `work` ran; None where strace is missing or may not look."""
    strace = find("strace")
    if strace is None:
        return None
    summary = directory / "strace.txt"
    tracer = subprocess.Popen(
        [strace, "-c", "-f", "-o", str(summary), "-p", str(pid)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert tracer.stderr is not None
        if "attached" not in tracer.stderr.readline():
            return None
        work()
    finally:
        if tracer.poll() is None:
            tracer.send_signal(signal.SIGINT)
        tracer.communicate(timeout=_GRACE_SECONDS)
    return parse_strace(summary.read_text(encoding="utf-8"))


def parse_strace(summary: str) -> dict[str, int]:
    """`strace -c` as calls by name, the most frequent first."""
    calls: Counter[str] = Counter()
    for line in summary.splitlines():
        fields = line.split()
        if len(fields) in (5, 6) and fields[3].isdigit() and fields[-1] != "total":
            calls[fields[-1]] += int(fields[3])
    return dict(calls.most_common())


def _output(command: Sequence[str], seconds: float) -> str | None:
    """Standard output; None where the tool failed."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds + _GRACE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
