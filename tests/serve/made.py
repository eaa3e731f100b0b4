"""Grounds, settings and ports of served reads, made for tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from proxy.rulefiles.schema import Reads
from proxy.serve.candidates import ServedTable, ServedTables
from proxy.serve.port import Declined, Read, Served
from proxy.session.plan import Ground
from tests.support.capture import SHOP, ground, relation, snapshot

ORDERS = "public.orders"
SETTINGS: Mapping[str, str] = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "client_encoding": "UTF8",
    "standard_conforming_strings": "on",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "default_transaction_isolation": "read committed",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    "client_min_messages": "notice",
    "transform_null_equals": "off",
    "array_nulls": "on",
}
"""Of a session of which every read may be served."""


def served_ground(
    share: float = 1.0,
    picture: Any = None,
    *,
    served: Iterable[int] = (SHOP,),
    generation: int = 1,
    **rule: Any,
) -> Ground:
    """Table `orders` in primary_switch, `others` mirrored only; the user ann has the search_path public."""
    picture = picture or snapshot(
        [relation(SHOP, "orders"), relation(SHOP + 1, "others")],
        search_paths={"ann": ("public",)},
    )
    reads = Reads.model_validate({"share": f"{share * 100}%", **rule})
    tables = {
        oid: ServedTable(f"{picture.relations[oid].schema}.{picture.relations[oid].name}", reads)
        for oid in served
    }
    made = ground(picture, mirrored=tuple(picture.relations), strict=False, generation=generation)
    return replace(made, served=ServedTables(MappingProxyType(tables), share) if tables else None)


class RecordingServe:
    """A ServePort whose answers the test gives."""

    def __init__(self) -> None:
        self.unsupported: dict[str, str] = {}
        """By text."""
        self.closed = ""
        self.reads: list[Read] = []
        """All that were asked for."""
        self.open_reads: list[tuple[Read, Callable[[Served | Declined], None]]] = []
        self.cancelled = 0
        self.counted: list[tuple[str, str]] = []
        self.asked: list[tuple[str, tuple[int, ...]]] = []

    def supported(
        self, database: str, text: str, parameter_types: tuple[int, ...], search_path: tuple[str, ...]
    ) -> str:
        self.asked.append((text, parameter_types))
        return self.unsupported.get(text, "")

    def open(self, database: str, tables: Sequence[str]) -> str:
        return self.closed

    def serve(self, read: Read, then: Callable[[Served | Declined], None]) -> Handle:
        self.reads.append(read)
        entry = (read, then)
        self.open_reads.append(entry)
        return Handle(self, entry)

    def count(self, database: str, tables: Sequence[str], source: str, reason: str) -> None:
        self.counted.append((source, reason))

    def answer(self, result: Served | Declined) -> None:
        """To the read asked for first and not answered."""
        _, then = self.open_reads.pop(0)
        then(result)


class Handle:
    def __init__(self, port: RecordingServe, entry: tuple[Read, Callable[[Served | Declined], None]]) -> None:
        self._port = port
        self._entry = entry

    def cancel(self) -> None:
        if self._entry in self._port.open_reads:
            self._port.open_reads.remove(self._entry)
            self._port.cancelled += 1
