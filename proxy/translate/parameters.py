"""Parameters of a Bind message as values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import Struct
from struct import error as struct_error
from typing import Any

from proxy.documents.arrays import array
from proxy.documents.codec import Codec, Unfit
from proxy.documents.types import NoCodec, codec_of
from proxy.translate import inputs, moments
from proxy.translate import types as t
from proxy.translate.api import Inexact, ReadError, SessionSettings
from proxy.translate.context import CANONICAL
from proxy.translate.types import Types
from proxy.translate.values import FIRST_DAY, LAST_DAY


def _unpack(form: str) -> Callable[[bytes], Any]:
    unpack = Struct(form).unpack
    return lambda raw: unpack(raw)[0]


_BYTE = _unpack("b")
_MOMENT = _unpack(">q")
_DAYS = _unpack(">i")


def _moment(raw: bytes) -> int:
    us: int = _MOMENT(raw)
    return us if moments.infinite(us) else moments.moment(us)


def _date(raw: bytes) -> int:
    days: int = _DAYS(raw)
    return days if days in (FIRST_DAY, LAST_DAY) else moments.day(days)


_FAST: dict[int, Callable[[bytes], Any]] = {
    t.INT2: _unpack(">h"),
    t.INT4: _unpack(">i"),
    t.INT8: _unpack(">q"),
    t.FLOAT8: _unpack(">d"),
    t.FLOAT4: _unpack(">f"),
    t.TIMESTAMP: _moment,
    t.TIMESTAMPTZ: _moment,
    t.DATE: _date,
    t.UUID: _unpack("16s"),
    t.BYTEA: bytes,
    t.BOOL: lambda raw: _BYTE(raw) != 0,
}


def values(
    oids: Sequence[int],
    parameters: Sequence[bytes | None],
    formats: Sequence[int],
    session: SessionSettings,
    types: Types,
) -> tuple[Any, ...]:
    """ReadError for what PostgreSQL would refuse, Inexact for what cannot be read exactly."""
    if len(parameters) != len(oids):
        raise ReadError("08P01", "another number of parameters than the statement has")
    if len(formats) not in (0, 1, len(parameters)):
        raise ReadError("08P01", "another number of formats than parameters")
    made = []
    for place, (oid, raw) in enumerate(zip(oids, parameters, strict=True)):
        code = 0 if not formats else formats[0] if len(formats) == 1 else formats[place]
        made.append(None if raw is None else _value(oid, raw, code, session, types))
    return tuple(made)


def _value(oid: int, raw: bytes, code: int, session: SessionSettings, types: Types) -> Any:
    try:
        if code == 0:
            return inputs.parser(oid, types, session)(raw.decode())
        if oid in _FAST:
            return _FAST[oid](raw)
        return inputs.parser(oid, types, CANONICAL)(_codec(oid, types).out(raw))
    except (Unfit, UnicodeDecodeError, struct_error):
        raise ReadError("22P03", "incorrect binary data format") from None


def _codec(oid: int, types: Types) -> Codec:
    element = types.element(oid)
    try:
        if element:
            return array(codec_of(element, -1, types.infos, "utf-8"))
        return codec_of(oid, -1, types.infos, "utf-8")
    except NoCodec:
        raise Inexact("a binary parameter of such a type") from None
