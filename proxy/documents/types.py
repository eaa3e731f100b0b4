"""Which codec a column's type has: a table of the built-in types, and what is made of other types."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from proxy.catalog.model import TypeInfo
from proxy.documents.arrays import array, vector
from proxy.documents.bits import BITS
from proxy.documents.codec import Codec
from proxy.documents.composites import composite, multirange_of, range_of, unsent
from proxy.documents.floats import FLOAT4, FLOAT8
from proxy.documents.geometry import BOX, CIRCLE, LINE, LSEG, PATH, POINT, POLYGON
from proxy.documents.json_values import jsonb
from proxy.documents.network import INET, MACADDR
from proxy.documents.numbers import BOOL, INT2, INT4, INT8, MAX_DIGITS, NUMERIC, OID, OID8, PG_LSN, TID
from proxy.documents.strings import BPCHAR_HEADER, BYTEA, CHAR, UUID, bpchar, json_text, text_like, versioned
from proxy.documents.textsearch import tsvector
from proxy.documents.times import DATE, INTERVAL, TIME, TIMETZ, timestamp

FIXED: Mapping[int, Codec] = MappingProxyType(
    {
        16: BOOL,
        17: BYTEA,
        18: CHAR,
        20: INT8,
        21: INT2,
        22: vector(INT2),
        23: INT4,
        26: OID,
        27: TID,
        28: OID,  # xid
        29: OID,  # cid
        30: vector(OID),
        600: POINT,
        601: LSEG,
        602: PATH,
        603: BOX,
        604: POLYGON,
        628: LINE,
        650: INET,  # cidr
        700: FLOAT4,
        701: FLOAT8,
        718: CIRCLE,
        774: MACADDR,  # macaddr8
        829: MACADDR,
        869: INET,
        1082: DATE,
        1083: TIME,
        1186: INTERVAL,
        1266: TIMETZ,
        1560: BITS,
        1562: BITS,  # varbit
        2950: UUID,
        3220: PG_LSN,
        5069: OID8,  # xid8
    }
)
"""By the oid of a built-in type: pg_type.dat."""

TEXTUAL: Mapping[int, Callable[[str], Codec]] = MappingProxyType(
    {
        19: text_like,  # name
        25: text_like,
        114: json_text,
        705: text_like,  # unknown
        1043: text_like,  # varchar
        3614: tsvector,
        3802: jsonb,
        4072: versioned,  # jsonpath
    }
)
"""By oid: types whose binary form has text of some encoding in it."""

EXTENSIONS: Mapping[str, Callable[[str], Codec]] = MappingProxyType(
    {"citext": text_like, "ltree": versioned, "lquery": versioned}
)
"""By name: types of extensions with a binary form as simple; all others come as text from the server."""

SESSION_DEPENDENT: Mapping[int, str] = MappingProxyType(
    {
        790: "lc_monetary",
        **dict.fromkeys((24, 2202, 2203, 2204, 2205, 2206, 3734, 3769, 4089, 4096, 4191), "search_path"),
    }
)
"""By oid: types whose text only the server can write, and the setting of its session that the text depends on."""

BPCHAR = 1042
TIMESTAMP = 1114
TIMESTAMPTZ = 1184
NUMERIC_OID = 1700

_PRECISION_SHIFT = 16
_NUMERIC_HEADER = 4


class NoCodec(Exception):
    """No document can hold what the type allows. The message says why and what to do."""


def numeric_precision(typmod: int) -> int | None:
    """p of numeric(p, s); None where there is none."""
    return None if typmod < 0 else (typmod - _NUMERIC_HEADER >> _PRECISION_SHIFT) & 0xFFFF


def codec_of(
    oid: int, typmod: int, types: Mapping[int, TypeInfo], encoding: str, *, within: bool = False
) -> Codec:
    """NoCodec where a column of the type must be refused. `encoding` as Python names it.

    `within`: of a part of a composite or range, whose text alone is needed, whatever a document could hold.
    """
    if (fixed := FIXED.get(oid)) is not None:
        return fixed
    if (textual := TEXTUAL.get(oid)) is not None:
        return textual(encoding)
    if oid == NUMERIC_OID:
        precision = numeric_precision(typmod)
        if precision is not None and precision > MAX_DIGITS and not within:
            raise NoCodec(f"numeric({precision}) can hold more than the {MAX_DIGITS} digits of a document")
        return NUMERIC
    if oid in (TIMESTAMP, TIMESTAMPTZ):
        return timestamp(typmod if 0 <= typmod <= 6 else None, zone=oid == TIMESTAMPTZ)
    if oid == BPCHAR:
        return bpchar(encoding, typmod - BPCHAR_HEADER if typmod >= BPCHAR_HEADER else None)
    info = types.get(oid)
    if info is None:
        raise NoCodec(f"the type with oid {oid} is not in the catalogue that was read")
    return _made(info, typmod, types, encoding, within)


def _made(info: TypeInfo, typmod: int, types: Mapping[int, TypeInfo], encoding: str, within: bool) -> Codec:
    if info.kind == "d":
        return codec_of(info.base, info.base_typmod, types, encoding, within=within)
    if info.kind == "e":
        return text_like(encoding)
    if info.category == "A" and info.element:
        return array(codec_of(info.element, typmod, types, encoding, within=within), info.delimiter)
    if info.kind == "c" and info.sendable:
        return composite([codec_of(part, -1, types, encoding, within=True) for _, part in info.fields])
    if info.kind == "r" and info.element:
        return range_of(codec_of(info.element, -1, types, encoding, within=True))
    if info.kind == "m" and info.element:
        one = types.get(info.element)
        subtype = one.element if one is not None and one.kind == "r" else info.element
        return multirange_of(codec_of(subtype, -1, types, encoding, within=True))
    known = EXTENSIONS.get(info.name)
    if known is not None and info.sendable:
        return known(encoding)
    return unsent(keyed=False)
