from __future__ import annotations

from datetime import UTC, datetime, timedelta
from struct import pack

import pytest
from bson.datetime_ms import DatetimeMS
from hypothesis import given
from hypothesis import strategies as st

from proxy.documents.codec import Foreign
from proxy.documents.times import DATE, END_OF_TIME_MS, INTERVAL, TIME, TIMETZ, milliseconds, timestamp

FIRST_US = -211_813_488_000_000_000
LAST_US = 9_223_371_331_199_999_999
"""4714-11-24 BC to the end of 294276, in microseconds since 2000."""

MOMENTS = st.integers(FIRST_US, LAST_US)
TIMESTAMP = timestamp(None, zone=False)
TIMESTAMPTZ = timestamp(None, zone=True)
COARSE = timestamp(3, zone=False)


@given(MOMENTS)
def test_a_moment_is_floored_to_the_millisecond_and_its_rest_kept(since: int) -> None:
    value, us, flag = TIMESTAMP.decode(pack(">q", since))
    assert (int(value) - 946_684_800_000) * 1000 + us == since
    assert 0 <= us <= 999
    assert flag is None


@given(MOMENTS)
def test_a_moment_reads_back(since: int) -> None:
    for codec in (TIMESTAMP, TIMESTAMPTZ):
        marked = codec.decode(pack(">q", since))
        value, us, flag = codec.parse(codec.text(marked))
        assert (int(value), us, flag) == (int(marked[0]), marked[1], None)


@given(st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31)))
def test_dates_as_drivers_give_them(moment: datetime) -> None:
    since = (moment - datetime(2000, 1, 1)) // timedelta(microseconds=1)
    value, us, _ = TIMESTAMP.decode(pack(">q", since))
    naive = moment - timedelta(microseconds=us)
    assert milliseconds(naive) == milliseconds(naive.replace(tzinfo=UTC)) == int(value)
    assert (
        TIMESTAMP.text((naive, us, None))
        == TIMESTAMP.text((value, us, None))
        == TIMESTAMP.out(pack(">q", since))
    )


@given(MOMENTS, MOMENTS)
def test_no_two_moments_have_one_key(one: int, other: int) -> None:
    assert TIMESTAMP.key is not None
    first, second = (TIMESTAMP.key(TIMESTAMP.decode(pack(">q", since))) for since in (one, other))
    assert (first[1] == second[1]) is (one == other)
    assert TIMESTAMP.from_id(first[0])[:2] == TIMESTAMP.decode(pack(">q", one))[:2]


def test_keys_that_differ_by_a_microsecond_differ() -> None:
    assert TIMESTAMP.key is not None
    one, other = (TIMESTAMP.key(TIMESTAMP.decode(pack(">q", since))) for since in (0, 1))
    assert one[0] == {"t": DatetimeMS(946_684_800_000), "us": 0}
    assert other[0] == {"t": DatetimeMS(946_684_800_000), "us": 1}


def test_up_to_milliseconds_there_is_nothing_beside_the_date() -> None:
    assert COARSE.decode(pack(">q", 5000))[1] is None
    assert (COARSE.timed, TIMESTAMP.timed) == (False, True)


@pytest.mark.parametrize("codec", [TIMESTAMP, TIMESTAMPTZ, COARSE, DATE])
@pytest.mark.parametrize("word", ["infinity", "-infinity"])
def test_infinity_is_a_far_date_with_a_flag(codec: object, word: str) -> None:
    value, _, flag = marked = codec.parse(word)  # type: ignore[attr-defined]
    assert abs(int(value)) == END_OF_TIME_MS
    assert flag == word.removesuffix("inity")
    assert codec.text(marked) == word  # type: ignore[attr-defined]
    identifier, token, _ = codec.key(marked)  # type: ignore[attr-defined]
    assert (identifier, token) == (word, word)
    assert codec.text(codec.from_id(identifier)) == word  # type: ignore[attr-defined]


def test_the_date_that_stands_for_infinity_is_a_date_without_the_flag() -> None:
    days = (END_OF_TIME_MS - 946_684_800_000) // 86_400_000
    assert DATE.text(DATE.decode(pack(">i", days))) == "275760-09-13"


@given(st.integers(-2_451_545, 2_145_031_948))
def test_a_day_reads_back(days: int) -> None:
    marked = DATE.decode(pack(">i", days))
    assert int(DATE.parse(DATE.text(marked))[0]) == int(marked[0])


@given(st.integers(0, 86_400_000_000), st.integers(0, 86_400_000_000))
def test_times_compare_as_strings(one: int, other: int) -> None:
    first, second = TIME.decode(pack(">q", one)), TIME.decode(pack(">q", other))
    assert (first < second) is (one < other)
    assert TIME.parse(TIME.text(first)) == first


INTERVALS = st.tuples(
    st.integers(-(2**62), 2**62), st.integers(-(2**31), 2**31 - 1), st.integers(-(2**31), 2**31 - 1)
)


@given(INTERVALS)
def test_an_interval_reads_back(parts: tuple[int, int, int]) -> None:
    value = INTERVAL.decode(pack(">qii", *parts))
    assert (value["us"], value["d"], value["m"]) == parts
    assert INTERVAL.parse(INTERVAL.text(value)) == value


def test_a_month_is_thirty_days_to_a_key() -> None:
    assert INTERVAL.key is not None
    month, days = (INTERVAL.key(INTERVAL.parse(text)) for text in ("1 mon", "30 days"))
    assert month[:2] == days[:2]
    assert month[2] != days[2]
    assert INTERVAL.text(INTERVAL.from_id(month[0])) == "30 days"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (pack(">qi", 0, 0), "00:00:00+00"),
        (pack(">qi", 1, -19_800), "00:00:00.000001+05:30"),
        (pack(">qi", 0, 57_599), "00:00:00-15:59:59"),
    ],
)
def test_times_with_zone_are_text(raw: bytes, text: str) -> None:
    assert TIMETZ.decode(raw) == text


@pytest.mark.parametrize(
    ("codec", "marked"),
    [
        (TIMESTAMP, ("2020", 0, None)),
        (TIMESTAMP, (DatetimeMS(0), 1000, None)),
        (TIMESTAMP, (DatetimeMS(0), 0, "nan")),
        (DATE, (DatetimeMS(1), None, None)),
        (INTERVAL, {"m": 1}),
        (TIME, 5),
    ],
)
def test_what_no_value_becomes_is_foreign(codec: object, marked: object) -> None:
    with pytest.raises(Foreign):
        codec.text(marked)  # type: ignore[attr-defined]
