"""A command joins the fleet: it finds its tables, is waited for while it holds something, and leaves cleanly."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from devstack.document_store import DocumentStore
from devstack.postgres import PostgresServer
from proxy.backfill.member import MemberError, NotReady, _beside, open_member
from proxy.config import Settings
from proxy.fleet.beats import PROXY, parse_beat
from proxy.fleet.losses import PROXIES
from proxy.stores.mongo import open_store
from tests.stores.conftest import polled
from tests.support.fleet import forget_fleet

pytestmark = pytest.mark.integration

Made = Callable[..., Settings]


@pytest.fixture
def database(postgres: PostgresServer, document_store: DocumentStore) -> Iterator[str]:
    forget_fleet(document_store.uri)
    with postgres.database(f"member_{uuid.uuid4().hex[:8]}") as name:
        postgres.psql("CREATE TABLE orders (id int PRIMARY KEY, note text); CREATE TABLE other (a int)", name)
        yield name


@pytest.fixture
def settings(postgres: PostgresServer, document_store: DocumentStore, database: str, tmp_path: Path) -> Made:
    """With a rule file of this text, and whatever else is given."""

    def made(text: str, **more: Any) -> Settings:
        rules = tmp_path / "rules.yaml"
        rules.write_text(f"database: {database}\n{text}")
        given = {
            "upstream": f"127.0.0.1:{postgres.port}",
            "control_dsn": postgres.dsn(database),
            "store": polled(document_store.uri),
            "rules": str(rules),
            "heartbeat_interval": "50ms",
            "catalogue_interval": "100ms",
            **more,
        }
        return Settings.model_validate(given)

    return made


async def beats(document_store: DocumentStore) -> list[Any]:
    store = open_store(polled(document_store.uri))
    try:
        return [parse_beat(name, value) for name, value in (await store.get_state(PROXIES)).items()]
    finally:
        await store.close()


async def test_tables_by_name(settings: Made, database: str) -> None:
    text = "tables:\n  orders: {phase: backfill}\n  other: {phase: backfill}\n  gone: {}\n"
    async with open_member(settings(text), "verify") as member:
        [orders] = member.tables(["orders", "public.orders", f"{database}:orders"])
        assert (orders.database, orders.relation.name) == (database, "orders")
        assert member.tables([], every=True) == [orders]
        for name, reason in [
            ("other", "primary key"),
            ("gone", "asks for phase passthrough"),
            ("nothing", "no rule is about table public.nothing"),
            ("blog:orders", "in database blog"),
            ("Orders", "capitals"),
            ("", "is not a table name"),
        ]:
            with pytest.raises(NotReady, match=reason):
                member.tables([name])


async def test_the_fleet_knows_what_it_holds(
    settings: Made, database: str, document_store: DocumentStore
) -> None:
    async with open_member(settings("tables: {orders: {phase: backfill}}"), "backfill") as member:
        position = await member.position(database)
        assert not member.lost()
        with member.holding(database, position + 10), member.holding(database, position):
            assert member.watermark(database) == position
            assert not member.heartbeat.has_passed(database, position)
            async with asyncio.timeout(10):
                while True:
                    [beat] = await beats(document_store)
                    if beat.number > 3:
                        break
                    await asyncio.sleep(0.02)
            assert beat.passed[database] < position
            assert beat.role == "backfill" != PROXY
            assert beat.tables == ()
        async with asyncio.timeout(10):
            await member.wait_passed(database, position)
    [beat] = await beats(document_store)
    assert beat.clean


async def test_it_leaves_cleanly_when_the_command_fails(
    settings: Made, document_store: DocumentStore
) -> None:
    with pytest.raises(ZeroDivisionError):
        async with open_member(settings("tables: {orders: {phase: backfill}}"), "backfill"):
            raise ZeroDivisionError
    [beat] = await beats(document_store)
    assert beat.clean


async def test_ddl_is_seen_after_a_refresh(settings: Made, database: str, postgres: PostgresServer) -> None:
    async with open_member(settings("tables: {orders: {phase: backfill}}"), "backfill") as member:
        postgres.psql("ALTER TABLE orders ADD extra text", database)
        await member.refresh(database)
        [orders] = member.tables(["orders"])
        assert "extra" in orders.mapping.attributes


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"rules": None}, "no `rules`"),
        ({"store": None}, "no `store`"),
        ({"control_dsn": None}, "no `control_dsn`"),
        (
            {"control_dsn": "postgresql://nobody@127.0.0.1:1/x", "connect_timeout": "1s"},
            "source cannot be asked",
        ),
        ({"store": "mongodb://127.0.0.1:1/", "store_timeout": "1s", "connect_timeout": "1s"}, "heartbeat"),
    ],
)
async def test_what_is_missing_is_said(settings: Made, change: dict[str, Any], reason: str) -> None:
    with pytest.raises(MemberError, match=reason):
        async with open_member(settings("tables: {orders: {phase: backfill}}", **change), "backfill"):
            pytest.fail("joined all the same")


async def test_a_fault_in_the_background_ends_what_is_inside() -> None:
    async def fail() -> None:
        raise LookupError("the background")

    async def forever() -> None:
        await asyncio.Event().wait()

    with pytest.raises(LookupError, match="the background"):
        async with _beside(fail, forever):
            await asyncio.Event().wait()
    async with asyncio.timeout(5), _beside(forever):
        pass
