"""Waiting for processes and files, each with a deadline."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from devstack.state import start_time


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.02)


def exists(pid: int) -> bool:
    """False also for a zombie."""
    return start_time(pid) is not None


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
