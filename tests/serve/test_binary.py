"""What a server would not be asked for: the rest is compared with one in test_encode."""

from __future__ import annotations

from decimal import Decimal

import pytest

from proxy.serve.binary import Unencodable, binary, numeric
from proxy.translate import types as t
from proxy.translate.types import Types

BUILT_IN = Types({})


@pytest.mark.parametrize(
    ("value", "raw"),
    [
        ("0", "0000 0000 0000 0000"),
        ("0.00", "0000 0000 0000 0002"),
        ("-0.00", "0000 0000 0000 0002"),
        ("1", "0001 0000 0000 0000 0001"),
        ("-10000", "0001 0001 4000 0000 0001"),
        ("1.50", "0002 0000 0000 0002 0001 1388"),
        ("0.0001", "0001 ffff 0000 0004 0001"),
        ("0.00001", "0001 fffe 0000 0005 03e8"),
        ("12345.678", "0003 0001 0000 0003 0001 0929 1a7c"),
        ("NaN", "0000 0000 c000 0000"),
        ("-Infinity", "0000 0000 f000 0020"),
    ],
)
def test_numerics(value: str, raw: str) -> None:
    assert numeric(Decimal(value)) == bytes.fromhex(raw)


def test_a_numeric_with_a_scale_below_zero_is_no_value_of_ours() -> None:
    with pytest.raises(ValueError, match="scale"):
        numeric(Decimal("1E+3"))


def test_a_constant_oid_and_one_of_a_column() -> None:
    send = binary(t.OID, BUILT_IN)
    assert send(4_000_000_000) == send("4000000000") == bytes.fromhex("ee6b2800")


@pytest.mark.parametrize("oid", [869, 3904, t.RECORD, 3807, 1_000_000])
def test_types_without_a_send_function_here(oid: int) -> None:
    with pytest.raises(Unencodable, match="in binary"):
        binary(oid, BUILT_IN)
