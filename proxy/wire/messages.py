"""The messages of protocol 3 that the proxy reads or writes itself.

Everything else is forwarded as the bytes it came in. Formats: PostgreSQL manual, "Message Formats".
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

# Frontend.
BIND = ord("B")
CLOSE = ord("C")
COPY_DATA = ord("d")
COPY_DONE = ord("c")
COPY_FAIL = ord("f")
DESCRIBE = ord("D")
EXECUTE = ord("E")
FLUSH = ord("H")
FUNCTION_CALL = ord("F")
PARSE = ord("P")
PASSWORD = ord("p")
"""PasswordMessage, SASLInitialResponse, SASLResponse and GSSResponse share this type."""
QUERY = ord("Q")
SYNC = ord("S")
TERMINATE = ord("X")

# Backend.
AUTHENTICATION = ord("R")
BACKEND_KEY_DATA = ord("K")
BIND_COMPLETE = ord("2")
CLOSE_COMPLETE = ord("3")
COMMAND_COMPLETE = ord("C")
COPY_BOTH_RESPONSE = ord("W")
COPY_IN_RESPONSE = ord("G")
COPY_OUT_RESPONSE = ord("H")
DATA_ROW = ord("D")
EMPTY_QUERY_RESPONSE = ord("I")
ERROR_RESPONSE = ord("E")
FUNCTION_CALL_RESPONSE = ord("V")
NEGOTIATE_PROTOCOL_VERSION = ord("v")
NO_DATA = ord("n")
NOTICE_RESPONSE = ord("N")
NOTIFICATION_RESPONSE = ord("A")
PARAMETER_DESCRIPTION = ord("t")
PARAMETER_STATUS = ord("S")
PARSE_COMPLETE = ord("1")
PORTAL_SUSPENDED = ord("s")
READY_FOR_QUERY = ord("Z")
ROW_DESCRIPTION = ord("T")

FRONTEND_TYPES = frozenset(b"BCdcfDEHFPpQSX")
"""Every message type a client may send after its StartupMessage."""
BACKEND_TYPES = frozenset(b"RK23CdcGHWDIEVvnNAtS1sZT")
"""Every message type a server may send."""

TERMINATE_MESSAGE = b"X\x00\x00\x00\x04"

AUTH_SASL = 10
"""AuthenticationSASL: the Int32 after the length of an Authentication message."""


def frame(kind: int, body: bytes) -> bytes:
    """A message of type `kind` around `body`."""
    return struct.pack("!Bi", kind, len(body) + 4) + body


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    """An error as Postgres reports it; the proxy sends its own only where there is no server to speak.

    `fields` holds every further field by its one-letter code (manual, "Error and Notice Message Fields").
    """

    severity: str
    sqlstate: str
    message: str
    detail: str | None = None
    hint: str | None = None
    fields: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def encode(self) -> bytes:
        """The whole message, type byte included."""
        pairs = [("S", self.severity), ("V", self.severity), ("C", self.sqlstate), ("M", self.message)]
        if self.detail is not None:
            pairs.append(("D", self.detail))
        if self.hint is not None:
            pairs.append(("H", self.hint))
        pairs.extend((code, text) for code, text in self.fields.items() if code not in "SVCMDH")
        body = b"".join(
            code.encode("ascii") + text.replace("\x00", "").encode() + b"\x00" for code, text in pairs
        )
        return frame(ERROR_RESPONSE, body + b"\x00")


def error_fields(body: bytes) -> dict[str, str]:
    """The fields of an ErrorResponse or NoticeResponse body by one-letter code; a truncated body gives those it has."""
    found: dict[str, str] = {}
    for part in body.split(b"\x00"):
        if not part:
            break
        found[chr(part[0])] = part[1:].decode("utf-8", "replace")
    return found


def sqlstate_of(body: bytes) -> str:
    """The SQLSTATE (field `C`) of an ErrorResponse body, or `XX000` where it has none."""
    start = 0 if body[:1] == b"C" else body.find(b"\x00C") + 1
    if start == 0 and body[:1] != b"C":
        return "XX000"
    code = body[start + 1 : start + 6]
    return code.decode("ascii", "replace") if len(code) == 5 else "XX000"


def fatal(sqlstate: str, message: str, *, detail: str | None = None, hint: str | None = None) -> bytes:
    """An encoded ErrorResponse of severity FATAL: what is sent before a connection is closed."""
    return ErrorResponse("FATAL", sqlstate, message, detail, hint).encode()
