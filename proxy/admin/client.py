"""Asking a running proxy how it is."""

from __future__ import annotations

import http.client
import socket

from pydantic import ValidationError

from proxy.addresses import Address, UnixAddress
from proxy.admin.status import Status

TIMEOUT = 10.0
"""Seconds for one answer."""
MAX_ANSWER_BYTES = 256 << 20
"""A status with tens of thousands of tables is some ten megabytes."""

_EVERY_INTERFACE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class AdminUnreachable(Exception):
    """No status was to be had; the text names the address and the reason."""


def fetch_status(address: Address, *, timeout: float = TIMEOUT) -> Status:
    """Raises AdminUnreachable. An address that stands for every interface is asked on loopback."""
    try:
        connection = _connect(address, timeout)
        try:
            connection.request("GET", "/status", headers={"Accept": "application/json"})
            response = connection.getresponse()
            body = response.read(MAX_ANSWER_BYTES + 1)
        finally:
            connection.close()
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise AdminUnreachable(f"{address}: {reason}") from error
    if response.status != 200:
        raise AdminUnreachable(f"{address}: HTTP {response.status} {response.reason}")
    if len(body) > MAX_ANSWER_BYTES:
        raise AdminUnreachable(f"{address}: the answer is larger than {MAX_ANSWER_BYTES} bytes")
    try:
        return Status.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise AdminUnreachable(
            f"{address}: this is not the status of a Causeway proxy ({where}: {first['msg']})"
        ) from None


def _connect(address: Address, timeout: float) -> http.client.HTTPConnection:
    if isinstance(address, UnixAddress):
        return _UnixConnection(address.path, timeout)
    return http.client.HTTPConnection(
        _EVERY_INTERFACE.get(address.host, address.host), address.port, timeout=timeout
    )


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
