"""The capturing relay by itself: one statement's chunks through it, without socket, event loop, disk and store.

Run as `python -m bench.capture_micro ROUNDS STATEMENTS`: prints a JSON object, seconds of processor time per statement.
The mirror behind it takes transactions and forgets them: what is measured is capture, and nothing that happens to an
image afterwards. Texts of simple queries all differ in their constants, as pgbench's do.
"""

from __future__ import annotations

import itertools
import json
import struct
import sys
from collections.abc import Callable, Iterable
from time import process_time

from bench.client import bind_execute, message, parse, query
from proxy.admin.counters import Counters
from proxy.catalog.model import Attribute, Relation, Snapshot
from proxy.mirror.port import MirrorLimits
from proxy.mirror.transaction import Transaction
from proxy.session.plan import Ground, MirroredAs
from proxy.session.plans import Plans
from proxy.session.relay import Relay
from proxy.session.requests import CapturingRelay

TEXTS = 5000
"""Different constants; more than the statement cache holds."""
CACHE = 2000

WRITE = "UPDATE pgbench_accounts SET abalance = abalance + {} WHERE aid = {};"
READ = "SELECT abalance FROM pgbench_accounts WHERE aid = {};"

_OID = 16384
_USER = "ann"
_DATABASE = "bench"
_SYNC = message(b"S", b"")

Once = Callable[[], None]


class NoMirror:
    """Takes everything at once and keeps nothing."""

    def __init__(self) -> None:
        self.limits = MirrorLimits()
        self.images = 0

    def begin(self, database: str) -> Transaction:
        return Transaction(database)

    def secure(self, tx: Transaction, then: Callable[[], None]) -> bool:
        return True

    def secure_now(self, tx: Transaction) -> None:
        """On disk at once: there is none."""

    def spill(self, tx: Transaction) -> None:
        tx.moved()

    def committed(
        self,
        tx: Transaction,
        then: Callable[[], None] | None = None,
        timeout: float = 0.0,
        stored: Callable[[], None] | None = None,
    ) -> bool:
        self.images += len(tx.effects)
        return True

    def aborted(self, tx: Transaction) -> None:
        """Nothing was kept of it."""

    def doubtful(self, tx: Transaction) -> None:
        """Nothing was kept of it."""

    def prepared(self, tx: Transaction, gid: str) -> None:
        """Nothing was kept of it."""

    def settle_prepared(self, gid: str) -> None:
        """Nothing was kept of it."""

    def watermark(self, database: str) -> int | None:
        return None


class _Owner:
    """A connection that nobody ends, holds or switches."""

    def may_end(self) -> None: ...

    def may_switch(self) -> None: ...

    def pass_on_eof(self) -> None: ...

    def hold_client(self) -> None: ...

    def release_client(self) -> None: ...

    def hold_server(self) -> None: ...

    def release_server(self) -> None: ...

    def client_backlog(self) -> int:
        return 0


def _nowhere(data: bytes) -> None:
    """A writer that costs next to nothing."""


def accounts() -> Relation:
    """pgbench_accounts as the catalogue knows it."""
    return Relation(
        oid=_OID,
        schema="public",
        name="pgbench_accounts",
        kind="r",
        persistence="p",
        attributes=(
            Attribute(1, "aid", 23, -1, True, False),
            Attribute(2, "bid", 23, -1, False, False),
            Attribute(3, "abalance", 23, -1, False, False),
            Attribute(4, "filler", 1042, 88, False, False),
        ),
        primary_key=("aid",),
    )


def ground(*, strict: bool) -> Ground:
    """A database whose only mirrored table is pgbench_accounts."""
    relation = accounts()
    snapshot = Snapshot(
        database=_DATABASE,
        generation=1,
        system_identifier="1",
        timeline=1,
        server_version=150000,
        wal_level="replica",
        relations={_OID: relation},
        types={},
        by_name={relation.name: (_OID,)},
        side_effects={},
        unreadable={_USER: {}},
        watched=frozenset({relation.name}),
    )
    seen = MirroredAs(relation.id, relation, frozenset(relation.primary_key), False, strict, None)
    return Ground(snapshot, {_OID: seen}, 1)


def image() -> bytes:
    """What record_send gives for a row of pgbench_accounts behind the header of an image."""
    fields: Iterable[tuple[int, bytes | None]] = (
        (26, struct.pack("!I", _OID)),
        (3220, struct.pack("!Q", 1 << 24)),
        (25, b"000000010000000000000001"),
        (5069, struct.pack("!Q", 700)),
        (25, None),
        (25, None),
        (17, None),
        (23, struct.pack("!i", 123456)),
        (23, struct.pack("!i", 2)),
        (23, struct.pack("!i", -42)),
        (1042, b" " * 84),
    )
    packed = [
        struct.pack("!Ii", oid, -1) if value is None else struct.pack("!Ii", oid, len(value)) + value
        for oid, value in fields
    ]
    return struct.pack("!i", len(packed)) + b"".join(packed)


def row(value: bytes) -> bytes:
    return message(b"D", struct.pack("!hi", 1, len(value)) + value)


def column(name: bytes, type_oid: int) -> bytes:
    """A RowDescription of one column."""
    return message(
        b"T", struct.pack("!h", 1) + name + b"\0" + struct.pack("!ihihih", 0, 0, type_oid, -1, -1, 0)
    )


PARSED, BOUND, CLOSED, NO_DATA = (message(kind, b"") for kind in (b"1", b"2", b"3", b"n"))
READY = message(b"Z", b"I")
UPDATED = message(b"C", b"UPDATE 1\0")
SELECTED_END = message(b"C", b"SELECT 1\0") + READY
SELECTED = column(b"abalance", 23) + row(b"0") + message(b"C", b"SELECT 1\0")
AS_TEXT = b"\\x" + image().hex().encode()

PREPARED_WRITE = bind_execute("w", "17", "123456")
PREPARED_READ = bind_execute("r", "123456")


def capturing(mirror: NoMirror, *, strict: bool) -> CapturingRelay:
    """A relay of an idle session that has prepared both statements."""
    base = ground(strict=strict)
    plans = Plans(
        lambda database: base,
        cache_size=CACHE,
        max_statement=1 << 20,
        max_message=1 << 26,
        max_copy_keys=1000,
    )
    relay = CapturingRelay(
        _Owner(),
        Counters(),
        plans.session(_DATABASE, _USER, "", {}),
        mirror,
        status=ord("I"),
        high_water=1 << 18,
    )
    relay.to_client = relay.to_server = _nowhere
    for name, text in (("w", WRITE.format("$1", "$2")), ("r", READ.format("$1"))):
        relay.from_client(parse(name, text) + _SYNC)
        relay.from_server(PARSED + READY)
    return relay


def _plain() -> Relay:
    relay = Relay(_Owner(), Counters())
    relay.to_client = relay.to_server = _nowhere
    relay.from_server(READY)
    return relay


def _texts(pattern: str) -> Callable[[], bytes]:
    """Another Query each time it is called."""
    return itertools.cycle([query(pattern.format(n % 977, 100_000 + n)) for n in range(TEXTS)]).__next__


def _fixed(request: bytes) -> Callable[[], bytes]:
    return itertools.repeat(request).__next__


def exchange(relay: Relay | CapturingRelay, request: Callable[[], bytes], *answers: bytes) -> Once:
    """One statement: the client's chunk, then those of the server."""

    def once() -> None:
        relay.from_client(request())
        for answer in answers:
            relay.from_server(answer)

    return once


ROWS = 500


def rows(relay: Relay | CapturingRelay) -> Once:
    """A SELECT of many rows that nobody looks at, in one chunk."""
    many = row(b"x" * 100) * ROWS
    return exchange(relay, _fixed(PREPARED_READ), BOUND + column(b"abalance", 23) + many + SELECTED_END)


PLAIN_UPDATED = BOUND + NO_DATA + UPDATED + READY
"""What a server answers to a prepared write that was not spliced."""
_CAPTURED = BOUND + column(b"record_send", 17) + row(AS_TEXT) + UPDATED

SUBJECTS: dict[str, Callable[[], Once]] = {
    "prepared write, plain relay": lambda: exchange(_plain(), _fixed(PREPARED_WRITE), PLAIN_UPDATED),
    "prepared write, captured, fast": lambda: exchange(
        capturing(NoMirror(), strict=False), _fixed(PREPARED_WRITE), _CAPTURED + READY
    ),
    "prepared write, captured, strict": lambda: exchange(
        capturing(NoMirror(), strict=True), _fixed(PREPARED_WRITE), _CAPTURED, READY
    ),
    "prepared SELECT, plain relay": lambda: exchange(
        _plain(), _fixed(PREPARED_READ), BOUND + SELECTED + READY
    ),
    "prepared SELECT, capturing relay": lambda: exchange(
        capturing(NoMirror(), strict=True), _fixed(PREPARED_READ), BOUND + SELECTED + READY
    ),
    "simple write, plain relay": lambda: exchange(_plain(), _texts(WRITE), UPDATED + READY),
    "simple write, captured, fast": lambda: exchange(
        capturing(NoMirror(), strict=False),
        _texts(WRITE),
        column(b"record_send", 17) + row(AS_TEXT) + UPDATED + READY,
    ),
    "simple write, captured, strict": lambda: exchange(
        capturing(NoMirror(), strict=True),
        _texts(WRITE),
        PARSED + BOUND + row(image()) + UPDATED,
        CLOSED + READY,
    ),
    "simple SELECT, plain relay": lambda: exchange(_plain(), _texts(READ), SELECTED + READY),
    "simple SELECT, capturing relay": lambda: exchange(
        capturing(NoMirror(), strict=True), _texts(READ), SELECTED + READY
    ),
    f"SELECT of {ROWS} rows, plain relay": lambda: rows(_plain()),
    f"SELECT of {ROWS} rows, capturing relay": lambda: rows(capturing(NoMirror(), strict=True)),
}


def seconds_each(subjects: dict[str, Once], rounds: int, statements: int) -> dict[str, list[float]]:
    """Of processor time for one statement, by subject and round; they take turns, and a first round warms up."""
    taken: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(rounds + 1):
        for name, once in subjects.items():
            started = process_time()
            for _ in range(statements):
                once()
            taken[name].append((process_time() - started) / statements)
    return {name: values[1:] for name, values in taken.items()}


def main(rounds: int, statements: int) -> None:
    """Prints the rounds of every subject."""
    from proxy.sql.parse import load

    load()
    subjects = {name: make() for name, make in SUBJECTS.items()}
    print(json.dumps(seconds_each(subjects, rounds, statements)))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
