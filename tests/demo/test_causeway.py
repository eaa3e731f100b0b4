from __future__ import annotations

from pathlib import Path

import pytest

from demo.causeway import Causeway
from demo.errors import DemoError

NOBODY = "127.0.0.1:1"


def unconnected(rules: Path, directory: Path) -> Causeway:
    return Causeway(
        upstream=NOBODY,
        control=f"postgresql://{NOBODY}/shop?sslmode=disable&connect_timeout=1",
        store=f"mongodb://{NOBODY}/?serverSelectionTimeoutMS=500",
        rules=rules,
        directory=directory,
    )


async def test_a_proxy_that_does_not_start_says_why(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    directory.mkdir()
    rules = tmp_path / "shop.yaml"
    rules.write_text("tables: {orders: {phase: nonsense}}\n", encoding="utf-8")
    proxy = unconnected(rules, directory)
    try:
        with pytest.raises(DemoError, match=r"did not start:(?s:.*)nonsense"):
            await proxy.start()
    finally:
        await proxy.close()
    assert not directory.exists()


async def test_started_looked_at_and_ended(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    directory.mkdir()
    rules = tmp_path / "shop.yaml"
    rules.write_text("tables: {orders: {phase: dual_write}}\n", encoding="utf-8")
    proxy = unconnected(rules, directory)
    try:
        await proxy.start()
        assert proxy.port > 0
        assert (await proxy.readiness()).ready
        (table,) = (await proxy.status()).tables
        assert (str(table.requested), str(table.effective)) == ("dual_write", "passthrough")
        assert (await proxy.reading()).clients == 0
        assert "started" in [event["event"] for event in proxy.events]
        proxy.terminate()
        assert await proxy.wait(40) == 0
        assert proxy.look() == []
        assert proxy.events[-1]["event"] == "stopped"
    finally:
        await proxy.close()
