"""The `Store` protocol on MongoDB and what speaks its protocol (5.0 or newer).

Documents of PostgreSQL database D are in database D. Everything of Causeway's own is in `_causeway`: tombstones and
floors in `tombstones.<D>.<collection>`, claims of repairs in `repairs.<D>.<collection>`, the ledger of gaps in `gaps`,
and what `put_state` is given in a collection for each kind. `convergence` says why the writes commute.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from bson import Int64
from pymongo import AsyncMongoClient
from pymongo.errors import ConfigurationError, InvalidURI

from proxy.stores import convergence, mongo_indexes, mongo_reads
from proxy.stores.bson_form import Encoded
from proxy.stores.identity import identity
from proxy.stores.mongo_commands import OWN_DATABASE, Link, MongoCollections
from proxy.stores.mongo_errors import DUPLICATE_KEY, CommandRejected, poison
from proxy.stores.protocol import (
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
    StoreUnavailable,
    Write,
)
from proxy.stores.sweeper import BEFORE_START, DEFAULT_LATE_SWEEP, Sweeper

DEFAULT_TIMEOUT: Final = 10.0
DEFAULT_TOMBSTONE_TTL: Final = timedelta(days=7)
GAPS: Final = "gaps"
_FILTERS_AT_ONCE: Final = 500
_ATTEMPTS: Final = 5
_MANY_STALE: Final = 0.1
"""Share of a batch; a duplicate key costs the store several times what a write or a look does."""


class StoreUriError(ValueError):
    """The URI cannot be used. The message holds no password."""


def open_store(
    uri: str,
    *,
    timeout: float = DEFAULT_TIMEOUT,
    tombstone_ttl: timedelta = DEFAULT_TOMBSTONE_TTL,
    max_connections: int | None = None,
    late_sweep: float = DEFAULT_LATE_SWEEP,
) -> MongoStore:
    """Connects when it is first used: a store that is down is no error. StoreUriError if the URI is wrong.

    Every option of the URI holds. Without `w` in it writes wait for the majority; `timeoutMS` shortens `timeout`,
    which bounds each command. `late_sweep`: see `sweeper`.
    """
    options: dict[str, Any] = {"appname": "causeway"}
    if max_connections is not None:
        options["maxPoolSize"] = max_connections
    try:
        with warnings.catch_warnings():
            # The driver ignores options that it does not know or cannot read, and says so in a warning.
            warnings.simplefilter("error", UserWarning)
            client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
                uri, connect=False, **_absent(uri, options)
            )
    except (ConfigurationError, InvalidURI, ValueError, TypeError, UserWarning) as error:
        raise StoreUriError(f"the store's URI cannot be used: {_without_uri(error, uri)}") from None
    given = client.options.timeout
    concern = client.write_concern
    return MongoStore(
        Link(
            client,
            timeout if given is None else min(timeout, given),
            {"w": "majority"} if concern.is_server_default else concern.document,
            tombstone_ttl,
            {},
        ),
        late_sweep,
    )


class MongoStore:
    """See `protocol.Store`. After StoreUnavailable from `apply` the same writes are given again with `replay`."""

    def __init__(self, link: Link, late_sweep: float = DEFAULT_LATE_SWEEP) -> None:
        self._link = link
        self._tables: dict[Namespace, MongoCollections] = {}
        self._sweeper = Sweeper(self.sweep, late_sweep)
        self._outdated: set[Namespace] = set()
        """Tables of whose last writes many came too late: there it pays to look before writing."""
        self._seeded: set[Namespace] = set()
        """Tables of whose last seeds many were there already."""

    @property
    def link(self) -> Link:
        """For those who read in ways of their own."""
        return self._link

    async def apply(
        self, namespace: Namespace, writes: Sequence[Write], *, replay: bool = False
    ) -> list[Outcome | Poison]:
        look_first = replay or namespace in self._outdated
        if replay:
            self._sweeper.need(namespace)
        with self._open_ended(namespace) as table:
            answers = await convergence.apply(table, writes, replay=replay, look_first=look_first)
        if answers.count(Outcome.STALE) > _MANY_STALE * len(answers):
            self._outdated.add(namespace)
        else:
            self._outdated.discard(namespace)
        return answers

    async def seed(self, namespace: Namespace, writes: Sequence[Write | Encoded]) -> list[Outcome | Poison]:
        with self._open_ended(namespace) as table:
            answers = await convergence.seed(table, writes, look_first=namespace in self._seeded)
        if answers.count(Outcome.STALE) > _MANY_STALE * len(answers):
            self._seeded.add(namespace)
        else:
            self._seeded.discard(namespace)
        return answers

    async def states(self, namespace: Namespace, keys: Sequence[Key]) -> list[State]:
        return await convergence.states(self._table(namespace), keys)

    async def repair(self, namespace: Namespace, repairs: Sequence[Repair]) -> list[bool | Poison]:
        with self._open_ended(namespace) as table:
            return await convergence.repair(table, repairs)

    async def truncate(self, namespace: Namespace, version: int) -> int:
        with self._open_ended(namespace) as table:
            return await convergence.truncate(table, version)

    @contextmanager
    def _open_ended(self, namespace: Namespace) -> Iterator[MongoCollections]:
        """Writes that fail, or are given up, may be carried out yet."""
        try:
            yield self._table(namespace)
        except BaseException:
            self._sweeper.need(namespace)
            raise

    def look_after(self, namespace: Namespace) -> None:
        self._table(namespace)

    async def sweep(self, namespace: Namespace, since: datetime) -> int:
        return await convergence.sweep(self._table(namespace), since)

    async def find_keys(self, namespace: Namespace, filters: Sequence[Document], limit: int) -> list[Any]:
        found: dict[Any, Any] = {}
        conditions = [{name: {"$eq": value} for name, value in one.items()} for one in filters]
        for start in range(0, len(conditions), _FILTERS_AT_ONCE):
            condition = {"$or": conditions[start : start + _FILTERS_AT_ONCE]}
            with _own_fault():
                part = await self._link.find(namespace, condition, {"_id": 1}, limit + 1)
            for document in part:
                found.setdefault(identity(document["_id"]), document["_id"])
            if len(found) > limit:
                break
        return list(found.values())[: limit + 1]

    async def read(self, namespace: Namespace, ids: Sequence[Any]) -> list[bytes]:
        return await mongo_reads.read(self._link, namespace, ids)

    async def scan(self, namespace: Namespace, after: Any, limit: int) -> list[Any]:
        return await mongo_reads.scan(self._link, namespace, after, limit)

    async def count(self, namespace: Namespace) -> int:
        return await mongo_reads.count(self._link, namespace)

    async def indexes(self, namespace: Namespace) -> list[Index]:
        return await mongo_indexes.indexes(self._link, namespace)

    async def create_index(self, namespace: Namespace, index: Index) -> None:
        await mongo_indexes.create_index(self._link, namespace, index)

    async def open_gap(self, gap: GapEntry) -> None:
        """Each sighting makes `last_seen` later than it was, whatever the clocks of those who see it."""
        never = datetime.fromtimestamp(0, UTC)
        change = {
            "database": gap.database,
            "table": gap.table,
            "cause": gap.cause,
            "scope": gap.scope,
            "rows": {"$literal": gap.rows},
            "detail": {"$ifNull": ["$detail", {"$literal": gap.detail}]},
            "proxy": {"$ifNull": ["$proxy", {"$literal": gap.proxy}]},
            "version": {"$max": ["$version", Int64(gap.version)]},
            "count": {"$add": [{"$ifNull": ["$count", Int64(0)]}, Int64(gap.count)]},
            "first_seen": {"$min": [{"$ifNull": ["$first_seen", gap.first_seen]}, gap.first_seen]},
            "last_seen": {"$max": [gap.last_seen, {"$add": [{"$ifNull": ["$last_seen", never]}, 1]}]},
        }
        constants = {name: {"$literal": change[name]} for name in ("database", "table", "cause", "scope")}
        await self._update(GAPS, {"_id": gap.id}, [{"$set": {**change, **constants}}])

    async def close_gap(self, gap_id: str, *, up_to: datetime) -> bool:
        """`up_to`: the `last_seen` that `gaps` gave before the source was read."""
        with _own_fault():
            reply = await self._link.write(
                OWN_DATABASE,
                {
                    "delete": GAPS,
                    "deletes": [{"q": {"_id": gap_id, "last_seen": {"$lte": up_to}}, "limit": 1}],
                },
            )
        _check(reply)
        return bool(reply["n"])

    async def gaps(self, *, database: str | None = None) -> list[GapEntry]:
        condition = {} if database is None else {"database": database}
        with _own_fault():
            found = await self._link.find(Namespace(OWN_DATABASE, GAPS), condition)
        return [_gap(document) for document in found]

    async def put_state(self, kind: str, name: str, value: Document) -> None:
        await self._update(_state_collection(kind), {"_id": name}, {"value": dict(value)})

    async def get_state(self, kind: str) -> dict[str, Document]:
        with _own_fault():
            found = await self._link.find(Namespace(OWN_DATABASE, _state_collection(kind)), {})
        return {document["_id"]: document["value"] for document in found}

    async def state(self, kind: str, name: str) -> Document | None:
        with _own_fault():
            found = await self._link.find(Namespace(OWN_DATABASE, _state_collection(kind)), {"_id": name})
        return found[0]["value"] if found else None

    async def swap_state(self, kind: str, name: str, expected: int, value: Document | None) -> bool:
        query: dict[str, Any] = {"_id": name, "value.revision": expected}
        place = _state_collection(kind)
        command: dict[str, Any]
        if value is None:
            command = {"delete": place, "deletes": [{"q": query, "limit": 1}]}
        else:
            whole = {"value": {**value, "revision": expected + 1}}
            command = {"update": place, "updates": [{"q": query, "u": whole}]}
            if not expected:
                command = {"insert": place, "documents": [{"_id": name, **whole}]}
        with _own_fault():
            reply = await self._link.write(OWN_DATABASE, command)
        if [error["code"] for error in reply.get("writeErrors", ())] == [DUPLICATE_KEY]:
            return False
        _check(reply)
        return bool(reply["n"])

    async def delete_state(self, kind: str, name: str) -> None:
        with _own_fault():
            reply = await self._link.write(
                OWN_DATABASE,
                {"delete": _state_collection(kind), "deletes": [{"q": {"_id": name}, "limit": 1}]},
            )
        _check(reply)

    async def close(self) -> None:
        await self._sweeper.close()
        await self._link.client.close()

    def _table(self, namespace: Namespace) -> MongoCollections:
        table = self._tables.get(namespace)
        if table is None:
            table = self._tables[namespace] = MongoCollections(self._link, namespace)
            self._sweeper.need(namespace, BEFORE_START)
        return table

    async def _update(self, collection: str, query: Mapping[str, Any], change: Any) -> None:
        """Upserts one document. Two that create it at once: one of them is told so and does it again."""
        command = {"update": collection, "updates": [{"q": query, "u": change, "upsert": True}]}
        for _ in range(_ATTEMPTS):
            with _own_fault():
                reply = await self._link.write(OWN_DATABASE, command)
            if [error["code"] for error in reply.get("writeErrors", ())] != [DUPLICATE_KEY]:
                _check(reply)
                return
        raise StoreUnavailable(f"{OWN_DATABASE}.{collection} is being written by too many at once")


@contextmanager
def _own_fault() -> Iterator[None]:
    """What the store rejects of Causeway's own documents is not due to any row."""
    try:
        yield
    except CommandRejected as error:
        raise StoreRefused(f"the store answered {error}") from error


def _check(reply: Mapping[str, Any]) -> None:
    for error in reply.get("writeErrors", ()):
        raise StoreRefused(poison(error).reason)


def _state_collection(kind: str) -> str:
    if not kind or kind == GAPS or "." in kind or "$" in kind:
        raise ValueError(f"{kind!r} is no kind of state")
    return kind


def _gap(document: dict[str, Any]) -> GapEntry:
    return GapEntry(
        id=document["_id"],
        database=document["database"],
        table=document["table"],
        cause=document["cause"],
        scope=document["scope"],
        rows=document["rows"],
        detail=document["detail"],
        proxy=document["proxy"],
        version=int(document["version"]),
        count=int(document["count"]),
        first_seen=document["first_seen"],
        last_seen=document["last_seen"],
    )


def _absent(uri: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `options` that the URI does not set: keyword arguments would override it."""
    given = uri.partition("?")[2].lower()
    names = {part.partition("=")[0] for part in given.replace(";", "&").split("&")}
    return {name: value for name, value in options.items() if name.lower() not in names}


def _without_uri(error: Exception, uri: str) -> str:
    text = str(error)
    user_info = uri.partition("://")[2].rpartition("@")[0]
    for secret in filter(None, (uri, user_info, user_info.partition(":")[2])):
        text = text.replace(secret, "...")
    return text
