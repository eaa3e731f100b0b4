"""The compiled way of a row to its document gives, byte for byte, what the codecs and the store's encoder give."""

from __future__ import annotations

import gc
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import bson
import pytest
from bson.int64 import Int64
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from proxy.catalog.model import TypeInfo
from proxy.documents import encoding
from proxy.documents.codec import Unrepresentable
from proxy.documents.encoding import Encoder, encoder_of
from proxy.documents.mapping import Server, build_mapping
from proxy.documents.records import MalformedRecord, parse_read
from proxy.documents.table_mapping import TableMapping
from proxy.stores.bson_form import OPTIONS, Encoded
from proxy.stores.convergence import Item, Pair
from proxy.stores.mongo_commands import _UNENCODABLE, _complete
from tests.documents.made import attribute, image, record, relation, rule_of

pytestmark = pytest.mark.skipif(encoding.RowEncoder is None, reason="there is no compiled encoder")

EXAMPLES = int(os.environ.get("CAUSEWAY_TEST_ENCODING_EXAMPLES", "150"))

TYPES = {
    1007: TypeInfo(1007, "pg_catalog", "_int4", "b", "A", element=23),
    1115: TypeInfo(1115, "pg_catalog", "_timestamp", "b", "A", element=1114),
    1231: TypeInfo(1231, "pg_catalog", "_numeric", "b", "A", element=1700),
    9000: TypeInfo(9000, "public", "mood", "e", "E", labels=("sad", "glad")),
    9001: TypeInfo(9001, "public", "amount", "d", "N", base=1700),
    9002: TypeInfo(9002, "public", "pair", "c", "C", fields=(("a", 23), ("b", 25))),
}

Bytes = st.SearchStrategy[bytes]


def packed(form: str, values: st.SearchStrategy[Any]) -> Bytes:
    return values.map(lambda value: struct.pack(form, value))


def integers(bits: int) -> Bytes:
    limit = 1 << bits - 1
    near = st.integers(-3, 3).map(lambda n: max(-limit, min(limit - 1, n)))
    ends = st.sampled_from([-limit, 1 - limit, limit - 1, limit - 2])
    form = {16: ">h", 32: ">i", 64: ">q"}[bits]
    return packed(form, st.one_of(near, ends, st.integers(-limit, limit - 1)))


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30).map(str.encode)
broken_texts = st.one_of(
    st.binary(max_size=12),
    st.sampled_from(
        [
            b"\xed\xa0\x80",
            b"\xc0\x80",
            b"\xe0\x9f\xbf",
            b"\xf4\x90\x80\x80",
            b"\xf5",
            b"abcdefg\xe2\x82",
            b"\xc2",
        ]
    ),
)


@st.composite
def numerics(draw: st.DrawFn) -> bytes:
    """As PostgreSQL sends them: no zeros at either end of the digits."""
    digits = draw(st.lists(st.integers(0, 9999), max_size=draw(st.sampled_from([3, 9, 12]))))
    while digits and digits[-1] == 0:
        digits.pop()
    while digits and digits[0] == 0:
        digits.pop(0)
    weight = draw(st.integers(-10, 12)) if digits else 0
    scale = draw(st.one_of(st.integers(0, 6), st.integers(0, 60)))
    sign = draw(st.sampled_from([0, 0x4000])) if digits else 0
    return struct.pack(f">hhHH{len(digits)}H", len(digits), weight, sign, scale, *digits)


@st.composite
def odd_numerics(draw: st.DrawFn) -> bytes:
    numbers = st.one_of(st.integers(0, 12), st.integers(0, 0xFFFF))
    head = [draw(st.sampled_from([0, 1, 2, 9, 10, 0xFFFF])), draw(numbers), 0, draw(numbers)]
    head[2] = draw(st.sampled_from([0, 0x4000, 0x8000, 0xC000, 0xD000, 0xF000, 0xE000, 1]))
    rest = draw(st.lists(numbers, max_size=11))
    return struct.pack(f">{4 + len(rest)}H", *head, *rest)


finite4 = st.floats(width=32, allow_nan=False, allow_infinity=False)
finite8 = st.floats(allow_nan=False, allow_infinity=False)
moments = packed(">q", st.one_of(st.integers(-(10**17), 10**18), st.integers(-3000, 3000)))


def array(oid: int, items: Sequence[bytes | None], *dimensions: tuple[int, int]) -> bytes:
    head = struct.pack(">iiI", len(dimensions), 0, oid) + b"".join(
        struct.pack(">ii", *one) for one in dimensions
    )
    return head + b"".join(
        struct.pack(">i", -1 if item is None else len(item)) + (item or b"") for item in items
    )


def arrays(oid: int, elements: Bytes) -> Bytes:
    return st.lists(st.none() | elements, min_size=1, max_size=4).flatmap(
        lambda items: st.integers(0, 2).map(lambda lower: array(oid, items, (len(items), lower)))
    )


NEVER: Bytes = st.nothing()


@dataclass(frozen=True)
class Kind:
    """A type of columns."""

    oid: int
    usual: Bytes
    """What is never left to the codecs."""
    odd: Bytes = NEVER
    """What may be, and what PostgreSQL never sends."""
    typmod: int = -1
    key: bool = True


KINDS: dict[str, Kind] = {
    "bool": Kind(16, st.sampled_from([b"\0", b"\1"]), st.sampled_from([b"\2", b"", b"\1\1"])),
    "int2": Kind(21, integers(16)),
    "int4": Kind(23, integers(32)),
    "int8": Kind(20, integers(64)),
    "float4": Kind(700, packed(">f", finite4), packed(">f", st.floats(width=32))),
    "float8": Kind(701, packed(">d", finite8), packed(">d", st.floats())),
    "numeric": Kind(1700, st.just(struct.pack(">hhHH2H", 2, 0, 0, 2, 12, 5000)), numerics() | odd_numerics()),
    "amount": Kind(9001, st.just(struct.pack(">hhHH", 0, 0, 0, 2)), numerics(), key=False),
    "text": Kind(25, texts, broken_texts),
    "varchar": Kind(1043, texts, broken_texts, typmod=40),
    "char": Kind(1042, texts.map(lambda raw: raw + b"  "), broken_texts, typmod=44),
    "bpchar": Kind(1042, texts.map(lambda raw: raw + b"  "), broken_texts),
    "mood": Kind(9000, st.sampled_from([b"sad", b"glad"]), broken_texts),
    "json": Kind(114, st.just(b'{"a": 1}'), broken_texts, key=False),
    "jsonb": Kind(3802, st.just(b'\1{"$a.b": [1, 2.50, null]}'), st.just(b"\1null") | texts, key=False),
    "bytea": Kind(17, st.binary(max_size=30)),
    "uuid": Kind(2950, st.binary(min_size=16, max_size=16)),
    "date": Kind(1082, packed(">i", st.integers(-(10**6), 10**6)), integers(32)),
    "time": Kind(1083, packed(">q", st.integers(0, 86_400_000_000)), integers(64)),
    "timetz": Kind(1266, st.just(struct.pack(">qi", 5_000_000, -3600))),
    "timestamp": Kind(1114, moments, integers(64)),
    "timestamptz": Kind(1184, moments, integers(64)),
    "timestamp(3)": Kind(1114, moments, integers(64), typmod=3),
    "interval": Kind(1186, st.just(struct.pack(">qii", 7, 3, 1))),
    "oid": Kind(26, integers(32)),
    "inet": Kind(869, st.just(b"\2\x20\0\4\x7f\0\0\1")),
    "int4[]": Kind(1007, arrays(23, integers(32)), st.just(array(23, [])), key=False),
    "timestamp[]": Kind(1115, arrays(1114, moments), arrays(1114, integers(64)), key=False),
    "numeric[]": Kind(
        1231, arrays(1700, st.just(struct.pack(">hhHHH", 1, 0, 0, 2, 7))), arrays(1700, numerics()), key=False
    ),
    "pair": Kind(9002, st.just(record((23, b"\0\0\0\1"), (25, b"x"))), key=False),
}
NAMES = ("a", "b", "c", "d", "größe", "v", "r", "us", "flags", "key", "at")


@dataclass(frozen=True)
class Table:
    mapping: TableMapping
    kinds: tuple[Kind, ...]

    @property
    def key(self) -> frozenset[int]:
        return frozenset(part.position for part in self.mapping.key_parts)

    @property
    def encoder(self) -> Encoder:
        encoder = encoder_of(self.mapping)
        assert encoder is not None
        return encoder

    def record(self, values: Sequence[bytes | None]) -> bytes:
        fields = [(kind.oid, value) for kind, value in zip(self.kinds, values, strict=True)]
        return image(*fields, lsn=None, xid=None)


def table_of(columns: Sequence[tuple[str, str]], key: Sequence[str], **rule: Any) -> Table:
    """`columns`: names, and kinds by name."""
    made = relation("t", [(name, KINDS[kind].oid) for name, kind in columns], key=key)
    attributes = [
        attribute(number, name, KINDS[kind].oid, KINDS[kind].typmod, not_null=name in key)
        for number, (name, kind) in enumerate(columns, 1)
    ]
    object.__setattr__(made, "attributes", tuple(attributes))
    mapping = build_mapping(made, rule_of("t", **rule), TYPES, Server("shop"))
    return Table(mapping, tuple(KINDS[kind] for _, kind in columns))


@st.composite
def tables(draw: st.DrawFn) -> Table:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=8, unique=True))
    first = draw(st.sampled_from([name for name, kind in KINDS.items() if kind.key]))
    kinds = [first, *(draw(st.sampled_from(sorted(KINDS))) for _ in names[1:])]
    columns = list(zip(names, kinds, strict=True))
    key = [name for name, kind in columns if KINDS[kind].key]
    key = [names[0], *draw(st.sampled_from([[], [], [], key[1:2], key[1:3]]))]
    columns = draw(st.permutations(columns))
    key = list(draw(st.permutations(key)))
    others = [name for name in names if name not in key]
    rule: dict[str, Any] = {}
    if others and draw(st.integers(0, 3)) == 0:
        rule["exclude"] = others[:1]
    if others[1:] and draw(st.integers(0, 3)) == 0:
        rule["rename"] = {others[-1]: "renamed"}
    return table_of(columns, key, **rule)


def usual_rows(table: Table) -> st.SearchStrategy[list[bytes | None]]:
    return st.tuples(
        *(
            kind.usual if number in table.key else st.none() | kind.usual
            for number, kind in enumerate(table.kinds)
        )
    ).map(list)


def rows(table: Table) -> st.SearchStrategy[list[bytes | None]]:
    return st.tuples(
        *(
            st.one_of(st.none(), kind.usual, kind.usual | kind.odd, kind.odd | kind.usual)
            for kind in table.kinds
        )
    ).map(list)


def by_codecs(mapping: TableMapping, data: bytes) -> tuple[Any, bytes] | None:
    """The `_id` and the document; None where the row has none."""
    try:
        header, oids, fields = parse_read(data)
        if not mapping.fits(oids):
            return None
        document, extra = mapping.document(fields, header.text)
        key = mapping.key(fields)
        whole = _complete(Item(key.value, Pair(0, 0), document, extra))
        return key.value, bson.encode(whole, codec_options=OPTIONS)
    except (MalformedRecord, Unrepresentable, *_UNENCODABLE):
        return None


def check(table: Table, data: bytes) -> Encoded | None:
    """What is made of a record is what the codecs make of it, or nothing."""
    [found] = table.encoder.encode([data])
    expected = by_codecs(table.mapping, data)
    if found is None:
        return None
    assert expected is not None, "a document of what is none"
    identifier, body = expected
    assert bytes(found.raw) == body
    assert type(found.id) is type(identifier)
    assert same(found.id, identifier)
    return found


def same(one: Any, other: Any) -> bool:
    return bson.encode({"": one}, codec_options=OPTIONS) == bson.encode({"": other}, codec_options=OPTIONS)


usually = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@usually
@given(st.data())
def test_usual_rows_are_encoded_as_the_codecs_do(data: st.DataObject) -> None:
    table = data.draw(tables())
    values = data.draw(usual_rows(table))
    assert check(table, table.record(values)) is not None


@usually
@given(st.data())
def test_any_row_is_encoded_as_the_codecs_do_or_left_to_them(data: st.DataObject) -> None:
    table = data.draw(tables())
    check(table, table.record(data.draw(rows(table))))


@usually
@given(st.data())
def test_damaged_rows_are_left_to_the_codecs(data: st.DataObject) -> None:
    table = data.draw(tables())
    whole = bytearray(table.record(data.draw(rows(table))))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(whole)))
        match data.draw(st.integers(0, 4)):
            case 0:
                del whole[place:]
            case 1:
                whole[place : place + data.draw(st.integers(0, 9))] = b""
            case 2:
                whole[place:place] = data.draw(st.binary(max_size=9))
            case 3:
                whole[place : place + 4] = struct.pack(
                    ">i", data.draw(st.sampled_from([-1, -2, 0, 1, 4, 2**31 - 1]))
                )
            case _:
                whole[place : place + 1] = data.draw(st.binary(min_size=1, max_size=1))
    check(table, bytes(whole))


@usually
@given(st.binary(max_size=200))
@example(b"")
@example(b"\0\0\0\0")
def test_garbage_is_left_to_the_codecs(data: bytes) -> None:
    check(EVERY, data)


EVERY = table_of([("id", "int8"), *((f"{kind} column".replace("[]", "s"), kind) for kind in KINDS)], ["id"])
ROW = [
    struct.pack(">q", 1),
    *(
        {
            "bool": b"\1",
            "int2": b"\0\2",
            "numeric": struct.pack(">hhHH2H", 2, 0, 0x4000, 2, 12, 5000),
            "text": "grün €".encode(),
            "uuid": bytes(range(16)),
            "time": struct.pack(">q", 86_399_999_999),
            "timestamp": struct.pack(">q", -1),
        }.get(kind)
        for kind in KINDS
    ),
]


def test_a_row_that_ends_anywhere_is_left_to_the_codecs() -> None:
    whole = EVERY.record(ROW)
    assert check(EVERY, whole) is not None
    for end in range(len(whole)):
        assert check(EVERY, whole[:end]) is None
        assert check(EVERY, whole[:end] + b"\xff" * (len(whole) - end)) is None or end > 100
    assert check(EVERY, whole + b"\0") is None


@pytest.mark.parametrize("number", range(7))
def test_a_header_with_more_than_its_table_is_left_to_the_codecs(number: int) -> None:
    table = table_of([("id", "int4")], ["id"])
    head: list[tuple[int, bytes | None]] = [(26, struct.pack(">I", 5000)), *([(25, None)] * 6)]
    row = (23, struct.pack(">i", 7))
    assert check(table, record(*head, row)) is not None
    head[number] = (26, None) if number == 0 else (25, b"12345678")
    assert check(table, record(*head, row)) is None


@pytest.mark.parametrize("other", [[23], [23, 25, 25], [23, 1043], [25, 23], []])
def test_a_row_of_another_shape_is_left_to_the_codecs(other: list[int]) -> None:
    table = table_of([("id", "int4"), ("name", "text")], ["id"])
    fields = [(oid, struct.pack(">i", 7) if oid == 23 else b"x") for oid in other]
    assert table.encoder.encode([image(*fields, lsn=None, xid=None)]) == [None]


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        ("int4", b"\0\0\0"),
        ("int8", b"\0" * 9),
        ("float8", struct.pack(">d", float("nan"))),
        ("float4", struct.pack(">f", float("-inf"))),
        ("numeric", struct.pack(">hhHH", 0, 0, 0xC000, 0)),
        ("numeric", struct.pack(">hhHH9H", 9, 8, 0, 0, *[9999] * 9)),
        ("numeric", struct.pack(">hhHH1H", 1, 0, 0, 0, 10_000)),
        ("numeric", struct.pack(">hhHH", 1, 0, 0, 0)),
        ("timestamp", struct.pack(">q", 2**63 - 1)),
        ("date", struct.pack(">i", -(2**31))),
        ("time", struct.pack(">q", -1)),
        ("uuid", b"\0" * 15),
        ("text", b"\xed\xa0\x80"),
        ("char", b"\xff "),
        ("bool", b""),
        ("jsonb", b"\2{}"),
        ("int4[]", b"\0\0\0\1"),
    ],
)
def test_what_is_out_of_the_ordinary_is_left_to_the_codecs(kind: str, raw: bytes) -> None:
    table = table_of([("id", "int4"), ("v", kind)], ["id"])
    assert check(table, table.record([b"\0\0\0\1", raw])) is None


def test_a_null_in_the_key_is_left_to_the_codecs() -> None:
    table = table_of([("a", "int4"), ("b", "int4")], ["a", "b"])
    assert check(table, table.record([b"\0\0\0\1", None])) is None


def test_each_row_is_answered_for_itself() -> None:
    table = table_of([("id", "int8"), ("at", "timestamp")], ["id"])
    good = table.record([struct.pack(">q", 5), struct.pack(">q", 1_500_007)])
    late = table.record([struct.pack(">q", 6), struct.pack(">q", 2**63 - 1)])
    first, second, third = table.encoder.encode([good, late, good])
    assert second is None
    assert first is not None
    assert first == third
    assert first.id == 5
    assert type(first.id) is Int64
    assert first["_cw"] == {"v": 0, "r": 0, "us": {"at": 7}}
    assert list(first) == ["_id", "at", "_cw"]


def test_a_table_whose_rows_come_as_text_is_left_to_the_codecs() -> None:
    money = TypeInfo(790, "pg_catalog", "money", "b", "N")
    made = relation("t", [("id", 23), ("price", 790)], key=["id"])
    mapping = build_mapping(made, rule_of("t"), {790: money}, Server("shop"))
    assert mapping.needs_text
    assert encoder_of(mapping) is None


def test_text_in_another_encoding_is_asked_of_the_codecs() -> None:
    made = relation("t", [("id", 23), ("name", 25)], key=["id"])
    mapping = build_mapping(made, rule_of("t"), {}, Server("shop", "LATIN1"))
    table = Table(mapping, (KINDS["int4"], KINDS["text"]))
    found = check(table, table.record([b"\0\0\0\1", b"gr\xfcn"]))
    assert found is not None
    assert found["name"] == "grün"


def test_nothing_is_left_behind() -> None:
    table = EVERY
    good, bad = table.record(ROW), table.record(ROW)[:-3]
    encoder = table.encoder
    encoder.encode([good, bad])
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(300):
        encoder.encode([good, bad])
        table.encoder.encode([bad, good])
    gc.collect()
    assert sys.getallocatedblocks() - before < 200


def make(
    *,
    oids: Any = (23,),
    key: Any = (("_id", 0, "int4", None),),
    composite: bool = False,
    columns: Any = (),
    mark: Any = b"",
    made: Any = Encoded,
) -> Encoder:
    assert encoding.RowEncoder is not None
    return encoding.RowEncoder(oids, key, composite, columns, mark, made)


GOOD = image((23, b"\0\0\0\1"), lsn=None, xid=None)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"oids": [23]}, TypeError),
        ({"oids": (-1,)}, OverflowError),
        ({"oids": ("a",)}, TypeError),
        ({"oids": (23,) * 2000}, ValueError),
        ({"key": ()}, ValueError),
        ({"key": (("_id", 1, "int4", None),)}, ValueError),
        ({"key": (("_id", -1, "int4", None),)}, ValueError),
        ({"key": (("_id", 0, "numeric", None),)}, ValueError),
        ({"key": (("_id", 0, "int4", 5),)}, TypeError),
        ({"key": (("_id", 0, "int4", None), ("b", 0, "int4", None))}, ValueError),
        ({"columns": (("b", 0, "nothing", None),)}, ValueError),
        ({"columns": (("b", 0, "call", None),)}, TypeError),
        ({"columns": (("b\0c", 0, "int4", None),)}, ValueError),
        ({"columns": (("b", 0, "int4", None), None)}, TypeError),
        ({"columns": (("b", 0),)}, TypeError),
        ({"mark": "text"}, TypeError),
    ],
)
def test_programs_that_are_none_are_refused(given: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        make(**given)


@pytest.mark.parametrize("records", [None, (GOOD,), [None], ["text"], [bytearray(GOOD)]])
def test_what_is_no_list_of_bytes_is_refused(records: Any) -> None:
    with pytest.raises(TypeError):
        make().encode(records)


@pytest.mark.parametrize("answer", [5, (b"",), (b"", b"", b"", b""), ("a", None, None), (b"", 5, None)])
def test_a_callable_that_answers_wrongly_is_an_error(answer: Any) -> None:
    encoder = make(columns=(("b", 0, "call", lambda raw: answer),))
    with pytest.raises(TypeError):
        encoder.encode([GOOD])
    with pytest.raises(TypeError):
        encoder.encode([GOOD])


def test_errors_of_callables_are_passed_on() -> None:
    def fail(*given: Any) -> Any:
        raise MemoryError

    for encoder in (
        make(columns=(("b", 0, "call", fail),)),
        make(key=(("_id", 0, "call", fail),)),
        make(key=(("_id", 0, "int4", fail),)),
        make(key=(("a", 0, "int4", None), ("b", 0, "int4", fail)), composite=True),
        make(made=fail),
    ):
        with pytest.raises(MemoryError):
            encoder.encode([GOOD])


def test_callables_may_not_disturb_what_is_under_way() -> None:
    records = [GOOD, GOOD]
    encoder: Encoder

    def call(raw: bytes) -> tuple[bytes, None, None]:
        with pytest.raises(RuntimeError):
            encoder.encode([GOOD])
        records.clear()
        return b"", None, None

    encoder = make(columns=(("b", 0, "call", call),))
    with pytest.raises(RuntimeError, match="changed"):
        encoder.encode(records)
    assert encoder.encode([GOOD])[0] is not None


def test_an_encoder_is_initialised_once() -> None:
    assert encoding.RowEncoder is not None
    kind: Any = encoding.RowEncoder
    empty = kind.__new__(kind)
    with pytest.raises(RuntimeError):
        empty.encode([GOOD])
    encoder: Any = make()
    with pytest.raises(RuntimeError):
        encoder.__init__((23,), (("_id", 0, "int4", None),), False, (), b"", Encoded)


def test_cycles_through_a_callable_are_collected() -> None:
    class Holder:
        encoder: Any = None

        def call(self, raw: bytes) -> None:
            return None

    def circle() -> Callable[[], Any]:
        import weakref

        holder = Holder()
        holder.encoder = make(columns=(("b", 0, "call", holder.call),))
        return weakref.ref(holder)

    gone = circle()
    gc.collect()
    assert gone() is None


def test_pure_python_is_had_by_asking_for_it() -> None:
    code = "from proxy.documents import encoding; raise SystemExit(encoding.RowEncoder is not None)"
    environment = {**os.environ, "CAUSEWAY_PURE_PYTHON": "1"}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0
