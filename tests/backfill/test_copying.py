"""One chunk: what is held while it is copied, what becomes of each row, and what is done after an absence."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from devstack.postgres import PostgresServer
from proxy.backfill.copying import MAX_POISONED, Copier, Done, Shifted
from proxy.backfill.member import NotReady
from proxy.backfill.run import Claim, Counts
from proxy.catalog.source import SourceDatabase
from proxy.documents.encoding import RowEncoder
from proxy.documents.mapping import Server, build_mapping
from proxy.mirror.effects import TableId
from proxy.mirror.tables import MirroredTable
from proxy.names import TableName
from proxy.stores.bson_form import Encoded, decode
from proxy.stores.model import ModelStore
from proxy.stores.protocol import Key, Namespace, Poison, Repair, State, Write
from tests.documents.made import rule_of

pytestmark = pytest.mark.integration

NAMESPACE = Namespace("shop", "orders")
WHOLE = Claim(1, None, ("1000",), "me", 10)


@dataclass
class Host:
    """A member of a fleet of its own; writes down in which order it is asked."""

    source_: SourceDatabase
    mirrored: MirroredTable
    store: ModelStore = field(default_factory=ModelStore)
    proxy: str = "me"
    log: list[str] = field(default_factory=list)
    gone: list[bool] = field(default_factory=list)
    keeper: Any = None

    def table(self, name: TableName) -> MirroredTable:
        if name != self.mirrored.name:
            raise NotReady(f"no rule is about {name}")
        return self.mirrored

    def source(self, database: str) -> Any:
        host = self

        class Logged:
            async def fetch(self, query: str, *arguments: Any, timeout: float | None = None) -> Any:
                host.log.append("read")
                return await host.source_.fetch(query, *arguments)

            def __getattr__(self, name: str) -> Any:
                return getattr(host.source_, name)

        return Logged()

    @contextmanager
    def holding(self, database: str, version: int) -> Iterator[None]:
        self.log.append("hold")
        yield
        self.log.append("let go")

    async def position(self, database: str) -> int:
        self.log.append("position")
        return 77

    async def wait_passed(self, database: str, version: int) -> None:
        assert version == 77
        self.log.append("wait")

    absences: int = 0

    def lost(self) -> bool:
        return self.gone.pop(0) if self.gone else False

    def lost_since(self, absences: int) -> bool:
        return self.lost() or self.absences != absences


@pytest.fixture
async def host(postgres: PostgresServer, database: str) -> AsyncIterator[Host]:
    postgres.psql(
        "create table orders (id int primary key, note text, big numeric);"
        " insert into orders select i, 'note ' || i from generate_series(1, 10) i",
        database,
    )
    source = SourceDatabase(postgres.dsn(), database)
    yield await made(source)
    await source.close()


async def made(source: SourceDatabase) -> Host:
    snapshot = (await source.snapshot([TableId("public", "orders")])).snapshot
    relation = snapshot.named("public", "orders")
    assert relation is not None
    rule = rule_of("orders")
    mapping = build_mapping(relation, rule, snapshot.types, Server("shop"))
    return Host(source, MirroredTable("shop", relation, rule, mapping, snapshot))


def copier(host: Host, **given: Any) -> Copier:
    return Copier(cast(Any, host), host.mirrored, **given)


async def test_the_position_is_noted_and_held_before_the_rows_are_read(host: Host) -> None:
    seed = host.store.seed

    async def logged(namespace: Namespace, writes: Any) -> Any:
        host.log.append("seed")
        return await seed(namespace, writes)

    host.store.seed = logged  # type: ignore[method-assign]
    done = await copier(host, batch=6).seed(WHOLE)
    assert host.log == ["position", "hold", "read", "seed", "seed", "let go"]
    assert done.position == 77
    assert (done.counts.rows, done.counts.seeded, done.counts.stale) == (10, 10, 0)
    assert done.counts.bytes > 100
    assert sorted(one["_id"] for one in host.store.documents(NAMESPACE)) == list(range(1, 11))


async def test_only_the_chunk_is_read(host: Host) -> None:
    await copier(host).seed(Claim(2, ("3",), ("6",), "me", 3))
    assert sorted(one["_id"] for one in host.store.documents(NAMESPACE)) == [4, 5, 6]


async def test_what_is_there_is_left_alone(host: Host) -> None:
    await host.store.apply(NAMESPACE, [Write(Key(3, 3), {"note": "fresh"}, 5), Write(Key(4, 4), None, 6)])
    done = await copier(host).seed(WHOLE)
    assert (done.counts.seeded, done.counts.stale) == (8, 2)
    there = {one["_id"]: one["note"] for one in host.store.documents(NAMESPACE)}
    assert there[3] == "fresh"
    assert 4 not in there


async def test_poison_is_a_gap_of_its_rows(host: Host, postgres: PostgresServer) -> None:
    postgres.psql("update orders set big = 10::numeric ^ 7000 where id = 2", host.source_.database)

    async def refuses(namespace: Namespace, writes: Any) -> Any:
        return [Poison("too large") for _ in writes]

    host.store.seed = refuses  # type: ignore[method-assign]
    done = await copier(host).seed(Claim(1, None, ("3",), "me", 3))
    assert done.counts == Counts(rows=3, poisoned=3, bytes=done.counts.bytes)
    gaps = {gap.detail: gap for gap in await host.store.gaps()}
    assert gaps["too large"].rows == {"columns": ["id"], "values": [["1"], ["3"]]}
    assert {gap.cause for gap in gaps.values()} == {"poison"}
    assert len(gaps) == 2


def counting(seed: Any, writes: Counter[type]) -> Any:
    async def counted(namespace: Namespace, given: Any) -> Any:
        writes.update(map(type, given))
        return await seed(namespace, given)

    return counted


async def test_with_and_without_the_compiled_encoder_the_same_is_written(
    host: Host, postgres: PostgresServer
) -> None:
    postgres.psql(
        "alter table orders add at timestamptz, add tags int[];"
        " update orders set big = id * 1.50, at = timestamptz '2026-01-01' + id * interval '1.000037 s';"
        " update orders set big = 'NaN', at = 'infinity' where id = 3; update orders set big = null where id = 4;"
        " update orders set big = 10::numeric ^ 7000 where id = 5; update orders set tags = '{1,null}'",
        host.source_.database,
    )
    seen = []
    for compiled in (True, False):
        other = await made(host.source_)
        writes = Counter[type]()
        other.store.seed = counting(other.store.seed, writes)  # type: ignore[method-assign]
        copying = copier(other, batch=6)
        if not compiled:
            copying._encoder = None
        done = await copying.seed(WHOLE)
        gaps = [(gap.rows, gap.detail) for gap in await other.store.gaps()]
        ids = [document["_id"] for document in other.store.documents(NAMESPACE)]
        documents = {decode(raw)["_id"]: raw for raw in await other.store.read(NAMESPACE, ids)}
        seen.append((done.counts, gaps, documents))
        usual = 8 if compiled and RowEncoder is not None else 0
        assert (writes[Encoded], writes[Write]) == (usual, 9 - usual)
    assert seen[0] == seen[1]
    assert len(seen[0][2]) == 9


async def test_too_much_poison_is_one_gap_of_the_table(host: Host, postgres: PostgresServer) -> None:
    postgres.psql(
        f"insert into orders select generate_series(11, {MAX_POISONED + 20}); update orders set big = 'NaN'",
        host.source_.database,
    )

    async def refuses(namespace: Namespace, writes: Any) -> Any:
        return [Poison(f"reason {n % 2}") for n, _ in enumerate(writes)]

    host.store.seed = refuses  # type: ignore[method-assign]
    await copier(host, batch=5000).seed(Claim(1, None, ("9999",), "me", 3))
    [gap] = await host.store.gaps()
    assert (gap.scope, gap.rows) == ("table", None)


async def test_a_row_of_another_shape_asks_for_the_catalogue(host: Host, postgres: PostgresServer) -> None:
    postgres.psql("alter table orders add more text", host.source_.database)
    with pytest.raises(Shifted, match="no known shape"):
        await copier(host).seed(WHOLE)
    with pytest.raises(Shifted, match="no known shape"):
        await copier(host).refresh(WHOLE)


async def test_refresh_puts_in_overwrites_and_says_so_before(host: Host) -> None:
    await host.store.apply(NAMESPACE, [Write(Key(3, 3), {"_id": 3, "note": "damaged", "big": None}, 5)])
    right = {"_id": 4, "note": "note 4", "big": None}
    await host.store.apply(NAMESPACE, [Write(Key(4, 4), right, 6)])
    done = await copier(host).refresh(WHOLE)
    assert (done.counts.rows, done.counts.seeded, done.counts.stale) == (10, 9, 1)
    notes = {one["_id"]: one["note"] for one in host.store.documents(NAMESPACE)}
    assert notes == {n: f"note {n}" for n in range(1, 11)}
    [reread] = (await host.store.get_state("rereads")).values()
    assert (reread["proxy"], reread["table"], reread["version"]) == ("me", "orders", 77)


async def test_after_an_absence_the_chunk_is_looked_at_again(host: Host) -> None:
    host.gone = [True, True, False, False, False]
    backs = 0

    async def until_back() -> None:
        nonlocal backs
        backs += 1
        host.log.append("back")

    first = Done(Counts(rows=10, seeded=10), 5, 0.1)
    done = await copier(host).settle(until_back, WHOLE, first)
    assert backs == 2
    # Everybody has passed what is read now, before it is read.
    assert host.log[:5] == ["back", "position", "wait", "position", "hold"]
    assert done.counts.seeded == 10
    assert done.position == 77
    assert len(host.store.documents(NAMESPACE)) == 10


async def test_who_was_absent_between_two_writes_begins_no_other_and_looks_again(
    host: Host, postgres: PostgresServer
) -> None:
    """Also where it is back before anybody could tell that it was gone."""
    seed, seeded = host.store.seed, 0

    async def stands_still(namespace: Namespace, writes: Any) -> Any:
        nonlocal seeded
        seeded += len(writes)
        answers = await seed(namespace, writes)
        # Meanwhile two rows end unseen; a re-read finds no document of one, and takes that of the other away.
        postgres.psql("delete from orders where id in (2, 9)", host.source_.database)
        await host.store.repair(NAMESPACE, [Repair(Key(2, 2), State(0, 0, {}), None)])
        host.absences += 1
        return answers

    host.store.seed = stands_still  # type: ignore[method-assign]
    copying = copier(host, batch=4)
    done = await copying.seed(WHOLE)
    assert seeded == 4

    async def at_once() -> None:
        return

    done = await copying.settle(at_once, WHOLE, done)
    assert sorted(one["_id"] for one in host.store.documents(NAMESPACE)) == [1, 3, 4, 5, 6, 7, 8, 10]
    assert done.absences == 1


async def test_who_was_not_absent_is_done(host: Host) -> None:
    first = Done(Counts(rows=10), 5, 0.1)

    async def never() -> None:
        pytest.fail("it was not absent")

    assert await copier(host).settle(never, WHOLE, first) is first
