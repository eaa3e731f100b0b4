"""Which ReadyForQuery is owed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.session.pipeline import FRONTEND_MARKS, Pipeline


def started() -> Pipeline:
    pipeline = Pipeline()
    pipeline.ready(ord("I"))
    return pipeline


def send(pipeline: Pipeline, kinds: str) -> None:
    for kind in kinds:
        pipeline.sent(ord(kind))


def test_the_start_up_is_owed_first() -> None:
    pipeline = Pipeline()
    assert not pipeline.idle
    pipeline.ready(ord("I"))
    assert pipeline.idle


def test_the_marks_are_the_messages_that_matter() -> None:
    assert set(FRONTEND_MARKS) == set(b"QSFcf")


@given(requests=st.lists(st.sampled_from("QSF"), min_size=1))
def test_each_request_is_answered_once(requests: list[str]) -> None:
    pipeline = started()
    send(pipeline, "".join(requests))
    for left in range(len(requests), 0, -1):
        assert pipeline.outstanding == left
        assert not pipeline.idle
        pipeline.ready(ord("I"))
    assert pipeline.idle
    assert not pipeline.surplus


@pytest.mark.parametrize("status", ["T", "E"])
def test_a_transaction_is_not_idle(status: str) -> None:
    pipeline = started()
    send(pipeline, "Q")
    pipeline.ready(ord(status))
    assert not pipeline.outstanding
    assert not pipeline.idle


def test_copy_by_simple_query() -> None:
    pipeline = started()
    send(pipeline, "Q")
    pipeline.copy_in()
    assert pipeline.copying
    send(pipeline, "c")
    assert not pipeline.copying
    pipeline.ready(ord("I"))
    assert pipeline.idle


@pytest.mark.parametrize("before", ["S", "SS"])
@pytest.mark.parametrize("inside", ["", "S", "SS"])
@pytest.mark.parametrize("end", ["c", "f"])
def test_copy_by_extended_query_swallows_syncs(before: str, inside: str, end: str) -> None:
    pipeline = started()
    send(pipeline, before)
    pipeline.copy_in()
    send(pipeline, inside + end + "S")
    assert pipeline.outstanding == 1
    pipeline.ready(ord("I"))
    assert pipeline.idle


@pytest.mark.parametrize("requests", ["ScS", "SScS", "ScSQ"])
def test_copy_data_sent_ahead_of_the_answer(requests: str) -> None:
    pipeline = started()
    send(pipeline, requests)
    pipeline.copy_in()
    assert not pipeline.copying
    assert pipeline.outstanding == len(requests.partition("c")[2])


def test_a_query_sent_behind_copy_data_that_ran_ahead() -> None:
    pipeline = started()
    send(pipeline, "QcQ")
    pipeline.copy_in()
    assert pipeline.outstanding == 2


def test_a_failed_copy_leaves_strays_that_owe_nothing() -> None:
    pipeline = started()
    send(pipeline, "Q")
    pipeline.copy_in()
    pipeline.failed()
    send(pipeline, "c")
    assert pipeline.outstanding == 1
    pipeline.ready(ord("I"))
    send(pipeline, "c")
    assert pipeline.idle


def test_an_error_in_an_extended_copy_waits_for_the_sync() -> None:
    pipeline = started()
    send(pipeline, "S")
    pipeline.copy_in()
    pipeline.failed()
    send(pipeline, "cS")
    assert pipeline.outstanding == 1


def test_more_answers_than_questions_are_counted() -> None:
    pipeline = started()
    pipeline.ready(ord("I"))
    assert pipeline.surplus == 1
    assert pipeline.idle
