"""The byte path by itself: one statement's chunks through the header walk and the relay, with nothing behind them.

Run as `python -m bench.micro ROUNDS STATEMENTS`: prints a JSON object, seconds per statement. A process of its own,
because whether the compiled walk is used is settled at import (`CAUSEWAY_PURE_PYTHON=1`).
"""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Callable
from time import perf_counter

from bench.client import bind_execute, message
from proxy.admin.counters import Counters
from proxy.session.relay import BACKEND_MARKS, BODY_CAP, Relay
from proxy.wire import framing, messages

REQUEST = bind_execute("P_0", "123456")
"""Of a prepared `SELECT abalance ...`: Bind, Describe, Execute, Sync."""

READY = message(b"Z", b"I")

ANSWER = b"".join(
    [
        message(b"2", b""),
        message(b"T", struct.pack("!H", 1) + b"abalance\0" + struct.pack("!IHIhih", 16384, 3, 23, 4, -1, 0)),
        message(b"D", struct.pack("!HI", 1, 1) + b"0"),
        message(b"C", b"SELECT 1\0"),
        READY,
    ]
)
"""Its answer: BindComplete, RowDescription, DataRow, CommandComplete, ReadyForQuery."""

ROWS = message(b"D", struct.pack("!HI", 1, 100) + b"x" * 100) * 500
"""Half a thousand rows in one chunk: the walk's cost for each message by itself."""


class _Owner:
    def may_end(self) -> None:
        """Nobody drains here."""

    def may_switch(self) -> None:
        """Nobody begins to capture here."""


def _nowhere(data: bytes) -> None:
    """A writer that costs next to nothing."""


def walk_of_a_statement() -> Callable[[], None]:
    """Both chunks of a statement through header walks that report what the relay asks for."""
    client = framing.HeaderWalk(bytes([messages.QUERY, messages.SYNC]), b"", 0)
    server = framing.HeaderWalk(b"", BACKEND_MARKS, BODY_CAP)

    def once() -> None:
        client.feed(REQUEST)
        server.feed(ANSWER)

    return once


def walk_of_rows() -> Callable[[], None]:
    """A chunk of 500 rows nobody looks into."""
    walk = framing.HeaderWalk(b"", BACKEND_MARKS, BODY_CAP)

    def once() -> None:
        walk.feed(ROWS)

    return once


def relay_of_a_statement() -> Callable[[], None]:
    """Both chunks of a statement through a relay: all that Causeway does, without the event loop."""
    relay = Relay(_Owner(), Counters())
    relay.to_client = relay.to_server = _nowhere
    relay.from_server(READY)

    def once() -> None:
        relay.from_client(REQUEST)
        relay.from_server(ANSWER)

    return once


SUBJECTS: dict[str, Callable[[], Callable[[], None]]] = {
    "header walk": walk_of_a_statement,
    "header walk, 500 rows": walk_of_rows,
    "relay": relay_of_a_statement,
}

LARGE = {"header walk, 500 rows": 50}
"""How much fewer of them are enough."""


def seconds_each(subject: Callable[[], None], rounds: int, statements: int) -> list[float]:
    """Of one call, by rounds; a first one warms up."""
    taken = []
    for _ in range(rounds + 1):
        started = perf_counter()
        for _ in range(statements):
            subject()
        taken.append((perf_counter() - started) / statements)
    return taken[1:]


def main(rounds: int, statements: int) -> None:
    """Prints `compiled` and the rounds of every subject."""
    measured = {
        name: seconds_each(make(), rounds, max(1, statements // LARGE.get(name, 1)))
        for name, make in SUBJECTS.items()
    }
    print(json.dumps({"compiled": framing.COMPILED, "seconds": measured}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
