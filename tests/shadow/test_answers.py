"""The store's answer to a sampled read, and what it is called when there is none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from bson import encode
from bson.int64 import Int64

from proxy.shadow.answers import Answered, Asker, Failed
from proxy.shadow.outcomes import Outcome
from proxy.sql.parse import Source
from proxy.stores.protocol import StoreRefused, StoreUnavailable
from tests.shadow.made import sampled
from tests.translate.made import plan

TEXT = "SELECT id, age FROM people WHERE age > 1"


class Store:
    """Answers every question with the same documents, or an error."""

    def __init__(self, *documents: dict[str, Any], error: Exception | None = None, wait: float = 0.0) -> None:
        self.documents = documents
        self.error = error
        self.wait = wait

    async def find(self, *_: Any) -> AsyncIterator[bytes]:
        await asyncio.sleep(self.wait)
        if self.error is not None:
            raise self.error
        for document in self.documents:
            yield encode(document)

    def aggregate(self, *_: Any) -> AsyncIterator[bytes]:
        return self.find()


def person(key: int, age: Any) -> dict[str, Any]:
    return {"_id": key, "age": age, "_cw": {"v": Int64(1), "r": 0}}


async def answer(store: Store, text: str = TEXT, **more: Any) -> Answered:
    read = sampled(text, **more)
    made: Any = store
    return await Asker(read, plan(text), {}).store(made, now=None)


async def test_rows_are_written_as_the_reply_is() -> None:
    found = await answer(Store(person(1, Int64(5)), person(2, Int64(1)), person(3, None)))
    assert found.texts == [("1", "5")]
    assert found.binary is None
    assert found.shown() == [("1", "5")]


@pytest.mark.parametrize(
    ("store", "outcome", "reason"),
    [
        (Store(error=StoreUnavailable("gone")), Outcome.ERROR, "away"),
        (Store(error=StoreRefused("no")), Outcome.ERROR, "does not take"),
        (Store(person(1, "five")), None, "a document holds what the mirror never writes"),
        (Store(*(person(n, Int64(5)) for n in range(20_000))), Outcome.SKIPPED, "too many documents"),
        (Store(wait=5.0), Outcome.TIMEOUT, "^$"),
    ],
)
async def test_what_is_no_answer_has_a_name(store: Store, outcome: Outcome | None, reason: str) -> None:
    limits = replace(sampled(TEXT).limits, timeout=0.2 if outcome is Outcome.TIMEOUT else 30.0)
    with pytest.raises(Failed, match=reason) as caught:
        await answer(store, limits=limits)
    assert caught.value.outcome is outcome


async def test_an_error_of_the_read_may_be_a_difference() -> None:
    with pytest.raises(Failed, match="SQLSTATE 22012") as caught:
        await answer(Store(person(1, Int64(0))), "SELECT 1 / age FROM people")
    assert caught.value.outcome is None


async def test_what_cannot_be_done_exactly_is_unsupported() -> None:
    with pytest.raises(Failed, match="parameters that fails") as caught:
        await answer(
            Store(), "SELECT id FROM people WHERE age = 1 / $1", parameters=(b"0",), parameter_types=(20,)
        )
    assert caught.value.outcome is Outcome.UNSUPPORTED


def test_the_question_to_the_source_has_its_parameters_in_it() -> None:
    text = "SELECT id FROM people WHERE age = $1"
    read = sampled(text, parameters=(b"7",), formats=(0,), parameter_types=(20,))
    assert "7" in Asker(read, plan(text, (20,)), {}).query(Source(text))
    assert "$1" not in Asker(read, plan(text, (20,)), {}).query(Source(text))
