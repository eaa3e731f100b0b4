"""bit and bit varying: as strings of 0 and 1. Binary: int32 number of bits, then bytes. Manual: 8.10."""

from __future__ import annotations

from struct import Struct

from proxy.documents.codec import text_codec

_COUNT = Struct(">i").unpack_from


def _bits(raw: bytes) -> str:
    (count,) = _COUNT(raw)
    return "".join(map("{:08b}".format, raw[4:]))[:count]


BITS = text_codec(_bits)
