"""Values of every type that is encoded, as hypothesis makes them."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from proxy.translate import types as t
from proxy.translate.values import FIRST_DAY, FIRST_US, LAST_DAY, LAST_US, Interval, Jsonb

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
_DAYS = st.integers(-2_451_545, 2_145_031_948) | st.sampled_from((FIRST_DAY, LAST_DAY))
_NEAR = st.integers(-30 * 365 * 86_400_000_000, 37 * 365 * 86_400_000_000)
_MOMENTS = (
    _NEAR
    | st.integers(-211_813_488_000_000_000, 9_223_371_331_199_999_999)
    | st.sampled_from((FIRST_US, LAST_US))
)
"""Beyond 2036 too: the settings of the test are UTC."""


def single(value: float) -> float:
    found: float = struct.unpack(">f", struct.pack(">f", value))[0]
    return found


@st.composite
def numerics(draw: st.DrawFn) -> Decimal:
    if draw(st.integers(0, 9)) == 0:
        return Decimal(draw(st.sampled_from(("NaN", "Infinity", "-Infinity"))))
    scale = draw(st.integers(0, 20))
    whole = draw(st.integers(-(10**34) + 1, 10**34 - 1) | st.integers(-10_000, 10_000))
    return Decimal(f"{whole}e-{scale}")  # exactly: no context rounds it


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | TEXTS,
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=6,
)
"""Without objects: PostgreSQL writes their members in an order of its own."""

SCALARS: Mapping[int, tuple[str, st.SearchStrategy[Any]]] = {
    t.BOOL: ("bool", st.booleans()),
    t.INT2: ("int2", st.integers(-(2**15), 2**15 - 1)),
    t.INT4: ("int4", st.integers(-(2**31), 2**31 - 1)),
    t.INT8: ("int8", st.integers(-(2**63), 2**63 - 1)),
    t.OID: ("oid", st.integers(0, 2**32 - 1)),
    t.FLOAT4: ("float4", st.floats(width=32).map(single)),
    t.FLOAT8: ("float8", st.floats() | st.decimals(-1000, 1000, places=3).map(float)),
    t.NUMERIC: ("numeric", numerics()),
    t.TEXT: ("text", TEXTS),
    t.VARCHAR: ("varchar", TEXTS),
    t.BPCHAR: ("bpchar", TEXTS.filter(bool)),
    t.UUID: ("uuid", st.binary(min_size=16, max_size=16)),
    t.BYTEA: ("bytea", st.binary(max_size=30)),
    t.JSON: ("json", _JSON.map(_json)),
    t.JSONB: ("jsonb", _JSON.map(_json).map(Jsonb)),
    t.DATE: ("date", _DAYS),
    t.TIME: ("time", st.integers(0, 86_400_000_000)),
    t.TIMESTAMP: ("timestamp", _MOMENTS),
    t.TIMESTAMPTZ: ("timestamptz", _MOMENTS),
    t.INTERVAL: (
        "interval",
        st.builds(
            Interval,
            st.integers(-(10**6), 10**6),
            st.integers(-(10**6), 10**6),
            st.integers(-(10**15), 10**15),
        ),
    ),
}
"""By oid: the type's name, and values of it."""
ARRAYS: Mapping[int, tuple[str, int]] = {
    t.ARRAYS[oid]: (f"{name}[]", oid) for oid, (name, _) in SCALARS.items() if oid in t.PLAIN
}
