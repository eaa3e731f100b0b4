"""Indexes of a real table, made on a real collection, and what the command says of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from devstack.document_store import DocumentStore
from devstack.postgres import PostgresServer
from proxy.backfill.index_work import look, make
from proxy.backfill.indexes import Plan, Standing
from proxy.backfill.member import Member, open_member
from proxy.config import Settings
from proxy.stores.protocol import Index, Namespace, StoreRefused
from tests.backfill.index_tables import indexed

pytestmark = pytest.mark.integration


@pytest.fixture
def given_settings(
    postgres: PostgresServer, document_store: DocumentStore, tmp_path: Path
) -> Iterator[dict[str, Any]]:
    with indexed(postgres, document_store, tmp_path) as settings:
        yield settings


@pytest.fixture
async def member(given_settings: dict[str, Any]) -> AsyncIterator[Member]:
    async with open_member(Settings.model_validate(given_settings), "indexes") as member:
        yield member


async def plan_of(member: Member, name: str) -> Plan:
    [table] = member.tables([name])
    return await look(table, member.source(table.database), member.store)


async def made(member: Member, name: str) -> Plan:
    [table] = member.tables([name])
    return await make(await plan_of(member, name), table, member.store)


def standings(plan: Plan) -> dict[str, str]:
    return {one.source.name: one.standing.value for one in plan.proposals}


async def test_a_table_with_everything(member: Member) -> None:
    plan = await plan_of(member, "orders")
    assert standings(plan) == {
        "orders_pkey": "by _id",
        "by_customer": "missing",
        "by_key": "missing",
        "either": "missing",
        "gin": "not translated",
        "has_mood": "missing",
        "hash": "not translated",
        "lower": "not translated",
        "moods": "missing",
        "open": "missing",
        "orders_customer_number_key": "missing",
        "orders_number_key": "missing",
        "tags": "not translated",
    }
    wanted = {one.source.name: one.index for one in plan.missing}
    assert wanted["by_customer"] == Index("by_customer", (("customer", 1), ("placedAt", -1)))
    assert wanted["by_key"] == Index("by_key", (("customer", 1), ("_id", 1)))
    partial = {"gone": None, "paid": False, "state": "it's open"}
    assert wanted["open"] == Index("open", (("placedAt", 1),), partial=partial)
    typed = {"mood": {"$type": "string"}, "_id": {"$gt": 5}}
    assert wanted["has_mood"] == Index("has_mood", (("placedAt", 1),), partial=typed)
    assert wanted["either"] == Index("either", (("placedAt", 1),))

    after = await made(member, "orders")
    assert {one.standing for one in after.proposals if one.index is not None} == {Standing.CREATED}
    again = await plan_of(member, "orders")
    assert again.missing == ()
    assert again.others == ()
    assert {one.standing for one in again.proposals if one.index is not None} == {Standing.THERE}
    collection = Namespace(member.table(member.tables(["orders"])[0].name).database, "orders")
    assert not any(index.unique for index in await member.store.indexes(collection))


async def test_a_key_of_several_columns_and_partitions(member: Member) -> None:
    plan = await made(member, "lines")
    assert standings(plan) == {
        "lines_pkey": "created",
        "line_notes": "created",
        "only_here": "not translated",
    }
    [key] = [one.index for one in plan.proposals if one.source.name == "lines_pkey"]
    assert key == Index("lines_pkey", (("order_id", 1), ("line", 1)))
    assert "partition public.lines_2" in plan.proposals[-1].notes[0]


async def test_what_the_store_refuses_keeps_no_other_from_being_made(
    member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, [table] = await plan_of(member, "lines"), member.tables(["lines"])
    create = member.store.create_index

    async def refusing(namespace: Namespace, index: Index) -> None:
        if index.name == "lines_pkey":
            raise StoreRefused("too many of them")
        await create(namespace, index)

    monkeypatch.setattr(member.store, "create_index", refusing)
    begun: list[str] = []
    after = await make(plan, table, member.store, begun=lambda one: begun.append(one.source.name))
    assert standings(after)["lines_pkey"] == "failed"
    assert standings(after)["line_notes"] == "created"
    assert begun == ["lines_pkey", "line_notes"]
