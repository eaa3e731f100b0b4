"""What an error of MongoDB means for a write: try again, give up for all, or give up for this document.

Numbers: https://www.mongodb.com/docs/manual/reference/error-codes/
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    DocumentTooLarge,
    OperationFailure,
    PyMongoError,
    WTimeoutError,
)

from proxy.stores.protocol import Poison, StoreRefused, StoreUnavailable

DUPLICATE_KEY: Final = 11000
INDEX_CONFLICTS: Final = frozenset({85, 86})

TRANSIENT: Final = {
    6: "HostUnreachable",
    7: "HostNotFound",
    24: "LockTimeout",
    46: "LockBusy",
    48: "NamespaceExists",
    50: "MaxTimeMSExpired",
    63: "StaleShardVersion",
    64: "WriteConcernFailed",
    70: "ShardNotFound",
    82: "NoProgressMade",
    89: "NetworkTimeout",
    91: "ShutdownInProgress",
    100: "UnsatisfiableWriteConcern",
    112: "WriteConflict",
    117: "ConflictingOperationInProgress",
    133: "FailedToSatisfyReadPreference",
    134: "ReadConcernMajorityNotAvailableYet",
    136: "CappedPositionLost",
    146: "ExceededMemoryLimit",
    149: "StaleClusterTime",
    150: "StaleEpoch",
    175: "QueryPlanKilled",
    189: "PrimarySteppedDown",
    202: "NetworkInterfaceExceededTimeLimit",
    249: "StaleChunkHistory",
    262: "ExceededTimeLimit",
    276: "IndexBuildAborted",
    317: "ConnectionPoolExpired",
    365: "TemporarilyUnavailable",
    384: "ConnectionError",
    391: "ReauthenticationRequired",
    462: "IngressRequestRateLimitExceeded",
    8000: "AtlasError",
    9001: "SocketException",
    10058: "LegacyNotPrimary",
    10107: "NotWritablePrimary",
    11600: "InterruptedAtShutdown",
    11601: "Interrupted",
    11602: "InterruptedDueToReplStateChange",
    12586: "BackgroundOperationInProgressForDatabase",
    12587: "BackgroundOperationInProgressForNamespace",
    13388: "StaleConfig",
    13435: "NotPrimaryNoSecondaryOk",
    13436: "NotPrimaryOrSecondary",
    14031: "OutOfDiskSpace",
    16500: "TooManyRequests",
}
"""The same write may succeed later."""

REFUSED: Final = {
    11: "UserNotFound",
    13: "Unauthorized",
    18: "AuthenticationFailed",
    31: "RoleNotFound",
    33: "BadChange",
    59: "CommandNotFound",
    73: "InvalidNamespace",
    79: "UnknownReplWriteConcern",
    115: "CommandNotSupported",
    166: "CommandNotSupportedOnView",
    323: "APIStrictError",
    334: "UnsupportedFormat",
    13297: "DatabaseDifferCase",
}
"""Nothing of the kind will be taken, whatever the data."""

POISONOUS: Final = {
    2: "BadValue",
    9: "FailedToParse",
    15: "Overflow",
    16: "InvalidLength",
    22: "InvalidBSON",
    52: "DollarPrefixedFieldName",
    53: "InvalidIdField",
    54: "NotSingleValueField",
    55: "InvalidDBRef",
    56: "EmptyFieldName",
    57: "DottedFieldName",
    66: "ImmutableField",
    121: "DocumentValidationFailure",
    10334: "BSONObjectTooLarge",
    17280: "KeyTooLong",
    17419: "DocumentTooLargeAfterUpdate",
    17420: "DocumentTooLargeAfterUpdate",
}
"""Names for what is usually the document's own fault; any other number counts as that, too."""

_RETRYABLE_LABELS: Final = ("RetryableWriteError", "TransientTransactionError", "RetryableError")


class CommandRejected(Exception):
    """A command failed as a whole for a reason that may lie in one of its documents."""

    def __init__(self, code: int, name: str) -> None:
        self.code = code
        self.name = name or POISONOUS.get(code, "error")
        super().__init__(f"{self.name} ({code})")

    def poison(self) -> Poison:
        return Poison(f"the store answered {self}")


def raise_for(code: int, name: str = "") -> None:
    """Raises if a statement's error is not its document's fault. Nothing of the message is kept: it may hold values."""
    if code in TRANSIENT:
        raise StoreUnavailable(f"the store answered {name or TRANSIENT[code]} ({code})")
    if code in REFUSED:
        raise StoreRefused(f"the store answered {name or REFUSED[code]} ({code})")


def poison(error: Mapping[str, Any]) -> Poison:
    """One entry of `writeErrors` that is the document's own fault. Raises where it is not."""
    code = int(error.get("code", 8))
    name = str(error.get("codeName") or "")
    raise_for(code, name)
    if code == DUPLICATE_KEY:
        return Poison("a unique index that Causeway did not make has its value already (DuplicateKey, 11000)")
    return CommandRejected(code, name).poison()


def of_id_index(error: Mapping[str, Any]) -> bool:
    """Whether a duplicate key is the `_id`, and not that of an index somebody has added."""
    pattern = error.get("keyPattern")
    if isinstance(pattern, Mapping):
        return list(pattern) == ["_id"]
    return "index: _id_" in str(error.get("errmsg", ""))


@contextmanager
def _not_kept() -> Iterator[None]:
    """A cancellation that came within, and that the driver kept to itself, ends the task behind it.

    The driver sends through `asyncio.wait_for`, which in Python 3.11 returns what it has waited for where that is done
    in the same turn of the loop as the cancellation. A task without end would go on for good.
    """
    before = _cancellations()
    try:
        yield
    except asyncio.CancelledError:
        raise
    except BaseException:
        if _cancellations() > before:
            raise asyncio.CancelledError from None
        raise
    if _cancellations() > before:
        raise asyncio.CancelledError


def _cancellations() -> int:
    """That the current task has been asked for; 0 outside of any."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return 0
    return 0 if task is None else task.cancelling()


@contextmanager
def translated() -> Iterator[None]:
    """pymongo's exceptions as StoreUnavailable, StoreRefused or CommandRejected; and no cancellation is lost."""
    with _not_kept(), _translated():
        yield


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (ConnectionFailure, WTimeoutError) as error:
        raise StoreUnavailable(_first_line(error)) from error
    except OperationFailure as error:
        code = error.code if error.code is not None else 8
        details = error.details if isinstance(error.details, Mapping) else {}
        name = str(details.get("codeName") or "")
        if error.timeout or any(error.has_error_label(label) for label in _RETRYABLE_LABELS):
            raise StoreUnavailable(f"the store answered {name or 'error'} ({code})") from error
        raise_for(code, name)
        raise CommandRejected(code, name) from error
    except DocumentTooLarge as error:
        raise CommandRejected(10334, "BSONObjectTooLarge") from error
    except ConfigurationError as error:
        # Options that cannot be used were found when the store was opened; what is left is DNS (mongodb+srv).
        raise StoreUnavailable(_first_line(error)) from error
    except PyMongoError as error:
        if error.timeout:
            raise StoreUnavailable(_first_line(error)) from error
        raise


def _first_line(error: Exception) -> str:
    text = str(error).partition(", Timeout:")[0].splitlines()
    return f"{type(error).__name__}: {text[0][:200]}" if text else type(error).__name__
