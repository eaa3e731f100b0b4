"""The document of a run says all of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import bson
from bson.codec_options import CodecOptions
from hypothesis import given
from hypothesis import strategies as st

from proxy.backfill.run import Claim, Counts, Mode, Run, Status, Tuning, Worker, parse_run

START = datetime(2026, 1, 1, tzinfo=UTC)

texts = st.lists(st.text(max_size=5), min_size=1, max_size=3).map(tuple)
moments = st.integers(0, 10**9).map(lambda n: START + timedelta(milliseconds=n))
counts = st.builds(Counts, *[st.integers(0, 2**40)] * 7)
claims = st.builds(
    Claim,
    st.integers(1, 99),
    st.none() | texts,
    texts,
    st.text(max_size=5),
    st.integers(0, 99),
)
runs = st.builds(
    Run,
    st.text(max_size=9),
    st.integers(1, 9),
    st.integers(1, 2**32 - 1),
    texts,
    moments,
    moments,
    st.integers(-1, 2**40),
    mode=st.sampled_from(Mode),
    since=st.text(max_size=5),
    status=st.sampled_from(Status),
    reason=st.text(max_size=5),
    held=st.booleans(),
    doubt=st.none() | moments,
    doubted_from=st.none() | moments,
    ended=st.none() | moments,
    end=st.none() | texts,
    cursor=st.none() | texts,
    exhausted=st.booleans(),
    claimed=st.integers(0, 99),
    claims=st.lists(claims, max_size=3).map(tuple),
    totals=counts,
    tuning=st.builds(
        Tuning, rate=st.floats(0, 1e9), concurrency=st.integers(1, 99), query=st.text(max_size=5)
    ),
    workers=st.dictionaries(
        st.text(max_size=5), st.builds(Worker, st.text(max_size=5), st.integers(0, 99), moments), max_size=3
    ),
    proxies=st.lists(st.text(max_size=5), max_size=3).map(tuple),
    marks=st.lists(st.tuples(moments, st.integers(0, 99)), max_size=3).map(tuple),
    position=st.integers(0, 2**62),
    revision=st.integers(0, 99),
)


@given(run=runs)
def test_the_document_says_it_all(run: Run) -> None:
    document = {**run.document(), "revision": run.revision, "added_later": 1}
    read: CodecOptions[Any] = CodecOptions(tz_aware=True, tzinfo=UTC)
    assert parse_run(bson.decode(bson.encode(document), read)) == run
