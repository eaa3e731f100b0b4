"""What a process costs, as the system tells it."""

from __future__ import annotations

import os
from pathlib import Path

from proxy.admin.process import read_usage


def test_this_process() -> None:
    before = read_usage()
    assert before.rss_bytes is not None
    assert before.rss_bytes > 1 << 20
    assert before.open_fds is not None
    assert before.max_fds is None or before.max_fds >= before.open_fds
    held = [os.open("/dev/null", os.O_RDONLY) for _ in range(10)]
    after = read_usage()
    for fd in held:
        os.close(fd)
    assert after.open_fds is not None
    assert after.open_fds >= before.open_fds + 10
    assert after.cpu_seconds >= before.cpu_seconds


def test_without_proc_what_is_unknown_is_none(tmp_path: Path) -> None:
    usage = read_usage(tmp_path / "none")
    assert (usage.rss_bytes, usage.open_fds) == (None, None)
