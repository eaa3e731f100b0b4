"""A sampled read knows its session and the formats of its reply."""

from __future__ import annotations

from tests.shadow.made import sampled


def test_settings_that_were_never_seen_are_the_usual_ones() -> None:
    session = sampled(settings=(("TimeZone", "Asia/Tokyo"), ("extra_float_digits", "?"))).session(now=5)
    assert (session.time_zone, session.extra_float_digits, session.now, session.user) == (
        "Asia/Tokyo",
        1,
        5,
        "ann",
    )
    assert sampled(settings=(("extra_float_digits", "-3"),)).session().extra_float_digits == -3


def test_formats_are_none_one_or_each() -> None:
    assert sampled().formats_of(2) == (0, 0)
    assert sampled(result_formats=(1,)).formats_of(2) == (1, 1)
    assert sampled(result_formats=(1, 0)).formats_of(2) == (1, 0)


def test_the_size_grows_with_the_reply() -> None:
    assert sampled(rows=[(b"x" * 5000,)]).size > 5000
