from __future__ import annotations

from collections.abc import Sequence

import pytest

from proxy.mirror.effects import Rows, Unseen
from proxy.mirror.reread_rows import MAX_RACES, CatalogueBehind, NotRereadable, Outcome, Pass
from proxy.mirror.tables import Surroundings, TableBook
from proxy.phases import Phase
from proxy.stores.protocol import State
from tests.catalog.made import snapshot
from tests.documents.made import image, int4, relation, rules_of
from tests.mirror.gap_world import (
    CHILD,
    Family,
    MemorySource,
    MemoryStore,
    Row,
    ids,
    new_source,
    no_gate,
    write_of,
)


class Bench:
    def __init__(self) -> None:
        self.store = MemoryStore()
        self.source: MemorySource = new_source()
        self.child = Family(self.source).mirrored("child")
        self.recorded: list[Unseen] = []
        self.told = 0

    async def captured(self, row: Row) -> None:
        version = self.source.write(200, row[0], row)
        await self.store.apply(self.child.mapping.namespace, [write_of(self.child, row, version)])

    async def told_of(self) -> None:
        self.told += 1

    async def run(self, columns: Sequence[str], *values: Sequence[str | None], limit: int = 10) -> Outcome:
        one = Pass(
            self.child,
            self.source,
            self.store,
            limit=limit,
            mirrored=lambda table: True,
            record=self.recorded.append,
            before_repairs=self.told_of,
        )
        return await one.run(Rows(tuple(columns), tuple(tuple(value) for value in values)))

    def state(self, key: int) -> State:
        return self.store.documents[self.child.mapping.namespace][key]


async def test_a_repair_keeps_the_version_and_counts() -> None:
    bench = Bench()
    await bench.captured((1, 5, "old"))
    version = bench.state(1).version
    bench.source.write(200, 1, (1, 5, "new"))
    outcome = await bench.run(["id"], ["1"])
    assert (outcome.repaired, outcome.same, bench.told) == (1, 0, 1)
    assert (bench.state(1).version, bench.state(1).repairs) == (version, 1)
    outcome = await bench.run(["id"], ["1"])
    assert (outcome.repaired, outcome.same, bench.told) == (0, 1, 1)


async def test_rows_found_gone_lead_on_with_what_their_documents_held() -> None:
    bench = Bench()
    await bench.captured((1, 5, "a"))
    await bench.captured((2, 5, "b"))
    bench.source.write(200, 1, None)
    bench.source.write(200, 2, None)
    await bench.run(["parent_id"], ["5"])
    assert ids(bench.store, bench.child) == {}
    (unseen,) = bench.recorded
    assert unseen.table.name == "leaf"
    assert unseen.rows is not None
    assert sorted(unseen.rows.values) == [("1",), ("2",)]
    assert unseen.rows.columns == ("child_id",)


async def test_rows_of_either_side_are_looked_at() -> None:
    """One has left the parent, one has come to it, neither seen."""
    bench = Bench()
    await bench.captured((1, 5, "a"))
    bench.source.write(200, 1, (1, 6, "a"))
    bench.source.write(200, 2, (2, 5, "b"))
    outcome = await bench.run(["parent_id"], ["5"])
    assert outcome.repaired == 2
    found = ids(bench.store, bench.child)
    assert {key: document["parent_id"] for key, document in found.items()} == {1: 6, 2: 5}


async def test_nothing_anywhere_is_nothing_to_do() -> None:
    bench = Bench()
    outcome = await bench.run(["id"], ["1"])
    assert (outcome.repaired, outcome.same, bench.told) == (0, 0, 0)


async def test_however_a_number_is_written_it_is_one() -> None:
    bench = Bench()
    await bench.captured((1, 5, "a"))
    bench.source.write(200, 1, None)
    outcome = await bench.run(["id"], [" +001"])
    assert outcome.repaired == 1
    with pytest.raises(NotRereadable, match="depends on the session"):
        await bench.run(["id"], ["one"])


STAMPED = relation("stamped", [("id", 1184), ("name", 25)], key=["id"], oid=400)


@pytest.mark.parametrize(
    ("text", "certain"),
    [
        ("2026-01-02 03:04:05.678+00", True),
        ("2026-01-02 03:04:05.678", False),
        ("2026-01-02 03:04:05.678+02", False),
        ("01/02/2026 03:04+00", False),
        ("now", False),
        ("infinity", True),
    ],
)
async def test_a_time_counts_only_as_postgres_itself_writes_it(text: str, certain: bool) -> None:
    """What else may be meant depends on TimeZone and DateStyle of the session it came from."""
    store, source = MemoryStore(), MemorySource([STAMPED])
    book = TableBook(
        rules_of({"stamped": {"phase": "dual_write"}}),
        {"shop": snapshot(STAMPED)},
        Surroundings(store=True, spool=True, control_dsn=True),
        last_built=Phase.DUAL_WRITE,
    )
    table = book.named("shop", "public", "stamped")
    assert table is not None
    one = Pass(
        table, source, store, limit=10, mirrored=lambda _: True, record=lambda _: None, before_repairs=no_gate
    )
    if certain:
        assert await one.run(Rows(("id",), ((text,),))) == Outcome()
    else:
        with pytest.raises(NotRereadable):
            await one.run(Rows(("id",), ((text,),)))


async def test_keys_that_lose_every_race_are_told() -> None:
    bench = Bench()
    bench.source.write(200, 1, (1, 5, "a"))
    bench.store.refuse_repairs = MAX_RACES
    outcome = await bench.run(["id"], ["1"])
    assert (outcome.unsettled, outcome.races) == (1, MAX_RACES)


async def test_a_column_that_documents_do_not_have_finds_none() -> None:
    with pytest.raises(NotRereadable, match="column other is not in the documents"):
        await Bench().run(["other"], ["1"])


async def test_too_many_documents_or_rows() -> None:
    bench = Bench()
    for number in range(4):
        await bench.captured((number, 5, "a"))
    with pytest.raises(NotRereadable, match="more than 3 documents"):
        await bench.run(["parent_id"], ["5"], limit=3)
    bench = Bench()
    for number in range(4):
        bench.source.write(200, number, (number, 5, "a"))
    with pytest.raises(NotRereadable, match="more than 3 rows"):
        await bench.run(["parent_id"], ["5"], limit=3)


async def test_a_row_of_an_unknown_shape_waits_for_the_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()

    async def rows(*_: object, **__: object) -> list[bytes]:
        return [image((23, int4(1)), (23, int4(1)), tableoid=CHILD.oid, lsn=None)]

    monkeypatch.setattr(bench.source, "rows", rows)
    with pytest.raises(CatalogueBehind):
        await bench.run(["id"], ["1"])


async def test_the_document_of_another_program_is_left_alone() -> None:
    bench = Bench()
    namespace = bench.child.mapping.namespace
    bench.store.documents[namespace] = {"x": State(1, 0, {"_id": {"not": "ours"}, "parent_id": 5})}
    bench.store.ids["x"] = {"not": "ours"}
    outcome = await bench.run(["parent_id"], ["5"])
    assert (outcome.repaired, outcome.same) == (0, 0)


async def test_a_row_that_no_document_can_hold_is_named() -> None:
    bench = Bench()
    bench.source.write(200, 1, (1, 5, "a"))
    bench.store.poison = {1}
    outcome = await bench.run(["id"], ["1"])
    (unseen,) = outcome.poisoned
    assert unseen.rows == Rows(("id",), (("1",),))
    assert unseen.detail == "too large"
