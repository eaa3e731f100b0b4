from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy import units


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("24h", 86400.0),
        ("1h30m", 5400.0),
        ("1h 30m", 5400.0),
        ("1d12h", 129600.0),
        ("2min", 120.0),
        ("1.5s", 1.5),
        ("250us", 0.00025),
        ("250µs", 0.00025),
        ("1w", 604800.0),
        ("30 s", 30.0),
        ("0s", 0.0),
        ("90", 90.0),
        (90, 90.0),
        (0.1, 0.1),
    ],
)
def test_durations(text: str | float, seconds: float) -> None:
    assert units.parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("", "write a number and a unit"),
        ("soon", "write a number and a unit"),
        ("-3s", "0s or more"),
        ("1:30", "write for example 90s or 1m30s"),
        ("5 minutes", "use w, d, h, m, s, ms or us"),
        ("5M", "use w, d, h, m, s, ms or us"),
        ("30m1h", "larger to smaller"),
        ("1h1h", "larger to smaller"),
        ("1h30", "write a number and a unit"),
        ("1e3s", "use w, d"),
        ("101000w", "longer than"),
        ("9" * 50 + "s", "too long"),
        ("٣s", "write for example"),
        (True, "write for example"),
        (-1, "write for example"),
        (float("inf"), "write for example"),
        (float("nan"), "write for example"),
    ],
)
def test_no_durations(text: str | float, advice: str) -> None:
    with pytest.raises(ValueError, match=re.escape(advice)):
        units.parse_duration(text)


@pytest.mark.parametrize(
    ("text", "share"), [("5%", 0.05), ("0.01%", 0.0001), ("100%", 1.0), ("0%", 0.0), ("12.5 %", 0.125)]
)
def test_percentages(text: str, share: float) -> None:
    assert units.parse_percent(text) == share


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("5", "write 5%"),
        ("0.05", "write 5%"),
        ("1", "write 1%"),
        ("0", "write 0%"),
        ("101%", "between 0% and 100%"),
        ("-1%", "write a percentage"),
        ("%", "write a percentage"),
        ("many", "write a percentage"),
    ],
)
def test_no_percentages(text: str, advice: str) -> None:
    with pytest.raises(ValueError, match=re.escape(advice)):
        units.parse_percent(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("64MiB", 64 << 20),
        ("64 MiB", 64 << 20),
        ("64MB", 64_000_000),
        ("1.5KiB", 1536),
        ("10kB", 10_000),
        ("10KB", 10_000),
        ("7B", 7),
        ("10000", 10_000),
        (10_000, 10_000),
        ("1TiB", 1 << 40),
    ],
)
def test_sizes(text: str | int, size: int) -> None:
    assert units.parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("", "such as 64MiB"),
        ("64Mi", "write 64MiB"),
        ("64M", "write 64MiB"),
        ("64mb", "write 64MB"),
        ("64mib", "write 64MiB"),
        ("64 bananas", "use B, KiB"),
        ("0.3KiB", "whole number of bytes"),
        ("2000TiB", "largest size"),
        ("-1", "such as 64MiB"),
    ],
)
def test_no_sizes(text: str, advice: str) -> None:
    with pytest.raises(ValueError, match=re.escape(advice)):
        units.parse_size(text)


@given(
    st.floats(0, units.MAX_DURATION, allow_subnormal=False)
    | st.integers(0, int(units.MAX_DURATION)).map(float)
)
def test_a_written_duration_reads_the_same(seconds: float) -> None:
    text = units.format_duration(seconds)
    if len(text) <= units.MAX_TEXT:
        assert units.parse_duration(text) == seconds
    else:
        assert seconds < 1e-12


@given(st.floats(1e-9, 1))
def test_a_written_share_reads_the_same(share: float) -> None:
    assert units.parse_percent(units.format_percent(share)) == share


@given(st.integers(0, units.MAX_SIZE))
def test_a_written_size_reads_the_same(size: int) -> None:
    assert units.parse_size(units.format_size(size)) == size


_TEXTS = st.text("0123456789.smhdwuiµkKMGTB% -:e", max_size=12) | st.text(max_size=6)


@given(_TEXTS)
def test_what_the_parsers_take_the_patterns_take(text: str) -> None:
    parsers = [
        (units.parse_duration, units.DURATION_PATTERN),
        (units.parse_percent, units.PERCENT_PATTERN),
        (units.parse_size, units.SIZE_PATTERN),
    ]
    for parse, pattern in parsers:
        try:
            number = parse(text)
        except ValueError:
            continue
        assert number >= 0
        bare = re.fullmatch(r"[0-9.]+", text.strip())
        assert bare or re.fullmatch(pattern, text.strip())


def test_the_shortest_text_is_written() -> None:
    assert [units.format_duration(s) for s in (86400, 90, 5400, 0.5, 0.00025, 0)] == [
        "1d", "90s", "90m", "500ms", "250us", "0s",
    ]  # fmt: skip
    assert [units.format_percent(s) for s in (0.05, 0.0001, 1, 0)] == ["5%", "0.01%", "100%", "0%"]
    assert [units.format_size(s) for s in (64 << 20, 1000, 0)] == ["64MiB", "1000B", "0B"]
