from __future__ import annotations

import asyncio
import gc
import math
import socket
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import bson
import pymongo
import pytest
from bson import Binary, Decimal128, Int64
from bson.datetime_ms import DatetimeMS

from devstack.document_store import DocumentStore
from proxy.stores.bson_form import Encoded
from proxy.stores.identity import identity
from proxy.stores.mongo import MongoStore, StoreUriError, open_store
from proxy.stores.protocol import (
    NOTHING,
    GapEntry,
    Key,
    Namespace,
    Outcome,
    Poison,
    Repair,
    State,
    StoreUnavailable,
    Write,
)
from tests.stores.conftest import polled

NOW = datetime(2026, 3, 1, 12, 0, 0, 123000, tzinfo=UTC)
APPLIED, STALE = Outcome.APPLIED, Outcome.STALE


def key(value: Any) -> Key:
    return Key(value, repr(value))


def put(value: Any, version: int, **document: Any) -> Write:
    return Write(key(value), {"_id": value, **document}, version)


def encoded(value: Any, **document: Any) -> Encoded:
    mark = {"v": Int64(0), "r": 0, "us": {"a": 7}}
    return Encoded(value, bson.encode({"_id": value, **document, "_cw": mark}))


def gone(value: Any, version: int) -> Write:
    return Write(key(value), None, version)


async def state(store: MongoStore, namespace: Namespace, value: Any) -> State:
    [found] = await store.states(namespace, [key(value)])
    return found


def gap(**changes: Any) -> GapEntry:
    fields: dict[str, Any] = {
        "id": uuid.uuid4().hex,
        "database": f"d{uuid.uuid4().hex}",
        "table": "public.orders",
        "cause": "copy",
        "scope": "rows",
        "rows": {"columns": ["a", "b"], "values": [["1", None], ["$x", "y.z"]]},
        "detail": "$COPY",
        "proxy": "p1",
        "version": 7,
        "count": 1,
        "first_seen": NOW,
        "last_seen": NOW,
    }
    return GapEntry(**{**fields, **changes})


@pytest.mark.integration
class TestApply:
    async def test_an_update_of_an_unknown_row_creates_its_document(
        self, store: MongoStore, namespace: Namespace
    ) -> None:
        write = Write(key(Int64(1)), {"_id": Int64(1), "name": "a"}, 10, {"us": {"t": 7}})
        assert await store.apply(namespace, [write]) == [APPLIED]
        assert await state(store, namespace, 1) == State(10, 0, {"_id": 1, "name": "a"}, {"us": {"t": 7}})

    async def test_the_newer_version_stands_whichever_comes_first(
        self, store: MongoStore, namespace: Namespace
    ) -> None:
        assert await store.apply(namespace, [put(1, 11, a="new"), put(2, 10, a="old")]) == [APPLIED, APPLIED]
        assert await store.apply(namespace, [put(1, 10, a="old"), put(2, 11, a="new")]) == [STALE, APPLIED]
        for value in (1, 2):
            assert await state(store, namespace, value) == State(11, 0, {"_id": value, "a": "new"})

    async def test_a_replacement_leaves_nothing_of_what_was_there(
        self, store: MongoStore, namespace: Namespace
    ) -> None:
        await store.apply(namespace, [Write(key(1), {"_id": 1, "a": 1, "b": 2}, 1, {"us": {}})])
        await store.apply(namespace, [put(1, 2, b=3)])
        assert await state(store, namespace, 1) == State(2, 0, {"_id": 1, "b": 3})

    async def test_a_deleted_row_is_not_brought_back_by_an_older_image(
        self, store: MongoStore, namespace: Namespace
    ) -> None:
        await store.apply(namespace, [put(1, 1)])
        assert await store.apply(namespace, [gone(1, 3), gone(2, 3)]) == [APPLIED, APPLIED]
        assert await store.apply(namespace, [put(1, 2), put(2, 2)]) == [STALE, STALE]
        assert await store.states(namespace, [key(1), key(2)]) == [State(3, 0, None), State(3, 0, None)]
        assert await store.apply(namespace, [put(1, 4), put(2, 4)]) == [APPLIED, APPLIED]

    async def test_a_delete_that_comes_late_leaves_the_newer_document(
        self, store: MongoStore, namespace: Namespace
    ) -> None:
        await store.apply(namespace, [put(1, 5), gone(2, 5)])
        assert await store.apply(namespace, [gone(1, 4), gone(2, 4)]) == [STALE, STALE]
        assert (await state(store, namespace, 1)).version == 5

    async def test_repeating_all_of_it_changes_nothing(self, store: MongoStore, namespace: Namespace) -> None:
        writes = [put(1, 5, a=1), gone(2, 5), put(3, 5, a=3)]
        await store.apply(namespace, writes)
        before = await store.states(namespace, [write.key for write in writes])
        assert await store.apply(namespace, writes, replay=True) == [STALE, STALE, STALE]
        assert await store.states(namespace, [write.key for write in writes]) == before

    async def test_a_replay_finishes_what_a_crash_left_half_done(
        self, store: MongoStore, namespace: Namespace, document_store: DocumentStore
    ) -> None:
        await store.apply(namespace, [put(1, 1), put(3, 1), gone(2, 9)])
        client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(document_store.uri)
        with client:
            tombstones = client["_causeway"][f"tombstones.{namespace}"]
            tombstones.insert_one({"_id": 1, "_cw": {"v": Int64(9), "r": 0}})
            client[namespace.database][namespace.collection].insert_one(
                {"_id": 2, "_cw": {"v": Int64(8), "r": 0}}
            )
            assert await store.apply(namespace, [gone(1, 9), put(2, 8)], replay=True) == [STALE, STALE]
            assert [
                document["_id"] for document in client[namespace.database][namespace.collection].find()
            ] == [3]

    @pytest.mark.parametrize(
        "value",
        [
            Int64(-1),
            "",
            "$text with . and \u00e9",
            {"a": 1, "b": "x"},
            {"b.c": Decimal128("1.50"), "a": {"": None}},
            Decimal128("1.50"),
            math.nan,
            uuid.UUID(int=5),
            Binary(b"\x00\xff", 0),
            datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC),
            DatetimeMS(8_640_000_000_000_000),
            True,
        ],
        ids=repr,
    )
    async def test_every_kind_of_key_goes_the_whole_way(
        self, store: MongoStore, namespace: Namespace, value: Any
    ) -> None:
        assert await store.apply(namespace, [put(value, 2, a=1)]) == [APPLIED]
        assert await store.apply(namespace, [put(value, 1, a=0)]) == [STALE]
        assert await store.apply(namespace, [gone(value, 3)]) == [APPLIED]
        assert await store.apply(namespace, [put(value, 2, a=1)]) == [STALE]
        before = await state(store, namespace, value)
        assert before == State(3, 0, None)
        assert await store.repair(namespace, [Repair(key(value), before, {"a": 2})]) == [True]
        found = await state(store, namespace, value)
        assert (found.version, found.repairs) == (3, 1)
        assert found.document is not None
        assert found.document["a"] == 2
        [again] = await store.find_keys(namespace, [{"a": 2}], 5)
        assert identity(again) == identity(value)

    async def test_keys_that_are_equal_numbers_are_one(self, store: MongoStore, namespace: Namespace) -> None:
        await store.apply(namespace, [put(Decimal128("1.0"), 1, a=1)])
        assert await store.apply(namespace, [put(Decimal128("1.00"), 2, a=2)]) == [APPLIED]
        assert (await state(store, namespace, 1)).version == 2

    @pytest.mark.parametrize(
        "value",
        [
            {"$set": 1, "b": {"$inc": {"c.d": 2}}},
            [{"$a": 1}, {"a.b": [{"": 1}]}],
            {"$ref": "a", "$id": 1},
            {"$ref": "a", "$id": {"$ref": "b", "$id": 2}, "$db": "c", "more": 1},
            {"$id": 1, "$ref": 2},
            {"": {"": ""}},
        ],
        ids=repr,
    )
    async def test_names_inside_a_field_are_stored_as_they_are(
        self, store: MongoStore, namespace: Namespace, value: Any
    ) -> None:
        for version in (1, 2):
            assert await store.apply(namespace, [put(1, version, j=value, n=version)]) == [APPLIED]
            assert await state(store, namespace, 1) == State(version, 0, {"_id": 1, "j": value, "n": version})
        [found] = await store.states(namespace, [key(1)])
        assert await store.repair(namespace, [Repair(key(1), found, {"j": value})]) == [True]
        assert await store.seed(namespace, [put(2, 0, j=value)]) == [APPLIED]
        assert await state(store, namespace, 2) == State(0, 0, {"_id": 2, "j": value})

    @pytest.mark.parametrize("replay", [False, True])
    async def test_one_document_the_store_never_takes_stops_no_other(
        self, store: MongoStore, namespace: Namespace, replay: bool
    ) -> None:
        secret = "s3cret"
        writes = [
            put(1, 1, a=1),
            put(2, 1, a=object(), b=secret),
            put(3, 1, a=1 << 64),
            put(4, 1, a=secret * (3 << 20)),
            put(5, 1, **{"$a": secret}),
            put({"$a": secret}, 1),
            put([secret], 1),
            gone({"$a": secret}, 1),
            gone(object(), 1),
            put(6, 1, a="x" * (16 * 1024 * 1024 - 100)),
            gone(7, 1),
        ]
        answers = await store.apply(namespace, writes, replay=replay)
        assert [answers[0], *answers[-2:]] == [APPLIED] * 3
        reasons = [answer.reason for answer in answers if isinstance(answer, Poison)]
        assert len(reasons) == 8
        assert secret not in repr(reasons)
        assert reasons[0] == "field 'a' has a value that BSON cannot hold: InvalidDocument"
        assert "18,874" in reasons[2]
        assert reasons[4] == "the store answered DollarPrefixedFieldName (52)"

    async def test_nothing_to_do(self, store: MongoStore, namespace: Namespace) -> None:
        assert await store.apply(namespace, []) == []
        assert await store.seed(namespace, []) == []
        assert await store.states(namespace, []) == []
        assert await store.repair(namespace, []) == []
        assert await store.find_keys(namespace, [], 5) == []

    async def test_a_large_batch_is_sent_in_portions(self, store: MongoStore, namespace: Namespace) -> None:
        writes = [put(number, 1, a="x" * (7 << 20)) for number in range(6)]
        assert await store.apply(namespace, writes) == [APPLIED] * 6
        states = await store.states(namespace, [write.key for write in writes])
        assert [found.version for found in states] == [1] * 6

    async def test_a_unique_index_of_somebody_else_is_no_stale_version(
        self, store: MongoStore, namespace: Namespace, document_store: DocumentStore
    ) -> None:
        client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(document_store.uri)
        with client:
            client[namespace.database][namespace.collection].create_index("email", unique=True)
        first, second = await store.apply(namespace, [put(1, 1, email="a"), put(2, 1, email="a")])
        assert first == APPLIED
        assert isinstance(second, Poison)
        assert "unique index" in second.reason

    async def test_tombstones_and_claims_expire(
        self, store: MongoStore, namespace: Namespace, document_store: DocumentStore
    ) -> None:
        await store.apply(namespace, [gone(1, 1)])
        await store.repair(namespace, [Repair(key(1), State(1, 0, None), {"a": 1})])
        again = open_store(polled(document_store.uri), tombstone_ttl=timedelta(days=3))
        client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(document_store.uri)
        with client:
            for kind in ("tombstones", "repairs"):
                collection = client["_causeway"][f"{kind}.{namespace}"]
                assert collection.index_information()["expiry"]["expireAfterSeconds"] == 7 * 86400
                document = collection.find_one()
                assert document is not None
                assert abs(document["at"] - datetime.now()) < timedelta(days=1)
            await again.apply(namespace, [gone(1, 2)])
            expiry = client["_causeway"][f"tombstones.{namespace}"].index_information()["expiry"]
            assert expiry["expireAfterSeconds"] == 3 * 86400
        await again.close()


@pytest.mark.integration
class TestSeed:
    async def test_only_where_nothing_is_known(self, store: MongoStore, namespace: Namespace) -> None:
        await store.apply(namespace, [put(1, 5, a=1), gone(2, 5)])
        writes = [put(number, 0, a=0) for number in (1, 2, 3)]
        assert await store.seed(namespace, writes) == [STALE, STALE, APPLIED]
        assert await store.seed(namespace, writes) == [STALE, STALE, STALE]
        states = await store.states(namespace, [write.key for write in writes])
        assert [(found.version, found.document and found.document["a"]) for found in states] == [
            (5, 1),
            (5, None),
            (0, 0),
        ]

    async def test_what_is_encoded_is_seeded_like_any_other(
        self, store: MongoStore, namespace: Namespace
    ) -> None:
        await store.apply(namespace, [put(1, 5, a=1), gone(2, 5)])
        others = (encoded(number, a=0) for number in (1, 2, 3, 5))
        writes: list[Write | Encoded] = [put(4, 0, a=0), *others]
        assert await store.seed(namespace, writes) == [APPLIED, STALE, STALE, APPLIED, APPLIED]
        assert await store.seed(namespace, writes) == [STALE] * 5
        assert await state(store, namespace, 3) == State(0, 0, {"_id": 3, "a": 0}, {"us": {"a": 7}})
        assert await store.apply(namespace, [put(5, 1, a=1)]) == [APPLIED]

    async def test_what_is_encoded_and_too_large_stops_no_other(
        self, store: MongoStore, namespace: Namespace
    ) -> None:
        large = encoded(2, a="x" * (17 << 20))
        writes: list[Write | Encoded] = [encoded(1), large, encoded({"$a": 1}), put(4, 0), encoded(5)]
        first, second, third, *rest = await store.seed(namespace, writes)
        assert [first, *rest] == [APPLIED] * 3
        assert isinstance(second, Poison)
        assert "17,825," in second.reason
        assert isinstance(third, Poison)

    async def test_any_image_is_newer(self, store: MongoStore, namespace: Namespace) -> None:
        await store.seed(namespace, [put(1, 0, a=0)])
        assert await store.apply(namespace, [put(1, 1, a=1)]) == [APPLIED]


@pytest.mark.integration
class TestRepair:
    async def test_only_if_nothing_has_changed(self, store: MongoStore, namespace: Namespace) -> None:
        keys = [key(number) for number in range(4)]
        await store.apply(namespace, [put(0, 5, a=1), put(1, 5, a=1), gone(2, 5)])
        before = await store.states(namespace, keys)
        assert before[3] == NOTHING
        repairs = [
            Repair(keys[0], before[0], {"_id": 0, "a": 2}, {"us": {"t": 1}}),
            Repair(keys[1], before[1], None),
            Repair(keys[2], before[2], {"_id": 2, "a": 2}),
            Repair(keys[3], before[3], None),
        ]
        assert await store.repair(namespace, repairs) == [True] * 4
        after = await store.states(namespace, keys)
        assert after == [
            State(5, 1, {"_id": 0, "a": 2}, {"us": {"t": 1}}),
            State(5, 1, None),
            State(5, 1, {"_id": 2, "a": 2}),
            State(0, 1, None),
        ]
        assert await store.repair(namespace, repairs) == [False] * 4
        assert await store.states(namespace, keys) == after
        again = [Repair(one, state, {"a": 3}) for one, state in zip(keys, after, strict=True)]
        assert await store.repair(namespace, again) == [True] * 4

    async def test_an_apply_in_between_stands(self, store: MongoStore, namespace: Namespace) -> None:
        keys = [key(1), key(2)]
        before = await store.states(namespace, keys)
        await store.apply(namespace, [put(1, 1, a=1), gone(2, 1)])
        assert await store.repair(
            namespace, [Repair(keys[0], before[0], None), Repair(keys[1], before[1], {"a": 0})]
        ) == [False, False]
        assert await store.states(namespace, keys) == [State(1, 0, {"_id": 1, "a": 1}), State(1, 0, None)]

    async def test_a_claim_that_nobody_followed_up_does_not_bar_the_next(
        self, store: MongoStore, namespace: Namespace, document_store: DocumentStore
    ) -> None:
        await store.apply(namespace, [put(1, 5, a=1)])
        client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(document_store.uri)
        with client:
            client["_causeway"][f"repairs.{namespace}"].insert_one({"_id": 1, "_cw": {"v": Int64(5), "r": 1}})
        assert await store.repair(namespace, [Repair(key(1), State(5, 0, None), {"a": 2})]) == [False]
        before = await state(store, namespace, 1)
        assert before == State(5, 1, {"_id": 1, "a": 1})
        assert await store.repair(namespace, [Repair(key(1), before, {"a": 2})]) == [True]
        assert await state(store, namespace, 1) == State(5, 2, {"_id": 1, "a": 2})

    async def test_what_the_store_never_takes_is_said(self, store: MongoStore, namespace: Namespace) -> None:
        [answer] = await store.repair(namespace, [Repair(key(1), NOTHING, {"a": object()})])
        assert isinstance(answer, Poison)


@pytest.mark.integration
class TestTruncate:
    async def test_what_is_older_goes_and_does_not_come_back(
        self, store: MongoStore, namespace: Namespace
    ) -> None:
        await store.apply(namespace, [put(number, 5 + number) for number in range(10)])
        await store.seed(namespace, [put(20, 0)])
        assert await store.truncate(namespace, 12) == 8
        assert await store.truncate(namespace, 12) == 0
        assert await store.truncate(namespace, 11) == 0
        assert await store.apply(namespace, [put(0, 11), put(30, 11)]) == [STALE, STALE]
        assert await store.seed(namespace, [put(32, 0)]) == [STALE]
        assert await store.apply(namespace, [put(0, 13)]) == [APPLIED]
        assert await state(store, namespace, 30) == State(12, 0, None)
        assert await store.repair(namespace, [Repair(key(30), State(12, 0, None), {"a": 1})]) == [True]
        assert sorted(await store.find_keys(namespace, [{}], 100)) == [0, 7, 8, 9, 30]

    async def test_more_than_is_removed_at_once(self, store: MongoStore, namespace: Namespace) -> None:
        await store.seed(namespace, [put(number, 0) for number in range(2500)])
        assert await store.truncate(namespace, 1) == 2500
        assert await store.find_keys(namespace, [{}], 10) == []


@pytest.mark.integration
class TestFindKeys:
    async def test_by_any_of_the_filters_and_no_more_than_asked(
        self, store: MongoStore, namespace: Namespace
    ) -> None:
        await store.apply(
            namespace, [put({"a": number, "b": 1}, 1, fk=number % 3, g=None) for number in range(9)]
        )
        found = await store.find_keys(namespace, [{"fk": 1, "g": None}, {"fk": 2}], 100)
        assert sorted(one["a"] for one in found) == [1, 2, 4, 5, 7, 8]
        assert len(await store.find_keys(namespace, [{"fk": 1}, {"fk": 2}], 4)) == 5

    async def test_many_filters(self, store: MongoStore, namespace: Namespace) -> None:
        await store.apply(namespace, [put(number, 1, fk=number) for number in range(1200)])
        found = await store.find_keys(namespace, [{"fk": number} for number in range(1, 1300)], 5000)
        assert sorted(found) == list(range(1, 1200))

    async def test_a_value_with_operators_is_a_value(self, store: MongoStore, namespace: Namespace) -> None:
        await store.apply(namespace, [put(1, 1, fk={"$gt": 0}), put(2, 1, fk=1)])
        assert await store.find_keys(namespace, [{"fk": {"$gt": 0}}], 5) == [1]


@pytest.mark.integration
class TestLedger:
    async def test_repeats_are_counted_in_one_entry(self, store: MongoStore) -> None:
        first = gap()
        await store.open_gap(first)
        assert await store.gaps(database=first.database) == [first]
        later = NOW + timedelta(seconds=5)
        again = gap(
            id=first.id, database=first.database, proxy="p2", detail="x", version=9, count=3, last_seen=later
        )
        await store.open_gap(again)
        [entry] = await store.gaps(database=first.database)
        assert (entry.proxy, entry.detail, entry.version, entry.count) == ("p1", "$COPY", 9, 4)
        assert (entry.first_seen, entry.last_seen, entry.rows) == (NOW, later, first.rows)
        assert entry in await store.gaps()

    async def test_a_gap_seen_again_is_not_closed(self, store: MongoStore) -> None:
        first = gap()
        await store.open_gap(first)
        [seen] = await store.gaps(database=first.database)
        await store.open_gap(gap(id=first.id, database=first.database, last_seen=NOW - timedelta(hours=1)))
        assert not await store.close_gap(first.id, up_to=seen.last_seen)
        [entry] = await store.gaps(database=first.database)
        assert await store.close_gap(first.id, up_to=entry.last_seen)
        assert await store.gaps(database=first.database) == []
        assert not await store.close_gap(first.id, up_to=entry.last_seen)

    async def test_a_gap_of_the_whole_table(self, store: MongoStore) -> None:
        whole = gap(scope="table", rows=None)
        await store.open_gap(whole)
        assert await store.gaps(database=whole.database) == [whole]


@pytest.mark.integration
class TestState:
    async def test_documents_of_our_own(self, store: MongoStore) -> None:
        kind = f"kind{uuid.uuid4().hex}"
        value: Mapping[str, Any] = {"tables": {"public.orders": 1, "$x": None}, "_id": 5, "at": NOW}
        await store.put_state(kind, "a", {"old": 1})
        await store.put_state(kind, "a", value)
        await store.put_state(kind, "b", {})
        assert await store.get_state(kind) == {"a": value, "b": {}}
        await store.delete_state(kind, "a")
        await store.delete_state(kind, "a")
        assert await store.get_state(kind) == {"b": {}}

    async def test_the_ledger_is_no_kind(self, store: MongoStore) -> None:
        for kind in ("gaps", "tombstones.d.c", ""):
            with pytest.raises(ValueError, match="no kind"):
                await store.put_state(kind, "a", {})


class TestOpen:
    @pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
    )
    def test_a_store_that_is_down_is_told_of_when_it_is_used_and_in_time(self) -> None:
        async def use(port: int) -> None:
            store = open_store(f"mongodb://127.0.0.1:{port}/", timeout=0.3)
            for call in (
                store.apply(Namespace("d", "c"), [put(1, 1)]),
                store.apply(Namespace("d", "c"), [gone(1, 1)]),
                store.states(Namespace("d", "c"), [key(1)]),
                store.gaps(),
                store.open_gap(gap()),
                store.get_state("proxies"),
            ):
                with pytest.raises(StoreUnavailable):
                    await call
            await store.close()

        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            begun = time.monotonic()
            asyncio.run(use(listener.getsockname()[1]))
            assert time.monotonic() - begun < 6 * 0.3 + 3
        gc.collect()  # the driver leaves a socket open when it is closed while it connects

    @pytest.mark.parametrize(
        "uri",
        [
            "postgres://h/",
            "mongodb://u:hunter2@h:x/",
            "mongodb://u:hunter2@h/?authMechanism=nonsense",
            "mongodb://u:hunter2@@h/",
            "",
        ],
    )
    async def test_a_wrong_uri_is_refused_without_its_password(self, uri: str) -> None:
        with pytest.raises(StoreUriError) as caught:
            open_store(uri)
        assert "hunter2" not in str(caught.value)
        assert caught.value.__cause__ is None

    async def test_the_options_of_the_uri_hold(self) -> None:
        store = open_store(
            "mongodb://h/?w=2&wtimeoutMS=5&maxPoolSize=3&appName=other&timeoutMS=50", max_connections=9
        )
        assert store._link.write_concern == {"w": 2, "wtimeout": 5}
        assert store._link.timeout == 0.05
        assert store._link.client.options.pool_options.max_pool_size == 3
        assert store._link.client.options.pool_options.appname == "other"
        await store.close()

    async def test_without_a_write_concern_the_majority_is_waited_for(self) -> None:
        store = open_store("mongodb://h/", max_connections=9)
        assert store._link.write_concern == {"w": "majority"}
        assert store._link.client.options.pool_options.max_pool_size == 9
        await store.close()
