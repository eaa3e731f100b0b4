"""A capturing relay driven without I/O, and a mirror that only remembers what it was told."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Self

from proxy.admin.counters import Counters
from proxy.catalog.model import Attribute, Relation, SideEffect, Snapshot
from proxy.mirror.effects import Effect, Image, Unseen
from proxy.mirror.port import MirrorLimits
from proxy.mirror.transaction import Transaction
from proxy.session.plan import Ground, MirroredAs
from proxy.session.plans import Plans
from proxy.session.requests import CapturingRelay
from proxy.sql.model import Verb
from proxy.wire import rewriting
from proxy.wire.messages import frame
from tests.support.transcript import complete, ready

SHOP = 16384


def relation(oid: int, name: str, columns: str = "id total note", key: str = "id", **more: Any) -> Relation:
    attributes = tuple(
        Attribute(number, column, 23, -1, column in key.split(), False)
        for number, column in enumerate(columns.split(), 1)
    )
    values = {"schema": "public", "kind": "r", "persistence": "p", **more}
    return Relation(oid=oid, name=name, attributes=attributes, primary_key=tuple(key.split()), **values)


def snapshot(relations: Iterable[Relation], **more: Any) -> Snapshot:
    found = {one.oid: one for one in relations}
    names: dict[str, tuple[int, ...]] = {}
    for one in found.values():
        names[one.name] = (*names.get(one.name, ()), one.oid)
    effects: Mapping[tuple[int, Verb], tuple[SideEffect, ...]] = more.pop(
        "side_effects", MappingProxyType({})
    )
    values = {
        "server_version": 150000,
        "unreadable": {"ann": {}},
        "watched": frozenset(names) | frozenset(more.get("functions", ())),
        **more,
    }
    return Snapshot(
        database="shop",
        generation=1,
        system_identifier="1",
        timeline=1,
        wal_level="replica",
        relations=found,
        types={},
        by_name=names,
        side_effects=effects,
        **values,
    )


def ground(
    picture: Snapshot | None = None,
    *,
    strict: bool = True,
    ack: float | None = None,
    mirrored: Iterable[int] = (SHOP,),
    needs_text: bool = False,
    generation: int = 1,
) -> Ground:
    """Table `orders (id, total, note)`, key id, unless another picture is given."""
    picture = picture or snapshot([relation(SHOP, "orders")])
    tables = {}
    for oid in mirrored:
        one = picture.relations[oid]
        seen = MirroredAs(one.id, one, frozenset(one.primary_key), needs_text, strict, ack)
        tables[oid] = seen
        if one.kind == "p":
            tables.update(dict.fromkeys(one.children, seen))
    return Ground(picture, tables, generation)


class RecordingMirror:
    """A MirrorPort that writes down what it was told; `secure` and acknowledgements wait until the test lets them."""

    def __init__(self, *, waits: bool = True) -> None:
        self.limits = MirrorLimits()
        self.waits = waits
        self.told: list[str] = []
        self.committed_effects: list[Effect] = []
        self.secured: list[Callable[[], None]] = []
        self.acknowledgements: list[Callable[[], None]] = []
        self.unstored: list[Callable[[], None]] = []
        self.oldest: int | None = None
        """The watermark."""
        self.begun = 0

    def begin(self, database: str) -> Transaction:
        self.begun += 1
        return Transaction(database)

    def secure(self, tx: Transaction, then: Callable[[], None]) -> bool:
        self.told.append(f"secure {self.describe(tx)}")
        if not self.waits:
            return True
        self.secured.append(then)
        return False

    def secure_now(self, tx: Transaction) -> None:
        self.told.append(f"secure now {self.describe(tx)}")

    def let(self) -> None:
        """The disk has everything."""
        waiting, self.secured = self.secured, []
        for then in waiting:
            then()

    def spill(self, tx: Transaction) -> None:
        self.told.append(f"spill {self.describe(tx)}")
        tx.moved()

    def committed(
        self,
        tx: Transaction,
        then: Callable[[], None] | None = None,
        timeout: float = 0.0,
        stored: Callable[[], None] | None = None,
    ) -> bool:
        self.told.append(f"committed {self.describe(tx)}")
        self.committed_effects += tx.effects
        if stored is not None:
            self.unstored.append(stored)
        if then is None:
            return True
        self.acknowledgements.append(then)
        return False

    def aborted(self, tx: Transaction) -> None:
        self.told.append(f"aborted {self.describe(tx)}")

    def doubtful(self, tx: Transaction) -> None:
        self.told.append(f"doubtful {self.describe(tx)}")

    def prepared(self, tx: Transaction, gid: str) -> None:
        self.told.append(f"prepared {gid} {self.describe(tx)}")

    def settle_prepared(self, gid: str) -> None:
        self.told.append(f"settle {gid}")

    def watermark(self, database: str) -> int | None:
        return self.oldest

    def describe(self, tx: Transaction) -> str:
        """`i` for an image, the cause of what was not seen."""
        words = [
            "i" if isinstance(effect, Image) else effect.cause.value if isinstance(effect, Unseen) else "t"
            for effect in tx.effects
        ]
        return ",".join(words) or "nothing"

    def heard(self) -> list[str]:
        """What it was told since the last time it was asked."""
        told, self.told = self.told, []
        return told


def image(number: int = 1, xid: int = 700) -> bytes:
    """What record_send gives for a row of `orders`, as far as the session looks into it."""
    header = (
        struct.pack("!i", 10)
        + struct.pack("!ii", 26, 4)
        + struct.pack("!I", SHOP)
        + struct.pack("!ii", 3220, 8)
        + struct.pack("!Q", 1 << 24)
        + struct.pack("!ii", 25, 24)
        + b"000000010000000000000001"
        + struct.pack("!ii", 5069, 8)
        + struct.pack("!Q", xid)
    )
    rest = struct.pack("!iiiiii", 25, -1, 25, -1, 17, -1)
    return header + rest + struct.pack("!iii", 23, 4, number) + struct.pack("!ii", 23, -1) * 2


def row(*values: bytes | None) -> bytes:
    body = struct.pack("!h", len(values))
    for value in values:
        body += struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value
    return frame(ord("D"), body)


def description(*names: str) -> bytes:
    body = struct.pack("!h", len(names))
    for name in names:
        body += name.encode() + b"\x00" + struct.pack("!ihihih", 0, 0, 17, -1, -1, 0)
    return frame(ord("T"), body)


def as_text(value: bytes) -> bytes:
    return b"\\x" + value.hex().encode()


PARSED, BOUND, CLOSED = frame(ord("1"), b""), frame(ord("2"), b""), frame(ord("3"), b"")
NO_DATA, SUSPENDED = frame(ord("n"), b""), frame(ord("s"), b"")
SYNC, FLUSH = rewriting.SYNC, rewriting.FLUSH


class CaptureScript:
    """A capturing relay between a client and a server made of bytes."""

    def __init__(
        self,
        base: Ground | None = None,
        *,
        waits: bool = True,
        status: str = "I",
        user: str = "ann",
        options: str = "",
        parameters: Mapping[str, str] | None = None,
    ) -> None:
        self.ground = base or ground()
        self.mirror = RecordingMirror(waits=waits)
        self.defined: list[Callable[[], None]] = []
        self.plans = Plans(
            lambda database: self.ground if database == "shop" else None,
            cache_size=100,
            max_statement=100_000,
            max_message=1 << 20,
            max_copy_keys=1000,
            defined=self._define,
            limit_reached=self._limit_reached,
        )
        self.counters = Counters()
        self.held: list[str] = []
        self.backlog = 0
        self.ends = 0
        self.switches = 0
        self.relay = CapturingRelay(
            self,
            self.counters,
            self.plans.session("shop", user, options, parameters or {}),
            self.mirror,
            status=ord(status),
            high_water=100_000,
        )
        self._client = bytearray()
        self._server = bytearray()
        self.relay.to_client = self._client.extend
        self.relay.to_server = self._server.extend

    def _limit_reached(self, name: str) -> None:
        self.counters.limits_reached[name] += 1

    def _define(self, database: str, then: Callable[[], None]) -> bool:
        self.defined.append(then)
        return False

    # CaptureOwner.

    def may_end(self) -> None:
        self.ends += 1

    def may_switch(self) -> None:
        self.switches += 1

    def pass_on_eof(self) -> None:
        self.held.append("eof passed on")

    def hold_client(self) -> None:
        self.held.append("client")

    def release_client(self) -> None:
        self.held = [leg for leg in self.held if leg != "client"]

    def hold_server(self) -> None:
        self.held.append("server")

    def release_server(self) -> None:
        self.held = [leg for leg in self.held if leg != "server"]

    def client_backlog(self) -> int:
        return self.backlog

    # The transcript.

    def client(self, *data: bytes) -> Self:
        self.relay.from_client(b"".join(data))
        return self

    def server(self, *data: bytes) -> Self:
        self.relay.from_server(b"".join(data))
        return self

    def client_sees(self, *data: bytes) -> Self:
        got, self._client[:] = bytes(self._client), b""
        assert got == b"".join(data)
        return self

    def server_sees(self, *data: bytes) -> Self:
        got, self._server[:] = bytes(self._server), b""
        assert got == b"".join(data)
        return self

    def mirror_heard(self, *told: str) -> Self:
        assert self.mirror.heard() == list(told)
        return self

    @property
    def server_got(self) -> bytes:
        """What the server has received since it was last asked."""
        got, self._server[:] = bytes(self._server), b""
        return got

    @property
    def client_got(self) -> bytes:
        got, self._client[:] = bytes(self._client), b""
        return got

    def begin(self) -> Self:
        """Into a transaction block."""
        self.client(rewriting.query(b"BEGIN")).server(complete("BEGIN"), ready("T"))
        self.client_sees(complete("BEGIN"), ready("T"))
        self.server_got  # noqa: B018 - forget it
        return self
