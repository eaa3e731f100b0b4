"""Captured connections against PostgreSQL: which are, from when on, and that clients see nothing of it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator

import psycopg
import pytest

from devstack.postgres import PostgresServer
from proxy.catalog.model import Attribute
from proxy.mirror.effects import Image
from proxy.mirror.transaction import Transaction
from proxy.session.capturing import Capturing
from proxy.session.plan import Ground
from proxy.session.plans import Plans
from proxy.session.requests import CapturingRelay
from proxy.wire import rewriting
from proxy.wire.messages import frame
from tests.support.capture import RecordingMirror, ground, relation, snapshot
from tests.support.raw import RawClient
from tests.support.running import RunningProxy, connect, tcp
from tests.support.transcript import startup_message
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


class LoopMirror(RecordingMirror):
    """Secures in a later turn of the event loop, as the mirror does."""

    def secure(self, tx: Transaction, then: Callable[[], None]) -> bool:
        self.told.append(f"secure {self.describe(tx)}")
        asyncio.get_running_loop().call_soon(then)
        return False


class World:
    """A proxy whose database has one table, `orders`, mirrored or not."""

    def __init__(self, postgres: PostgresServer) -> None:
        self.dsn = f"host={postgres.host} port={postgres.port} user=postgres"
        with psycopg.connect(f"{self.dsn} dbname=postgres", autocommit=True) as setup:
            setup.execute("DROP DATABASE IF EXISTS capturing")
            setup.execute("CREATE DATABASE capturing")
        with psycopg.connect(f"{self.dsn} dbname=capturing", autocommit=True) as setup:
            setup.execute("CREATE TABLE orders (id serial PRIMARY KEY, total int, note text)")
            found = setup.execute("SELECT 'orders'::regclass::oid::int").fetchone()
        assert found is not None
        table = relation(found[0], "orders")
        assert isinstance(table.attributes[0], Attribute)
        picture = snapshot([table], unreadable={"postgres": {}})
        self.base = ground(picture, mirrored=(found[0],))
        self.now: Ground | None = self.base
        self.mirror = LoopMirror()
        plans = Plans(
            lambda database: self.now if database == "capturing" else None,
            cache_size=100,
            max_statement=1 << 20,
            max_message=1 << 20,
            max_copy_keys=100,
        )

        async def prepare(database: str) -> None:
            self.prepared.append(database)

        self.prepared: list[str] = []
        self.proxy = RunningProxy(
            upstream=tcp(postgres), capturing=Capturing(plans, self.mirror, prepare=prepare)
        ).start()

    def connect(self, **parameters: object) -> psycopg.Connection[tuple[object, ...]]:
        return connect(self.proxy, **{"dbname": "capturing", **parameters})

    def mirrored(self, on: bool) -> None:
        async def change() -> None:
            self.now = self.base if on else None
            self.proxy.server.consider_capture()

        self.proxy.call(change())

    def captured(self) -> int:
        async def count() -> int:
            return sum(isinstance(c.session.relay, CapturingRelay) for c in self.proxy.server._connections)

        return self.proxy.call(count())


@pytest.fixture
def world(postgres: PostgresServer) -> Iterator[World]:
    world = World(postgres)
    yield world
    world.proxy.stop()


def test_sessions_of_databases_with_a_mirrored_table_are_captured(world: World) -> None:
    with world.connect() as one, connect(world.proxy) as other:
        one.execute("SELECT 1")
        other.execute("SELECT 1")
        assert world.captured() == 1
    assert world.prepared == ["capturing", "postgres"]


def test_replication_connections_are_not(world: World) -> None:
    with world.connect(replication="database"):
        assert world.captured() == 0


def test_every_commit_has_its_images_first(world: World) -> None:
    with world.connect() as client:
        assert client.execute("INSERT INTO orders (total) VALUES (5) RETURNING id").fetchall() == [(1,)]
        with client.transaction():
            client.execute("UPDATE orders SET total = %s", (6,), prepare=True)
        cursor = client.execute("UPDATE orders SET total = 7; DELETE FROM orders RETURNING total")
        assert cursor.description is None
        assert cursor.nextset()
        assert cursor.fetchall() == [(7,)]
    assert world.mirror.heard() == [
        "secure i", "committed i", "secure i", "committed i", "secure i,i", "committed i,i"
    ]  # fmt: skip
    assert all(isinstance(effect, Image) for effect in world.mirror.committed_effects)


def test_a_running_session_is_captured_as_soon_as_it_is_idle_with_what_it_had_prepared(world: World) -> None:
    world.mirrored(False)
    with world.connect() as client:
        client.execute("INSERT INTO orders (total) VALUES (%s)", (1,), prepare=True)
        with client.transaction():
            client.execute("SELECT 1")
            world.mirrored(True)
            client.execute("SELECT 2")
            assert world.captured() == 0
        assert world.captured() == 1
        client.execute("INSERT INTO orders (total) VALUES (%s)", (2,), prepare=True)
        assert world.mirror.heard() == ["secure i", "committed i"]
        assert client.execute("SELECT total FROM orders ORDER BY 1").fetchall() == [(1,), (2,)]


def test_a_session_is_let_go_when_nothing_it_has_is_spliced(world: World) -> None:
    with world.connect() as client:
        client.execute("INSERT INTO orders (total) VALUES (%s) RETURNING id", (1,), prepare=True)
        world.mirrored(False)
        rows = client.execute("INSERT INTO orders (total) VALUES (%s) RETURNING id", (2,), prepare=True)
        assert rows.fetchall() == [(2,)]
        assert world.captured() == 1
        client.execute("DEALLOCATE ALL")
        client.execute("SELECT 1")
        eventually(lambda: world.captured() == 0)
        world.mirrored(True)
        client.execute("SELECT 1")
        eventually(lambda: world.captured() == 1)


def test_a_client_that_writes_and_leaves_has_written(world: World) -> None:
    raw = RawClient(("127.0.0.1", world.proxy.port))
    raw.send(startup_message(user="postgres", database="capturing"))
    raw.until("Z")
    raw.send(rewriting.query(b"INSERT INTO orders (total) VALUES (9)") + frame(ord("X"), b""))
    raw.socket.shutdown(socket.SHUT_WR)
    list(raw.rest())
    raw.socket.close()
    eventually(lambda: "committed i" in world.mirror.told)
    with psycopg.connect(f"{world.dsn} dbname=capturing") as direct:
        assert direct.execute("SELECT total FROM orders").fetchall() == [(9,)]
