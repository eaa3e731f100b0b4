"""What perf, py-spy and strace print."""

from __future__ import annotations

import pytest

from bench.tools import find, parse_perf, parse_stacks, parse_strace

PERF = """\
# Total Lost Samples: 0
#
# Overhead  Shared Object
# ........  ....................................
#
    50.53%  [kernel.kallsyms]
    34.85%  libpython3.11.so.1.0
     6.71%  loop.cpython-311-x86_64-linux-gnu.so
     6.55%  libc.so.6
     0.90%  [vdso]
     0.48%  _framing.cpython-311-x86_64-linux-gnu.so
     0.10%  libssl.so.3
"""

STACKS = """\
main (a.py:1);Relay.from_client (relay.py:90) 3
main (a.py:1) 5
main (a.py:1);Relay.from_client (relay.py:90) 2
"""

STRACE = """\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 50.00    0.010000           2      4000           write
 50.00    0.010000           2      4010        10 read
------ ----------- ----------- --------- --------- ----------------
100.00    0.020000           2      8010        10 total
"""


def test_perf_is_summed_up_by_part() -> None:
    shares = parse_perf(PERF)
    assert shares == pytest.approx(
        {
            "kernel (sockets, epoll)": 0.5053,
            "CPython": 0.3485,
            "C library": 0.0745,
            "uvloop, libuv": 0.0671,
            "compiled parts of Causeway": 0.0048,
            "other": 0.001,
        }
    )
    assert list(shares.values()) == sorted(shares.values(), reverse=True)


def test_stacks_count_for_their_innermost_function() -> None:
    assert parse_stacks(STACKS) == {"main (a.py:1)": 0.5, "Relay.from_client (relay.py:90)": 0.5}
    assert parse_stacks("") == {}


def test_strace_is_counted_by_call() -> None:
    assert parse_strace(STRACE) == {"read": 4010, "write": 4000}


def test_programs_are_found_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find("sh")
    assert find("no-such-program-anywhere") is None
