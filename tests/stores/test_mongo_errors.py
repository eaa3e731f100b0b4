from __future__ import annotations

from typing import Any

import pytest
from pymongo.errors import (
    AutoReconnect,
    ConfigurationError,
    DocumentTooLarge,
    ExecutionTimeout,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
)

from proxy.stores.mongo_errors import (
    POISONOUS,
    REFUSED,
    TRANSIENT,
    CommandRejected,
    of_id_index,
    poison,
    translated,
)
from proxy.stores.protocol import StoreRefused, StoreUnavailable

SECRET = "s3cret"


def failure(code: int, **details: Any) -> OperationFailure:
    return OperationFailure(f"no: {SECRET}", code, {"errmsg": SECRET, **details})


@pytest.mark.parametrize(
    "error",
    [
        AutoReconnect("connection closed"),
        NetworkTimeout("timed out"),
        NotPrimaryError("not primary", {}),
        ServerSelectionTimeoutError("no servers, Timeout: 0.3s, Topology Description: <...>"),
        WaitQueueTimeoutError("no connection was free"),
        ExecutionTimeout("operation exceeded time limit", 50, {}),
        ConfigurationError("The DNS query name does not exist: _mongodb._tcp.h."),
        failure(10107),
        failure(9999, errorLabels=["RetryableWriteError"]),
        failure(13, errorLabels=["RetryableWriteError"]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_may_pass(error: Exception) -> None:
    with pytest.raises(StoreUnavailable) as caught, translated():
        raise error
    assert SECRET not in str(caught.value)
    assert "Topology" not in str(caught.value)
    assert caught.value.__context__ is error


@pytest.mark.parametrize("code", [13, 18, 73, 166])
def test_what_will_never_do(code: int) -> None:
    with pytest.raises(StoreRefused, match=rf"{REFUSED[code]} \({code}\)$"), translated():
        raise failure(code)


@pytest.mark.parametrize(("code", "name"), [(9, "FailedToParse"), (4321, "error")])
def test_what_may_be_the_documents_fault(code: int, name: str) -> None:
    with pytest.raises(CommandRejected) as caught, translated():
        raise failure(code)
    assert caught.value.poison().reason == f"the store answered {name} ({code})"


def test_a_command_that_is_too_large_can_be_divided() -> None:
    with pytest.raises(CommandRejected), translated():
        raise DocumentTooLarge("update command document too large")


def test_the_store_s_own_name_of_an_error_is_used() -> None:
    with pytest.raises(CommandRejected, match=r"^Odd \(4321\)$"), translated():
        raise failure(4321, codeName="Odd")


def test_a_statement_s_error() -> None:
    assert (
        poison({"code": 121, "errmsg": SECRET}).reason == "the store answered DocumentValidationFailure (121)"
    )
    assert SECRET not in poison({"code": 11000, "errmsg": SECRET, "keyPattern": {"email": 1}}).reason
    with pytest.raises(StoreUnavailable):
        poison({"code": 112})
    with pytest.raises(StoreRefused):
        poison({"code": 13})


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ({"keyPattern": {"_id": 1}}, True),
        ({"keyPattern": {"email": 1}}, False),
        ({"keyPattern": {"_id": 1, "email": 1}}, False),
        ({"errmsg": "E11000 duplicate key error collection: d.c index: _id_ dup key: { _id: 1 }"}, True),
        (
            {"errmsg": "E11000 duplicate key error collection: d.c index: email_1 dup key: { email: 1 }"},
            False,
        ),
        ({}, False),
    ],
)
def test_which_index_has_the_duplicate(error: dict[str, Any], expected: bool) -> None:
    assert of_id_index(error) is expected


def test_no_error_is_of_two_kinds() -> None:
    assert not TRANSIENT.keys() & REFUSED.keys()
    assert not (TRANSIENT.keys() | REFUSED.keys()) & POISONOUS.keys()
