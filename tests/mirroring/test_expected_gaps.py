"""Writes that cannot be seen: the application notices nothing, and the ledger says what may be missing and why.

Every case is run through the proxy and, on a second database, on PostgreSQL itself: replies and rows must be the same.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from devstack.document_store import DocumentStore
from devstack.postgres import PostgresServer
from tests.mirroring.conftest import SCALE
from tests.mirroring.drivers import Address, Client, Refused, connected
from tests.mirroring.rig import Rig, eventually
from tests.mirroring.schema import Table
from tests.mirroring.zygote import Zygote

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

CLOSED_WITHIN = 8.0
"""Seconds after which a gap whose rows are known has closed, on a busy machine."""
MAX_STATEMENT = 4096
"""Bytes; see the proxy's setting."""
LIMITED = "causeway_trust"
"""A role that owns nothing."""

SCHEMA = f"""
create table notes (id int primary key, note text);
create table numbered (id serial primary key, note text);
create table watched (id int primary key, note text);
create table journal (id serial primary key, what text);
create function journal() returns trigger language plpgsql as $$ begin
  insert into journal (what) values (new.note);
  return null;
end $$;
create trigger journal after insert or update on watched for each row execute function journal();
create function put(key int) returns int language plpgsql as $$ begin
  insert into notes values (key, 'put');
  return key;
end $$;
create procedure put_two(key int) language sql as $$
  insert into notes values (key, 'one'), (key + 1, 'two');
$$;
create view seen as select id, note from notes where id > 0;
create table asked (id int primary key, note text);
create table answered (id int primary key, note text);
create rule answer as on insert to asked do also insert into answered values (new.id, new.note);
create table secret (id int primary key, note text);
grant insert, update, delete on secret to {LIMITED};
create table guarded (id int primary key, owner text default current_user);
grant all on guarded to {LIMITED};
alter table guarded enable row level security;
create policy own on guarded using (owner = current_user);
create table parted (id int, day int, note text, primary key (day, id)) partition by range (day);
create table parted_low partition of parted for values from (0) to (10);
create table parted_other (note text, day int not null, id int not null);
alter table parted attach partition parted_other for values from (10) to (20);
create table base (id int primary key, note text);
create table heir (extra int, primary key (id)) inherits (base);
create table numbers (id int primary key, n numeric);
create table parents (id int primary key, name text);
create table children (id int primary key, parent int references parents on delete cascade on update cascade);
create table grandchildren (id int primary key, child int references children on delete cascade);
create table orphans (id int primary key, parent int references parents on delete set null on update set null);
"""

TABLES = tuple(
    Table("public", name, {})
    for name in (
        "notes",
        "numbered",
        "watched",
        "journal",
        "asked",
        "answered",
        "secret",
        "guarded",
        "parted",
        "heir",
        "numbers",
        "parents",
        "children",
        "grandchildren",
        "orphans",
    )
)

ROWS = """
insert into notes select n, 'note ' || n from generate_series(1, 9) n;
insert into secret select n, 'secret' from generate_series(1, 3) n;
insert into heir (id, note, extra) select n, 'heir', n from generate_series(1, 3) n;
insert into parted select n, n, 'parted' from generate_series(1, 12) n;
insert into parents select n, 'parent' from generate_series(1, 5) n;
insert into children select n, 1 + n % 5 from generate_series(1, 10) n;
insert into grandchildren select n, 1 + n % 10 from generate_series(1, 20) n;
insert into orphans select n, 1 + n % 5 from generate_series(1, 10) n;
"""
"""Captured: they are written through the proxy."""

MODES = ("simple", "extended")
EVERY = range(13, 100)


@dataclass(frozen=True)
class Case:
    name: str
    statements: tuple[str, ...]
    gaps: frozenset[tuple[str, str]]
    """(table, cause) of what must be in the ledger afterwards, beside nothing else."""
    user: str = "postgres"
    data: bytes | None = None
    """Of the COPY FROM STDIN among them."""
    versions: range = EVERY
    """Of PostgreSQL, where it leaves these gaps."""
    again: tuple[int, ...] = ()
    """Keys of `notes` whose documents come from rows that were read again, not from images."""

    def __str__(self) -> str:
        return self.name


def case(
    name: str,
    *statements: str,
    gaps: str = "",
    user: str = "postgres",
    data: bytes | None = None,
    versions: range = EVERY,
    again: tuple[int, ...] = (),
) -> Case:
    """`gaps` as in `cause notes, cause other`; `cause *`: of every table."""
    pairs = [gap.split() for gap in gaps.split(",") if gap]
    expected = frozenset(
        (table.in_rules, cause) for cause, name in pairs for table in TABLES if name in (table.name, "*")
    )
    return Case(name, statements, expected, user, data, versions, again)


CASES = [
    case(
        "with clause that deletes",
        "with gone as (delete from notes where id = 1 returning *)"
        " insert into notes select id + 100, note from gone returning id",
        gaps="cte notes",
    ),
    case(
        "with clause under a select",
        "with put as (insert into notes values (110, 'cte') returning id) select id from put",
        gaps="cte notes",
    ),
    case(
        "with clause into another table",
        "with put as (insert into numbered (note) values ('cte') returning id)"
        " insert into notes select 115, 'seen' from put",
        gaps="cte numbered",
    ),
    case(
        "explain analyze",
        "explain (analyze, costs off, timing off, summary off, buffers off)"
        " insert into notes values (120, 'explained')",
        gaps="cte notes",
    ),
    case("explain", "explain (costs off) insert into notes values (121, 'not carried out')"),
    case("do block", "do $$ begin insert into notes values (130, 'do'); end $$", gaps="function notes"),
    case(
        "do block that is rolled back",
        "begin",
        "do $$ begin insert into notes values (131, 'do'); end $$",
        "rollback",
    ),
    case(
        "do block up to a savepoint",
        "begin",
        "insert into notes values (132, 'kept')",
        "savepoint s",
        "do $$ begin insert into notes values (133, 'do'); end $$",
        "rollback to s",
        "commit",
    ),
    case("do block that builds its statement", "do $$ begin execute 'select 1'; end $$", gaps="function *"),
    case("function", "select put(140)", gaps="function notes"),
    case("function among values", "insert into numbers values (1, put(141))", gaps="function notes"),
    case("procedure", "call put_two(142)", gaps="function notes"),
    case("function that fails", "select put(140)"),
    case("view", "insert into seen values (150, 'view')", gaps="rule notes"),
    case(
        "view with returning", "update seen set note = 'seen' where id = 2 returning note", gaps="rule notes"
    ),
    case("rewrite rule", "insert into asked values (1, '?')", gaps="rule asked, rule answered"),
    case("trigger", "insert into watched values (1, 'w') returning id", gaps="trigger journal"),
    case(
        "trigger in a transaction",
        "begin",
        "insert into watched values (2, 'w')",
        "update watched set note = 'again'",
        "commit",
        gaps="trigger journal",
    ),
    case(
        "role that may not read",
        "insert into secret values (160, 'blind')",
        "update secret set note = 'blind'",
        gaps="privilege secret",
        user=LIMITED,
    ),
    case("role that may not write", "insert into notes values (161, 'no')", user=LIMITED),
    case(
        "row security",
        "insert into guarded values (1)",
        "delete from guarded where id = 9",
        gaps="privilege guarded",
        user=LIMITED,
    ),
    case("row security of others", "insert into guarded values (2)"),
    case(
        "partition with other columns in front",
        "insert into parted_other values ('direct', 15, 1)",
        "update parted_other set note = 'other' where day = 11 returning *",
        gaps="inheritance parted",
    ),
    case("the same through its root", "update parted set note = 'root' where day = 12"),
    case("partition of the same columns", "insert into parted_low values (90, 5, 'direct')"),
    case("partition emptied", "truncate parted_low", gaps="truncate parted"),
    case("parent of a table", "update base set note = 'both'", gaps="inheritance heir"),
    case("parent alone", "update only base set note = 'one'"),
    case("copy without keys", "copy numbered (note) from stdin", gaps="copy numbered", data=b"a\nb\n"),
    case(
        "statement too long",
        f"insert into notes (note, id) values ('{'x' * MAX_STATEMENT}', 170) /* of no known shape */",
        gaps="unparsed notes",
    ),
    case(
        "other encoding",
        "set client_encoding = 'latin1'",
        "insert into notes values (180, 'plain')",
        "reset client_encoding",
        gaps="unresolved notes",
    ),
    case("statement too long of a known shape", f"insert into notes values (171, '{'x' * MAX_STATEMENT}')"),
    case(
        "key changed by an unknown row",
        "update notes set id = id + 1000 where note = 'note 3'",
        gaps="key_change notes",
        versions=range(13, 18),
    ),
    case(
        "key changed, old row seen",
        "update notes set id = id + 1000 where note = 'note 4'",
        versions=range(18, EVERY.stop),
    ),
    case(
        "merge without rows",
        "merge into notes using (values (5)) s (id) on notes.id = s.id when matched then update set note = 'merged'",
        gaps="unresolved notes",
        versions=range(15, 17),
    ),
    case("column added", "alter table answered add column extra int default 7", gaps="ddl answered"),
    # The last: it is read again and again, and seen each time.
    case(
        "value no document can hold",
        "insert into numbers values (2, 1234567890.12345678901234567890123456789)",
        gaps="poison numbers",
    ),
]


@pytest.fixture
def database(source: PostgresServer) -> Iterator[str]:
    with source.database(f"gappy_{source.major}") as name:
        with psycopg.connect(source.dsn(name), autocommit=True) as connection:
            connection.execute(SCHEMA)
        yield name


@pytest.fixture
def beside(source: PostgresServer) -> Iterator[str]:
    """The same, and rows in it: what would be without a proxy."""
    with source.database("beside") as name:
        with psycopg.connect(source.dsn(name), autocommit=True) as connection:
            connection.execute(SCHEMA)
            connection.execute(ROWS)
        yield name


@pytest.fixture
async def gappy(
    source: PostgresServer, database: str, document_store: DocumentStore, zygote: Zygote, tmp_path: Path
) -> AsyncIterator[Rig]:
    """One proxy that mirrors the tables, and rows in them."""
    rig = Rig(source, database, document_store.uri, zygote, tmp_path, TABLES)
    proxy = rig.proxy(max_statement=MAX_STATEMENT)
    await proxy.start()
    await proxy.mirroring(TABLES)
    async with connected(proxy.address, "simple") as client:
        await client.script(ROWS)
    await rig.agree()
    yield rig
    await rig.close()


async def answers(client: Client, one: Case) -> list[object]:
    """Rows, or the SQLSTATE, of each statement."""
    found: list[object] = []
    for statement in one.statements:
        try:
            if one.data is not None and statement.startswith("copy"):
                await client.copy(statement, one.data)
                found.append("copied")
            else:
                found.append(await client.run(statement))
        except Refused as error:
            found.append(error.code)
    return found


def rows(source: PostgresServer, database: str) -> dict[str, list[tuple[object, ...]]]:
    with psycopg.connect(source.dsn(database)) as connection:
        return {
            table.name: connection.execute(f"select * from {table.sql} order by 1, 2").fetchall()
            for table in TABLES
        }


def open_gaps(rig: Rig) -> set[tuple[str, str]]:
    return {(gap["table"], gap["cause"]) for gap in rig.gaps()}


CLOSING = [
    case("copy", "copy notes from stdin", data=b"200\tcopied \\t tab\n201\t\\N\n", again=(200, 201)),
    case(
        "copy of csv",
        "copy notes (note, id) from stdin (format csv, header)",
        data=b'note,id\n"two\nlines",210\n,211\n',
        again=(210, 211),
    ),
    case(
        "copy between captured statements",
        "begin",
        "insert into notes values (220, 'before')",
        "copy notes from stdin",
        "update notes set note = 'after' where id = 221",
        "commit",
        data=b"221\tx\n222\tx\n",
        again=(222,),
    ),
    case("copy that fails", "copy notes from stdin", data=b"230\tx\n230\tx\n"),
    case("copy into partitions", "copy parted from stdin", data=b"200\t4\tlow\n200\t14\tother\n"),
    case("cascade of three tables", "delete from parents where id = 1 returning name"),
    case(
        "cascade by an update of the key",
        "update parents set id = 20 where id = 2",
        versions=range(18, EVERY.stop),
    ),
    case("cascade that is rolled back", "begin", "delete from parents where id = 3", "rollback"),
    case("pinned key", "update notes set id = 240 where id = 5 returning id"),
    case(
        "pinned key in a transaction",
        "begin",
        "update notes set id = 241 where id = 6",
        "insert into notes values (6, 'new')",
        "commit",
    ),
    case("row that moves to another partition", "update parted set day = 13 where day = 3 and id = 3"),
]


async def replies(rig: Rig, beside: str, mode: str, one: Case) -> list[list[object]]:
    """What the proxy's client gets, and what PostgreSQL's gets."""
    found = []
    for address in (
        Address(rig.proxies[0].address.host, rig.proxies[0].port, rig.database, one.user),
        Address(rig.source.host, rig.source.port, beside, one.user),
    ):
        async with connected(address, mode) as client:
            found.append(await answers(client, one))
    return found


async def in_ledger(rig: Rig, one: Case) -> None:
    """Waits until what is missing from documents is in the ledger, which must hold nothing else."""
    await eventually(lambda: one.gaps <= open_gaps(rig), lambda: f"gaps {sorted(open_gaps(rig))}")
    await rig.covered()
    assert open_gaps(rig) == one.gaps


async def closed(rig: Rig, one: Case) -> None:
    await rig.agree(patience=CLOSED_WITHIN)
    documents = rig.client[rig.database]["notes"].find({"_id": {"$in": list(one.again)}})
    assert [document["_id"] for document in documents if document["_cw"]["r"] > 0] == list(one.again)


@pytest.mark.parametrize("turn", range(1 if SCALE <= 1 else len(MODES)))
@pytest.mark.parametrize(
    ("cases", "outcome"), [(CASES, in_ledger), (CLOSING, closed)], ids=["stay open", "close"]
)
async def test_each_gap(
    gappy: Rig, beside: str, turn: int, cases: list[Case], outcome: Callable[[Rig, Case], Awaitable[None]]
) -> None:
    """By turns in each of the modes."""
    wrong: list[str] = []
    for number, one in enumerate(cases, turn):
        if gappy.source.major not in one.versions:
            continue
        through, direct = await replies(gappy, beside, MODES[number % len(MODES)], one)
        if through != direct:
            wrong.append(f"{one}: answered {through}, not {direct}")
        try:
            await outcome(gappy, one)
        except AssertionError as error:
            wrong.append(f"{one}: {str(error)[:1500]}")
        if one.gaps:
            gappy.forgive()
    assert not wrong, "\n\n".join(wrong)
    assert rows(gappy.source, gappy.database) == rows(gappy.source, beside)
