"""The steps that look at documents: that they appear, and that in the end all are right."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from demo import equality, shop
from demo.documents import shell
from demo.equality import Equality
from demo.errors import DemoError
from demo.figures import duration, number
from demo.scene import Scene
from demo.stage import DATABASE, connected
from demo.state import Pair, Step

_FOLLOWED_SECONDS = 15.0
_DRAIN_SECONDS = 30.0
_LOOK_SECONDS = 0.1

_SHIPPED = "select max(id) from orders where status = 'shipped'"
"""Nothing happens to an order any more once it is shipped."""


class Mirrored:
    """Each step gives what has come of it."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    async def appear(self, step: Step) -> str:
        scene, state = self._scene, self._scene.state
        step.detail = "from now on every committed change becomes a document"
        began = time.monotonic()
        while True:
            found, order, columns, row, document = await self._followed()
            if found is not None and found.equal:
                break
            if time.monotonic() - began > _FOLLOWED_SECONDS:
                raise DemoError(
                    "no document: " + ("; ".join(found.differences) if found else "nothing is shipped")
                )
            await asyncio.sleep(_LOOK_SECONDS)
        names = [column.name for column in columns]
        state.pair = Pair(
            step.title,
            f"orders {order}",
            {name: text or "NULL" for name, text in zip(names, row, strict=True)},
            shell(document),
        )
        state.expect(
            "a row becomes a document, value by value",
            found.equal,
            f"orders {order}: {found.equal_values} values equal",
        )
        step.detail = detail = f"orders {order} is a document with the same {found.equal_values} values"
        await scene.watch(scene.pace.look)
        return f"{detail}; {number(sum(state.documents.values()))} documents so far"

    async def _followed(
        self,
    ) -> tuple[Equality | None, int, list[equality.Column], list[str | None], dict[str, Any] | None]:
        """The order that was shipped last, and its document: what they have in common, None without the one."""
        async with connected(self._scene.stage.databases.postgres.dsn(DATABASE)) as connection:
            order = await connection.fetchval(_SHIPPED)
            if order is None:
                return None, 0, [], [], None
            columns = list(await equality.columns_of(connection, "orders"))
            (row,) = await equality.rows_of(connection, "orders", columns, f"where id = {order:d}")
        document = await self._scene.documents.find("orders", order)
        found = equality.compare("orders", columns, [row], [] if document is None else [document])
        return found, order, columns, row, document

    async def equal(self, step: Step) -> str:
        scene, state = self._scene, self._scene.state
        step.detail = "what is under way arrives"
        took = await scene.drained(patience=_DRAIN_SECONDS)
        state.expect(
            "all that was committed arrives once nobody writes",
            scene.waiting.images == 0,
            "at once" if took < _LOOK_SECONDS else f"after {duration(took)}",
        )
        step.detail = "every row is compared with its document"
        async with connected(scene.stage.databases.postgres.dsn(DATABASE)) as connection:
            for table in sorted(shop.TABLES):
                columns = await equality.columns_of(connection, table)
                rows = await equality.rows_of(connection, table, columns)
                documents = await scene.documents.all(table)
                state.equalities.append(equality.compare(table, columns, rows, documents))
        state.compared, state.compared_in = state.status, step.title
        values = sum(one.equal_values for one in state.equalities)
        rows_in_all = sum(one.rows for one in state.equalities)
        wrong = [difference for one in state.equalities for difference in one.differences]
        state.expect(
            "every row equals its document, value by value, no document is too many",
            not wrong and rows_in_all > 0 and all(one.equal for one in state.equalities),
            "; ".join(wrong[:5]) or f"{number(rows_in_all)} rows, {number(values)} values",
        )
        gaps = await scene.documents.open_gaps()
        state.expect(
            "no gap is open",
            not gaps,
            "; ".join(f"{gap.get('table')}: {gap.get('cause')}" for gap in gaps) or "none",
        )
        await asyncio.sleep(min(2.0, scene.pace.look))
        return f"{number(rows_in_all)} rows, {number(values)} values, {len(wrong)} differences"
