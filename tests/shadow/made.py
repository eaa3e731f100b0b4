"""Reads, rules and ports made for tests."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from proxy.rulefiles.schema import Ignore, Shadow
from proxy.session.plan import Ground
from proxy.shadow.candidates import Candidate, Dark, DarkTable
from proxy.shadow.outcomes import Done
from proxy.shadow.sample import SampledRead, strictest
from tests.support.capture import SHOP, ground, relation, row, snapshot

ORDERS = "public.orders"


def dark_ground(share: float = 1.0, picture: Any = None, **rule: Any) -> Ground:
    """Table `orders` in dark_read; the user ann has the search_path public."""
    picture = picture or snapshot(
        [relation(SHOP, "orders"), relation(SHOP + 1, "others")],
        search_paths={"ann": ("public",)},
    )
    table = DarkTable(ORDERS, Shadow.model_validate({"sample": f"{share * 100}%", **rule}))
    return replace(ground(picture), dark=Dark(MappingProxyType({SHOP: table}), share))


class RecordingPort:
    """A ShadowPort that writes down what it was told."""

    def __init__(self, room: int = 1000) -> None:
        self.room = room
        self.taken = 0
        self.reads: list[SampledRead] = []
        self.done: list[Done] = []

    def admit(self, database: str, found: Candidate) -> bool:
        if self.taken >= self.room:
            return False
        self.taken += 1
        return True

    def submit(self, read: SampledRead, found: Candidate) -> None:
        self.reads.append(read)

    def release(self, database: str, found: Candidate) -> None:
        self.taken -= 1

    def count(self, done: Done) -> None:
        self.done.append(done)

    @property
    def told(self) -> list[str]:
        return [f"{one.outcome.value}: {one.reason}" for one in self.done]


def sampled(
    text: str = "SELECT id FROM orders", rows: Sequence[Sequence[bytes | None]] = (), **more: Any
) -> SampledRead:
    """A read of `orders` and its reply."""
    values: dict[str, Any] = {
        "number": 1,
        "database": "shop",
        "user": "ann",
        "text": text,
        "search_path": ("public",),
        "tables": (ORDERS,),
        "limits": strictest((Shadow(),)),
        "settings": (),
        "description": None,
        "rows": b"".join(row(*one) for one in rows),
        "count": len(rows),
        "seconds": 0.001,
    }
    return SampledRead(**{**values, **more})


def described(*columns: tuple[str, int, int, int, int]) -> bytes:
    """A RowDescription of (name, table oid, attnum, type oid, typmod)."""
    body = struct.pack("!H", len(columns))
    for name, table, attnum, type_, typmod in columns:
        body += name.encode() + b"\0" + struct.pack("!IhIhih", table, attnum, type_, 4, typmod, 0)
    return b"T" + struct.pack("!I", len(body) + 4) + body


def shadow_rule(**ignore: Any) -> Shadow:
    return Shadow(ignore=Ignore(**ignore))
