"""The same bytes to the proxy and to PostgreSQL: the replies must be the same bytes.

Hypothesis writes the conversations: simple and extended protocol, pipelines with errors anywhere, portals with row
limits, COPY in every shape, notices, LISTEN/NOTIFY, large objects, function calls, unknown messages, and the Sync
that is missing. Only what no two sessions share is masked: the cancel key, and process ids in notifications.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from devstack.postgres import PostgresServer
from proxy.wire.messages import TERMINATE_MESSAGE, frame
from tests.support.conversation import (
    COPY_DONE,
    COPY_FAIL,
    FLUSH,
    SYNC,
    bind,
    close,
    copy_data,
    describe,
    execute,
    function_call,
    parse,
)
from tests.support.raw import Message, RawClient
from tests.support.running import RunningProxy
from tests.support.transcript import query, startup_message

pytestmark = pytest.mark.integration

INT4ABS = 1397
"""The function's OID, the same in every version."""

SIMPLE = [
    "select 1",
    "select 1; select 'two' as b; select null",
    "",
    ";",
    "-- nothing",
    "select 1/0",
    "select 1; select 1/0; select 3",
    "selec",
    "select 'é', repeat('x', 70000)",
    "begin",
    "begin; select 1",
    "commit",
    "rollback",
    "savepoint s",
    "rollback to s",
    "insert into replies values (1, 'a') returning *",
    "insert into replies values (1, 'a'), (2, 'b')",
    "update replies set t = t || '!' where id = 1",
    "delete from replies",
    "do $$ begin raise notice 'noticed'; raise warning 'warned'; end $$",
    "prepare p as select $1::int + 1",
    "execute p(41)",
    "deallocate all",
    "discard all",
    "declare c cursor with hold for select * from generate_series(1, 5)",
    "fetch 2 from c",
    "close c",
    "set application_name = 'renamed'",
    "set timezone = 'Europe/Berlin'",
    "set client_encoding = 'LATIN1'",
    "reset all",
    "listen ch",
    "notify ch, 'payload'",
    "unlisten *",
    "select lo_create(4242)",
    "select lo_put(4242, 0, 'large')",
    "select lo_get(4242)",
    "select lo_unlink(4242)",
    "copy replies to stdout",
    "copy (select generate_series(1, 3)) to stdout (format binary)",
    "explain (costs off) select * from replies",
    "select pg_notify('ch', 'x'); select 5",
]

simple = st.sampled_from(SIMPLE).map(query)

copy_in = st.sampled_from(
    [
        query("copy replies from stdin") + copy_data("1\tx\n2\ty\n") + COPY_DONE,
        query("copy replies from stdin")
        + copy_data("1\tx\n")
        + copy_data("2\t")
        + copy_data("y\n")
        + COPY_DONE,
        query("copy replies from stdin") + COPY_DONE,
        query("copy replies from stdin") + copy_data("1\tx\n") + COPY_FAIL,
        query("copy replies from stdin") + SYNC + FLUSH + copy_data("1\tx\n") + COPY_DONE,
        query("copy replies from stdin") + copy_data("not a number\tx\n") + COPY_DONE,
        query("copy replies from stdin; select 1") + copy_data("7\tz\n") + COPY_DONE,
        parse("copy replies from stdin") + bind() + execute() + SYNC + copy_data("3\tz\n") + COPY_DONE + SYNC,
        parse("copy replies from stdin") + bind() + execute() + copy_data("3\tz\n") + COPY_DONE + SYNC,
        parse("copy replies from stdin") + bind() + execute() + SYNC + copy_data("x\tz\n") + COPY_FAIL + SYNC,
        copy_data("stray\n") + COPY_DONE,
    ]
)

names = st.sampled_from(["", "s1", "s2"])
portals = st.sampled_from(["", "p1", "p2"])
formats = st.sampled_from([(), (0,), (1,)])
statements = st.sampled_from(
    [
        "select $1::int",
        "select $1::int, $2::text",
        "select * from generate_series(1, 7)",
        "insert into replies values ($1::int, 'bound')",
        "insert into replies values ($1::int, 'bound') returning id, t",
        "select 1/($1::int - 1)",
        "select broken from",
        "begin",
        "commit",
        "",
        "copy replies to stdout",
        "listen ch",
    ]
)
extended = st.one_of(
    st.builds(parse, statements, names),
    st.builds(
        lambda value, portal, statement, results: bind(
            value, portal=portal, statement=statement, results=results
        ),
        st.sampled_from([(), (b"1",), (b"2",), (b"x",), (None,), (b"1", b"text")]),
        portals,
        names,
        formats,
    ),
    st.builds(describe, st.just("P"), portals),
    st.builds(describe, st.just("S"), names),
    st.builds(execute, portals, st.sampled_from([0, 1, 3, 100])),
    st.builds(close, st.sampled_from(["S", "P"]), names),
    st.just(FLUSH),
    st.just(SYNC),
)
calls = st.sampled_from(
    [function_call(INT4ABS, struct.pack("!i", -5)), function_call(INT4ABS), function_call(999999)]
)
batch = st.lists(extended, min_size=1, max_size=10).map(lambda parts: b"".join(parts) + SYNC)
conversations = st.lists(st.one_of(simple, simple, copy_in, batch, batch, calls), min_size=1, max_size=12)


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> Iterator[str]:
    with postgres.database() as name:
        with psycopg.connect(postgres.dsn(name), autocommit=True) as connection:
            connection.execute("create table replies (id int, t text)")
        yield name


@pytest.fixture(scope="module")
def proxy(postgres: PostgresServer) -> Iterator[RunningProxy]:
    with RunningProxy(upstream=f"postgresql://{postgres.host}:{postgres.port}/?sslmode=disable") as running:
        yield running


def replies(port: int, database: str, sent: bytes, extra: bytes = b"") -> list[Message]:
    """Everything the server says to `sent`, with what no two sessions share masked."""
    with RawClient(("127.0.0.1", port)) as client:
        client.send(startup_message(user="postgres", database=database))
        client.until("Z")
        client.send(sent + extra + SYNC + TERMINATE_MESSAGE)
        return [
            (kind, body[4:] if kind == "A" else b"masked" if kind == "K" else body)
            for kind, body in client.rest()
        ]


def reset(postgres: PostgresServer, database: str) -> None:
    with psycopg.connect(postgres.dsn(database), autocommit=True) as connection:
        connection.execute("truncate replies")
        connection.execute("select lo_unlink(oid) from pg_largeobject_metadata")


@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(conversation=conversations)
@example(conversation=[query(sql) for sql in SIMPLE])
@example(conversation=[frame(ord("y"), b"no such message")])
@example(conversation=[b"Q\x00\x00\x00\x03"])
@example(conversation=[b"Q\x7f\xff\xff\xff"])
def test_same_bytes(
    postgres: PostgresServer, proxy: RunningProxy, database: str, conversation: list[bytes]
) -> None:
    sent = b"".join(conversation)
    reset(postgres, database)
    direct = replies(postgres.port, database, sent)
    reset(postgres, database)
    assert replies(proxy.port, database, sent) == direct


def test_start_up_replies_are_the_same(postgres: PostgresServer, proxy: RunningProxy, database: str) -> None:
    """ParameterStatus and all, for start-up messages of every kind; errors included."""
    packets = [
        startup_message(user="postgres", database=database, application_name="shop", DateStyle="German"),
        startup_message(user="postgres", database=database, options="-c geqo=off -c statement_timeout=5s"),
        startup_message(196610, user="postgres", database=database),
        startup_message(196608 + 99, user="postgres", database=database, **{"_pq_.unheard_of": "1"}),
        startup_message(user="postgres", database="no such database"),
        startup_message(user="nobody at all", database=database),
        startup_message(database=database),
        startup_message(user="postgres", database=database, no_such_setting="1"),
        startup_message(user="postgres", database=database, client_encoding="nonsense"),
        startup_message(9 << 16, user="postgres"),
    ]
    for packet in packets:
        heard = []
        for port in (postgres.port, proxy.port):
            with RawClient(("127.0.0.1", port)) as client:
                client.send(packet)
                got = [client.message()]
                try:
                    while got[-1][0] not in "ZE":
                        got.append(client.message())
                except EOFError:
                    got.append(("EOF", b""))
                heard.append([(k, b"masked" if k == "K" else b) for k, b in got])
        assert heard[0] == heard[1], packet


def test_version_2_is_refused_in_its_own_format(postgres: PostgresServer, proxy: RunningProxy) -> None:
    heard = []
    for port in (postgres.port, proxy.port):
        with RawClient(("127.0.0.1", port)) as client:
            client.send(startup_message(2 << 16, user="postgres"))
            heard.append(b"".join(iter(lambda: client.socket.recv(4096), b"")))
    assert heard[0] == heard[1]
    assert heard[0].startswith(b"EFATAL")
