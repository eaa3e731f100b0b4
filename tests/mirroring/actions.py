"""What an application does to the tables, one kind of statement at a time.

An action runs inside or outside of a transaction. It is `captured` where RETURNING sees all that it does, so that no
gap may remain; `reread` where the rows it touched are known and read again; else what it does is a gap.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum

from tests.mirroring.drivers import Client
from tests.mirroring.schema import CHEESE
from tests.mirroring.values import sample_row

Dice = random.Random
Run = Callable[[Client, Dice], Awaitable[None]]


class Where(Enum):
    """What it needs around it."""

    ANYWHERE = "anywhere"
    INSIDE = "inside"
    """A transaction block."""
    OUTSIDE = "outside"
    """None: it has its own."""


class Sight(Enum):
    CAPTURED = "captured"
    REREAD = "reread"
    """A gap that closes by itself."""


@dataclass(frozen=True)
class Action:
    name: str
    run: Run
    sight: Sight
    since: int
    """The PostgreSQL version that has it first."""
    where: Where
    tables: tuple[str, ...]
    """What it writes to."""


ACTIONS: dict[str, Action] = {}


def action(
    *tables: str, sight: Sight = Sight.CAPTURED, since: int = 13, where: Where = Where.ANYWHERE
) -> Callable[[Run], Run]:
    def register(run: Run) -> Run:
        name = run.__name__
        ACTIONS[name] = Action(name, run, sight, since, where, tables)
        return run

    return register


def item(dice: Dice) -> int:
    return dice.randint(1, 20)


def word(dice: Dice) -> str:
    return dice.choice(
        ["a", "Ä", "", "two words", "日本", "quote'd", "back\\slash", "x" * 300, "$1", "%s", "\U0001f9c0"]
    )


@action("items")
async def insert_values(client: Client, dice: Dice) -> None:
    await client.run("insert into items (name, qty) values ($1, $2)", word(dice), dice.randint(0, 9))


@action("items")
async def insert_several(client: Client, dice: Dice) -> None:
    await client.run(
        "insert into public.items (qty, name) values ($1, $2), ($1, 'fixed') , (7, default); -- end",
        dice.randint(0, 9),
        word(dice),
    )


@action("items")
async def insert_returning(client: Client, dice: Dice) -> None:
    rows = await client.run(
        'insert into items as "I" (name) values ($1) returning "I".id, upper(name) as name, qty + 1',
        word(dice),
    )
    assert len(rows) == 1
    assert len(rows[0]) == 3


@action("items")
async def insert_returning_all(client: Client, dice: Dice) -> None:
    rows = await client.run("insert into items (name, note) values ($1, $1) returning *", word(dice))
    assert [len(row) for row in rows] == [4]


@action("items")
async def insert_default_values(client: Client, dice: Dice) -> None:
    await client.run("insert into items default values")


@action("items")
async def insert_select(client: Client, dice: Dice) -> None:
    await client.run(
        "insert into items (name, qty) select name || '+', qty from items where id <= $1 order by id limit 3",
        item(dice),
    )


@action("cells")
async def insert_set_of_rows(client: Client, dice: Dice) -> None:
    await client.run(
        "insert into cells select x, y, 'made', x * y from generate_series(1, $1) x, generate_series(5, 6) y"
        " on conflict (x, y) do update set n = excluded.n + cells.n /* not the end */",
        dice.randint(1, 40),
    )


@action("words")
async def upsert(client: Client, dice: Dice) -> None:
    await client.run(
        "insert into words (word) values ($1) on conflict (word) do update"
        " set count = words.count + 1, seen = clock_timestamp()",
        word(dice),
    )


@action("words")
async def upsert_where(client: Client, dice: Dice) -> None:
    await client.run(
        "insert into words as w (word) values ($1) on conflict on constraint words_pkey"
        " do update set count = 1000 where w.count > 3 returning word, count",
        word(dice),
    )


@action("words")
async def insert_or_nothing(client: Client, dice: Dice) -> None:
    await client.run("insert into words (word) values ($1) on conflict do nothing", word(dice))


@action("tokens")
async def uuid_keys(client: Client, dice: Dice) -> None:
    await client.run(
        "insert into tokens (client, body) values ($1, $2)", 1, dice.randbytes(dice.randint(0, 40))
    )
    key = uuid.UUID(int=dice.randint(1, 6))
    await client.run(
        "insert into tokens values ($1, 2) on conflict (id) do update set client = tokens.client + 1", key
    )


@action("tokens")
async def delete_by_uuid(client: Client, dice: Dice) -> None:
    await client.run("delete from tokens where id = $1", uuid.UUID(int=dice.randint(1, 6)))


@action("items")
async def update_by_key(client: Client, dice: Dice) -> None:
    await client.run("update items set qty = qty + 1 where id = $1", item(dice))


@action("items")
async def update_returning(client: Client, dice: Dice) -> None:
    rows = await client.run(
        "update items as i set qty = i.qty - $2, note = $3 where i.id = $1 returning i.qty",
        item(dice),
        2,
        word(dice),
    )
    assert len(rows) <= 1


@action("items", "cells")
async def update_from(client: Client, dice: Dice) -> None:
    await client.run(
        "update items old set note = c.value from cells c, words new"
        " where old.id = c.x and c.y = $1 and new.word = 'a' ",
        dice.randint(1, 6),
    )


@action("items")
async def update_many(client: Client, dice: Dice) -> None:
    await client.run("update only items set qty = -qty where id % 5 = $1", dice.randint(0, 4))


@action("items")
async def update_with_subselect(client: Client, dice: Dice) -> None:
    await client.run(
        "with few as (select id from items order by id limit 3)"
        " update items set (qty, note) = (select 5, 'returning') where id in (select id from few) and qty < $1",
        dice.randint(0, 9),
    )


@action("items")
async def update_none(client: Client, dice: Dice) -> None:
    await client.run("update items set qty = 0 where id = $1", -1)


@action("cells")
async def update_composite(client: Client, dice: Dice) -> None:
    await client.run(
        "update cells set value = $3, n = n + 1 where x = $1 and y = $2",
        dice.randint(1, 5),
        dice.randint(5, 6),
        word(dice),
    )


@action("cells")
async def delete_using(client: Client, dice: Dice) -> None:
    await client.run(
        "delete from cells as c using items i where c.x = i.id and c.y = $1 and i.qty > 3 returning c.x, i.name",
        dice.randint(5, 6),
    )


@action("items")
async def delete_by_key(client: Client, dice: Dice) -> None:
    await client.run("delete from items where id = $1 and id > 10", item(dice) + 12)


@action("items")
async def delete_and_put_back(client: Client, dice: Dice) -> None:
    key = item(dice)
    await client.run("delete from items where id = $1", key)
    await client.run("insert into items (id, name) values ($1, 'back') on conflict do nothing", key)


@action("events")
async def partitioned(client: Client, dice: Dice) -> None:
    day = dice.choice(["2024-02-29", "2025-06-30", "2026-01-01", "1999-12-31", "infinity"])
    await client.run(
        f"insert into events values ($1, '{day}', $2) on conflict (day, id) do update set kind = excluded.kind || '!'",
        dice.randint(1, 6),
        word(dice)[:20],
    )


@action("events")
async def partition_by_name(client: Client, dice: Dice) -> None:
    await client.run(
        "insert into events_2024 (id, day, kind) values ($1, '2024-12-31', 'direct') on conflict do nothing",
        dice.randint(1, 4),
    )
    await client.run("update events_2024 set kind = 'upd' where id = $1", dice.randint(1, 4))


@action("events")
async def delete_partitioned(client: Client, dice: Dice) -> None:
    await client.run(
        "delete from events where id = $1 returning tableoid::regclass::text, day::text", dice.randint(1, 6)
    )


@action("stamped")
async def before_trigger(client: Client, dice: Dice) -> None:
    body = dice.choice(["hello", "skip", "grüße"])
    await client.run(
        "insert into stamped (id, body) values ($1, $2) on conflict (id) do update set body = excluded.body",
        dice.randint(1, 5),
        body,
    )


@action("stamped")
async def before_trigger_update(client: Client, dice: Dice) -> None:
    await client.run("update stamped set body = $1 where id <= 3", dice.choice(["again", "skip"]))


@action("measures")
async def generated(client: Client, dice: Dice) -> None:
    await client.run("insert into measures (w) values (1.50), (0), (-3.1400)")
    await client.run("insert into measures (w, h) values (12345678901234567890.5, null) returning area")
    await client.run("update measures set h = h * 2 where id % 7 = $1 and h < 1000", dice.randint(0, 6))
    await client.run(
        "insert into measures (id, w) overriding system value values (-1, 2) on conflict (id) do nothing"
    )


@action("moments")
async def timestamp_keys(client: Client, dice: Dice) -> None:
    at = f"2026-01-01 00:00:00.00000{dice.randint(0, 5)}+00"
    await client.run(
        f"insert into moments values ('{at}', $1) on conflict (at) do update set what = excluded.what",
        word(dice),
    )
    await client.run("delete from moments where at = '2026-01-01 00:00:00.000003+00'")


@action("seats")
async def deferred(client: Client, dice: Dice) -> None:
    """Fails at COMMIT where two seats have one holder."""
    await client.run(
        "update seats set holder = 'holder ' || $1::int where id = $2",
        dice.randint(1, 20),
        dice.randint(1, 8),
    )


@action("seats")
async def swap(client: Client, dice: Dice) -> None:
    await client.run(
        "update seats set kind = 'swapped', holder = 'holder ' || 9 - id where id between 1 and 8"
    )


@action("kaese")
async def quoted_names(client: Client, dice: Dice) -> None:
    await client.run(
        f'insert into {CHEESE.sql} as "ß ""q""" values ($1, $2, $2, 1) on conflict ("Schlüssel")'
        ' do update set "select" = "ß ""q"""."select" + 1, "größe.cm" = excluded."größe.cm"',
        dice.randint(1, 5),
        word(dice),
    )
    await client.run(f'update {CHEESE.sql} set "$pec" = null where "Schlüssel" = $1', dice.randint(1, 5))
    await client.run(f'delete from {CHEESE.sql} where "Schlüssel" = $1 and "select" > 4', dice.randint(1, 5))


@action("items")
async def folded_names(client: Client, dice: Dice) -> None:
    await client.run('UPDATE Public.ITEMS SET Qty = 1 WHERE "id" = $1', item(dice))
    await client.run('update u&"\\0069tems" set qty = 2 where id = $1', item(dice))


@action("kaese", where=Where.OUTSIDE)
async def by_search_path(client: Client, dice: Dice) -> None:
    await client.script(
        f'begin; set local search_path = "Ünï.code"; insert into "Käse ""x"" 表" values ({dice.randint(1, 5)}, \'p\')'
        ' on conflict ("Schlüssel") do update set "$pec" = \'path\'; commit'
    )


@action("items", where=Where.OUTSIDE)
async def shadowed_by_temporary(client: Client, dice: Dice) -> None:
    """Writes to a temporary table of the same name: nothing of it may reach the collection."""
    await client.run("create temporary table items (like public.items)")
    try:
        await client.run("insert into items (id, name, qty) values ($1, 'temporary', 666)", item(dice))
        await client.run("update items set qty = 667")
        await client.run("update public.items set qty = 3 where id = $1", item(dice))
    finally:
        await client.run("drop table pg_temp.items")


@action("docs")
async def json_documents(client: Client, dice: Dice) -> None:
    data = dice.choice(
        [
            "null",
            '"text"',
            "[]",
            "{}",
            '{"a": {"$b": 1, "c.d": [1, 2.50, 12345678901, 123456789012345678901234567890]}}',
            '{"": 1, "$set": {"x": null}, "\\u00e4.": true}',
            "1e5",
            "-0.0",
            "[[1], [[2]], null]",
        ]
    )
    await client.run(
        "insert into docs values ($1, $2::text::jsonb, $2::text::json) on conflict (id) do update"
        " set data = excluded.data, raw = excluded.raw",
        dice.randint(1, 9),
        data,
    )
    await client.run("update docs set data = null where id = $1", dice.randint(1, 20))


@action("kinds")
async def every_type(client: Client, dice: Dice) -> None:
    columns = sample_row(dice)
    key = dice.randint(1, 30)
    names = ", ".join(columns)
    await client.run(
        f"insert into kinds (id, {names}) values ({key}, {', '.join(columns.values())}) on conflict (id) do update"
        f" set ({names}) = row({', '.join(f'excluded.{name}' for name in columns)})"
    )


@action("kinds")
async def returning_types(client: Client, dice: Dice) -> None:
    columns = sample_row(
        dice, ["c_int2", "c_int8", "c_bool", "c_text", "c_uuid", "c_bytea", "c_float8", "c_ints"]
    )
    key = dice.randint(1, 30)
    sets = ", ".join(f"{name} = {value}" for name, value in columns.items())
    await client.run(f"update kinds set {sets} where id = {key} returning id, {', '.join(columns)}")


@action("items", where=Where.INSIDE)
async def current_of(client: Client, dice: Dice) -> None:
    await client.run("declare c cursor for select id from items where id <= 8 order by id for update")
    try:
        for _ in range(dice.randint(1, 3)):
            await client.run("fetch 1 from c")
        if dice.random() < 0.5:
            await client.run("update items set note = 'current' where current of c")
        else:
            await client.run("delete from items where current of c returning id")
            await client.run(
                "insert into items (id, name) select n, 'again' from generate_series(1, 8) n on conflict do nothing"
            )
    finally:
        await client.run("close c")


@action("cells")
async def sql_prepare(client: Client, dice: Dice) -> None:
    x = dice.randint(1, 5)
    # A transaction that fails here (a deadlock) fails DEALLOCATE too, and what is prepared outlives its rollback.
    for (name,) in await client.run("select name from pg_prepared_statements where name in ('put', 'gone')"):
        await client.run(f"deallocate {name}")
    await client.run(
        "prepare put (int, int, text) as insert into cells values ($1, $2, $3) on conflict (x, y) do update"
        " set value = excluded.value"
    )
    try:
        await client.run(f"execute put({x}, 1, 'one')")
        await client.run(f"execute put({x} + 1, 2, null)")
        await client.run("prepare gone as delete from cells where y = 1 and x = 3 returning *")
        await client.run("execute gone")
        await client.run("deallocate gone")
    finally:
        await client.run("deallocate put")


@action("cells", "items")
async def pipeline(client: Client, dice: Dice) -> None:
    key = item(dice)
    await client.batch(
        [
            ("update items set qty = qty + 1 where id = $1", (key,)),
            ("select qty from items where id = $1", (key,)),
            (
                "insert into cells values ($1, 9, 'piped') on conflict (x, y) do update"
                " set n = cells.n + 1 returning n",
                (key,),
            ),
            ("delete from cells where x = $1 and y = 9 and n > 3", (key,)),
        ]
    )


@action("items")
async def pipeline_with_error(client: Client, dice: Dice) -> None:
    await client.batch(
        [
            ("insert into items (name) values ($1)", ("before",)),
            ("update items set qty = 1 / (qty - qty) where id = $1", (item(dice),)),
            ("insert into items (name) values ($1)", ("after",)),
        ]
    )


@action("items", "cells", where=Where.OUTSIDE)
async def script(client: Client, dice: Dice) -> None:
    """One implicit transaction of several statements."""
    key = item(dice)
    await client.script(
        f"insert into items (name) values ('script'); select 1; update items set qty = {key} where id = {key};"
        f" insert into cells values ({key}, 0, 'scr''ipt') on conflict do nothing;"
        f" delete from cells where x = {key + 1} and y = 0"
    )


@action("items", where=Where.OUTSIDE)
async def failing_script(client: Client, dice: Dice) -> None:
    await client.script(
        "insert into items (name) values ('never'); select 1 / 0; insert into items default values"
    )


@action("items", where=Where.OUTSIDE)
async def script_with_commit(client: Client, dice: Dice) -> None:
    """The first part is committed, the second is not."""
    key = item(dice)
    await client.script(
        f"begin; update items set qty = 11 where id = {key}; commit; update items set note = 'lost' where id = {key};"
        " select 1 / 0"
    )


@action("items")
async def duplicate_key(client: Client, dice: Dice) -> None:
    await client.run(
        "insert into items (id, name) select $1, 'x' from generate_series(1, 2)", 1000 + item(dice)
    )


@action("cells")
async def failing_check(client: Client, dice: Dice) -> None:
    await client.run("insert into cells (x, y, n) values (1, 1, 1 / (0 * $1)) ", 3)


@action("items", since=17)
async def merge(client: Client, dice: Dice) -> None:
    await client.run(
        "merge into items as t using (select n as id from generate_series($1, $1 + 3) n) s on t.id = s.id"
        " when matched and t.qty > 5 then update set qty = 0, note = 'merged'"
        " when matched and t.id > 18 then delete"
        " when not matched and s.id < 30 then insert (id, name) values (s.id, 'merged')",
        item(dice),
    )


@action("items", since=17)
async def merge_returning(client: Client, dice: Dice) -> None:
    await client.run(
        "merge into items using (values ($1::int)) s (id) on items.id = s.id"
        " when matched then update set qty = items.qty + 1 when not matched then do nothing"
        " returning merge_action(), items.id",
        item(dice),
    )


@action("items", since=18)
async def returning_old(client: Client, dice: Dice) -> None:
    await client.run(
        "update items set qty = qty + 1 where id = $1 returning with (old as o, new as n) o.qty, n.qty",
        item(dice),
    )


@action("items", where=Where.OUTSIDE)
async def read_then_write(client: Client, dice: Dice) -> None:
    await client.run("select * from items where id = $1 for update", item(dice))
    await client.run("update items set note = (select max(word) from words) where id = $1", item(dice))


@action("words")
async def truncate(client: Client, dice: Dice) -> None:
    await client.run("truncate words")


@action("cells", sight=Sight.REREAD)
async def update_key_pinned(client: Client, dice: Dice) -> None:
    """The old key stands in the WHERE clause."""
    await client.run(
        "update cells set x = x + 50 where x = $1 and y = $2", dice.randint(1, 40), dice.randint(5, 6)
    )


@action("events", sight=Sight.REREAD)
async def move_between_partitions(client: Client, dice: Dice) -> None:
    await client.run(
        "update events set day = '2025-02-01' where day = '2024-02-29' and id = $1", dice.randint(1, 6)
    )


@action("parents", "children", "orphans", sight=Sight.REREAD)
async def cascade(client: Client, dice: Dice) -> None:
    key = dice.randint(1, 8)
    await client.run(
        "insert into parents values ($1, $2) on conflict (id) do update set name = excluded.name",
        key,
        word(dice),
    )
    for child in range(2):
        await client.run(
            "insert into children values ($1, $2, $3) on conflict (id) do update set parent = excluded.parent",
            dice.randint(1, 20),
            key,
            f"child {child}",
        )
    await client.run(
        "insert into orphans values ($1, $2) on conflict (id) do update set parent = excluded.parent",
        dice.randint(1, 20),
        key,
    )
    await client.run("delete from parents where id = $1", dice.randint(1, 8))


@action("items", sight=Sight.REREAD)
async def copy_text(client: Client, dice: Dice) -> None:
    first = dice.randint(2000, 2050)
    await client.copy(
        "copy items (id, name, qty) from stdin",
        "".join(f"{n}\tcopied \\t {n}\t{n % 7}\n" for n in range(first, first + 5)).encode(),
    )


@action("words", sight=Sight.REREAD)
async def copy_csv(client: Client, dice: Dice) -> None:
    await client.copy(
        "copy words (count, word) from stdin (format csv, header)",
        f'count,word\n3,"copied, ""{dice.randint(1, 500)}"""\n'.encode(),
    )


def available(server: int, *sights: Sight) -> list[Action]:
    """Those that a server of this major version has."""
    return [one for one in ACTIONS.values() if one.since <= server and one.sight in sights]
