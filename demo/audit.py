"""Whether the books balance: what the applications were told against what PostgreSQL holds.

The queries go to PostgreSQL itself, not through the proxy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from demo.clerks import Report

if TYPE_CHECKING:
    from demo.shop import Connection

_SHOP = {
    "orders whose total is not the sum of their items": """
        select count(*) from orders o
        where total <> (select coalesce(sum(quantity * price), 0) from order_items where order_id = o.id)
    """,
    "products whose stock and sales are not what was received": """
        select count(*) from products p
        where received - stock <> (
            select coalesce(sum(i.quantity), 0) from order_items i join orders o on o.id = i.order_id
            where i.product_id = p.id and o.status <> 'cancelled')
    """,
    "orders whose payment is missing, wrong or not due": """
        select count(*) from orders o full join payments p on p.order_id = o.id
        where (o.status in ('paid', 'shipped')) is distinct from coalesce(p.amount = o.total, false)
    """,
}

_PGBENCH = """
    select (select sum(abalance) from pgbench_accounts) as accounts,
           (select sum(tbalance) from pgbench_tellers) as tellers,
           (select sum(bbalance) from pgbench_branches) as branches,
           (select coalesce(sum(delta), 0) from pgbench_history) as history,
           (select count(*) from pgbench_history) as transactions
"""


async def audit_shop(connection: Connection, report: Report) -> list[str]:
    """What is wrong; `report` is the shop's last."""
    wrong = []
    for what, query in _SHOP.items():
        number = await connection.fetchval(query)
        if number:
            wrong.append(f"{number} {what}")
    orders = await connection.fetchval("select count(distinct order_id) from order_items")
    payments = await connection.fetchval("select count(*) from payments")
    for what, told, held in (("orders", report.orders, orders), ("payments", report.payments, payments)):
        if told != held:
            wrong.append(f"the shop was told of {told} {what}, PostgreSQL holds {held}")
    return wrong


async def audit_pgbench(connection: Connection, transactions: int) -> list[str]:
    """What is wrong; `transactions` is what pgbench has counted."""
    row = await connection.fetchrow(_PGBENCH)
    assert row is not None
    wrong = []
    if len({row["accounts"], row["tellers"], row["branches"], row["history"]}) != 1:
        wrong.append(
            f"accounts hold {row['accounts']}, tellers {row['tellers']}, branches {row['branches']}, "
            f"the history {row['history']}"
        )
    if row["transactions"] != transactions:
        wrong.append(
            f"pgbench was told of {transactions} transactions, PostgreSQL holds {row['transactions']}"
        )
    return wrong
