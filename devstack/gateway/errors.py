"""Errors as MongoDB's clients expect them: number, name, labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import asyncpg

from devstack.gateway import error_codes

TRANSIENT_TRANSACTION = "TransientTransactionError"


class CommandError(Exception):
    """A command that failed; becomes the reply `{ok: 0, code, codeName, errmsg}`."""

    def __init__(
        self,
        code: int,
        message: str,
        *,
        labels: Iterable[str] = (),
        details: Mapping[str, Any] | None = None,
        constraint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.labels = frozenset(labels)
        self.details = dict(details or {})
        self.constraint = constraint
        """The PostgreSQL constraint that was violated, where that is what happened."""

    def in_transaction(self) -> CommandError:
        """The same, labelled where the whole transaction may be retried."""
        code = error_codes.WRITE_CONFLICT if self.code == error_codes.LOCK_TIMEOUT else self.code
        labels = self.labels | ({TRANSIENT_TRANSACTION} if code in error_codes.TRANSIENT else frozenset())
        return CommandError(code, self.message, labels=labels, details=self.details)

    def document(self) -> dict[str, Any]:
        reply: dict[str, Any] = {
            "ok": 0.0,
            "errmsg": self.message,
            "code": self.code,
            "codeName": error_codes.name(self.code),
            **self.details,
        }
        if self.labels:
            reply["errorLabels"] = sorted(self.labels)
        return reply


def from_postgres(error: asyncpg.PostgresError) -> CommandError:
    """What DocumentDB or PostgreSQL raised."""
    sqlstate = getattr(error, "sqlstate", None) or "XX000"
    code = error_codes.from_sqlstate(sqlstate)
    message = error.args[0] if error.args else type(error).__name__
    if code == error_codes.UNKNOWN_ERROR:
        message = f"{message} (SQLSTATE {sqlstate})"
    return CommandError(code, message, constraint=getattr(error, "constraint_name", None))
