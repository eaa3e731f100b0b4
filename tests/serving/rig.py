"""A shop whose tables are all in `primary_switch`: clients, and who has answered their reads."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import psycopg
import yaml

from proxy.admin.client import AdminUnreachable
from tests.mirroring.rig import MirrorProxy, eventually
from tests.shadow.rig import TABLES, ShadowRig
from tests.support.shares import reads_of


class ServingRig(ShadowRig):
    """Tables go past their gates by force: the gates have tests of their own."""

    def rule(
        self, tables: dict[str, dict[str, Any]] | None = None, *, force: bool = True, **reads: Any
    ) -> None:
        """Writes the rules: what all tables say under `reads`, and what single ones do."""
        rules = {
            "database": self.database,
            "defaults": {"phase": "primary_switch", "reads": {"share": "100%", "timeout": "5s", **reads}},
            "tables": {
                name: {"force": force, **(tables or {}).get(name, {})}
                for name in {**dict.fromkeys(TABLES), **(tables or {})}
            },
        }
        self._rules.write_text(yaml.safe_dump(rules), encoding="utf-8")

    async def dark(self, proxy: MirrorProxy) -> None:
        """Waits until all tables are served."""
        await self.phase("primary_switch", proxy)

    async def phase(self, wanted: str, proxy: MirrorProxy) -> None:
        found: dict[str, str] = {}

        async def holds() -> bool:
            try:
                status = await proxy.status()
            except AdminUnreachable:
                return False
            found.clear()
            found.update({one.table: f"{one.effective.value}: {one.reasons}" for one in status.tables})
            return all(found.get(f"public.{name}", "").startswith(wanted) for name in TABLES)

        await eventually(holds, lambda: f"not in {wanted}: {found}\n{proxy.tail()}")

    async def reads(self, proxy: int = 0) -> Counter[str]:
        """Reads by who answered: `store`, or why PostgreSQL did."""
        return reads_of(await self.serving(proxy))

    async def serving(self, proxy: int = 0) -> Any:
        status = await self.proxies[proxy].status()
        assert status.serving is not None
        return status.serving

    def direct(self, **more: Any) -> psycopg.Connection[Any]:
        """A client of PostgreSQL itself."""
        return psycopg.connect(self.source.dsn(self.database), autocommit=True, **more)


async def run(work: Any, *arguments: Any) -> Any:
    """Blocking work beside the loop."""
    return await asyncio.to_thread(work, *arguments)
