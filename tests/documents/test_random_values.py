"""Thousands of values of the types whose text is hard to write, each compared with PostgreSQL's own."""

from __future__ import annotations

import json
import math
import random
import struct
from collections.abc import Callable

import pytest

from proxy.documents.codec import Unrepresentable
from tests.documents.conftest import Place, back

COUNT = 3000


def float8(r: random.Random) -> str:
    kind = r.randrange(4)
    if kind == 0:
        value = struct.unpack(">d", r.randbytes(8))[0]
    elif kind == 1:
        value = math.ldexp(1.0, r.randint(-1074, 1023))
    elif kind == 2:
        value = r.randint(-(10**6), 10**6) / 10 ** r.randint(0, 12)
    else:  # halfway cases: few digits, even mantissa
        value = float(r.randint(1, 9999)) * 10.0 ** r.randint(-300, 300)
    return repr(value)


def float4(r: random.Random) -> str:
    if r.randrange(3) == 0:
        return repr(math.ldexp(1.0, r.randint(-149, 127)))
    if r.randrange(2) == 0:
        return repr(r.randint(-(10**5), 10**5) / 10 ** r.randint(0, 8))
    return repr(struct.unpack(">f", r.randbytes(4))[0])


def numeric(r: random.Random) -> str:
    digits = r.randint(1, 34)
    scale = r.randint(0, digits + 5)
    text = "".join(r.choice("0000123456789") for _ in range(digits)).rjust(scale + 1, "0")
    point = len(text) - scale
    return r.choice(("", "-")) + text[:point] + ("." + text[point:] if scale else "")


def moment(r: random.Random) -> str:
    year = r.choice((r.randint(1, 3000), r.randint(1, 294275), r.randint(1, 4712)))
    era = " BC" if year <= 4712 and r.random() < 0.3 else ""
    fraction = r.choice(("", f".{r.randint(0, 999999):06d}", f".{r.randint(0, 999):03d}"))
    return (
        f"{year:04d}-{r.randint(1, 12):02d}-{r.randint(1, 28):02d} "
        f"{r.randint(0, 23):02d}:{r.randint(0, 59):02d}:{r.randint(0, 59):02d}{fraction}{era}"
    )


def date(r: random.Random) -> str:
    year = r.choice((r.randint(1, 3000), r.randint(1, 5874896), r.randint(1, 4712)))
    era = " BC" if year <= 4712 and r.random() < 0.3 else ""
    return f"{year:04d}-{r.randint(1, 12):02d}-{r.randint(1, 28):02d}{era}"


def interval(r: random.Random) -> str:
    parts = []
    for unit, most in (("mon", 10**5), ("day", 10**6), ("microsecond", 10**15)):
        if r.random() < 0.7:
            parts.append(f"{r.randint(-most, most) // r.choice((1, most // 20, most // 3))} {unit}")
    return " ".join(parts) or "0"


def json_value(r: random.Random, depth: int = 0) -> object:
    kind = r.randrange(8 if depth < 4 else 5)
    if kind == 0:
        return r.choice((None, True, False))
    if kind == 1:
        return r.randint(-(10 ** r.randint(1, 25)), 10 ** r.randint(1, 25))
    if kind == 2:
        return r.randint(-(10**9), 10**9) / 1000
    if kind in (3, 4):
        return name(r)
    if kind == 5:
        return [json_value(r, depth + 1) for _ in range(r.randint(0, 4))]
    return {name(r): json_value(r, depth + 1) for _ in range(r.randint(0, 4))}


def name(r: random.Random) -> str:
    return "".join(r.choice('ab$.%025E "\\\n\x01\x7fé🙂$.') for _ in range(r.randint(0, 6)))


def jsonb(r: random.Random) -> str:
    return json.dumps(json_value(r), ensure_ascii=r.random() < 0.5)


def text_array(r: random.Random) -> str:
    def element() -> str:
        value = "".join(r.choice('aN ,{}"\\\té;') for _ in range(r.randint(0, 4)))
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' if r.random() < 0.8 else "NULL"

    rows = r.randint(1, 3)
    width = r.randint(1, 3)
    nested = "{" + ",".join("{" + ",".join(element() for _ in range(width)) + "}" for _ in range(rows)) + "}"
    flat = "{" + ",".join(element() for _ in range(width)) + "}"
    low = r.randint(-3, 3)
    return r.choice((flat, flat, nested, f"[{low}:{low + width - 1}]={flat}"))


def inet(r: random.Random) -> str:
    if r.random() < 0.3:
        return ".".join(str(r.randrange(256)) for _ in range(4)) + r.choice(("", f"/{r.randint(0, 32)}"))
    words = [r.choice((0, 0, 0, 1, 0xFFFF, r.randrange(1 << 16))) for _ in range(8)]
    return ":".join(f"{word:x}" for word in words) + r.choice(("", f"/{r.randint(0, 128)}"))


@pytest.mark.integration
@pytest.mark.parametrize(
    ("type_name", "make"),
    [
        ("float8", float8),
        ("float4", float4),
        ("numeric", numeric),
        ("timestamp", moment),
        ("timestamptz", moment),
        ("date", date),
        ("interval", interval),
        ("jsonb", jsonb),
        ("text[]", text_array),
        ("inet", inet),
    ],
)
async def test_random_values(place: Place, type_name: str, make: Callable[[random.Random], str]) -> None:
    r = random.Random(f"causeway {type_name}")
    literals = [make(r) for _ in range(COUNT)]
    await place.plain.execute(f"CREATE TABLE t (id int PRIMARY KEY, v {type_name})")
    await place.plain.execute(
        f"INSERT INTO t SELECT n, v::{type_name} FROM unnest($1::text[]) WITH ORDINALITY AS u (v, n)",
        literals,
    )
    found = await place.rows("t")
    codec = found.mapping.by_name["v"].codec
    refused = 0
    for row in found.rows:
        raw = row.fields[1]
        assert raw is not None
        assert codec.out(raw) == row.shown[1]
        try:
            document, extra = found.mapping.document(row.fields, row.text)
        except Unrepresentable:
            refused += 1
            continue
        assert back(found.mapping, document, extra) == row.shown
    assert refused == 0
