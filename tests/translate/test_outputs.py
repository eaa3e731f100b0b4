"""Text output; what PostgreSQL writes is in the second place (checked against PostgreSQL in tests/translate/reads)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from proxy.translate import types as t
from proxy.translate.api import Inexact, SessionSettings
from proxy.translate.outputs import writer
from proxy.translate.types import Types
from proxy.translate.values import FIRST_DAY, FIRST_US, LAST_DAY, LAST_US, Interval

TYPES = Types({})


@pytest.mark.parametrize(
    ("oid", "value", "text"),
    [
        *((t.BOOL, True, "t"), (t.BOOL, False, "f"), (t.INT8, -5, "-5")),
        *((t.NUMERIC, Decimal("1.500"), "1.500"), (t.NUMERIC, Decimal("NaN"), "NaN")),
        *((t.NUMERIC, Decimal("-Infinity"), "-Infinity"), (t.NUMERIC, Decimal("1E-7"), "0.0000001")),
        *((t.FLOAT8, 0.1, "0.1"), (t.FLOAT8, 1e16, "1e+16"), (t.FLOAT8, -0.0, "-0"), (t.FLOAT8, 5e-324, "5e-324")),
        *((t.FLOAT4, 1.5, "1.5"), (t.FLOAT8, float("inf"), "Infinity"), (t.FLOAT8, float("nan"), "NaN")),
        *((t.DATE, 0, "2000-01-01"), (t.DATE, LAST_DAY, "infinity"), (t.DATE, FIRST_DAY, "-infinity")),
        *((t.DATE, -746_150, "0044-02-10 BC"), (t.TIME, 3_661_000_001, "01:01:01.000001")),
        *((t.TIME, 86_400_000_000, "24:00:00"), (t.TIMESTAMP, 1_500_000, "2000-01-01 00:00:01.5")),
        *((t.TIMESTAMP, LAST_US, "infinity"), (t.TIMESTAMP, FIRST_US, "-infinity")),
        *((t.TIMESTAMPTZ, 0, "2000-01-01 05:30:00+05:30"), (t.UUID, bytes(16), f"{0:08}-0000-0000-0000-{0:012}")),
        *((t.BYTEA, b"\x00\xff", "\\x00ff"), (t.BYTEA, b"", "\\x"), (t.TEXT, "x", "x")),
        (t.INTERVAL, Interval(14, 3, 14_706_789_000), "1 year 2 mons 3 days 04:05:06.789"),
        (t.INTERVAL, Interval(-1, 3, -1_000_000), "-1 mons +3 days -00:00:01"),
        (t.INTERVAL, Interval(0, 0, 0), "00:00:00"),
        (t.INTERVAL, Interval(0, 1, 0), "1 day"),
        (t.ARRAYS[t.TEXT], ("a b", None, "", '"', "null", "x"), '{"a b",NULL,"","\\"","null",x}'),
        (t.ARRAYS[t.INT4], (1, None), "{1,NULL}"),
        (t.ARRAYS[t.INT4], (), "{}"),
    ],
)  # fmt: skip
def test_values_are_written_as_postgres_writes_them(oid: int, value: Any, text: str) -> None:
    assert writer(oid, TYPES, SessionSettings(time_zone="Asia/Kolkata"))(value) == text


def test_escaped_bytea() -> None:
    write = writer(t.BYTEA, TYPES, SessionSettings(bytea_output="escape"))
    assert write(b"a\\\x00\xff") == "a\\\\\\000\\377"


@pytest.mark.parametrize(
    ("oid", "session"),
    [
        (t.FLOAT8, SessionSettings(extra_float_digits=0)),
        (t.TIMESTAMP, SessionSettings(date_style="German, DMY")),
        (t.INTERVAL, SessionSettings(interval_style="iso_8601")),
        (t.TIMESTAMPTZ, SessionSettings(time_zone="EST5EDT,M3.2.0,M11.1.0")),
    ],
)
def test_settings_that_cannot_be_followed(oid: int, session: SessionSettings) -> None:
    with pytest.raises(Inexact):
        writer(oid, TYPES, session)


def test_other_settings_do_not_matter_to_other_types() -> None:
    session = SessionSettings(extra_float_digits=0, date_style="German", interval_style="iso_8601")
    assert writer(t.NUMERIC, TYPES, session)(Decimal("1.0")) == "1.0"
