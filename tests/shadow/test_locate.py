"""Which documents behind a result are not what their rows become."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any

import bson
import pytest
from pymongo.asynchronous.collection import AsyncCollection

from proxy.catalog.source import SourceDatabase, SourceUnavailable
from proxy.mirror.tables import MirroredTable
from proxy.shadow.ledger import MAX_KEYS, DifferingKey
from proxy.shadow.locate import locate
from proxy.shadow.reader import RecordingReader, StoreReader
from tests.shadow.test_reverse import Around
from tests.translate.conftest import Made, made_world, world
from tests.translate.world import World

__all__ = ["made_world", "world"]

pytestmark = pytest.mark.integration


class Place:
    """Tables of a real store and their rows; what a test changes of a document is put back."""

    def __init__(self, world: World, made: Made) -> None:
        self.world = world
        self.side = Around(world.store, world, made.dsn)
        self.seen = RecordingReader(StoreReader(world.store.link), 1000)
        self._before: list[tuple[AsyncCollection[Any], Any, Any]] = []

    def table(self, name: str) -> MirroredTable:
        found = self.world.book.named(self.world.database, "public", name)
        assert found is not None
        return found

    async def put(self, name: str, id_: Any, changes: dict[str, Any] | None) -> None:
        """Changes a document, or takes it away."""
        namespace = self.table(name).mapping.namespace
        collection = self.world.store.link.client[namespace.database][namespace.collection]
        self._before.append((collection, id_, await collection.find_one({"_id": id_})))
        if changes is None:
            await collection.delete_one({"_id": id_})
        else:
            await collection.update_one({"_id": id_}, {"$set": changes}, upsert=True)

    async def restore(self) -> None:
        for collection, id_, document in reversed(self._before):
            await collection.delete_one({"_id": id_})
            if document is not None:
                await collection.insert_one(document)

    async def read(self, sql: str, *parameters: bytes) -> None:
        plan = self.world.compile(sql)
        await plan.bind(parameters, (), self.world.session).run(self.seen, self.world.limits)

    async def located(
        self, *tables: str, wanted: Iterable[tuple[str, tuple[str, ...]]] = ()
    ) -> tuple[DifferingKey, ...]:
        asked = [(self.table(name), texts) for name, texts in wanted]
        return await locate(self.side, [self.table(name) for name in tables], self.seen, asked)


@pytest.fixture
async def place(world: World, made_world: Made) -> AsyncIterator[Place]:
    made = Place(world, made_world)
    yield made
    await made.restore()
    await made.side.close()


async def test_where_nothing_differs_nothing_is_found(place: Place) -> None:
    await place.read("SELECT * FROM tag")
    assert await place.located("tag") == ()


async def test_a_document_that_was_read_and_is_another(place: Place) -> None:
    await place.put("tag", 3, {"label": "planted"})
    await place.read("SELECT label FROM tag WHERE label > 'a'")
    assert await place.located("tag") == (DifferingKey("public.tag", ("3",), ("label",), "different"),)


async def test_only_columns_that_differ_are_named_whatever_the_read_was_of(place: Place) -> None:
    await place.put("book", 7, {"title": "planted", "in_print": None})
    await place.read("SELECT id FROM book WHERE id = $1", b"7")
    (found,) = await place.located("book")
    assert (found.key, found.kind, set(found.columns)) == (("7",), "different", {"title", "in_print"})


async def test_a_document_that_was_asked_for_and_is_not_there(place: Place) -> None:
    await place.put("tag", 4, None)
    await place.read("SELECT * FROM tag WHERE id IN (4, 5)")
    assert await place.located("tag") == (DifferingKey("public.tag", ("4",), (), "missing"),)


async def test_a_document_without_a_row(place: Place) -> None:
    await place.put("tag", 900, {"label": "ghost", "_cw": {"v": bson.Int64(1), "r": 0}})
    await place.read("SELECT * FROM tag WHERE label > 'a'")
    assert await place.located("tag") == (DifferingKey("public.tag", ("900",), (), "extra"),)


async def test_what_a_read_of_the_whole_collection_did_not_bring(place: Place) -> None:
    """Nobody has named the key: only the rows of the table know of it."""
    await place.put("tag", 6, None)
    await place.read("SELECT * FROM tag WHERE length(label) > 1")
    assert await place.located("tag") == (DifferingKey("public.tag", ("6",), (), "missing"),)


async def test_what_a_part_of_the_collection_did_not_bring_is_not_looked_for(place: Place) -> None:
    await place.put("tag", 6, None)
    await place.read("SELECT * FROM tag WHERE label = 'tag5'")
    assert await place.located("tag") == ()


async def test_keys_that_the_result_itself_names(place: Place) -> None:
    await place.put("tag", 6, None)
    assert await place.located("tag", wanted=[("tag", ("6",)), ("tag", ("no key",)), ("book", ("7",))]) == (
        DifferingKey("public.tag", ("6",), (), "missing"),
    )


async def test_a_key_of_several_columns(place: Place) -> None:
    id_ = {"sale_id": 1, "number": 1}
    await place.put("line", id_, {"quantity": 77})
    await place.read("SELECT quantity FROM line WHERE sale_id = 1 AND number = 1")
    assert await place.located("line") == (
        DifferingKey("public.line", ("1", "1"), ("quantity",), "different"),
    )


async def test_each_table_of_a_join(place: Place) -> None:
    await place.put("sale", 1, {"note": "planted"})
    await place.put("line", {"sale_id": 1, "number": 2}, {"quantity": 77})
    await place.read("SELECT s.note, l.quantity FROM sale s JOIN line l ON l.sale_id = s.id WHERE s.id = 1")
    found = await place.located("sale", "line", "sale")
    assert {(one.table, one.key, one.columns) for one in found} == {
        ("public.sale", ("1",), ("note",)),
        ("public.line", ("1", "2"), ("quantity",)),
    }
    assert len(found) == 2


async def test_no_more_are_told_than_the_ledger_keeps(place: Place) -> None:
    for number in range(1, MAX_KEYS + 3):
        await place.put("sale", number, {"note": "planted"})
    await place.read("SELECT note FROM sale WHERE length(note) > 0")
    assert len(await place.located("sale")) == MAX_KEYS


async def test_groups_have_no_key_and_are_passed_over(place: Place) -> None:
    namespace = place.table("tag").mapping.namespace
    place.seen.found[namespace] = [
        bson.encode({"_id": {"odd": 1}}), bson.encode({"n": 1}), bson.encode({"_id": "text"}), b"\x05\0\0\0\0",
    ]  # fmt: skip
    place.seen.asked[namespace] = [None, "text", [1, 2]]
    assert await place.located("tag") == ()


async def test_what_cannot_be_asked_is_left_out(place: Place) -> None:
    await place.put("tag", 3, {"label": "planted"})
    await place.read("SELECT label FROM tag WHERE id = 3")

    def away(database: str) -> SourceDatabase:
        raise SourceUnavailable(database, "it is away")

    place.side.source = away  # type: ignore[method-assign]
    assert await place.located("tag") == ()
