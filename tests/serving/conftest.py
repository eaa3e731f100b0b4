"""A shop behind a proxy in `primary_switch`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from devstack.document_store import DocumentStore
from devstack.postgres import PostgresServer
from tests.mirroring.zygote import Zygote
from tests.serving.rig import ServingRig
from tests.shadow.conftest import shop_source, zygote
from tests.shadow.rig import shop_rig

__all__ = ["shop_source", "zygote"]


@pytest.fixture
async def rig(
    shop_source: PostgresServer, document_store: DocumentStore, zygote: Zygote, tmp_path: Path
) -> AsyncIterator[ServingRig]:
    uri = document_store.uri
    async with shop_rig(ServingRig, shop_source, "served_shop", uri, zygote, tmp_path) as made:
        yield made
