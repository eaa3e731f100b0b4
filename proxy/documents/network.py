"""Network addresses: as their text output.

Binary inet and cidr: family (2 or 3), bits of the mask, whether cidr, length, address. Manual: 8.9.
"""

from __future__ import annotations

from struct import Struct

from proxy.documents.codec import Unfit, text_codec

_WORDS = Struct(">8H").unpack

_IPV4 = 2
_IPV6 = 3


def _ipv4(address: bytes) -> str:
    return ".".join(map(str, address))


def _ipv6(address: bytes) -> str:
    """The longest run of two or more zero words, the first of such, is `::`; IPv4 within is written as such."""
    words = _WORDS(address)
    start = length = 0
    position = 0
    while position < 8:
        end = position
        while end < 8 and words[end] == 0:
            end += 1
        if end - position > max(length, 1):
            start, length = position, end - position
        position = max(end, position + 1)
    if start == 0 and (length == 6 or (length == 5 and words[5] == 0xFFFF)):
        return f"::{'ffff:' if length == 5 else ''}{_ipv4(address[12:])}"
    if not length:
        return ":".join(f"{word:x}" for word in words)
    before = ":".join(f"{word:x}" for word in words[:start])
    after = ":".join(f"{word:x}" for word in words[start + length :])
    return f"{before}::{after}"


def _inet(raw: bytes) -> str:
    family, bits, is_cidr, _ = raw[:4]
    if family not in (_IPV4, _IPV6):
        raise Unfit("an address of a family that is not known")
    address = _ipv4(raw[4:]) if family == _IPV4 else _ipv6(raw[4:])
    whole = 32 if family == _IPV4 else 128
    return address if bits == whole and not is_cidr else f"{address}/{bits}"


INET = text_codec(_inet)
"""inet and cidr."""

MACADDR = text_codec(lambda raw: raw.hex(":"))
"""macaddr and macaddr8."""
