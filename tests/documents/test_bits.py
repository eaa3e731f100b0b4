from __future__ import annotations

from struct import pack

from hypothesis import given
from hypothesis import strategies as st

from proxy.documents.bits import BITS


@given(st.text("01", max_size=40))
def test_bits_are_a_string(bits: str) -> None:
    padded = bits.ljust(-(-len(bits) // 8) * 8, "0")
    raw = bytes(int(padded[start : start + 8], 2) for start in range(0, len(padded), 8))
    assert BITS.decode(pack(">i", len(bits)) + raw) == bits
