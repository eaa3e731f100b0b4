"""What a store does, in memory and one call after the other: the reference that a real one is compared with.

It implements `protocol.Store`, so tests of what uses a store can run on it. Nothing expires.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import bson

from proxy.stores.bson_form import OPTIONS, Encoded, decode
from proxy.stores.identity import identity
from proxy.stores.protocol import (
    NOTHING,
    Document,
    GapEntry,
    Index,
    Key,
    Namespace,
    Outcome,
    Poison,
    Repair,
    State,
    StoreRefused,
    Write,
)


class ModelStore:
    """See `protocol.Store`."""

    def __init__(self) -> None:
        self._states: dict[Namespace, dict[Hashable, tuple[Any, State]]] = {}
        self._floors: dict[Namespace, int] = {}
        self._gaps: dict[str, GapEntry] = {}
        self._own: dict[str, dict[str, Document]] = {}
        self._indexes: dict[Namespace, dict[str, Index]] = {}

    def documents(self, namespace: Namespace) -> list[Document]:
        """What a reader of the collection finds."""
        return [
            state.document
            for _, state in self._states.get(namespace, {}).values()
            if state.document is not None
        ]

    def state_of(self, namespace: Namespace, key: Any) -> State:
        floor = State(self._floors.get(namespace, 0), 0, None)
        _, state = self._states.get(namespace, {}).get(identity(key), (key, NOTHING))
        return floor if _pair(floor) > _pair(state) else state

    async def apply(
        self, namespace: Namespace, writes: Sequence[Write], *, replay: bool = False
    ) -> list[Outcome | Poison]:
        return [
            self._advance(namespace, write.key, State(write.version, 0, write.document, write.extra))
            for write in writes
        ]

    async def seed(self, namespace: Namespace, writes: Sequence[Write | Encoded]) -> list[Outcome | Poison]:
        return [
            self._put(namespace, write.key, State(0, 0, write.document, write.extra))
            if self.state_of(namespace, write.key.value) == NOTHING
            else Outcome.STALE
            for write in map(_plain, writes)
        ]

    async def states(self, namespace: Namespace, keys: Sequence[Key]) -> list[State]:
        return [self.state_of(namespace, key.value) for key in keys]

    async def repair(self, namespace: Namespace, repairs: Sequence[Repair]) -> list[bool | Poison]:
        answers: list[bool | Poison] = []
        for one in repairs:
            expected = _pair(self.state_of(namespace, one.key.value)) == _pair(one.expected)
            if expected:
                state = State(one.expected.version, one.expected.repairs + 1, one.document, one.extra)
                self._put(namespace, one.key, state)
            answers.append(expected)
        return answers

    def look_after(self, namespace: Namespace) -> None:
        """Nothing is ever left under way here."""

    async def truncate(self, namespace: Namespace, version: int) -> int:
        self._floors[namespace] = max(version, self._floors.get(namespace, 0))
        states = self._states.get(namespace, {})
        older = [key for key, (_, state) in states.items() if _pair(state) < (version, 0)]
        return sum(states.pop(key)[1].document is not None for key in older)

    async def sweep(self, namespace: Namespace, since: datetime) -> int:
        """Nothing is ever done half here."""
        return 0

    async def find_keys(self, namespace: Namespace, filters: Sequence[Document], limit: int) -> list[Any]:
        """Top-level fields only, by equality."""
        found = [
            document["_id"]
            for document in self.documents(namespace)
            if any(
                all(identity(document.get(name)) == identity(value) for name, value in one.items())
                for one in filters
            )
        ]
        return found[: limit + 1]

    async def read(self, namespace: Namespace, ids: Sequence[Any]) -> list[bytes]:
        found = []
        for value in ids:
            _, state = self._states.get(namespace, {}).get(identity(value), (value, NOTHING))
            if state.document is not None:
                found.append(bson.encode({**state.document, "_cw": state.extra}, codec_options=OPTIONS))
        return found

    async def scan(self, namespace: Namespace, after: Any, limit: int) -> list[Any]:
        """In some order that does not change."""
        there = {repr(identity(document["_id"])): document["_id"] for document in self.documents(namespace)}
        last = "" if after is None else repr(identity(after))
        return [there[name] for name in sorted(name for name in there if name > last)[:limit]]

    async def count(self, namespace: Namespace) -> int:
        return len(self.documents(namespace))

    async def indexes(self, namespace: Namespace) -> list[Index]:
        return list(self._indexes.get(namespace, {}).values())

    async def create_index(self, namespace: Namespace, index: Index) -> None:
        known = self._indexes.setdefault(namespace, {})
        if known.setdefault(index.name, index) != index:
            raise StoreRefused(f"there is another index {index.name}")

    async def open_gap(self, gap: GapEntry) -> None:
        known = self._gaps.get(gap.id)
        if known is not None:
            gap = replace(
                gap,
                detail=known.detail,
                proxy=known.proxy,
                version=max(known.version, gap.version),
                count=known.count + gap.count,
                first_seen=min(known.first_seen, gap.first_seen),
                last_seen=max(known.last_seen + timedelta(milliseconds=1), gap.last_seen),
            )
        self._gaps[gap.id] = gap

    async def close_gap(self, gap_id: str, *, up_to: datetime) -> bool:
        if gap_id in self._gaps and self._gaps[gap_id].last_seen <= up_to:
            del self._gaps[gap_id]
            return True
        return False

    async def gaps(self, *, database: str | None = None) -> list[GapEntry]:
        return [gap for gap in self._gaps.values() if database in (None, gap.database)]

    async def put_state(self, kind: str, name: str, value: Document) -> None:
        self._own.setdefault(kind, {})[name] = dict(value)

    async def get_state(self, kind: str) -> dict[str, Document]:
        return dict(self._own.get(kind, {}))

    async def state(self, kind: str, name: str) -> Document | None:
        return self._own.get(kind, {}).get(name)

    async def swap_state(self, kind: str, name: str, expected: int, value: Document | None) -> bool:
        states = self._own.setdefault(kind, {})
        if states.get(name, {}).get("revision", 0) != expected:
            return False
        if value is None:
            states.pop(name, None)
        else:
            states[name] = {**value, "revision": expected + 1}
        return True

    async def delete_state(self, kind: str, name: str) -> None:
        self._own.get(kind, {}).pop(name, None)

    async def close(self) -> None:
        """Nothing to be closed."""

    def _advance(self, namespace: Namespace, key: Key, state: State) -> Outcome:
        if _pair(state) <= _pair(self.state_of(namespace, key.value)):
            return Outcome.STALE
        return self._put(namespace, key, state)

    def _put(self, namespace: Namespace, key: Key, state: State) -> Outcome:
        if state.document is not None:
            state = replace(state, document=_with_id(key, state.document), extra=dict(state.extra))
        else:
            state = replace(state, extra={})
        self._states.setdefault(namespace, {})[identity(key.value)] = (key.value, state)
        return Outcome.APPLIED


def _plain(write: Write | Encoded) -> Write:
    if isinstance(write, Write):
        return write
    document = decode(bytes(write.raw))
    extra = {name: value for name, value in document.pop("_cw").items() if name not in ("v", "r")}
    return Write(Key(write.id, write.id), document, 0, extra)


def _pair(state: State) -> tuple[int, int]:
    return state.version, state.repairs


def _with_id(key: Key, document: Mapping[str, Any]) -> Document:
    return {"_id": key.value, **{name: value for name, value in document.items() if name != "_id"}}
