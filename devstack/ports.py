"""Free loopback ports for servers."""

from __future__ import annotations

import random
import socket
from pathlib import Path

_FIRST = 15000


def _end() -> int:
    """The first port the kernel may hand to outgoing connections.

    Below it, the port of a server that is stopped for a while is not taken by chance.
    """
    try:
        text = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii")
        return max(int(text.split()[0]), _FIRST + 5000)
    except (OSError, ValueError, IndexError):
        return 32768


def free_port() -> int:
    """A TCP port that nothing on 127.0.0.1 uses at this moment.

    Another process can still take it before the caller does; callers that can, retry with another.
    """
    for _ in range(200):
        port = random.randrange(_FIRST, _end())
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError(f"no free TCP port on 127.0.0.1 between {_FIRST} and {_end()}")
