"""Which connection a cancel request means."""

from __future__ import annotations

from typing import Protocol

from proxy.session.upstream import Route


class Cancellable(Protocol):
    """A connection that a cancel request can be for."""

    @property
    def route(self) -> Route | None:
        """How its server connection was opened."""

    def cancel_read(self) -> bool:
        """Cancels a read that the store is asked for; False if none is, so that the server must be told."""


class CancelKeys:
    """The cancel keys of the connections of this process.

    The servers' own keys reach the clients, so a key names one server connection; the table says which, and a key
    that is not in it is nobody's business.
    """

    def __init__(self) -> None:
        self._connections: dict[bytes, Cancellable] = {}

    def add(self, key: bytes, connection: Cancellable) -> None:
        """`key` is a BackendKeyData body: process id and secret key."""
        self._connections[key] = connection

    def discard(self, key: bytes, connection: Cancellable) -> None:
        """Forgets the key, unless a newer connection has it by now."""
        if self._connections.get(key) is connection:
            del self._connections[key]

    def route_of(self, key: bytes) -> Route | None:
        """The way to the server that holds `key`; None if no connection here has it."""
        connection = self._connections.get(key)
        return None if connection is None else connection.route

    def cancel_read(self, key: bytes) -> bool:
        """Whether the connection that has `key` was waiting for the store, and does so no more."""
        connection = self._connections.get(key)
        return connection is not None and connection.cancel_read()

    def __len__(self) -> int:
        return len(self._connections)
