"""tsvector: as its text output. tsquery comes as text from the server.

Binary: int32 number of lexemes, then for each its text ended by a zero byte, uint16 number of positions, and positions
with the weight in the upper two bits. Manual: 8.11.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct

from proxy.documents.codec import Codec, text_codec
from proxy.documents.strings import reader

_COUNT = Struct(">i").unpack_from
_SHORT = Struct(">H").unpack_from

_WEIGHTS = ("", "C", "B", "A")
_POSITION = 0x3FFF


@lru_cache(maxsize=64)
def tsvector(encoding: str) -> Codec:
    read = reader(encoding)

    def out(raw: bytes) -> str:
        position = 4
        lexemes = []
        for _ in range(_COUNT(raw)[0]):
            end = raw.index(0, position)
            word = read(raw[position:end]).replace("\\", "\\\\").replace("'", "''")
            (count,) = _SHORT(raw, end + 1)
            position = end + 3 + 2 * count
            places = [_SHORT(raw, end + 3 + 2 * number)[0] for number in range(count)]
            shown = ",".join(f"{place & _POSITION}{_WEIGHTS[place >> 14]}" for place in places)
            lexemes.append(f"'{word}':{shown}" if shown else f"'{word}'")
        return " ".join(lexemes)

    return text_codec(out)
