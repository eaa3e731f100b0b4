"""The reverse shadow through a real proxy: what the store has served is asked of PostgreSQL, too."""

from __future__ import annotations

import pytest

from tests.mirroring.rig import eventually
from tests.serving.rig import ServingRig, run

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

READS = (
    "select id, name, joined from customers where id = 7",
    "select * from orders where customer = 3 order by id limit 5",
    "select count(*) from orders where customer in (1, 2, 3)",
    "select o.id, c.name from orders o join customers c on c.id = o.customer where o.id between 10 and 20",
)


async def test_what_is_served_matches_and_a_wrong_document_is_found(rig: ServingRig) -> None:
    """Nothing is sampled of what PostgreSQL answers: it is the store's answers that are compared."""
    rig.rule({name: {"shadow": "0%"} for name in ("customers", "orders", "lines")}, reverse_shadow="100%")
    await rig.start()

    async def up() -> bool:
        status = await rig.proxies[0].status()
        return status.shadow is not None and status.shadow.up

    await eventually(up, lambda: rig.proxies[0].tail())

    def ask() -> None:
        with rig.connect(options="-c TimeZone=Asia/Tokyo") as client:
            for text in READS:
                client.execute(text.encode())
                with client.cursor(binary=True) as cursor:
                    cursor.execute(text.encode())

    await run(ask)
    await rig.quiet()
    outcomes = await rig.outcomes()
    assert outcomes == {"match": 2 * len(READS)}, outcomes
    assert (await rig.reads())["store"] > 0

    rig.client[rig.database]["customers"].update_one({"_id": 7}, {"$set": {"name": "planted"}})

    def wrong() -> None:
        with rig.connect() as client:
            found = client.execute(READS[0].encode()).fetchone()
            assert found is not None
            assert found[1] == "planted"  # what the store has is what is served

    await run(wrong)
    await rig.quiet()
    assert (await rig.outcomes())["mismatch"] == 1
    (entry,) = rig.ledger()
    assert entry["columns"] == ["name"]
    assert entry["keys"][0]["key"] == ["7"]
