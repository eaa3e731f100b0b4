"""Every type: the text that comes back out of a document is PostgreSQL's own, whatever the session that wrote it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import bson
import pytest

from proxy.documents.table_mapping import TableMapping
from tests.documents.conftest import Place, back, on_the_oldest_too, stored


@dataclass(frozen=True)
class Case:
    type: str
    literals: tuple[str, ...]
    """As the input function of the type reads them."""
    keyed: bool = True
    """Whether the type may be a key."""
    setup: str = ""
    since: int = 0
    """The first version that has it."""

    def __str__(self) -> str:
        return self.type


TIMES = (
    "2024-02-29 12:34:56.789012",
    "1999-12-31 23:59:59.999999",
    "2000-01-01 00:00:00",
    "1969-12-31 23:59:59.999999",
    "1970-01-01 00:00:00.000001",
    "0001-01-01 00:00:00",
    "0001-12-31 23:59:59.5 BC",
    "4714-11-24 00:00:00 BC",
    "4713-02-29 01:02:03.04 BC",
    "9999-12-31 23:59:59.999999",
    "10000-01-01 00:00:00.1",
    "275760-09-13 00:00:00",
    "294276-12-31 23:59:59.999999",
    "infinity",
    "-infinity",
)
JSONS = (
    "null",
    "true",
    "0",
    "-0",
    "1",
    "1.0",
    "1.00",
    "-1e2",
    "1e-20",
    "2147483648",
    "-9223372036854775808",
    "9223372036854775808",
    "123456789012345678901234567890.1234",
    '""',
    r'"a\"\\\/\b\f\n\r\t\u0001\u00e9\ud83d\ude00' + '\x7f"',
    "[]",
    "{}",
    "[null, [], {}, [[1.50]]]",
    '{"": 1, "$": 2, "$a": 3, "a.b": 4, ".": 5, "a$": 6, "%24": 7, "%": 8, "%2E": 9, "100%25": 10, "%00": 11}',
    '{"$ref": "x", "$id": 1, "$db": "y"}',
    '{"$date": "2020-01-01", "_id": {"_cw": null}, "__proto__": []}',
    '{"x": {"y": {"z": [1, 2.5, "three", null, true, {"a": -0.10}]}}}',
)

CASES = (
    Case("boolean", ("true", "false")),
    Case("smallint", ("0", "-32768", "32767")),
    Case("integer", ("0", "-2147483648", "2147483647")),
    Case("bigint", ("0", "1", "-9223372036854775808", "9223372036854775807", "9007199254740993")),
    Case(
        "real",
        (
            *("0", "-0", "1", "0.1", "-1.5", "3.4028235e38", "1.1754944e-38", "1e-45", "16777216", "33554432"),
            *("123456", "1234567", "1e6", "999999", "1e-4", "1e-5", "8388608", "2.3841858e-07", "NaN", "Infinity"),
            *("-Infinity", "4.7019774e-38", "9.8e-45", "67108864", "5.9604645e-08"),
        ),
    ),
    Case(
        "double precision",
        (
            *("0", "-0", "1", "0.1", "-1.5", "1.7976931348623157e308", "2.2250738585072014e-308", "5e-324"),
            *("123456789012345", "1234567890123456", "1e15", "1e14", "9007199254740993", "1e-4", "1e-5", "1e22"),
            *("1e23", "9e-320", "2e-44", "5.684341886080802e-14", "9.5367431640625e-07", "NaN", "Infinity"),
            *("-Infinity", "9.007199254740992e15", "1.8014398509481984e16", "4.35e2", "2.98023223876953125e-8"),
        ),
    ),
    Case(
        "numeric",
        (
            *("0", "0.00", "1", "1.0", "1.00", "-1.50", "0.0001", "0.00001000", "10000", "100000000.00000001"),
            *("9999999999999999999999999999999999", "-0.0000000000000000000000000000000001", "NaN"),
            *("1234567890123456789012345678901234", "12345678901234567.89012345678901234", "1e40", "1e-100"),
            *("9999", "99990000", "0.9999", "1000000000000000000000000000000000000000", "12340000.5"),
        ),
    ),
    Case("numeric(34,10)", ("1.5", "123456789012345678901234.0123456789", "-0")),
    Case("text", ("", " ", "plain", "äöü 日本語 🙂", "NULL", "a\tb\nc\\d'e\"f", " padded ")),
    Case("varchar(20)", ("", "x ", "日本")),
    Case("char(5)", ("", "a", "abcde", "日本", " b")),
    Case("bpchar", ("", "a", "a  ", " b")),
    Case('"char"', ("", "a", r"\001")),
    Case("name", ("", "some_name")),
    Case("bytea", ("", r"\x00", r"\xdeadbeef", "text")),
    Case("uuid", ("00000000-0000-0000-0000-000000000000", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11")),
    Case("timestamp", TIMES),
    Case("timestamptz", tuple(f"{t}+00" if "BC" not in t and "inf" not in t else t for t in TIMES)),
    Case("timestamp(3)", TIMES[:4]),
    Case("timestamptz(0)", TIMES[:4]),
    Case("timestamp(6)", TIMES),
    Case(
        "date",
        (
            *("2024-02-29", "2000-01-01", "1970-01-01", "0001-01-01", "4714-11-24 BC", "0001-12-31 BC"),
            *("5874897-12-31", "9999-12-31", "10000-01-01", "275760-09-13", "infinity", "-infinity"),
        ),
    ),
    Case("time", ("00:00", "23:59:59.999999", "24:00", "12:30:00.5")),
    Case("time(0)", ("12:30:45",)),
    Case("timetz", ("00:00+00", "23:59:59.999999+15:59:59", "12:00-08", "12:00+05:30", "24:00-15:59")),
    Case(
        "interval",
        (
            *("0", "1 year", "-1 year", "1 mon", "30 days", "1 day", "24 hours", "-1 day", "1 day -1 second"),
            *("-1 day 1 second", "1 year 2 mons -3 days 04:05:06.789", "-1 year +2 mons", "100 hours"),
            *("0.000001 second", "-0.5 second", "178956970 years", "-178956970 years", "2147483647 days"),
            *("1 year -1 mon 1 day", "-13 mons +25 days -10:00:00.1"),
        ),
    ),
    Case("inet", ("0.0.0.0", "192.168.1.1/24", "255.255.255.255", "::", "::1", "::ffff:1.2.3.4", "::1.2.3.4",
                  "2001:db8::1/64", "1:0:0:2:0:0:0:3", "fe80::1", "1:2:3:4:5:6:7:8", "1:0:2:0:3:0:4:0", "::2:3:4",
                  "1::", "0:1::/32")),
    Case("cidr", ("10.0.0.0/8", "192.168.1.1/32", "::/0", "2001:db8::/32", "::1/128")),
    Case("macaddr", ("08:00:2b:01:02:03", "ff:ff:ff:ff:ff:ff")),
    Case("macaddr8", ("08:00:2b:01:02:03:04:05",)),
    Case("bit(10)", ("1010101010", "0000000000")),
    Case("varbit", ("", "1", "10101010101")),
    Case("oid", ("0", "4294967295")),
    Case("xid", ("7",), keyed=False),
    Case("xid8", ("18446744073709551615",), keyed=True),
    Case("tid", ("(0,1)", "(4294967295,65535)")),
    Case("pg_lsn", ("0/0", "16/B374D848", "FFFFFFFF/FFFFFFFF")),
    Case("json", (*JSONS, '{"a":1,  "a":2}', " [1 ] "), keyed=False),
    Case("jsonb", JSONS, keyed=False),
    Case("jsonb[]", ('{"null",NULL,"[1,[2]]","[]","1.50"}', "{{1,null},{NULL,\"{}\"}}", "{}"), keyed=False),
    Case("jsonpath", ('$."a"[*]?(@ > 1)',), keyed=False),
    Case("xml", ("<a>b</a>", '<?xml version="1.0"?><a/>', "text"), keyed=False),
    Case("point", ("(1,2)", "(-0,1e-300)", "(NaN,Infinity)"), keyed=False),
    Case("lseg", ("[(0,0),(1,1.5)]",), keyed=False),
    Case("path", ("[(0,0),(1,1),(2,0)]", "((0,0),(1,1))"), keyed=False),
    Case("box", ("(0,0),(1,1)",), keyed=False),
    Case("polygon", ("((0,0),(1,1),(2,0.1))",), keyed=False),
    Case("line", ("{1,-1,0.3}",), keyed=False),
    Case("circle", ("<(1,2),3.5>",), keyed=False),
    Case("money", ("0", "-12.34", "92233720368547758.07"), keyed=False),
    Case("tsvector", ("", "fat:1A,2B cat:3 'it''s' 'a\\\\b':5C dog:16383"), keyed=True),
    Case("tsquery", ("fat & (rat | !cat:AB*) <2> 'x y'",), keyed=False),
    Case("int2vector", ("", "1 2 3"), keyed=False),
    Case("oidvector", ("1 2 4294967295",), keyed=False),
    Case("regclass", ("pg_class", "pg_catalog.pg_type"), keyed=False),
    Case("regtype", ("timestamp with time zone",), keyed=False),
    Case("int4range", ("empty", "[1,5)", "(,)", "[3,)", "(,7)"), keyed=False),
    Case("numrange", ("[1.0,2.50]", "[123456789012345678901234567890123456789,)"), keyed=False),
    Case("tstzrange", ('["2020-01-01 00:00+00","2021-01-01 00:00:00.5+00")', "[-infinity,infinity]"), keyed=False),
    Case("daterange", ("[2020-01-01,2020-02-01)", "[4714-11-24 BC,)"), keyed=False),
    Case("int4multirange", ("{}", "{[1,3),[5,9)}"), keyed=False, since=14),
    Case("tsmultirange", ('{["2020-01-01 00:00:00",)}',), keyed=False, since=14),
    Case("mood", ("sad", "ok", "so so", "héureux"), setup="CREATE TYPE mood AS ENUM ('sad','ok','so so','héureux')"),
    Case("short", ("1.5", "-9.25"), setup="CREATE DOMAIN short AS numeric(6,2) CHECK (VALUE < 100)"),
    Case("shortest", ("1.5",),
         setup="CREATE DOMAIN short AS numeric(6,2); CREATE DOMAIN shortest AS short CHECK (VALUE > 0)"),
    Case("pads", ("a", ""), setup="CREATE DOMAIN pads AS char(4)"),
    Case(
        "pair",
        ('(1,"a,b")', "(,)", r'(-5,"q ""x"" \\ (y)")', '(2,"")', '(3,NULL)'),
        keyed=False,
        setup="CREATE TYPE pair AS (n integer, \"T\" text)",
    ),
    Case(
        "deep",
        ('("(1,x)",2020-01-01 00:00:00.5+00,"{1,NULL}","[1,2)",1.10)',),
        keyed=False,
        setup="CREATE TYPE pair AS (n integer, t text);"
        "CREATE TYPE deep AS (p pair, t timestamptz, a int[], r int4range, n numeric(50,2))",
    ),
    Case("pair[]", ('{"(1,x)",NULL,"(,\\"a b\\")"}',), keyed=False, setup="CREATE TYPE pair AS (n int, t text)"),
    Case("integer[]", ("{}", "{1,NULL,3}", "{{1,2},{3,4}}", "[0:1]={5,6}", "[-1:0][2:3]={{1,2},{NULL,4}}",
                       "{{{1},{2}},{{3},{4}}}"), keyed=False),
    Case("text[]", ("{}", '{"",a b,"NULL",NULL,"a,b","{}","q\\"x\\\\",\'}', '{" x",y\tz}'), keyed=False),
    Case("numeric(20,4)[]", ("{1.5,NaN,NULL}",), keyed=False),
    Case("float8[]", ("{1e300,NaN,-Infinity,NULL,-0}",), keyed=False),
    Case("float4[]", ("{0.1,1e10}",), keyed=False),
    Case("timestamp[]", ("{2020-01-01 00:00:00.000001,infinity,NULL}", "{{2020-01-01,-infinity}}"), keyed=False),
    Case("timestamptz(3)[]", ('{"2020-01-01 00:00:00.001+00",-infinity}',), keyed=False),
    Case("date[]", ("{2020-01-01,infinity,0044-03-15 BC}",), keyed=False),
    Case("uuid[]", ("{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",), keyed=False),
    Case("bytea[]", (r'{"\\x00ff",NULL}',), keyed=False),
    Case("interval[]", ("{1 day,-01:00:00}",), keyed=False),
    Case("boolean[]", ("{t,f,NULL}",), keyed=False),
    Case("box[]", ("{(1,1),(0,0);(3,3),(2,2)}",), keyed=False),
    Case("char(3)[]", ("{a,bcd,NULL}",), keyed=False),
    Case("mood[]", ("{sad,NULL}",), keyed=False, setup="CREATE TYPE mood AS ENUM ('sad')"),
    Case("ids[]", ('{"{1,2}",NULL,"[0:0]={7}"}',), keyed=False, setup="CREATE DOMAIN ids AS int[]"),
    Case("citext", ("Bob", "bob", ""), keyed=False, setup="CREATE EXTENSION citext"),
    Case("ltree", ("a.b.c", ""), setup="CREATE EXTENSION ltree"),
    Case("hstore", ('a=>1, "b c"=>NULL', ""), keyed=False, setup="CREATE EXTENSION hstore"),
    Case("hstore[]", ('{"a=>1",NULL}',), keyed=False, setup="CREATE EXTENSION hstore"),
    Case(
        "priced",
        ("(1.50,123456789012345678901234567890123456789012345678.90,,2020-01-01)",),
        keyed=False,
        setup="CREATE DOMAIN wide AS numeric(50,2);CREATE TYPE priced AS (a numeric, b wide, c char(3), d date)",
    ),
    Case("tsquery[]", ("{\"'a' & 'b'\",NULL}",), keyed=False),
)  # fmt: skip


async def make(place: Place, case: Case, *, key: str = "id") -> None:
    if place.version < case.since:
        pytest.skip(f"{case.type} is new in PostgreSQL {case.since}")
    script = [case.setup, f"CREATE TABLE t (id serial, v {case.type})"]
    for literal in case.literals:
        quoted = literal.replace("'", "''")
        script.append(f"INSERT INTO t (v) VALUES ('{quoted}')")
    if key == "id":
        script.append("INSERT INTO t (v) VALUES (NULL); ALTER TABLE t ADD PRIMARY KEY (id)")
    await place.plain.execute(";".join(filter(None, script)))


@pytest.mark.integration
@on_the_oldest_too
@pytest.mark.parametrize("case", CASES, ids=str)
async def test_the_way_there_and_back(place: Place, case: Case) -> None:
    await make(place, case)
    found = await place.rows("t")
    mapping = found.mapping
    assert len(found.rows) == len(case.literals) + 1
    for row in found.rows:
        document, extra = mapping.document(row.fields, row.text)
        assert back(mapping, document, extra) == row.shown
        column = mapping.by_name["v"]
        if row.shown[1] is None:
            assert document["v"] is None
            continue
        raw = row.fields[1]
        assert raw is not None
        if column.codec.binary:
            assert mapping.values_text(["v"], row.fields) == (row.shown[1],)
            assert as_bson(column.codec.parse(row.shown[1])) == as_bson(column.codec.decode(raw))


@pytest.mark.integration
@on_the_oldest_too
@pytest.mark.parametrize("case", [case for case in CASES if case.keyed], ids=str)
async def test_a_key_is_the_same_where_postgres_says_so_and_nowhere_else(place: Place, case: Case) -> None:
    await make(place, case, key="v")
    await place.plain.execute("ALTER TABLE t ALTER id DROP NOT NULL, ALTER v SET NOT NULL")
    found = await keyed(place)
    same = await place.plain.fetch(
        "SELECT a.v = b.v AS same FROM t a CROSS JOIN t b ORDER BY a.ctid, b.ctid"
        if case.type != "xml"
        else "SELECT false"
    )
    mapping, rows = found
    keys = [mapping.key(fields) for fields, _ in rows]
    pairs = itertools.product(keys, repeat=2)
    for (one, other), equal in zip(pairs, same, strict=True):
        assert (one.token == other.token) is equal["same"]
        assert (as_bson(one.value) == as_bson(other.value)) is equal["same"]
    for key, (fields, shown) in zip(keys, rows, strict=True):
        document, extra = mapping.document(fields)
        assert as_bson(document["_id"]) == as_bson(key.value)
        assert back(mapping, document, extra) == shown
        assert mapping.key_of_text([str(shown[1])]).token == key.token
        again = mapping.key_of_id(stored({"_id": key.value})["_id"])
        assert (again.token, as_bson(again.value)) == (key.token, as_bson(key.value))


async def keyed(place: Place) -> tuple[TableMapping, list[tuple[list[bytes | None], tuple[str | None, ...]]]]:
    """A mapping with the key v, which holds equal values here, as no unique index would allow."""
    from dataclasses import replace

    from proxy.catalog.introspect import read_snapshot
    from proxy.documents.mapping import Server, build_mapping
    from proxy.documents.records import parse_record
    from proxy.mirror.effects import TableId
    from tests.documents.made import rule_of

    reading = await read_snapshot(place.plain, [TableId("public", "t")])
    relation = reading.snapshot.named("public", "t")
    assert relation is not None
    mapping = build_mapping(
        replace(relation, primary_key=("v",)), rule_of("t"), reading.snapshot.types, Server(place.database)
    )
    rows = await place.odd.fetch("SELECT record_send(ROW(t.*)) AS image FROM t ORDER BY ctid")
    shown = await place.plain.fetch("SELECT format('%s', id), format('%s', v) FROM t ORDER BY ctid")
    return mapping, [
        (parse_record(row["image"])[1], tuple(each)) for row, each in zip(rows, shown, strict=True)
    ]


def as_bson(value: object) -> bytes:
    return bson.encode({"v": value})
