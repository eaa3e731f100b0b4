"""The privileges that docs/mirroring.md grants Causeway's own role are those it needs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from devstack.postgres import PostgresServer
from proxy.addresses import Upstream
from proxy.catalog.source import SourceDatabase, SourceRefused
from proxy.check_tables import check_tables
from proxy.config import Settings
from proxy.finding import Finding
from proxy.mirror.effects import TableId
from proxy.rules import load_rules

TEXT = (Path(__file__).parents[2] / "docs/mirroring.md").read_text()
PASSWORD = "of the documentation"


def documented(database: str, role: str) -> list[str]:
    """The statements of the page, for another database and role."""
    (block,) = re.findall(r"```sql\n(.*?)```", TEXT, flags=re.DOTALL)
    block = re.sub(r"--.*", "", block).replace("...", PASSWORD)
    block = re.sub(r"\bcauseway\b", role, re.sub(r"\bshop\b", database, block))
    return [statement.strip() for statement in block.split(";") if statement.strip()]


async def findings(tmp_path: Path, database: str, dsn: str) -> list[Finding]:
    (tmp_path / "rules.yaml").write_text(f"database: {database}\ntables: {{orders: {{phase: dual_write}}}}\n")
    values: dict[str, Any] = {
        "upstream": Upstream(()),
        "rules": str(tmp_path / "rules.yaml"),
        "control_dsn": dsn,
        "store": "mongodb://127.0.0.1:1",
        "spool": str(tmp_path),
    }
    settings = Settings.model_validate(values)
    assert settings.rules is not None
    return [found async for found in check_tables(settings, load_rules(settings.rules))]


@pytest.mark.integration
async def test_the_documented_role_is_enough_and_no_less_is(
    tmp_path: Path, postgres: PostgresServer, database: str
) -> None:
    role = f"{database}_control"
    secured = "ALTER TABLE orders ENABLE ROW LEVEL SECURITY"
    postgres.psql(
        "CREATE TABLE orders (id int PRIMARY KEY, note text); CREATE TABLE carts (id int PRIMARY KEY);"
        "INSERT INTO orders VALUES (1, 'a')",
        database,
    )
    dsn = postgres.dsn(database, role, PASSWORD)
    create, connect, usage, select, bypass = documented(database, role)
    try:
        for statement in (create, connect, usage):
            postgres.psql(statement, database)
        assert "permission denied" in await warned(tmp_path, database, dsn)
        postgres.psql(f"{select}; {secured}", database)
        assert "row-level security" in await warned(tmp_path, database, dsn)
        with pytest.raises(SourceRefused):
            await read_again(dsn, database)
        postgres.psql(bypass, database)
        assert await warned(tmp_path, database, dsn) == ""
        assert len(await read_again(dsn, database)) == 1
    finally:
        postgres.psql(f"DROP OWNED BY {role}; DROP ROLE {role}", database)


async def warned(tmp_path: Path, database: str, dsn: str) -> str:
    """What keeps gaps from closing by themselves; the table can be mirrored in any case."""
    found = await findings(tmp_path, database, dsn)
    assert "failed" not in {one.outcome for one in found}
    return " ".join(one.detail for one in found if "cannot close by themselves" in one.detail)


async def read_again(dsn: str, database: str) -> list[bytes]:
    """What closing a gap of one row asks of the source."""
    source = SourceDatabase(dsn, database)
    try:
        snapshot = (await source.snapshot([TableId("public", "orders")])).snapshot
        relation = snapshot.named("public", "orders")
        assert relation is not None
        await source.insert_position()
        await source.xact_status([3])
        assert await source.running_horizon() > 0
        return await source.rows(relation, ["id"], [["1"]], types=snapshot.types, limit=10)
    finally:
        await source.close()
