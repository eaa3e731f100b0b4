"""What the kernel says, about this process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bench.procfs import (
    CpuTime,
    cpu_time,
    family_cpu_time,
    peak_resident,
    pss,
    reset_peak,
    resident,
    tree,
)

OWN = (os.getpid(),)


def test_processor_time_grows_with_work() -> None:
    before = cpu_time(OWN)
    while (cpu_time(OWN) - before).total < 0.02:
        sum(range(10_000))
    assert (cpu_time(OWN) - before).total >= 0.02


def test_a_familys_time_has_that_of_children_that_ended() -> None:
    before = family_cpu_time(os.getpid())
    spin = "import time\nwhile time.process_time() < 0.3: pass"
    subprocess.run([sys.executable, "-c", spin], check=True)
    assert family_cpu_time(os.getpid()) - before >= 0.25


def test_processor_times_add_up() -> None:
    total = CpuTime(3.0, 2.0, 1.0) + CpuTime(1.0, 0.5, 0.5)
    assert total == CpuTime(4.0, 2.5, 1.5)
    assert total - CpuTime(1.0, 0.5, 0.5) == CpuTime(3.0, 2.0, 1.0)


def test_the_peak_is_that_since_the_reset() -> None:
    block = bytearray(os.urandom(1 << 20) * 40)
    del block
    reset_peak(OWN)
    low = peak_resident(OWN) - resident(OWN)
    block = bytearray(os.urandom(1 << 20) * 40)
    del block
    assert peak_resident(OWN) - resident(OWN) > low + (20 << 20)
    assert 0 < pss(OWN) <= peak_resident(OWN)


def test_a_tree_has_the_children() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        try:
            assert tree(os.getpid())[0] == os.getpid()
            assert child.pid in tree(os.getpid())
        finally:
            child.kill()


def test_a_process_that_is_gone_is_an_error() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    with pytest.raises(OSError, match=str(child.pid)):
        cpu_time((child.pid,))
