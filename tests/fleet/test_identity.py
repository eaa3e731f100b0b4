"""A proxy knows which server it is in front of, by its catalogue or by asking."""

from __future__ import annotations

import pytest

from devstack.postgres import PostgresServer
from proxy.catalog.limits import CatalogueLimits
from proxy.catalog.model import Snapshot
from proxy.catalog.server import SourceServer
from proxy.fleet.identity import ASK_EVERY, Identity
from tests.catalog.made import attribute, relation, snapshot


class Server:
    """Answers with what stands in `answers`, one after the other."""

    def __init__(self, *answers: str | OSError) -> None:
        self.answers = list(answers)
        self.now = 0.0
        self.snapshots: list[Snapshot] = []
        self.identity = Identity(
            "postgresql://x", CatalogueLimits(), lambda: self.snapshots, ask=self.ask, clock=lambda: self.now
        )

    async def ask(self, dsn: str, limits: CatalogueLimits) -> SourceServer:
        answer = self.answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return SourceServer("causeway", ("shop",), answer)


async def test_a_server_that_is_away_is_asked_again_but_not_at_once() -> None:
    server = Server(OSError("away"), "77")
    await server.identity.learn()
    await server.identity.learn()
    assert server.identity.system == ""
    server.now = ASK_EVERY
    await server.identity.learn()
    assert server.identity.system == "77"
    server.now = 1000.0
    await server.identity.learn()
    assert not server.answers, "what is known is not asked"


async def test_the_catalogue_knows_better() -> None:
    server = Server("77")
    await server.identity.learn()
    server.snapshots.append(snapshot(relation(1, "t", attribute(1, "id")), system_identifier="78"))
    assert server.identity.system == "78"


async def test_without_a_connection_nobody_is_asked() -> None:
    identity = Identity("", CatalogueLimits(), tuple)
    await identity.learn()
    assert identity.system == ""


@pytest.mark.integration
async def test_a_real_server(postgres: PostgresServer) -> None:
    identity = Identity(postgres.dsn(), CatalogueLimits(), tuple)
    await identity.learn()
    assert identity.system == postgres.psql("SELECT system_identifier FROM pg_control_system()").strip()
