"""A shop behind a proxy in `dark_read`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from devstack.document_store import DocumentStore
from devstack.postgres import PostgresServer, start_postgres
from tests.mirroring.conftest import zygote
from tests.mirroring.zygote import Zygote
from tests.shadow.rig import ShadowRig, shop_rig

__all__ = ["zygote"]


@pytest.fixture(scope="session")
def shop_source() -> Iterator[PostgresServer]:
    with start_postgres("rootfs") as server:
        yield server


@pytest.fixture
async def rig(
    shop_source: PostgresServer, document_store: DocumentStore, zygote: Zygote, tmp_path: Path
) -> AsyncIterator[ShadowRig]:
    uri = document_store.uri
    async with shop_rig(ShadowRig, shop_source, "shadow_shop", uri, zygote, tmp_path) as made:
        yield made
