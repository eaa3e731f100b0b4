from __future__ import annotations

from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.documents.codec import Unfit
from proxy.documents.network import INET, MACADDR

ADDRESSES = st.lists(st.sampled_from([0, 0, 1, 0xFFFF]) | st.integers(0, 0xFFFF), min_size=8, max_size=8)


def inet6(address: bytes, bits: int = 128, *, cidr: bool = False) -> bytes:
    return bytes([3, bits, cidr, 16]) + address


@given(ADDRESSES)
def test_an_address_reads_back(words: list[int]) -> None:
    address = b"".join(word.to_bytes(2, "big") for word in words)
    assert IPv6Address(INET.decode(inet6(address))).packed == address


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"\x02\x20\0\x04\x0a\0\0\x01", "10.0.0.1"),
        (b"\x02\x20\x01\x04\x0a\0\0\x01", "10.0.0.1/32"),
        (b"\x02\x08\0\x04\x0a\0\0\x01", "10.0.0.1/8"),
        (inet6(bytes(16)), "::"),
        (inet6(bytes(16), 0, cidr=True), "::/0"),
        (inet6(bytes(15) + b"\1"), "::1"),
        (inet6(bytes(12) + b"\1\2\3\4"), "::1.2.3.4"),
        (inet6(bytes(10) + b"\xff\xff\1\2\3\4"), "::ffff:1.2.3.4"),
        (inet6(b"\0\1" + bytes(4) + b"\0\2" + bytes(6) + b"\0\3", 64), "1:0:0:2::3/64"),
    ],
)
def test_addresses_as_postgres_writes_them(raw: bytes, text: str) -> None:
    assert INET.decode(raw) == text


def test_a_family_that_is_not_known_is_refused() -> None:
    with pytest.raises(Unfit):
        INET.decode(b"\x09\0\0\0")


def test_hardware_addresses() -> None:
    assert MACADDR.decode(bytes(range(6))) == "00:01:02:03:04:05"
    assert MACADDR.decode(bytes(range(8))) == "00:01:02:03:04:05:06:07"
